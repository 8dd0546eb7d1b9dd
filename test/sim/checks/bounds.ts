// That a run takes bounded memory and disk (RAFT.md 2, 32): bodies of entries that every part of a node is done with, what
// a leader has under way to one member, and the log behind a checkpoint. Counted here from what there is, not by the
// counters of the core. What commands without a fate may be kept is judged at rest (rest.ts).
import { assert } from '../../../src/assert.ts'
import type { NodeId } from '../../../src/ids.ts'
import type { KeepingOptions } from '../../../src/node/keeping.ts'
import type { RaftState } from '../../../src/raft/state.ts'
import type { Machine } from '../machine.ts'

/** A member as it was after its last turn. */
interface Seen {
  readonly raft: RaftState
  readonly appliedIndex: number
  readonly doneIndex: number
}

export class BoundChecks {
  readonly #seen = new Map<NodeId, Seen>()

  /** A member has finished a turn. */
  turned({ id }: Pick<Machine, 'id'>, raft: RaftState): void {
    const { appliedIndex, durability } = raft
    const before = this.#seen.get(id)
    // Bodies are let go when entries are handed out to be applied: then those that were applied and durable before.
    if (before?.raft === raft && appliedIndex > before.appliedIndex) checkWindow(id, raft, before.doneIndex)
    this.#seen.set(id, { raft, appliedIndex, doneIndex: Math.min(appliedIndex, durability.durableIndex) })
    if (raft.role.kind !== 'leader') return
    const { inflightMessagesMax, inflightBytesMax } = raft.options
    for (const [member, { inflight }] of raft.role.progress) {
      const { length } = inflight
      assert(length <= inflightMessagesMax, () => `32: ${id} has ${length} appends under way to ${member}`)
      if (length < 2) continue
      // The last one may cross the limit.
      const bytes = inflight.slice(0, -1).reduce((sum, append) => sum + append.bytes, 0)
      assert(bytes < inflightBytesMax, () => `32: ${id} has ${bytes} bytes under way to ${member}`)
    }
  }
}

function checkWindow(id: NodeId, { log, options }: RaftState, doneIndex: number): void {
  let bytes = 0
  for (const entry of log.window) if (entry.index <= doneIndex) bytes += entry.payload.length
  // It goes by the quarter.
  assert(bytes <= options.windowBytesMax * 1.25, () => `32: ${id} keeps ${bytes} bytes of entries that it is done with`)
}

/** An entry on a disk takes more than so much. */
const entryBytesMin = 48

/** At rest: a log is what came since the checkpoint before the last, and a tail. */
export function checkLogLength({ id, disk }: Machine, { entries, tailBytes }: KeepingOptions): void {
  const { firstIndex, lastIndex } = disk.durable()
  const length = lastIndex - firstIndex + 1
  // A mark that comes while a checkpoint is made passes, and so may the next.
  const lengthMax = 4 * entries + tailBytes / entryBytesMin + 50
  assert(length <= lengthMax, () => `32: the log of ${id} has ${length} entries, ${lengthMax} are enough`)
}
