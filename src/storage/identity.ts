// Judges at the start what a disk is, from the log and the founding file together (DESIGN 6, Identity). A founding writes
// in this order: the meta record with the ids, then the file, then the meta record again as founded. Whatever prefix of
// that a crash leaves is a legal start (H32); everything else is a disk that lost something.
//
// The file without a log is the important case: with an empty log the node would be a new one, two such nodes out of three
// would found a second cluster beside the first, and its tokens would start at 1 (H27).
//
// Then, of log and state together, whether the state is one that goes with this log.
import type { Index, Term } from '../ids.ts'
import type { TermSpan } from '../raft/log.ts'
import { damaged, damagedState } from './damage.ts'
import type { FoundingRecord } from './founding-store.ts'
import type { ChainHash, LogMeta, StoredLog } from './log-store.ts'
import type { Checkpoint, StoredState } from './state-store.ts'

export type DiskStart =
  /** Nothing was ever written: the node draws its ids. */
  | { readonly kind: 'empty' }
  /** The founding was cut off and goes on with the same ids; `record` is null until this disk has stored it. */
  | { readonly kind: 'founding'; readonly meta: LogMeta; readonly record: FoundingRecord | null }
  | { readonly kind: 'founded'; readonly meta: LogMeta; readonly record: FoundingRecord }

/** `folder` is for the message only. Throws DamagedError. */
export function judgeDisk(folder: string, log: StoredLog, record: FoundingRecord | null): DiskStart {
  const { meta, hardState } = log
  const hasVotedOrStored = hardState.currentTerm > 0 || log.lastIndex >= log.firstIndex
  if (meta === null) {
    if (record !== null) throw damaged(folder, 'the founding file is there, but the log beside it is empty')
    // The log store refuses a hard state or entries without a meta record itself.
    return { kind: 'empty' }
  }
  if (record === null) {
    if (hasVotedOrStored) throw damaged(folder, 'the log has a term or entries, but the founding file is missing')
    if (meta.founded)
      throw damaged(folder, 'the log says that the cluster is founded, but the founding file is missing')
    return { kind: 'founding', meta, record }
  }
  const own = record.members.find((member) => member.id === meta.node)
  // A disk that came in place of a lost one says that it does not count before it stores the founding of the others.
  const isFounder = own?.incarnation === meta.incarnation
  if (own === undefined || (!isFounder && meta.counted !== null && !meta.founded)) {
    throw damaged(
      folder,
      `the founding file is not of this disk, which is ${meta.node} in incarnation ${meta.incarnation}`,
    )
  }
  if (meta.founded) return { kind: 'founded', meta, record }
  // Nobody votes or stores an entry before all are known to have stored the record, and that knowledge is stored first.
  if (hasVotedOrStored) throw damaged(folder, 'the log has a term or entries, but says that the cluster is not founded')
  return { kind: 'founding', meta, record }
}

export type StateStart =
  /** The state goes with the log: what is behind its checkpoint is in the log. */
  | { readonly kind: 'ok' }
  /** What the log begins behind is in no checkpoint: a snapshot from another node is needed. */
  | { readonly kind: 'noState' }
  /** The snapshot is installed but for the last write to the log. */
  | { readonly kind: 'finishInstall' }
  /** The snapshot did not arrive whole: the mark is cleared, then all is as before. */
  | { readonly kind: 'discardInstall'; readonly hasState: boolean }

/**
 * Judges log and state together (DESIGN 6). A checkpoint is written when the log is durable up to it, and the log trimmed
 * when the checkpoint is durable: so a state is never ahead of its log, nor a log's start ahead of its state, but between
 * the writes of an install, which has marked the log before. A state ahead of the log is a log that has lost entries which
 * it had confirmed: that is no damage of the state alone (H30).
 *
 * `folder` is for the message only. Throws DamagedError, or DamagedStateError when the log has what it needs. That the
 * entry at the checkpoint is the same in both is judged by `judgeChain`, which needs a read.
 */
export function judgeState(folder: string, log: StoredLog, state: StoredState): StateStart {
  const { installing } = log
  const { generation, checkpoint } = state
  if (installing === null) return { kind: goesWithLog(folder, log, checkpoint) ? 'ok' : 'noState' }
  if (generation === installing.generation) {
    const isInstalled = checkpoint?.index === installing.index && checkpoint.chain === installing.chain
    if (isInstalled) return { kind: 'finishInstall' }
    throw damagedState(folder, `generation ${generation} is not the snapshot at ${installing.index} that was installed`)
  }
  if (generation > installing.generation) {
    throw damaged(
      folder,
      `the state is of generation ${generation}, the log of ${installing.generation}: it lost writes`,
    )
  }
  return { kind: 'discardInstall', hasState: goesWithLog(folder, log, checkpoint) }
}

/** `chain` is that of the log's entry at the checkpoint. Throws DamagedError: which of the two is wrong nobody can say. */
export function judgeChain(folder: string, checkpoint: Checkpoint, chain: ChainHash): void {
  if (checkpoint.chain === chain) return
  throw damaged(folder, `the log has another entry ${checkpoint.index} than the one that was applied to the checkpoint`)
}

/** False when the state lacks what the log begins behind. */
function goesWithLog(folder: string, log: StoredLog, checkpoint: Checkpoint | null): boolean {
  const { start, lastIndex } = log
  if (checkpoint === null) return start.index === 0
  const { index, term } = checkpoint
  if (index > lastIndex) {
    throw damaged(folder, `the state is that after entry ${index}, but the log ends with ${lastIndex}: it lost entries`)
  }
  if (index < start.index) {
    throw damagedState(folder, `the checkpoint is of entry ${index}, but the log begins behind ${start.index}`)
  }
  const found = index === start.index ? start.term : termAt(log.spans, index)
  if (found === term) return true
  throw damaged(folder, `entry ${index} has term ${found} in the log, but ${term} in the checkpoint`)
}

function termAt(spans: readonly TermSpan[], index: Index): Term | null {
  return spans.findLast(({ firstIndex }) => firstIndex <= index)?.term ?? null
}
