// Time that stands still until somebody lets it pass. What takes no time (a frame, a write to a disk in memory, a request
// of a client) happens by itself, so calls are answered while the clock stands; only timers wait for `advance`. They fire
// one by one, in the order of their times, and between two of them everything settles: what the first set off, promises
// and signals of the test included, has come to rest before the second fires.
import type { Timer } from '../node/host.ts'
import { neverCame, untilMs } from './time.ts'
import type { Time } from './time.ts'

/** So often in a row the event loop must have gone round without anything stirring. */
const quietRounds = 3
/** After so many timers the event loop goes round anyway: sockets of clients that are not ours want to be read. */
const timersInARowMax = 50

interface VirtualTimer {
  readonly at: number
  readonly fire: () => void
}

export class VirtualTime implements Time {
  /** A whole number: sums and differences of times are exact. */
  #now = 0
  /** In the order in which they fire. */
  #timers: VirtualTimer[] = []
  #arrived: (() => void)[] = []
  #isDraining = false
  /** Something happened from which promises may go on. */
  #isStirred = false
  /** Work that takes real time. */
  #underWay = 0
  /** The end of what moves the clock now: one at a time does. */
  #moved: Promise<void> = Promise.resolve()
  #isOver = false

  now(): number {
    return this.#now
  }

  /** As with the timers of Node.js: whole milliseconds, at least one. What is set again and again gets somewhere. */
  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = { at: this.#now + Math.max(1, Math.ceil(delayMs)), fire }
    const after = this.#timers.findLastIndex(({ at }) => at <= timer.at)
    if (!this.#isOver) this.#timers.splice(after + 1, 0, timer)
    return {
      cancel: () => {
        const place = this.#timers.indexOf(timer)
        if (place >= 0) this.#timers.splice(place, 1)
      },
    }
  }

  soon(run: () => void): void {
    this.#arrived.push(run)
    if (this.#arrived.length === 1 && !this.#isDraining) setImmediate(() => this.#drain())
  }

  /** Whoever wakes promises says so: the next timer waits until they have gone on. */
  stir(): void {
    this.#isStirred = true
  }

  until(isSo: () => boolean, what: string, withinMs = untilMs): Promise<void> {
    return this.#move(async () => {
      const limit = this.#now + withinMs
      this.stir()
      await this.#settle()
      while (!isSo()) {
        if (!(await this.#fireNext(limit))) throw neverCame(what, withinMs)
        // What is waited for may come by a promise that nobody here knows of.
        await turnOfTheLoop()
      }
    })
  }

  advance(ms: number): Promise<void> {
    return this.#move(async () => {
      // What the test has just begun belongs to the time before.
      this.stir()
      await this.#settle()
      const end = this.#now + Math.ceil(ms)
      for (let count = 1; await this.#fireNext(end); count++) if (count % timersInARowMax === 0) await turnOfTheLoop()
      this.#now = end
    })
  }

  during<Result>(work: Promise<Result>): Promise<Result> {
    this.#underWay++
    this.stir()
    return work.finally(() => {
      this.#underWay--
      this.stir()
    })
  }

  end(): void {
    this.#isOver = true
    this.#timers = []
    this.#arrived = []
  }

  #move(how: () => Promise<void>): Promise<void> {
    const moved = this.#moved.then(how)
    this.#moved = moved.catch(() => {})
    return moved
  }

  /** Returns whether there was a timer due by `end`. */
  async #fireNext(end: number): Promise<boolean> {
    const [next] = this.#timers
    if (next === undefined || next.at > end) return false
    this.#timers.shift()
    this.#now = Math.max(this.#now, next.at)
    next.fire()
    await this.#settle()
    return true
  }

  /** Without a promise on the way while only nodes talk to each other: that is most of what happens in a minute. */
  async #settle(): Promise<void> {
    this.#drain()
    let quiet = this.#isStirred ? 0 : quietRounds
    while (quiet < quietRounds) {
      this.#isStirred = false
      await turnOfTheLoop()
      this.#drain()
      quiet = this.#isStirred || this.#underWay > 0 ? 0 : quiet + 1
    }
  }

  #drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      // What these hand in runs behind them.
      for (let run = this.#arrived.shift(); run !== undefined; run = this.#arrived.shift()) run()
    } finally {
      this.#isDraining = false
      if (this.#arrived.length > 0) setImmediate(() => this.#drain())
    }
  }
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
