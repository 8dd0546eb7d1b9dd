// One lease as the renewer keeps it: until when it counts, when it is renewed next, and what became of its last renewals.
// The deadline is that of the newest renewal that was answered, counted from the moment before that was sent, and it is
// never moved to an earlier moment.
import { laterOf, leftMs, marginMs } from './clock.ts'
import type { Instant, Period } from './clock.ts'
import type { NumberedLease } from './keeper-messages.ts'

export interface KeptLease extends NumberedLease {
  /** The deadline. */
  valid: Period
  /** When the renewal that it was answered with was sent, or what it was granted with. */
  renewedFrom: Instant
  /** When the next renewal is sent. */
  due: Period
  /** Renewals under way. */
  underWay: number
  /** Since a renewal was answered. */
  failures: number
  lastFailure: string | null
  /** Where the last renewal went to, unless it was answered. */
  asked: string | null
  stage: 'kept' | 'lost'
  /** When the process is to end, whatever it is doing; null when it is not, or has been killed. */
  endAt: Period | null
}

export function keep(lease: NumberedLease): KeptLease {
  return {
    ...lease,
    renewedFrom: lease.valid.from,
    due: { from: lease.valid.from, ms: lease.ttlMs / 3 },
    underWay: 0,
    failures: 0,
    lastFailure: null,
    asked: null,
    stage: 'kept',
    endAt: lease.onLost === 'abort' ? null : lastMoment(lease, lease.valid),
  }
}

/** Timers are late, and a process does not end in no time: its end begins a little before the deadline. */
function lastMoment({ ttlMs }: NumberedLease, valid: Period): Period {
  return { from: valid.from, ms: valid.ms - marginMs(ttlMs) / 10 }
}

/** How long it still counts as held. */
export function lostInMs({ valid, ttlMs }: KeptLease, now: Instant): number {
  return leftMs(valid, now) - marginMs(ttlMs)
}

/** A renewal goes to `endpoint`. When nothing is heard of it, the next one goes to another beside it. */
export function wasSent(lease: KeptLease, endpoint: string, now: Instant): void {
  lease.underWay++
  lease.asked = endpoint
  lease.due = { from: now, ms: Math.min(patienceMaxMs, lease.ttlMs / 8) }
}

const patienceMaxMs = 2000

/** A renewal was answered; `answered` begins when it was sent. */
export function wasRenewed(lease: KeptLease, answered: Period, now: Instant): void {
  lease.valid = laterOf(lease.valid, answered, now)
  if (lease.endAt !== null) lease.endAt = lastMoment(lease, lease.valid)
  lease.failures = 0
  lease.lastFailure = null
  lease.asked = null
  if (!isNews(lease, answered.from)) return
  lease.renewedFrom = answered.from
  lease.due = { from: answered.from, ms: lease.ttlMs / 3 }
}

/** It is due again after a pause of this share (full jitter) of what its failures so far allow. */
export function wasNotRenewed(lease: KeptLease, failed: { why: string; share: number }, now: Instant): void {
  lease.failures++
  lease.lastFailure = failed.why
  const pause = { from: now, ms: failed.share * Math.min(25 * 2 ** lease.failures, 1000, lease.ttlMs / 10) }
  if (leftMs(pause, now) < leftMs(lease.due, now)) lease.due = pause
}

/** It may be another's already: the process is not left until the deadline, only the time to end by itself. */
export function hasEnded(lease: KeptLease, now: Instant): void {
  const graceMs = lease.onLost === 'kill' ? 0 : marginMs(lease.ttlMs)
  if (lease.endAt !== null) lease.endAt = { from: now, ms: Math.min(graceMs, leftMs(lease.endAt, now)) }
}

/** Whether a renewal that was sent then is newer than the last one that was answered. */
export function isNews({ renewedFrom }: KeptLease, sentAt: Instant): boolean {
  return sentAt.monotonicMs > renewedFrom.monotonicMs
}

/** A renewal was taken back, or did not leave, through nobody's fault. */
export function isDueAgain(lease: KeptLease, now: Instant): void {
  lease.asked = null
  lease.due = { from: now, ms: 0 }
}
