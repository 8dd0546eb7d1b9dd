// What every log store demands of the writes it is given, whatever it is made of. A breach is a bug of the caller: nothing
// that was on a disk is judged here.
import { assert } from '../assert.ts'
import type { ClusterTime, Index, Term } from '../ids.ts'
import type { Entry, HardState } from '../raft/entry.ts'

/** The last entry of a log; index, term and time are those of the place before the first when there is none. */
export interface LastEntry {
  readonly index: Index
  readonly term: Term
  readonly time: ClusterTime
}

export function assertEntryFollows(before: LastEntry, entry: Entry): void {
  assert(entry.index === before.index + 1, `entry ${entry.index} is written after ${before.index}`)
  assert(entry.term >= before.term, `entry ${entry.index} has term ${entry.term} after ${before.term}`)
  assert(entry.time >= before.time, `entry ${entry.index} has time ${entry.time} after ${before.time}`)
}

/** Terms never go back, a vote is never changed or taken back in its term, and no entry is from a later term. */
export function assertHardStateFollows(before: HardState, after: HardState, lastTerm: Term): void {
  const { currentTerm, votedFor } = after
  assert(currentTerm >= before.currentTerm, `the term goes back from ${before.currentTerm} to ${currentTerm}`)
  assert(currentTerm >= lastTerm, `an entry of term ${lastTerm} in term ${currentTerm}`)
  const isOtherVote = currentTerm === before.currentTerm && before.votedFor !== null && votedFor !== before.votedFor
  assert(!isOtherVote, `the vote of term ${currentTerm} changes from ${before.votedFor} to ${votedFor}`)
}
