// Time is an entry in the log (DESIGN 4). The leader stamps each entry with the time of the last entry it found in its
// log plus the monotonic time since. Whatever is uncertain is left out of the sum: cluster time that runs slow only
// lets a dead session live longer, cluster time that runs fast takes a lock from a living holder (S5).
import { asClusterTime } from '../ids.ts'
import type { ClusterTime } from '../ids.ts'

/** At most so much of the time between two steps counts: a stalled process must not expire everybody (H5). */
export const stepMaxMs = 200
/** Time stops so far beyond the last committed entry of the own term: without a quorum nobody could renew. */
export const aheadMaxMs = 2000

export interface LeaderClock {
  /** Not rounded, so that many short steps do not lose their fractions. */
  time: number
  steppedAt: number
  /** Where time must stop. Before the first commit of the own term it does not move at all. */
  limit: number
}

/** The clock of a leader that takes over at `now` with a log whose last entry is stamped `lastTime`. */
export function startClock(lastTime: ClusterTime, now: number): LeaderClock {
  return { time: lastTime, steppedAt: now, limit: lastTime }
}

/** Moves time by the monotonic time since the last step. To be called at every step of the core. */
export function stepClock(clock: LeaderClock, now: number): void {
  const passed = Math.min(Math.max(0, now - clock.steppedAt), stepMaxMs)
  clock.steppedAt = Math.max(clock.steppedAt, now)
  clock.time = Math.max(clock.time, Math.min(clock.time + passed, clock.limit))
}

/** An entry of the leader's own term, stamped `time`, was committed. */
export function ownEntryCommitted(clock: LeaderClock, time: ClusterTime): void {
  clock.limit = Math.max(clock.limit, time + aheadMaxMs)
}

/** The stamp of an entry made now: whole milliseconds, rounded down, never below the entry before. */
export function stamp(clock: LeaderClock, lastTime: ClusterTime): ClusterTime {
  return asClusterTime(Math.max(lastTime, Math.floor(clock.time)))
}
