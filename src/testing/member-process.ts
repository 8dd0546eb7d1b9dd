// One run of a member: what its node takes for a process. Nothing of it happens after its end, whatever was under way.
import type { NodeId } from '../ids.ts'
import type { Failure, Host, Timer } from '../node/host.ts'
import type { Chance } from './chance.ts'
import type { Time } from './time.ts'

export class MemberProcess implements Host {
  readonly id: NodeId
  isAlive = true
  readonly #time: Time
  readonly #chance: Chance
  readonly #timers = new Set<Timer>()

  constructor(parts: { readonly id: NodeId; readonly time: Time; readonly chance: Chance }) {
    this.id = parts.id
    this.#time = parts.time
    this.#chance = parts.chance
  }

  now(): number {
    return this.#time.now()
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    if (!this.isAlive) return { cancel: () => {} }
    const timer = this.#time.setTimer(delayMs, () => {
      this.#timers.delete(timer)
      fire()
    })
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
        timer.cancel()
      },
    }
  }

  defer(run: () => void): void {
    this.arrive(run)
  }

  /** Something has come: a frame, or what a disk was asked for. */
  arrive(run: () => void): void {
    this.#time.soon(() => {
      if (this.isAlive) run()
    })
  }

  random(): number {
    return this.#chance.random()
  }

  randomId(): string {
    return this.#chance.randomId()
  }

  report(): void {
    // What a node logs is for operators, and a test has its own output.
  }

  /** The disks and the network here do not fail, so this is a bug: it must not look as if a node had been stopped. */
  fatal({ code, message, advice }: Failure): void {
    throw new Error(`a node of the test cluster cannot go on: ${code}: ${message}. ${advice}`)
  }

  end(): void {
    this.isAlive = false
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}
