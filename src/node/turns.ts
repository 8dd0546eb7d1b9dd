// When this node takes its turns: once for everything that has arrived, and when something is due without that.
import type { Host, Timer } from './host.ts'

/** A turn that begins so long after it was asked for has a stall behind it. */
const stallMs = 100

export interface Turn {
  /** Takes a turn at `now`; returns when the next is due at the latest, null: there will be none. */
  (now: number): number | null
}

export class Turns {
  readonly #host: Host
  readonly #turn: Turn
  #due = false
  #timer: Timer | null = null
  #timerAt = Infinity
  #stopped = false

  constructor(host: Host, turn: Turn) {
    this.#host = host
    this.#turn = turn
  }

  /** Something has arrived. */
  wake(): void {
    if (this.#due || this.#stopped) return
    this.#due = true
    const wokenAt = this.#host.now()
    this.#host.defer(() => this.#takeUnlessLate(wokenAt))
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** Behind a stall it has not read what came meanwhile: the loop looks at its sockets once more before time counts. */
  #takeUnlessLate(wokenAt: number): void {
    if (this.#host.now() - wokenAt < stallMs) this.#take()
    else this.#host.defer(() => this.#take())
  }

  #take(): void {
    this.#due = false
    if (this.#stopped) return
    // Read after everything that this turn covers was read from its socket.
    const now = this.#host.now()
    const next = this.#turn(now)
    // The turn may have been the last of an orderly stop.
    if (next !== null && !this.#stopped) this.#setTimer(next, now)
  }

  #setTimer(at: number, now: number): void {
    // An earlier timer only brings an earlier look.
    if (this.#timer !== null && this.#timerAt <= at) return
    this.#timer?.cancel()
    this.#timerAt = at
    // Not at once: a turn that has nothing to do must not cause the next.
    this.#timer = this.#host.setTimer(Math.max(1, at - now), () => {
      this.#timer = null
      this.wake()
    })
  }
}
