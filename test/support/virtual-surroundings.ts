// A world for the client in which time is a number and every exchange is answered by the test. Time stands still while
// anything can happen without it, and then moves to the next timer: what waits for minutes takes none.
import { ExchangeError } from '../../src/client/exchange.ts'
import type { ExchangeAnswer, ExchangeFailure, ExchangeRequest } from '../../src/client/exchange.ts'
import type { Keeper } from '../../src/client/keeper.ts'
import type { Surroundings, Timer } from '../../src/client/surroundings.ts'

/** What becomes of an exchange `afterMs` (default 1) after it was sent. */
export type Scripted =
  | {
      readonly status: number
      readonly body?: unknown
      readonly afterMs?: number
      readonly leader?: string
      readonly retryAfterMs?: number
    }
  | { readonly fails: Exclude<ExchangeFailure, 'aborted'>; readonly afterMs?: number; readonly wasStale?: boolean }
  /** Neither an answer nor an end of the connection. */
  | 'silence'

export interface Sent extends ExchangeRequest {
  readonly atMs: number
  /** The body as fields. */
  readonly fields: Readonly<Record<string, unknown>>
}

export class VirtualSurroundings implements Surroundings {
  nowMs = 0
  readonly sent: Sent[] = []
  readonly clock = { now: () => ({ monotonicMs: this.nowMs, sinceBootMs: null }) }
  /** Drawn in a circle. */
  chances: readonly number[] = [0.5]
  readonly #answer: (request: Sent, count: number) => Scripted
  readonly #timers = new Map<number, { readonly atMs: number; readonly fire: () => void }>()
  #lastTimer = 0
  #draws = 0
  #ids = 0

  /** `answer` is called with everything that is sent, `count` from 0. */
  constructor(answer: (request: Sent, count: number) => Scripted) {
    this.#answer = answer
  }

  get pendingTimers(): number {
    return this.#timers.size
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const id = ++this.#lastTimer
    this.#timers.set(id, { atMs: this.nowMs + delayMs, fire })
    return { cancel: () => void this.#timers.delete(id) }
  }

  random(): number {
    return this.chances[this.#draws++ % this.chances.length] ?? 0
  }

  randomId(): string {
    return `request-id-number-${++this.#ids}`
  }

  exchange(request: ExchangeRequest): Promise<ExchangeAnswer> {
    const fields = isFields(request.body) ? request.body : {}
    const sent: Sent = { ...request, atMs: this.nowMs, fields }
    this.sent.push(sent)
    const scripted = this.#answer(sent, this.sent.length - 1)
    return new Promise((resolve, reject) => {
      const { signal, timeoutMs } = request
      const afterMs = scripted === 'silence' ? Infinity : (scripted.afterMs ?? 1)
      const end = (settle: () => void): void => {
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const fail = (kind: ExchangeFailure, wasStale = false): void =>
        end(() =>
          reject(new ExchangeError(kind, `${request.endpoint}: ${kind}`, { mayBeDone: kind !== 'refused', wasStale })),
        )
      const onAbort = (): void => fail('aborted')
      signal?.addEventListener('abort', onAbort, { once: true })
      const timer = this.setTimer(Math.min(afterMs, timeoutMs), () => {
        if (scripted === 'silence' || afterMs >= timeoutMs) fail('silent')
        else if ('fails' in scripted) fail(scripted.fails, scripted.wasStale)
        else end(() => resolve(answerOf(scripted)))
      })
    })
  }

  createKeeper(): Keeper {
    throw new Error('nothing is kept in this world')
  }

  close(): void {}

  /** Lets time pass until the promise is settled, and at most so long. */
  async run<Result>(promise: Promise<Result>, forMs = 24 * 3_600_000): Promise<Result> {
    const untilMs = this.nowMs + forMs
    let isSettled = false
    const settled = promise.finally(() => {
      isSettled = true
    })
    // It is looked at below: until then nobody has to.
    settled.catch(() => {})
    for (;;) {
      await quiet()
      if (isSettled) return settled
      if (!this.#step(untilMs)) throw new Error(`nothing more happens until ${this.nowMs}, and it is not settled`)
    }
  }

  /** Lets so much time pass. */
  async pass(forMs: number): Promise<void> {
    const untilMs = this.nowMs + forMs
    await quiet()
    while (this.#step(untilMs)) await quiet()
    this.nowMs = untilMs
  }

  #step(untilMs: number): boolean {
    let next: number | null = null
    let nextAtMs = Infinity
    for (const [id, { atMs }] of this.#timers) {
      if (atMs >= nextAtMs) continue
      next = id
      nextAtMs = atMs
    }
    const timer = next === null ? undefined : this.#timers.get(next)
    if (next === null || timer === undefined || nextAtMs > untilMs) return false
    this.#timers.delete(next)
    this.nowMs = nextAtMs
    timer.fire()
    return true
  }
}

/** Everything has happened that needs no time. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

type ScriptedAnswer = Extract<Scripted, { status: number }>

function answerOf(scripted: ScriptedAnswer): ExchangeAnswer {
  const { status, body = null, leader = null, retryAfterMs = null } = scripted
  return { status, body, leader, retryAfterMs }
}

function isFields(body: unknown): body is Readonly<Record<string, unknown>> {
  return typeof body === 'object' && body !== null
}

// ---- what a node answers

export function granted(request: Sent, token = 1): ScriptedAnswer {
  const { requestId, session = null, ttlMs = 30_000 } = request.fields
  const lock = decodeURIComponent(request.path.split('/')[3] ?? '')
  const body = { lock, token, session, requestId, mode: 'exclusive', sequence: 7, ttlMs, validForMs: 29_900 }
  return { status: 200, body }
}

export function stillWaiting(request: Sent): ScriptedAnswer {
  const { requestId, session, pollMs } = request.fields
  const lock = decodeURIComponent(request.path.split('/')[3] ?? '')
  return {
    status: 202,
    body: { lock, session, requestId, sequence: 7, position: 1, queueLength: 1 },
    afterMs: Number(pollMs),
  }
}

export function problem(status: number, code: string, more: Readonly<Record<string, unknown>> = {}): ScriptedAnswer {
  const retry = ['no_leader', 'overloaded', 'disk_low'].includes(code) ? { retryAfterMs: 1000 } : {}
  return {
    status,
    body: { type: `urn:holdfast:error:${code}`, title: code, status, code, detail: 'why', ...more },
    ...retry,
  }
}
