// The shell of keeping.ts: it reads what the other thread has said, tells the machine, and does what the machine says, one
// thing at a time. The other thread is heard before every single step, so nothing is sent for a lease that it has forgotten
// by then. Knows neither threads nor HTTP: keeper-worker.ts gives it those, the simulator gives it others.
import type { Clock } from './clock.ts'
import type { FromRenewer, ToRenewer } from './keeper-messages.ts'
import { createKeeping, next, take } from './keeping.ts'
import type { Action, Happening, Keeping, RenewalFailure } from './keeping.ts'
import type { AnswerText } from './renewal-answers.ts'

export interface RenewerParts {
  readonly clock: Clock
  readonly random: () => number
  setTimer(delayMs: number, fire: () => void): { cancel(): void }
  /** What the other thread said next; undefined when all was read. */
  receive(): ToRenewer | undefined
  post(news: FromRenewer): void
  /** POSTs; one of `ends` is called, later, unless it was cancelled. */
  send(call: RenewalCall, ends: RenewalEnds): { cancel(): void }
  /** Ends the process at once. */
  kill(): void
}

export interface RenewalCall {
  readonly endpoint: string
  readonly path: string
  readonly body: unknown
  readonly timeoutMs: number
}

export interface RenewalEnds {
  answered(answer: AnswerText & { readonly leader: string | null }): void
  failed(failure: RenewalFailure): void
}

export class Renewer {
  readonly #parts: RenewerParts
  readonly #keeping: Keeping
  readonly #calls = new Map<number, { cancel(): void }>()
  #timer: { cancel(): void } | null = null

  constructor(options: { readonly endpoints: readonly string[]; readonly followLeader: boolean }, parts: RenewerParts) {
    this.#parts = parts
    this.#keeping = createKeeping({ ...options, random: parts.random })
  }

  /** Does all there is to do now. To be called whenever the other thread has said something. */
  run(): void {
    const { clock } = this.#parts
    this.#timer?.cancel()
    this.#timer = null
    for (;;) {
      this.#hear()
      const action = next(this.#keeping, clock.now())
      if (action.kind === 'sleep') return this.#sleep(action.forMs)
      this.#do(action)
    }
  }

  #hear(): void {
    const parts = this.#parts
    let said = parts.receive()
    if (said === undefined) return
    const now = parts.clock.now()
    for (; said !== undefined; said = parts.receive()) take(this.#keeping, said, now)
  }

  #do(action: Exclude<Action, { kind: 'sleep' }>): void {
    switch (action.kind) {
      case 'send':
        return this.#send(action)
      case 'cancel':
        this.#calls.get(action.renewal)?.cancel()
        this.#calls.delete(action.renewal)
        return
      case 'tell':
        return this.#parts.post(action.news)
      case 'kill':
        return this.#parts.kill()
    }
  }

  #send({ renewal, ...call }: Extract<Action, { kind: 'send' }>): void {
    const heard = (happening: Happening): void => {
      if (!this.#calls.delete(renewal)) return
      take(this.#keeping, happening, this.#parts.clock.now())
      this.run()
    }
    const under = this.#parts.send(call, {
      answered: (answer) => heard({ kind: 'answered', renewal, answer }),
      failed: (failure) => heard({ kind: 'failed', renewal, failure }),
    })
    this.#calls.set(renewal, under)
  }

  #sleep(forMs: number): void {
    if (forMs === Infinity) return
    this.#timer = this.#parts.setTimer(forMs, () => {
      this.#timer = null
      this.run()
    })
  }
}
