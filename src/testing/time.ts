// What time is to a test cluster: its clock, its timers, and the turn of what has arrived. Real time passes by itself
// (real-time.ts), virtual time when a test says so (virtual-time.ts); nothing else in this folder looks at a clock.
import type { Timer } from '../node/host.ts'

export interface Time {
  /** Monotonic milliseconds. */
  now(): number
  /** Calls `fire` once, `delayMs` from now. */
  setTimer(delayMs: number, fire: () => void): Timer
  /** Runs `run` after everything that was handed in before, and never before this returns. Takes no time. */
  soon(run: () => void): void
  /** Resolves when `isSo` holds; virtual time passes until then. Rejects after `withinMs`, saying what did not come about. */
  until(isSo: () => boolean, what: string, withinMs?: number): Promise<void>
  /** Resolves when everything that is due in the next `ms` has happened. */
  advance(ms: number): Promise<void>
  /** Returns `work`; virtual time does not pass before it is done. */
  during<Result>(work: Promise<Result>): Promise<Result>
  /** Nothing fires and nothing runs any more. */
  end(): void
}

/** So long anything may take that `until` waits for. */
export const untilMs = 30_000

export function neverCame(what: string, withinMs: number): Error {
  return new Error(`within ${withinMs} ms there was still not: ${what}`)
}
