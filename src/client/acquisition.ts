// One acquire, from the first attempt to the grant. All attempts bear one request id, so that the place in line and the
// grant are found again wherever they are repeated; an acquire that ends without an answer to its last attempt leaves
// something behind that has to be withdrawn. The wait is counted from the first attempt.
import { isGranted, isStillWaiting } from './answers.ts'
import { aborted, Call } from './calls.ts'
import type { Attempt, CallParts, Outcome } from './calls.ts'
import type { Instant } from './clock.ts'
import type { ExchangeAnswer } from './exchange.ts'
import { callMaxMs, waitMaxMs } from './options.ts'
import { Stopper } from './stopping.ts'
import type { StopSignal } from './stopping.ts'
import type { WaitWatch } from './wait-watch.ts'
import type { GivenUp } from './withdrawals.ts'

/** How long a request of a session waits before it is repeated: the repetition shows that somebody still wants it. */
const pollMs = 60_000
/** A node that says sooner that the request still waits has let go of it; it is not asked again without a pause. */
const pollMinMs = 1000
/** So long a grant of a session is kept for a repetition to fetch. */
const unattendedMs = 30_000

export interface AcquireAsked {
  readonly lock: string
  readonly session?: string | undefined
  /** Only without session. */
  readonly ttlMs?: number | undefined
  /** 0: a try; beyond 240,000 only with session. */
  readonly waitMs: number
  readonly owner?: string | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  readonly signal?: StopSignal | undefined
  /** Beyond `waitMs`. */
  readonly timeoutMs: number
}

export interface Granted {
  readonly token: number
  readonly sequence: number
  readonly ttlMs: number
  /** From `sentAt`. */
  readonly validForMs: number
  readonly sentAt: Instant
  readonly requestId: string
}

export interface AcquisitionParts extends CallParts {
  readonly watch: WaitWatch
  withdraw(givenUp: GivenUp): void
}

export class Acquisition {
  readonly #parts: AcquisitionParts
  readonly #asked: AcquireAsked
  readonly #call: Call
  readonly #path: string
  #requestId: string
  /** Of the attempt under way. */
  #stopper = new Stopper()
  #unwatch: (() => void) | null = null

  constructor(parts: AcquisitionParts, asked: AcquireAsked) {
    this.#parts = parts
    this.#asked = asked
    this.#call = new Call(parts, { timeoutMs: asked.waitMs + asked.timeoutMs, effect: 'repeatable' })
    this.#path = `/v1/locks/${encodeURIComponent(asked.lock)}/acquire`
    this.#requestId = parts.surroundings.randomId()
  }

  /** Rejects with a HoldfastError; nothing is held or awaited then, or it is being withdrawn. */
  async granted(): Promise<Granted> {
    const { signal } = this.#asked
    const onAbort = (): void => this.#stopper.stop()
    if (signal?.aborted === true) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for (;;) {
        const beganMs = this.#call.elapsedMs()
        const outcome = await this.#call.attempt(this.#attempt(beganMs))
        this.#unwatch?.()
        this.#unwatch = null
        const granted = this.#grantIn(outcome)
        if (granted !== null) return granted
        const isPoll =
          outcome.kind === 'answered' && this.#call.isPending && this.#call.elapsedMs() - beganMs >= pollMinMs
        if (!isPoll) await this.#call.again(this.#stopper)
      }
    } catch (error) {
      if (this.#call.mayBeDone || this.#call.isPending) this.#withdraw()
      throw error
    } finally {
      this.#unwatch?.()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Null when it is to be repeated. */
  #grantIn(outcome: Outcome): Granted | null {
    switch (outcome.kind) {
      case 'answered':
        return this.#read(outcome.answer, outcome.sentAt)
      case 'refused':
        this.#call.isPending = false
        // It was granted, unheard, and has ended: what we ask for now is another grant.
        if (outcome.error.code !== 'already_released') throw outcome.error
        this.#requestId = this.#parts.surroundings.randomId()
        this.#call.mayBeDone = false
        return null
      case 'aborted':
        if (this.#asked.signal?.aborted === true) throw aborted(this.#asked.signal)
        this.#stopper = new Stopper()
        this.#call.silent()
        return null
      case 'failed':
        return null
    }
  }

  #read(answer: ExchangeAnswer, sentAt: Instant): Granted | null {
    const { lock } = this.#asked
    const { body, status } = answer
    if (status === 202 && isStillWaiting(body) && body.requestId === this.#requestId) {
      this.#call.isPending = true
      return null
    }
    this.#call.isPending = false
    // What was meant for somebody else is no answer.
    if (status === 200 && isGranted(body) && body.requestId === this.#requestId && body.lock === lock) {
      const { token, sequence, ttlMs, validForMs, requestId } = body
      return { token, sequence, ttlMs, validForMs, sentAt, requestId }
    }
    this.#call.unusable({ answer })
    return null
  }

  #attempt(passedMs: number): Attempt {
    const { session, ttlMs, waitMs, owner, metadata } = this.#asked
    const leftMs = Math.ceil(waitMs - passedMs)
    // A wait that is over is not a try: it may still find its grant.
    const askedMs = waitMs === 0 ? 0 : Math.max(1, Math.min(leftMs, session === undefined ? callMaxMs : waitMaxMs))
    const call = session === undefined ? { ttlMs } : { session, pollMs: Math.min(pollMs, askedMs) }
    return {
      method: 'POST',
      path: this.#path,
      body: { ...call, waitMs: askedMs, requestId: this.#requestId, owner, metadata },
      waitMs: call.pollMs ?? askedMs,
      signal: this.#stopper,
      asking: (endpoint) => {
        if (askedMs > 0) this.#unwatch = this.#parts.watch.watch(endpoint, () => this.#stopper.stop())
      },
    }
  }

  #withdraw(): void {
    const { lock, session = null, ttlMs = 0, waitMs } = this.#asked
    const lastsMs = session === null ? ttlMs : Math.min(waitMs, waitMaxMs) + unattendedMs
    this.#parts.withdraw({ kind: 'request', lock, session, requestId: this.#requestId, lastsMs })
  }
}
