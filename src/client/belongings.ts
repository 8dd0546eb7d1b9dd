// What a client has open and must end before it is closed, and what it has sent in the background: giving back what came
// too late, closing sessions that nobody uses. What could not be confirmed is remembered for as long as it may live on in
// the store, so that closing can tell.
import { elapsedMs } from './clock.ts'
import type { Clock, Instant } from './clock.ts'
import type { HoldfastError } from './errors.ts'
import type { CallOptions, Unconfirmed } from './types.ts'

export interface Belonging extends Unconfirmed {
  /** Ends it because the client is closed; rejects when that could not be confirmed. */
  end(reason: HoldfastError, options: CallOptions): Promise<void>
}

interface Doubt extends Unconfirmed {
  readonly since: Instant
  readonly ttlMs: number
}

export class Belongings {
  readonly #clock: Clock
  readonly #open = new Set<Belonging>()
  readonly #underWay = new Set<Promise<void>>()
  #doubts: readonly Doubt[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(belonging: Belonging): void {
    this.#open.add(belonging)
  }

  remove(belonging: Belonging): void {
    this.#open.delete(belonging)
  }

  /** Something is being ended and nobody waits for it; unless that is confirmed it may live for `ttlMs`. */
  endInBackground(ending: Unconfirmed & { readonly ttlMs: number }, done: Promise<void>): void {
    const settled = done.then(
      () => {},
      () => this.#doubt(ending),
    )
    this.#underWay.add(settled)
    void settled.finally(() => this.#underWay.delete(settled))
  }

  /** Ends everything; the `options` are those of each call. */
  async endAll(why: () => HoldfastError, options: CallOptions): Promise<readonly Unconfirmed[]> {
    const open = [...this.#open]
    this.#open.clear()
    const ends = await Promise.allSettled(open.map((belonging) => belonging.end(why(), options)))
    await Promise.all(this.#underWay)
    const failed = open.filter((_, position) => ends[position]?.status === 'rejected')
    return [...failed, ...this.#presentDoubts()].map(({ what, name }) => ({ what, name }))
  }

  #doubt({ what, name, ttlMs }: Unconfirmed & { readonly ttlMs: number }): void {
    this.#doubts = [...this.#presentDoubts(), { what, name, ttlMs, since: this.#clock.now() }]
  }

  #presentDoubts(): readonly Doubt[] {
    const now = this.#clock.now()
    return this.#doubts.filter(({ since, ttlMs }) => elapsedMs({ from: since, to: now }) < ttlMs)
  }
}
