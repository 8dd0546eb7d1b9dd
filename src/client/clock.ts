// The clock that deadlines are counted on. A holder that was suspended (a laptop, a virtual machine) must find its
// deadline passed, so the clock has to include suspension. Linux keeps such a clock, but Node.js shows it only in steps of
// ten milliseconds (`os.uptime`); the monotonic clock is fine and does not. So an instant is both, and what has passed
// since is the longer of the two: exact while nothing was suspended, and never too short.
import { platform, uptime } from 'node:os'

export interface Instant {
  /** CLOCK_MONOTONIC: the same for all threads of a process. */
  readonly monotonicMs: number
  /** As the system told it, up to a step too low; null where there is none that includes suspension. */
  readonly sinceBootMs: number | null
}

export interface Clock {
  now(): Instant
}

/** How coarse `os.uptime` is. */
const uptimeStepMs = 10

/** In milliseconds; `sinceBoot` is null where the system has none. */
export interface SystemClocks {
  readonly monotonic: () => number
  readonly sinceBoot: (() => number) | null
  readonly wall: () => number
}

/**
 * To ask for the time since boot means to read a file (8 us), and a lock that is taken and given back needs some six
 * instants. Between two readings it goes on with the monotonic clock, until that and the wall clock have drifted apart: then
 * somebody has set the wall clock, or the machine was suspended. The wall clock decides nothing but that.
 */
export function clockOf({ monotonic, sinceBoot, wall }: SystemClocks): Clock {
  if (sinceBoot === null) return { now: () => ({ monotonicMs: monotonic(), sinceBootMs: null }) }
  let read = { monotonicMs: -Infinity, sinceBootMs: 0, wallMs: 0 }
  return {
    now: () => {
      const [monotonicMs, wallMs] = [monotonic(), wall()]
      const sinceMs = monotonicMs - read.monotonicMs
      const driftMs = Math.abs(wallMs - read.wallMs - sinceMs)
      if (sinceMs <= readAgainMs && driftMs <= driftMaxMs) {
        return { monotonicMs, sinceBootMs: read.sinceBootMs + sinceMs }
      }
      const both = readTogether({ monotonic, sinceBoot })
      read = { ...both, wallMs: wall() }
      return both
    },
  }
}

/** Two clocks at one moment: read again when this thread had to wait between them. */
function readTogether(clocks: { monotonic: () => number; sinceBoot: () => number }) {
  for (let attempt = 1; ; attempt++) {
    const before = clocks.monotonic()
    const sinceBootMs = clocks.sinceBoot()
    const monotonicMs = clocks.monotonic()
    if (monotonicMs - before < 1 || attempt === 5) return { monotonicMs, sinceBootMs }
  }
}

const readAgainMs = 1000
/** The wall clock comes in whole milliseconds, and may run at a slightly other rate. */
const driftMaxMs = 3

export const systemClock: Clock = clockOf({
  monotonic: () => Number(process.hrtime.bigint()) / 1e6,
  sinceBoot: platform() === 'linux' ? () => uptime() * 1000 : null,
  wall: () => Date.now(),
})

/** Milliseconds, never less than have passed while the two clocks went at the rate of real time. */
export function elapsedMs(span: { readonly from: Instant; readonly to: Instant }): number {
  const { from, to } = span
  const monotonic = to.monotonicMs - from.monotonicMs
  if (from.sinceBootMs === null || to.sinceBootMs === null) return monotonic
  const sinceBoot = to.sinceBootMs - from.sinceBootMs
  // Both are rounded: without a suspension they differ by less than a step, and the finer one is right.
  return sinceBoot > monotonic + uptimeStepMs ? sinceBoot + uptimeStepMs : monotonic
}

/** No timer counts a suspension, so who has deadlines looks at the clock so often: who wakes up learns so soon what was lost. */
export const lookEveryMs = 100

/** Whether the machine was suspended between the two, as far as the clock tells. */
export function wasSuspended(span: { readonly from: Instant; readonly to: Instant }): boolean {
  return elapsedMs(span) > span.to.monotonicMs - span.from.monotonicMs
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
