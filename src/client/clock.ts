// The clock that deadlines are counted on. A holder that was suspended (a laptop, a virtual machine) must find its
// deadline passed, so the clock has to include suspension. Linux keeps such a clock, but Node.js shows it only in steps of
// ten milliseconds (`os.uptime`); the monotonic clock is fine and does not. So an instant is both, and what has passed
// since is the longer of the two: exact while nothing was suspended, and never too short.
import { platform, uptime } from 'node:os'

export interface Instant {
  /** CLOCK_MONOTONIC: the same for all threads of a process. */
  readonly monotonicMs: number
  /** Rounded down to what the system tells; null where there is none that includes suspension. */
  readonly sinceBootMs: number | null
}

export interface Clock {
  now(): Instant
}

/** How coarse `os.uptime` is. */
const uptimeStepMs = 10

export const systemClock: Clock = {
  now: () => ({
    monotonicMs: Number(process.hrtime.bigint()) / 1e6,
    sinceBootMs: platform() === 'linux' ? Math.floor(uptime() * 1000) : null,
  }),
}

/** Milliseconds, never less than have passed while the two clocks went at the rate of real time. */
export function elapsedMs(span: { readonly from: Instant; readonly to: Instant }): number {
  const { from, to } = span
  const monotonic = to.monotonicMs - from.monotonicMs
  if (from.sinceBootMs === null || to.sinceBootMs === null) return monotonic
  const sinceBoot = to.sinceBootMs - from.sinceBootMs
  // Both are rounded: without a suspension they differ by less than a step, and the finer one is right.
  return sinceBoot > monotonic + uptimeStepMs ? sinceBoot + uptimeStepMs : monotonic
}

/** A time that began at an instant: what an answer assures of, or a pause. */
export interface Period {
  readonly from: Instant
  readonly ms: number
}

/** What is left of it; negative once it is over. */
export function leftMs({ from, ms }: Period, now: Instant): number {
  return ms - elapsedMs({ from, to: now })
}

/** The one that ends later. */
export function laterOf(a: Period, b: Period, now: Instant): Period {
  return leftMs(b, now) > leftMs(a, now) ? b : a
}

/**
 * So long before its deadline a lease of this TTL counts as lost: for the way to whoever must stop, and for what he needs
 * to do it.
 */
export function marginMs(ttlMs: number): number {
  return Math.min(1000, Math.max(50, ttlMs / 20))
}
