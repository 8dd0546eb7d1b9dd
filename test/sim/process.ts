// One simulated process: the event loop of Node.js as libuv runs it. Due timers first, then everything that has arrived
// (frames, completed writes, clients), then what was deferred; a stall may fall between any two of these. Frames that
// come while a process is paused lie in its sockets and are read when it goes on, after its timers have fired: the order
// that expires everybody when a loop gets it wrong (RAFT 9.1, H2, H5).
import type { Failure, Host, Report, Timer } from '../../src/node/host.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** How a process's monotonic clock differs from virtual time. */
export interface ClockFault {
  rate: number
  offset: number
}

export interface ProcessFaults {
  /** Chance that a phase of the loop is followed by a stall, and how long that is at most. */
  stallChance: number
  stallMsMax: number
}

/** Thrown out of a port to end the process in the middle of whatever it does. */
export class ProcessEnd extends Error {
  override readonly name = 'ProcessEnd'
  readonly failure: Failure | null

  constructor(failure: Failure | null) {
    super(failure?.message ?? 'crash')
    this.failure = failure
  }
}

interface LoopTimer {
  /** On the process's own clock. */
  readonly due: number
  readonly fire: () => void
}

/** Timers, sockets, what was deferred. */
const phases = 3

export class SimProcess implements Host {
  alive = true
  /** Calls to ports that are left before a planned crash; null when none is planned. */
  fuse: number | null = null
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #clock: ClockFault
  readonly #faults: ProcessFaults
  readonly #events: { ended(failure: Failure | null): void; turned(): void; report(report: Report): void }
  #timers: LoopTimer[] = []
  #arrived: (() => void)[] = []
  #deferred: (() => void)[] = []
  #pausedUntil = 0
  #phase: 'idle' | 'running' = 'idle'
  #wake = Infinity
  /** One for all wake-ups: a world has millions of them. */
  readonly #awake: () => void

  constructor(parts: {
    timeline: Timeline
    random: Random
    clock: ClockFault
    faults: ProcessFaults
    events: { ended(failure: Failure | null): void; turned(): void; report(report: Report): void }
  }) {
    this.#timeline = parts.timeline
    this.#random = parts.random
    this.#clock = parts.clock
    this.#faults = parts.faults
    this.#events = parts.events
    this.#awake = () => {
      // An earlier wake-up may have replaced this one.
      if (this.#wake === this.#timeline.now && this.#phase === 'idle') this.#iterate()
    }
  }

  // ---- the host of a node

  now(): number {
    return this.#timeline.now * this.#clock.rate + this.#clock.offset
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = { due: this.now() + delayMs, fire }
    this.#timers.push(timer)
    this.#schedule()
    return {
      cancel: () => {
        this.#drop(timer)
      },
    }
  }

  defer(run: () => void): void {
    this.#deferred.push(run)
    this.#schedule()
  }

  random(): number {
    return this.#random.next()
  }

  randomId(): string {
    return Array.from({ length: 4 }, () => this.#random.whole(0, 0xffffffff).toString(16).padStart(8, '0')).join('')
  }

  report(report: Report): void {
    this.#events.report(report)
  }

  fatal(failure: Failure): void {
    throw new ProcessEnd(failure)
  }

  // ---- the world around it

  /** Something has come to the process's sockets or from its disk; it is taken in the next poll phase. */
  arrive(run: () => void): void {
    if (!this.alive) return
    this.#arrived.push(run)
    this.#schedule()
  }

  /** To be called by every port: a planned crash happens here, between two effects. */
  burn(): void {
    if (this.fuse === null) return
    if (this.fuse-- <= 0) throw new ProcessEnd(null)
  }

  /** SIGSTOP, or a machine that is frozen: nothing runs before `until`, what arrives is kept. */
  pauseUntil(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until)
  }

  /** SIGCONT. */
  resume(): void {
    this.#pausedUntil = this.#timeline.now
    this.#schedule()
  }

  get isPaused(): boolean {
    return this.#timeline.now < this.#pausedUntil
  }

  /** Ends the process from outside: SIGKILL, or the power. */
  kill(): void {
    this.#end(null)
  }

  /** Runs `begin` as the first thing that the process does. */
  begin(begin: () => void): void {
    this.#guard(begin)
    this.#schedule()
  }

  #schedule(): void {
    if (!this.alive || this.#phase === 'running') return
    const { now } = this.#timeline
    const soon = this.#arrived.length > 0 || this.#deferred.length > 0
    const at = Math.max(this.#pausedUntil, soon ? now + 0.02 : this.#nextTimerAt())
    if (at >= this.#wake || at === Infinity) return
    this.#wake = at
    this.#timeline.at(at, this.#awake)
  }

  #nextTimerAt(): number {
    let due = Infinity
    for (const timer of this.#timers) due = Math.min(due, timer.due)
    return Math.max(this.#timeline.now, (due - this.#clock.offset) / this.#clock.rate)
  }

  #iterate(): void {
    this.#wake = Infinity
    if (!this.alive) return
    if (this.isPaused) return this.#schedule()
    this.#phase = 'running'
    this.#goThrough(0)
  }

  /** Runs the phases of the loop from the given one on, with a stall behind one of them now and then. */
  #goThrough(first: number): void {
    const { stallChance, stallMsMax } = this.#faults
    for (let phase = first; phase < phases && this.alive; phase++) {
      this.#guarded(phase)
      if (this.alive && stallChance > 0 && this.#random.chance(stallChance)) {
        this.pauseUntil(this.#timeline.now + Math.min(stallMsMax, this.#random.exponential(stallMsMax / 4)))
      }
      if (this.isPaused && this.alive) return this.#goOnLater(phase + 1)
    }
    this.#phase = 'idle'
    this.#schedule()
  }

  /** The pause may be prolonged meanwhile. */
  #goOnLater(phase: number): void {
    this.#timeline.at(this.#pausedUntil, () => {
      if (this.isPaused && this.alive) this.#goOnLater(phase)
      else this.#goThrough(phase)
    })
  }

  #guarded(phase: number): void {
    try {
      if (phase === 0) this.#fireTimers()
      else if (phase === 1) this.#poll()
      else this.#check()
    } catch (error) {
      this.#endedBy(error)
    }
  }

  #fireTimers(): void {
    const limit = this.now() + 1e-6
    if (!this.#timers.some((timer) => timer.due <= limit)) return
    const due = this.#timers.filter((timer) => timer.due <= limit).sort((a, b) => a.due - b.due)
    // A timer that fired before may have cancelled the next.
    for (const timer of due) if (this.#drop(timer)) timer.fire()
  }

  /** Whether the timer was still there. */
  #drop(timer: LoopTimer): boolean {
    const place = this.#timers.indexOf(timer)
    if (place < 0) return false
    this.#timers.splice(place, 1)
    return true
  }

  #poll(): void {
    // What comes while these are taken is for the next round.
    const arrived = this.#arrived
    if (arrived.length > 0) this.#arrived = []
    for (const run of arrived) run()
  }

  #check(): void {
    const deferred = this.#deferred
    // Turns are deferred: without one there is nothing new to look at.
    if (deferred.length === 0) return
    this.#deferred = []
    for (const run of deferred) run()
    this.#events.turned()
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#endedBy(error)
    }
  }

  #endedBy(error: unknown): void {
    if (!(error instanceof ProcessEnd)) throw error
    this.#end(error.failure)
  }

  #end(failure: Failure | null): void {
    if (!this.alive) return
    this.alive = false
    this.#timers = []
    this.#arrived = []
    this.#deferred = []
    this.#events.ended(failure)
  }
}
