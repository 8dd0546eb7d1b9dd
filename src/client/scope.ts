// What lives inside what: a client, a session and a candidacy are scopes. When one ends, the calls that were made inside
// it are given up and say why, and no further one is begun. A call ends with its caller's signal, too. Listeners stay on
// a caller's signal no longer than its call: such a signal may live as long as the process.
import { aborted } from './endings.ts'
import type { HoldfastError } from './errors.ts'
import { Stopper } from './stopping.ts'
import type { StopSignal } from './stopping.ts'

/** An `AbortSignal`, or that of a call that this one is part of. */
export type CallerSignal = StopSignal & { readonly reason?: unknown }

/** Options of a call that may be part of another. */
export type Nested<Options> = Omit<Options, 'signal'> & { readonly signal?: CallerSignal }

export class Scope {
  readonly #calls = new Set<(error: HoldfastError) => void>()
  #over: (() => HoldfastError) | null = null
  #idle: (() => void)[] = []

  get isOver(): boolean {
    return this.#over !== null
  }

  /** Throws why the scope has ended; an error of its own for everybody who asks. */
  throwIfOver(): void {
    if (this.#over !== null) throw this.#over()
  }

  /** Only the first end counts. */
  end(why: () => HoldfastError): void {
    if (this.#over !== null) return
    this.#over = why
    for (const giveUp of this.#calls) giveUp(why())
  }

  /**
   * The call has to heed its signal, and to give back what came too late: what it returns is passed on, whatever ended
   * meanwhile.
   */
  async run<Result>(caller: CallerSignal | undefined, call: (signal: StopSignal) => Promise<Result>): Promise<Result> {
    this.throwIfOver()
    if (caller?.aborted === true) throw aborted(caller.reason)
    const stopper = new Stopper()
    let reason: HoldfastError | null = null
    const giveUp = (error: HoldfastError): void => {
      reason ??= error
      stopper.stop()
    }
    const onAbort = (): void => giveUp(aborted(caller?.reason))
    caller?.addEventListener('abort', onAbort, { once: true })
    this.#calls.add(giveUp)
    try {
      return await call(stopper)
    } catch (error) {
      // Whatever a call says that was given up: this is why.
      throw reason ?? error
    } finally {
      caller?.removeEventListener('abort', onAbort)
      this.#calls.delete(giveUp)
      this.#tellIdle()
    }
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve)
      this.#tellIdle()
    })
  }

  #tellIdle(): void {
    if (this.#calls.size > 0 || this.#idle.length === 0) return
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }
}
