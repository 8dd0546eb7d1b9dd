// A candidate as its user sees it: campaigns one after another, who wants to know of the next office, and the callbacks.
// These are called in order, one at a time. What they throw is thrown, as that of any listener: as an uncaught exception,
// beside the campaign, which goes on.
import type { Belonging } from './belongings.ts'
import { Campaign } from './campaign.ts'
import type { Candidacy } from './campaign.ts'
import { closed } from './endings.ts'
import type { HoldfastError } from './errors.ts'
import type { Inside } from './inside.ts'
import type { HeldLock } from './lock.ts'
import type { CallOptions, ElectOptions, Election, Lock } from './types.ts'

export class Candidate implements Election, Belonging {
  readonly what = 'lock'
  readonly name: string
  readonly #inside: Inside
  readonly #candidacy: Candidacy
  readonly #options: ElectOptions
  #campaign: Campaign | null = null
  #askers: { resolve(office: Lock): void; reject(reason: unknown): void }[] = []
  /** Why the last campaign ended; null while one goes on. */
  #whyNot: unknown

  constructor(inside: Inside, name: string, options: ElectOptions) {
    const { value = null, ttlMs = inside.options.ttlMs, owner = inside.options.owner } = options
    this.name = name
    this.#inside = inside
    this.#candidacy = { name, ttlMs, owner, metadata: { value } }
    this.#options = options
    this.#whyNot = this.#closed()
  }

  get office(): Lock | null {
    return this.#campaign?.office ?? null
  }

  elected(): Promise<Lock> {
    const { office } = this
    if (office !== null) return Promise.resolve(office)
    if (this.#campaign === null) return Promise.reject(this.#whyNot)
    return new Promise((resolve, reject) => this.#askers.push({ resolve, reject }))
  }

  campaign(): void {
    if (this.#campaign !== null) return
    const { scope, belongings } = this.#inside
    const { signal } = this.#options
    scope.throwIfOver()
    if (signal?.aborted === true) return
    belongings.add(this)
    signal?.addEventListener('abort', this.#onAbort)
    const campaign: Campaign = new Campaign(this.#inside, this.#candidacy, {
      elected: (office) => this.#onElected(office),
      lost: (reason) => callOut(() => this.#options.onLost?.(reason)),
      failed: (reason) => {
        if (this.#campaign === campaign) this.#onFailed(reason)
      },
    })
    this.#campaign = campaign
  }

  resign(options: CallOptions = {}): Promise<void> {
    return this.end(this.#closed(), options)
  }

  async end(reason: HoldfastError, options: CallOptions): Promise<void> {
    const campaign = this.#campaign
    if (campaign === null) return
    this.#stop(reason)
    await campaign.resign(() => reason, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resign()
  }

  /** There is no campaign any more; who waits for an office hears why. */
  #stop(reason: unknown): void {
    this.#campaign = null
    this.#whyNot = reason
    this.#inside.belongings.remove(this)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    const askers = this.#askers
    this.#askers = []
    for (const asker of askers) asker.reject(reason)
  }

  #onElected(office: HeldLock): void {
    const askers = this.#askers
    this.#askers = []
    for (const asker of askers) asker.resolve(office)
    callOut(() => this.#options.onElected?.(office))
  }

  /** As with an `error` event: when nobody listens, it is thrown. */
  #onFailed(reason: unknown): void {
    const isHeard = this.#askers.length > 0
    this.#stop(reason)
    if (!isHeard) {
      callOut(() => {
        throw reason
      })
    }
  }

  readonly #onAbort = (): void => {
    const { name } = this
    const { ttlMs } = this.#candidacy
    this.#inside.belongings.endInBackground({ what: 'lock', name, ttlMs }, this.resign())
  }

  #closed(): HoldfastError {
    return closed(`the election ${this.name}`)
  }
}

function callOut(callback: () => void): void {
  try {
    callback()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
