// Time as it passes by itself: the clock and the timers of this process.
import type { Timer } from '../node/host.ts'
import { neverCame, untilMs } from './time.ts'
import type { Time } from './time.ts'

const lookAgainMs = 2

export class RealTime implements Time {
  readonly #timers = new Set<NodeJS.Timeout>()
  #isOver = false

  now(): number {
    return performance.now()
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    if (this.#isOver) return { cancel: () => {} }
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      fire()
    }, delayMs)
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
        clearTimeout(timer)
      },
    }
  }

  soon(run: () => void): void {
    setImmediate(() => {
      if (!this.#isOver) run()
    })
  }

  async until(isSo: () => boolean, what: string, withinMs = untilMs): Promise<void> {
    const limit = this.now() + withinMs
    while (!isSo()) {
      if (this.now() > limit) throw neverCame(what, withinMs)
      await this.advance(lookAgainMs)
    }
  }

  /** Waits. */
  advance(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }

  during<Result>(work: Promise<Result>): Promise<Result> {
    return work
  }

  end(): void {
    this.#isOver = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
