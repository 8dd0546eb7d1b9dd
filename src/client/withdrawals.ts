// What was asked for and given up without an answer. Somebody may have granted it meanwhile, and nobody would know: so it
// is withdrawn, in the background and with repetitions. What cannot be withdrawn ends by itself, and until then belongs to
// what `close` says it could not confirm.
import { isRequestCancelled, isNothing, isSessionOpened } from './answers.ts'
import { makeCall } from './calls.ts'
import type { CallParts, SimpleCall } from './calls.ts'
import { elapsedMs } from './clock.ts'
import type { Instant } from './clock.ts'
import { isHoldfastError } from './errors.ts'
import { Stopper } from './stopping.ts'

export type GivenUp =
  | {
      readonly kind: 'request'
      readonly lock: string
      readonly session: string | null
      readonly requestId: string
      /** How long it can hold or await something at most when nobody withdraws it. */
      readonly lastsMs: number
    }
  /** The opening of a session: repeating it tells which session to close. */
  | { readonly kind: 'opening'; readonly body: OpeningBody; readonly lastsMs: number }

export interface OpeningBody {
  readonly requestId: string
  readonly ttlMs: number
  readonly name?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

export interface Unconfirmed {
  readonly what: 'request' | 'session'
  readonly name: string
}

/** Beyond so many, those that have ended by themselves are looked for and forgotten. */
const rememberedMax = 1000

interface Withdrawal {
  readonly givenUp: GivenUp
  readonly since: Instant
}

export class Withdrawals {
  readonly #parts: CallParts
  readonly #timeoutMs: number
  readonly #open = new Set<Withdrawal>()
  readonly #underWay = new Set<Promise<void>>()
  readonly #closing = new Stopper()

  /** `timeoutMs`: how long a withdrawal is tried. */
  constructor(parts: CallParts, { timeoutMs }: { timeoutMs: number }) {
    this.#parts = parts
    this.#timeoutMs = timeoutMs
  }

  withdraw(givenUp: GivenUp): void {
    if (this.#open.size >= rememberedMax) this.#forgetEnded()
    const withdrawal = { givenUp, since: this.#parts.surroundings.clock.now() }
    this.#open.add(withdrawal)
    const done = this.#try(withdrawal).finally(() => this.#underWay.delete(done))
    this.#underWay.add(done)
  }

  /** What is not confirmed when all that is under way is done, or `timeoutMs` are over; then nothing more is tried. */
  async settled({ timeoutMs }: { timeoutMs: number }): Promise<readonly Unconfirmed[]> {
    const timer = this.#parts.surroundings.setTimer(timeoutMs, () => this.#closing.stop())
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    timer.cancel()
    this.#forgetEnded()
    return [...this.#open].map(({ givenUp }) => shown(givenUp))
  }

  async #try(withdrawal: Withdrawal): Promise<void> {
    try {
      await this.#end(withdrawal.givenUp)
      this.#open.delete(withdrawal)
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      // Nothing is held or awaited by what does not exist.
      if (error.code === 'session_ended' || error.code === 'session_unknown') this.#open.delete(withdrawal)
    }
  }

  async #end(givenUp: GivenUp): Promise<void> {
    switch (givenUp.kind) {
      case 'request': {
        const { lock, requestId, session } = givenUp
        const path = `/v1/locks/${encodeURIComponent(lock)}/requests/${requestId}`
        const query = session === null ? '' : `?session=${encodeURIComponent(session)}`
        await this.#call({ method: 'DELETE', path: path + query, check: isRequestCancelled })
        return
      }
      case 'opening': {
        const opening = { method: 'POST', path: '/v1/sessions', body: givenUp.body, check: isSessionOpened } as const
        const { session } = await this.#call(opening)
        await this.#call({ method: 'DELETE', path: `/v1/sessions/${encodeURIComponent(session)}`, check: isNothing })
      }
    }
  }

  async #call<Result>(call: SimpleCall<Result>): Promise<Result> {
    const terms = { timeoutMs: this.#timeoutMs, signal: this.#closing, effect: 'repeatable' } as const
    return (await makeCall(this.#parts, call, terms)).result
  }

  #forgetEnded(): void {
    const to = this.#parts.surroundings.clock.now()
    for (const withdrawal of this.#open) {
      if (elapsedMs({ from: withdrawal.since, to }) > withdrawal.givenUp.lastsMs) this.#open.delete(withdrawal)
    }
  }
}

function shown(givenUp: GivenUp): Unconfirmed {
  switch (givenUp.kind) {
    case 'request':
      return { what: 'request', name: givenUp.lock }
    case 'opening':
      return { what: 'session', name: givenUp.body.name ?? givenUp.body.requestId }
  }
}
