// When a command must be told to end, and when it is ended, as a pure rule: SIGTERM when the lock is sure for no longer than
// the grace, SIGKILL when it is not sure any more. Once told to end, a command gets no more time, whatever is renewed.
import { elapsedMs } from '../client/clock.ts'
import type { Instant } from '../client/clock.ts'

/** Something that was sure for so long at that instant. */
export interface Span {
  readonly at: Instant
  readonly remainingMs: number
}

/** Timers do not count while a machine is suspended, so nobody sleeps longer than this. */
const lookMaxMs = 200

export type Due =
  | { readonly kind: 'look_again'; readonly afterMs: number }
  | { readonly kind: 'terminate' }
  | { readonly kind: 'kill' }

export interface Outlook {
  /** How long the lock is surely held from now on. */
  readonly remainingMs: number
  readonly graceMs: number
  readonly isTerminated: boolean
}

export function leftOf({ at, remainingMs }: Span, now: Instant): number {
  return remainingMs - elapsedMs({ from: at, to: now })
}

export function dueNow({ remainingMs, graceMs, isTerminated }: Outlook): Due {
  if (remainingMs <= 0) return { kind: 'kill' }
  if (!isTerminated && remainingMs <= graceMs) return { kind: 'terminate' }
  const leftMs = isTerminated ? remainingMs : remainingMs - graceMs
  return { kind: 'look_again', afterMs: Math.min(leftMs, lookMaxMs) }
}

/** Without `--grace`: five seconds, or a third of a short TTL. */
export function defaultGraceMs(ttlMs: number): number {
  return Math.min(5000, Math.floor(ttlMs / 3))
}

/** Renewals go out when a third of the TTL has passed: a grace that leaves no time for them would end every command. */
export function graceMaxMs(ttlMs: number): number {
  return Math.floor(ttlMs / 2)
}
