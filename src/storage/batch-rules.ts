// What every log store demands of the writes it is given, whatever it is made of. A breach is a bug of the caller: nothing
// that was on a disk is judged here.
import { assert } from '../assert.ts'
import type { ClusterTime, Index, Term } from '../ids.ts'
import type { Entry, HardState } from '../raft/entry.ts'
import type { Installed, Installing } from './log-store.ts'

/** The last entry of a log; index, term and time are those of the place before the first when there is none. */
export interface LastEntry {
  readonly index: Index
  readonly term: Term
  readonly time: ClusterTime
}

export function assertEntryFollows(before: LastEntry, entry: Entry): void {
  assert(entry.index === before.index + 1, () => `entry ${entry.index} is written after ${before.index}`)
  assert(entry.term >= before.term, () => `entry ${entry.index} has term ${entry.term} after ${before.term}`)
  assert(entry.time >= before.time, () => `entry ${entry.index} has time ${entry.time} after ${before.time}`)
}

/** Terms never go back, a vote is never changed or taken back in its term, and no entry is from a later term. */
export function assertHardStateFollows(before: HardState, after: HardState, lastTerm: Term): void {
  const { currentTerm, votedFor } = after
  assert(currentTerm >= before.currentTerm, () => `the term goes back from ${before.currentTerm} to ${currentTerm}`)
  assert(currentTerm >= lastTerm, () => `an entry of term ${lastTerm} in term ${currentTerm}`)
  const isOtherVote = currentTerm === before.currentTerm && before.votedFor !== null && votedFor !== before.votedFor
  assert(!isOtherVote, () => `the vote of term ${currentTerm} changes from ${before.votedFor} to ${votedFor}`)
}

/** What is trimmed was durable before this write, and stays in it: `after` is where the log began, `upTo` what was kept. */
export function assertTrims(trimTo: Index, { after, upTo }: { readonly after: Index; readonly upTo: Index }): void {
  assert(
    after < trimTo && trimTo <= upTo,
    () => `a trim to ${trimTo} of a log behind ${after} that is durable up to ${upTo}`,
  )
}

/** A log is replaced by a snapshot only after the mark that says which, and an install never takes the log back. */
export function assertInstalls(mark: Installing | null, { start }: Installed, startedAt: Index): void {
  assert(
    mark?.index === start.index && mark.term === start.term && mark.generation === start.generation,
    () => `an install at ${start.index} without its mark`,
  )
  assert(start.index >= startedAt, () => `an install at ${start.index} in a log that begins behind ${startedAt}`)
}

/** A log that holds the entry that a snapshot ends with holds all that the snapshot contains (§5.3). */
export function assertKeepsTail(start: Installing, held: LastEntry & { readonly chain: string }): void {
  const isSame = held.index === start.index && held.term === start.term && held.chain === start.chain
  assert(
    isSame,
    () => `a tail is kept behind ${start.index} (${start.term}), but the log has ${held.index} (${held.term})`,
  )
}
