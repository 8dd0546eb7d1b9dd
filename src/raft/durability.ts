// Which votes and entries are on disk: the io rule (DESIGN 3).
//
// Every write the core asks for has a number, and they complete in order. For each entry that is not durable we remember
// the write that put it there *last*; a completion makes durable only the prefix whose last writers have completed. So
// neither a tail that was replaced while its write was under way, nor its restoration by a later leader, is taken for
// durable because an older write of the same index finished (H29). And whatever a node says in a term, it says after
// that term and its vote are on disk: `send` knows the write to wait for, so no caller can forget it (B01).
import { assert } from '../assert.ts'
import { asIndex, asIo } from '../ids.ts'
import type { Index, Io, NodeId } from '../ids.ts'
import type { Effect } from './effect.ts'
import type { Entry, SnapshotMeta } from './entry.ts'
import { standing } from './members.ts'
import type { Message } from './message.ts'
import type { RaftState } from './state.ts'

export interface Durability {
  lastIo: Io
  doneIo: Io
  /** The newest write that carried the hard state. */
  hardStateIo: Io
  /** The log is on disk as it is in memory, up to here. */
  durableIndex: Index
  /** Last writers of the entries above `durableIndex`, ascending in both fields. */
  readonly unsynced: WrittenSpan[]
  /** Writes that are not complete, oldest first. */
  readonly underWay: { readonly io: Io; readonly since: number }[]
}

/** Entries from `firstIndex` to before the next span, or to the end of the log, were last written by `io`. */
interface WrittenSpan {
  readonly firstIndex: Index
  readonly io: Io
}

export function createDurability(durableIndex: Index): Durability {
  return { lastIo: asIo(0), doneIo: asIo(0), hardStateIo: asIo(0), durableIndex, unsynced: [], underWay: [] }
}

/** Stores term and vote as they are now. */
export function persistHardState(state: RaftState, effects: Effect[]): Io {
  const io = beginWrite(state)
  state.durability.hardStateIo = io
  const hardState = { currentTerm: state.currentTerm, votedFor: state.votedFor }
  effects.push({ kind: 'persist', io, hardState, truncateFrom: null, entries: [], trimTo: null })
  return io
}

/** Stores `entries`, which have just been put at the end of the log, in place of whatever was behind the one before. */
export function persistEntries(
  state: RaftState,
  effects: Effect[],
  write: { entries: readonly Entry[]; replaced: boolean },
): void {
  const first = write.entries[0]
  assert(first !== undefined, 'a write of entries has entries')
  const { durability } = state
  const io = beginWrite(state)
  while ((durability.unsynced.at(-1)?.firstIndex ?? -1) >= first.index) durability.unsynced.pop()
  durability.unsynced.push({ firstIndex: first.index, io })
  // What is replaced is durable no longer, even while the old entries are still on disk.
  if (first.index <= durability.durableIndex) durability.durableIndex = asIndex(first.index - 1)
  effects.push({
    kind: 'persist',
    io,
    hardState: null,
    truncateFrom: write.replaced ? first.index : null,
    entries: write.entries,
    trimTo: null,
  })
}

/** Stores that the log starts at an entry which is durable already. */
export function persistTrim(state: RaftState, effects: Effect[], trimTo: Index): void {
  const io = beginWrite(state)
  effects.push({ kind: 'persist', io, hardState: null, truncateFrom: null, entries: [], trimTo })
}

/** Stores the log that starts at a snapshot. What is on disk of it until then is the log as it was up to `sameUpTo`. */
export function persistSnapshot(
  state: RaftState,
  effects: Effect[],
  install: { snapshot: SnapshotMeta; keepsTail: boolean; sameUpTo: Index },
): void {
  const { durability } = state
  const { snapshot, keepsTail, sameUpTo } = install
  const io = beginWrite(state)
  durability.durableIndex = asIndex(Math.min(durability.durableIndex, sameUpTo))
  if (durability.durableIndex < snapshot.index) {
    // Every write under way was asked for before this one: with it all that is left of the log is durable.
    durability.unsynced.splice(0, Infinity, { firstIndex: asIndex(durability.durableIndex + 1), io })
  }
  effects.push({ kind: 'installSnapshot', io, snapshot, keepsTail })
}

/** Takes note that `io`, and every write before it, is durable. */
export function writeCompleted(state: RaftState, io: Io): void {
  const { durability } = state
  assert(io > durability.doneIo && io <= durability.lastIo, () => `write ${io} completed after ${durability.doneIo}`)
  durability.doneIo = io
  while ((durability.underWay[0]?.io ?? Infinity) <= io) durability.underWay.shift()
  while ((durability.unsynced[0]?.io ?? Infinity) <= io) {
    durability.unsynced.shift()
    const next = durability.unsynced[0]
    durability.durableIndex = next === undefined ? state.log.lastIndex : asIndex(next.firstIndex - 1)
  }
}

/** How long the oldest write has been under way, in milliseconds; 0 when there is none. */
export function writeUnderWayMs(state: RaftState): number {
  const oldest = state.durability.underWay[0]
  return oldest === undefined ? 0 : state.now - oldest.since
}

/** Tells `to` something in the current term, not before the disk knows this term and the vote in it. */
export function send(state: RaftState, effects: Effect[], to: NodeId, message: Message): void {
  const { hardStateIo, doneIo } = state.durability
  // Nobody may take us for a disk in force that we are not, or do not know to be (H28).
  effects.push({
    kind: 'send',
    to,
    as: standing(state),
    message,
    after: hardStateIo > doneIo ? hardStateIo : null,
  })
}

function beginWrite(state: RaftState): Io {
  const { durability } = state
  durability.lastIo = asIo(durability.lastIo + 1)
  durability.underWay.push({ io: durability.lastIo, since: state.now })
  return durability.lastIo
}
