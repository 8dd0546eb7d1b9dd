// A call under way: one exchange after the other, at one endpoint after the other, until an answer settles it or its time
// is over. Everything in the API may be repeated, so what is decided here is whom to ask next, how long to pause before,
// and, at the end, what may be said: that nothing was done is said only when nothing can have been done.
import { refusalIn } from './answers.ts'
import type { Refusal } from './answers.ts'
import { elapsedMs } from './clock.ts'
import type { Instant } from './clock.ts'
import type { Endpoints, Route } from './endpoints.ts'
import { HoldfastError } from './errors.ts'
import type { CommonDetails } from './errors.ts'
import { ExchangeError } from './exchange.ts'
import type { ExchangeAnswer, ExchangeRequest } from './exchange.ts'
import type { Check } from './shapes.ts'
import type { StopSignal } from './stopping.ts'
import type { Surroundings } from './surroundings.ts'

/** A node says after three seconds that it finds no leader; whoever says nothing for longer is asked no more. */
const attemptMaxMs = 4000
/** Of a short time limit each attempt gets a third, so that a silent endpoint leaves time for two others. */
const attemptShare = 1 / 3
const attemptMinMs = 250
/** Pauses are drawn from 0 to a bound that doubles: many clients that failed together do not come back together. */
const pauseMs = 25
const pauseMaxMs = 1000
/** Connections that the other end had closed are found one by one. */
const staleMax = 3

export interface CallParts {
  readonly surroundings: Surroundings
  readonly endpoints: Endpoints
}

export interface CallTerms {
  /** With all attempts and pauses. */
  readonly timeoutMs: number
  readonly signal?: StopSignal | undefined
  /** Asks nobody else. */
  readonly endpoint?: string | undefined
  /** A read does nothing; any other call is repeated after an unknown outcome unless that would do it twice. */
  readonly effect: 'none' | 'repeatable' | 'once'
  /** Called before a call rejects that may have been done. */
  readonly onUnknown?: () => void
}

export interface Attempt extends Pick<ExchangeRequest, 'method' | 'path' | 'body'> {
  /** How long the node may keep the request before it answers; 0 or absent: it answers at once. */
  readonly waitMs?: number
  /** Ends this attempt; default: the signal of the call. */
  readonly signal?: StopSignal | undefined
  /** Told whom this attempt asks. */
  readonly asking?: (endpoint: string) => void
}

export type Outcome =
  | { readonly kind: 'answered'; readonly answer: ExchangeAnswer; readonly sentAt: Instant }
  /** Nothing was done, and no repetition will change that. */
  | { readonly kind: 'refused'; readonly error: HoldfastError }
  /** Try again. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'aborted' }

export interface Answered<Result> {
  readonly result: Result
  /** Just before the attempt was sent that was answered. */
  readonly sentAt: Instant
}

export class Call {
  /** An attempt was sent, and nobody said what became of it. */
  mayBeDone = false
  /** The last answer said that it is being done. */
  isPending = false
  readonly #parts: CallParts
  readonly #terms: CallTerms
  readonly #route: Route = { hops: 0, last: null, avoid: null }
  #asked = ''
  #startedAt: Instant | null = null
  #attempts = 0
  #stale = 0
  #isStale = false
  /** The last word of each endpoint, for people. */
  readonly #said = new Map<string, string>()
  #refusal: HoldfastError | null = null
  #lastFailure: ExchangeError | null = null

  constructor(parts: CallParts, terms: CallTerms) {
    this.#parts = parts
    this.#terms = terms
  }

  /** Since the first attempt. */
  elapsedMs(): number {
    const from = this.#startedAt
    return from === null ? 0 : elapsedMs({ from, to: this.#parts.surroundings.clock.now() })
  }

  /** Rejects when the time is over, or with what ends the call at once. */
  async attempt(attempt: Attempt): Promise<Outcome> {
    const { surroundings, endpoints } = this.#parts
    const { timeoutMs } = this.#terms
    const signal = attempt.signal ?? this.#terms.signal
    if (signal?.aborted === true) return { kind: 'aborted' }
    const sentAt = surroundings.clock.now()
    this.#startedAt ??= sentAt
    const passedMs = this.#startedAt === sentAt ? 0 : elapsedMs({ from: this.#startedAt, to: sentAt })
    if (passedMs >= timeoutMs) throw this.givenUp()
    const endpoint = this.#terms.endpoint ?? endpoints.next(this.#route, sentAt.monotonicMs)
    this.#asked = endpoint
    attempt.asking?.(endpoint)
    try {
      const answer = await surroundings.exchange({
        endpoint,
        method: attempt.method,
        path: attempt.path,
        body: attempt.body,
        timeoutMs: this.#attemptMs(attempt.waitMs ?? 0, timeoutMs - passedMs),
        ...(signal === undefined ? {} : { signal }),
      })
      endpoints.answered(endpoint, answer.leader)
      this.#route.avoid = null
      return answer.status < 300 ? { kind: 'answered', answer, sentAt } : this.#onProblem(endpoint, answer)
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error
      return this.#onFailure(endpoint, error)
    }
  }

  /** Waits until the next attempt may be made, or `signal` fires. Rejects when there is no time for one. */
  async again(signal = this.#terms.signal): Promise<void> {
    const { surroundings, endpoints } = this.#parts
    const { timeoutMs, effect, endpoint } = this.#terms
    if (this.mayBeDone && effect === 'once') throw this.givenUp()
    if (this.#isStale) {
      this.#isStale = false
      return
    }
    const drawnMs = surroundings.random() * Math.min(pauseMaxMs, pauseMs * 2 ** this.#attempts++)
    const askedMs = endpoint === undefined ? endpoints.pauseMs(surroundings.clock.now().monotonicMs) : 0
    const nextMs = Math.max(drawnMs, askedMs)
    if (this.elapsedMs() + nextMs >= timeoutMs) throw this.givenUp()
    await pause(surroundings, { pauseMs: nextMs, signal })
  }

  /** For an answer that came with a good status and makes no sense. */
  unusable({ answer }: { readonly answer: ExchangeAnswer }): void {
    this.#badAnswer(this.#asked, `status ${answer.status} with a body that no node sends`)
  }

  /** For an attempt that was ended because its endpoint does not answer any more. */
  silent(): void {
    this.#onFailure(this.#asked, new ExchangeError('silent', 'did not answer a probe', { mayBeDone: true }))
  }

  /** What is said when no answer settled the call. */
  givenUp(details: CommonDetails = {}): HoldfastError {
    const why = [...this.#said].map(([endpoint, said]) => `${endpoint}: ${said}`).join('; ') || 'no time for an attempt'
    const options = { details, cause: this.#lastFailure ?? this.#refusal ?? undefined }
    if ((this.mayBeDone || this.isPending) && this.#terms.effect !== 'none') {
      return new HoldfastError(
        'outcome_unknown',
        `outcome_unknown: it may have been done, nobody says so: ${why}`,
        options,
      )
    }
    if (this.#refusal !== null) return this.#refusal
    if (this.#lastFailure?.kind === 'bad_answer') {
      return new HoldfastError('bad_answer', `bad_answer: what answers is not Holdfast: ${why}`, options)
    }
    return new HoldfastError('unreachable', `unreachable: nobody gave an answer: ${why}`, options)
  }

  #attemptMs(waitMs: number, leftMs: number): number {
    const { timeoutMs } = this.#terms
    const answerMs = Math.min(attemptMaxMs, Math.max(attemptMinMs, timeoutMs * attemptShare))
    return Math.max(1, Math.floor(Math.min(leftMs, waitMs + answerMs)))
  }

  #onProblem(endpoint: string, answer: ExchangeAnswer): Outcome {
    const refusal = refusalIn(answer)
    if (refusal === null) return this.#badAnswer(endpoint, `status ${answer.status} with a body that no node sends`)
    return this.#onRefusal(endpoint, refusal, answer)
  }

  #onRefusal(endpoint: string, { meaning, error }: Refusal, { retryAfterMs }: ExchangeAnswer): Outcome {
    switch (meaning) {
      case 'final':
        return { kind: 'refused', error }
      case 'broken':
        this.mayBeDone = true
        throw error
      case 'unknown':
        this.mayBeDone = true
        break
      case 'notDone':
        this.#refusal = error
        break
    }
    this.#said.set(endpoint, error.message)
    this.#route.avoid = endpoint
    const { endpoints, surroundings } = this.#parts
    if (retryAfterMs !== null) {
      endpoints.busy(endpoint, { untilMs: surroundings.clock.now().monotonicMs + retryAfterMs })
    }
    return { kind: 'failed' }
  }

  #badAnswer(endpoint: string, why: string): Outcome {
    return this.#onFailure(endpoint, new ExchangeError('bad_answer', `${endpoint}: ${why}`, { mayBeDone: true }))
  }

  #onFailure(endpoint: string, failure: ExchangeError): Outcome {
    this.mayBeDone ||= failure.mayBeDone
    if (failure.kind === 'aborted') return { kind: 'aborted' }
    this.#lastFailure = failure
    this.#said.set(endpoint, failure.message.replace(`${endpoint}: `, ''))
    this.#isStale = failure.wasStale && this.#stale++ < staleMax
    if (!this.#isStale) {
      this.#route.avoid = endpoint
      this.#parts.endpoints.failed(endpoint, this.#parts.surroundings.clock.now().monotonicMs)
    }
    return { kind: 'failed' }
  }
}

/** Also returns when the signal fires. */
function pause(
  surroundings: Surroundings,
  { pauseMs, signal }: { pauseMs: number; signal: StopSignal | undefined },
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const end = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = surroundings.setTimer(pauseMs, end)
    signal?.addEventListener('abort', end, { once: true })
  })
}

export interface SimpleCall<Result> extends Pick<ExchangeRequest, 'method' | 'path' | 'body'> {
  readonly check: Check<Result>
}

/** A call that is the same at every attempt. Rejects with a HoldfastError. */
export async function makeCall<Result>(
  parts: CallParts,
  asked: SimpleCall<Result>,
  terms: CallTerms,
): Promise<Answered<Result>> {
  const call = new Call(parts, terms)
  try {
    for (;;) {
      const outcome = await call.attempt(asked)
      switch (outcome.kind) {
        case 'answered': {
          const { body } = outcome.answer
          if (asked.check(body)) return { result: body, sentAt: outcome.sentAt }
          call.unusable(outcome)
          break
        }
        case 'refused':
          throw outcome.error
        case 'aborted':
          throw aborted(terms.signal)
        case 'failed':
          break
      }
      await call.again()
    }
  } catch (error) {
    if (call.mayBeDone) terms.onUnknown?.()
    throw error
  }
}

/** The error of a call whose signal fired; an `AbortSignal` may say why it did. */
export function aborted(signal: StopSignal | undefined): HoldfastError {
  const cause: unknown = signal instanceof AbortSignal ? signal.reason : undefined
  return new HoldfastError('aborted', 'aborted: the call was given up by its signal', { cause })
}
