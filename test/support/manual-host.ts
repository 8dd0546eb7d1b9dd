// A host whose clock stands still until a test moves it. Timers fire when their time comes, what was deferred runs when the
// test says so, and what the node says is kept.
import type { Failure, Host, Report, Timer } from '../../src/node/host.ts'

/** Stands for the end of the process in a test. */
export class Ended extends Error {
  override readonly name = 'Ended'
}

export class ManualHost implements Host {
  time = 0
  readonly reports: Report[] = []
  readonly failures: Failure[] = []
  #timers: { readonly at: number; readonly fire: () => void }[] = []
  #deferred: (() => void)[] = []
  #ids = 0

  now(): number {
    return this.time
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = { at: this.time + delayMs, fire }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer)
      },
    }
  }

  defer(run: () => void): void {
    this.#deferred.push(run)
  }

  random(): number {
    return 0.5
  }

  randomId(): string {
    return (++this.#ids).toString(16).padStart(32, '0')
  }

  report(report: Report): void {
    this.reports.push(report)
  }

  fatal(failure: Failure): void {
    this.failures.push(failure)
    throw new Ended(failure.message)
  }

  get timers(): number {
    return this.#timers.length
  }

  /** Runs what was deferred, and what that deferred. */
  settle(): void {
    while (this.#deferred.length > 0) for (const run of this.#deferred.splice(0)) run()
  }

  /** Fires the timers that are due, and leaves what they defer for `settle`. */
  fireDue(): void {
    const due = this.#timers.filter(({ at }) => at <= this.time)
    this.#timers = this.#timers.filter((timer) => !due.includes(timer))
    for (const { fire } of due) fire()
  }

  /** Lets `ms` pass, firing timers in the order of their times. */
  pass(ms: number): void {
    const until = this.time + ms
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.time = Math.max(this.time, next.at)
      next.fire()
      this.settle()
    }
    this.time = until
  }
}
