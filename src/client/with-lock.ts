// Work under a lock. The lock is given back whatever becomes of the work; work during which it was lost has not been
// guarded, so it has failed, whatever it says. Who wants to stop it (a closing client, the caller's signal) tells it so,
// and the lock is given back only when the work has ended: nobody else shall have it while the work winds down.
import type { Belonging } from './belongings.ts'
import { elapsedMs } from './clock.ts'
import type { Instant } from './clock.ts'
import { aborted } from './endings.ts'
import { HoldfastError } from './errors.ts'
import type { Inside } from './inside.ts'
import type { HeldLock } from './lock.ts'
import { takeLock } from './own-session.ts'
import type { CallOptions, WithLockOptions, Work } from './types.ts'

interface Asked<Result> {
  readonly name: string
  readonly options: WithLockOptions
  readonly work: Work<Result>
}

export async function withLock<Result>(inside: Inside, asked: Asked<Result>): Promise<Result> {
  const lock = await takeLock(inside, asked.name, asked.options)
  return new Job(inside, lock).run(asked)
}

class Job implements Belonging {
  readonly what = 'lock'
  readonly name: string
  readonly #inside: Inside
  readonly #lock: HeldLock
  readonly #grantedBy: Instant
  readonly #isGivenBack: Promise<void>
  #settle: (givenBack: Promise<void>) => void = () => {}
  /** Set once it is held for so long whatever happens. */
  #minHoldMs = 0

  constructor(inside: Inside, lock: HeldLock) {
    this.name = lock.name
    this.#inside = inside
    this.#lock = lock
    this.#grantedBy = inside.surroundings.clock.now()
    this.#isGivenBack = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  /** Rejects with the error of the work, with `lock_lost`, or with what the release says of work that was done. */
  async run<Result>({ work, options }: Asked<Result>): Promise<Result> {
    const { belongings } = this.#inside
    const { signal: caller, minHoldMs = 0 } = options
    const onAbort = (): void => this.#lock.interrupt(aborted(caller?.reason))
    belongings.remove(this.#lock)
    belongings.add(this)
    caller?.addEventListener('abort', onAbort)
    if (caller?.aborted === true) onAbort()
    try {
      if (minHoldMs > 0) await this.#holdAtLeast(minHoldMs)
      return await this.#guarded(work)
    } finally {
      caller?.removeEventListener('abort', onAbort)
      belongings.remove(this)
    }
  }

  /** Work that does not end in time keeps the lock: that ends at its deadline, and is told of as not confirmed. */
  async end(reason: HoldfastError, { timeoutMs = this.#inside.options.timeoutMs }: CallOptions): Promise<void> {
    this.#lock.interrupt(reason)
    let giveUp: () => void = () => {}
    const timedOut = new Promise<void>((_, reject) => {
      giveUp = () => reject(reason)
    })
    const timer = this.#inside.surroundings.setTimer(timeoutMs, () => {
      this.#lock.leave()
      giveUp()
    })
    try {
      await Promise.race([this.#isGivenBack, timedOut])
    } finally {
      timer.cancel()
    }
  }

  /** The work has not begun: a lock that cannot be held for long enough is not held at all. */
  async #holdAtLeast(minHoldMs: number): Promise<void> {
    try {
      await this.#lock.holdAtLeast(minHoldMs)
      this.#lock.assertHeld()
      this.#minHoldMs = minHoldMs
    } catch (error) {
      await this.#giveBack().catch(() => {})
      throw error
    }
  }

  async #guarded<Result>(work: Work<Result>): Promise<Result> {
    const lock = this.#lock
    let result: Result
    try {
      // Lost, closed or given up before the work began: it does not begin.
      this.#inside.scope.throwIfOver()
      lock.assertHeld()
      result = await work({ lock, token: lock.token, signal: lock.signal })
    } catch (error) {
      const reason = whyStopped(lock, error)
      // It says more than the error of a release would.
      await this.#giveBack().catch(() => {})
      throw reason
    }
    const { loss } = lock
    await this.#giveBack()
    if (loss !== null) throw loss
    return result
  }

  #giveBack(): Promise<void> {
    this.#settle(this.#release())
    return this.#isGivenBack
  }

  async #release(): Promise<void> {
    const { clock } = this.#inside.surroundings
    const heldMs = elapsedMs({ from: this.#grantedBy, to: clock.now() })
    if (heldMs < this.#minHoldMs) this.#lock.leave()
    else if (this.#lock.loss === null) await this.#lock.release()
  }
}

/** Work that was stopped by the signal ends with what the signal says. */
function whyStopped(lock: HeldLock, error: unknown): unknown {
  const { signal } = lock
  const reason: unknown = signal.reason
  if (!signal.aborted || !(reason instanceof HoldfastError) || error === reason) return error
  const isBecause = error instanceof Error && (error.name === 'AbortError' || error.cause === reason)
  if (!isBecause) return error
  const { code, message, details } = reason
  return new HoldfastError(code, message, { details, cause: error })
}
