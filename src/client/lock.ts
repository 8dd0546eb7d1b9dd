// A lock in the hands of its user, until it is released or lost. How it is kept alive and given back is its liveness: a
// TTL of its own, or a session. It tells of a loss once: whoever has heard it from `assertHeld` need not hear it again.
import type { Belonging } from './belongings.ts'
import type { Instant } from './clock.ts'
import { lockLost } from './endings.ts'
import { isHoldfastError } from './errors.ts'
import type { HoldfastError } from './errors.ts'
import { Holding } from './holding.ts'
import type { Kept } from './keeper.ts'
import { ttlMinMs } from './options.ts'
import type { CallOptions, Lock } from './types.ts'

/** Until when something is surely held: so long from the instant at which the call was sent. */
export interface Validity {
  readonly validForMs: number
  readonly sentAt: Instant
}

export interface Liveness {
  hold(lost: (reason: HoldfastError) => void, validity: Validity): Kept
  /** Moves the deadline to at least so far from now. */
  extend(ttlMs: number): Promise<Validity>
  release(options: CallOptions): Promise<void>
  /** It is left to end at its deadline. */
  leave(): void
  /** It was lost, left or given back; called once. */
  ended(lock: HeldLock): void
}

export interface LockFacts {
  readonly name: string
  readonly token: number
  readonly sequence: number
  /** In milliseconds, of what keeps it alive. */
  readonly ttlMs: number
}

export class HeldLock implements Lock, Belonging {
  readonly what = 'lock'
  readonly name: string
  readonly token: number
  readonly sequence: number
  readonly #ttlMs: number
  readonly #liveness: Liveness
  readonly #holding: Holding
  #isOver = false
  #wasTold = false
  /** Under way, or done. */
  #release: Promise<void> | null = null

  constructor(facts: LockFacts, validity: Validity, liveness: Liveness) {
    this.name = facts.name
    this.token = facts.token
    this.sequence = facts.sequence
    this.#ttlMs = facts.ttlMs
    this.#liveness = liveness
    this.#holding = new Holding({
      what: `lock ${facts.name}`,
      facts: { lock: facts.name, token: facts.token },
      hold: (lost) => liveness.hold(lost, validity),
      onLost: () => this.#ended(),
    })
  }

  get signal(): AbortSignal {
    return this.#holding.signal
  }

  /** Why it was lost; null while it is held and when it was given back. */
  get loss(): HoldfastError | null {
    return this.#holding.loss
  }

  remainingMs(): number {
    return this.#holding.remainingMs()
  }

  assertHeld(): void {
    if (this.loss !== null) this.#wasTold = true
    this.#holding.assertHeld()
  }

  release(options: CallOptions = {}): Promise<void> {
    if (this.#release !== null) return this.#release
    const { loss } = this
    if (loss !== null) return this.#tell(loss)
    const release = this.#giveBack(options)
    this.#release = release
    release.catch(() => {
      // What was not confirmed may be tried again.
      this.#release = this.#wasTold ? Promise.resolve() : null
    })
    return release
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** It is lost with what keeps it alive. */
  lose(reason: HoldfastError): void {
    this.#holding.lose(reason)
  }

  /** Who works with it shall stop; it stays held until it is released. */
  interrupt(reason: HoldfastError): void {
    this.#holding.interrupt(reason)
  }

  async end(reason: HoldfastError, options: CallOptions): Promise<void> {
    this.interrupt(reason)
    // What was lost ends by itself, and its user is told by the signal.
    if (this.loss === null) await this.release(options)
  }

  /**
   * From now on it is held at least so long, even when this process is killed at once. Its TTL is put back, or each
   * later renewal would add as much again; a TTL never moves a deadline to an earlier moment.
   */
  async holdAtLeast(minHoldMs: number): Promise<void> {
    if (this.remainingMs() >= minHoldMs) return
    const validity = await this.#orLost(this.#liveness.extend(Math.max(ttlMinMs, Math.ceil(minHoldMs))))
    await this.#orLost(this.#liveness.extend(this.#ttlMs))
    this.#holding.keepBy((lost) => this.#liveness.hold(lost, validity))
  }

  /** Nothing keeps it alive any more, and nothing is sent: it ends at its deadline. */
  leave(): void {
    this.#release ??= Promise.resolve()
    this.#holding.giveUp()
    this.#liveness.leave()
    this.#ended()
  }

  async #giveBack(options: CallOptions): Promise<void> {
    this.#holding.giveUp()
    try {
      await this.#orLost(this.#liveness.release(options))
    } finally {
      this.#ended()
    }
  }

  /** A node that calls the token stale says that it was lost. */
  async #orLost<Result>(call: Promise<Result>): Promise<Result> {
    try {
      return await call
    } catch (error) {
      if (!isHoldfastError(error) || !codesOfLoss.has(error.code)) throw error
      const { name: lock, token } = this
      const lost = lockLost({ what: `lock ${lock}`, why: 'it had ended before', lock, token, cause: error })
      this.#wasTold = true
      this.#holding.lose(lost)
      throw lost
    }
  }

  async #tell(loss: HoldfastError): Promise<void> {
    if (this.#wasTold) return
    this.#wasTold = true
    throw loss
  }

  #ended(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#liveness.ended(this)
  }
}

const codesOfLoss: ReadonlySet<string> = new Set(['token_stale', 'session_ended', 'session_unknown'])
