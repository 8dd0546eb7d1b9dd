// One liveness for many locks. The session is what the keeper renews; its locks live and die with it, and the loss of
// one is the loss of all. What waits in it is given up when it ends.
import { checkAcquire, checkTry } from './asked.ts'
import type { Belonging } from './belongings.ts'
import { closed, lockLost, sessionEnded } from './endings.ts'
import type { HoldfastError } from './errors.ts'
import { Holding } from './holding.ts'
import type { Inside } from './inside.ts'
import type { Kept } from './keeper.ts'
import { HeldLock } from './lock.ts'
import type { Liveness, Validity } from './lock.ts'
import { Scope } from './scope.ts'
import type { Nested } from './scope.ts'
import { isUseful, tooLate, Wait, waitDefaultMs } from './taking.ts'
import { tryRepeatedly } from './trying.ts'
import type { AcquireOptions, CallOptions, Lock, OnLost, Session, SessionOptions, TryAcquireOptions } from './types.ts'

type InSession<Options> = Omit<Options, 'ttlMs' | 'onLost'>

interface SessionFacts {
  readonly id: string
  readonly ttlMs: number
  readonly onLost: OnLost
}

export class HeldSession implements Session, Belonging {
  readonly what = 'session'
  readonly id: string
  readonly ttlMs: number
  readonly #inside: Inside
  readonly #holding: Holding
  readonly #scope = new Scope()
  readonly #locks = new Set<HeldLock>()
  /** Under way, or done. */
  #close: Promise<void> | null = null
  #isLeft = false

  /** Rejects with `lock_lost` when no answer came soon enough to be of use; `onOpened` is called before it resolves. */
  static open(
    inside: Inside,
    options: Nested<SessionOptions>,
    onOpened: (session: HeldSession) => void = () => {},
  ): Promise<HeldSession> {
    const { operations, belongings, options: defaults } = inside
    const { ttlMs = defaults.ttlMs, onLost = defaults.onLost, name = defaults.owner, metadata, timeoutMs } = options
    const wait = new Wait(inside, { ...options, waitMs: 0 })
    return inside.scope.run(options.signal, async (signal) => {
      for (;;) {
        const opened = await operations.openSession({ ttlMs, name, metadata, signal, timeoutMs })
        const { session: id } = opened
        if (!signal.aborted && isUseful(inside, opened)) {
          const session = new HeldSession(inside, { id, ttlMs, onLost }, opened)
          onOpened(session)
          return session
        }
        belongings.endInBackground({ what: 'session', name: id, ttlMs }, operations.closeSession({ session: id }))
        if (signal.aborted || wait.isOver) {
          throw lockLost({ what: `session ${id}`, why: 'the answer came too late to be of use', session: id })
        }
      }
    })
  }

  private constructor(inside: Inside, facts: SessionFacts, validity: Validity) {
    this.id = facts.id
    this.ttlMs = facts.ttlMs
    this.#inside = inside
    this.#holding = new Holding({
      what: `session ${facts.id}`,
      facts: { session: facts.id },
      hold: (lost) => this.#hold(lost, validity, facts.onLost),
      onLost: (reason) => this.#onLost(reason),
    })
  }

  get name(): string {
    return this.id
  }

  get signal(): AbortSignal {
    return this.#holding.signal
  }

  remainingMs(): number {
    return this.#holding.remainingMs()
  }

  assertHeld(): void {
    this.#holding.assertHeld()
  }

  async acquire(name: string, options: InSession<AcquireOptions> = {}): Promise<Lock> {
    checkAcquire(name, options)
    return this.take(name, options)
  }

  async tryAcquire(name: string, options: InSession<TryAcquireOptions> = {}): Promise<Lock | null> {
    checkTry(name, options)
    return tryRepeatedly(this.#inside, { ...options, scope: this.#scope }, () =>
      this.take(name, { ...options, waitMs: 0 }),
    )
  }

  /** As `acquire`; the lock with what only this package may do. */
  take(
    name: string,
    options: Nested<InSession<AcquireOptions>>,
    adapt: (kept: Liveness) => Liveness = (kept) => kept,
  ): Promise<HeldLock> {
    const { operations, belongings } = this.#inside
    const { waitMs = waitDefaultMs, owner, metadata, timeoutMs } = options
    const { id: session, ttlMs } = this
    return this.#scope.run(options.signal, async (signal) => {
      const granted = await operations.acquire({ lock: name, session, waitMs, owner, metadata, signal, timeoutMs })
      const { token, sequence } = granted
      if (!signal.aborted && this.remainingMs() > 0) {
        const lock = new HeldLock({ name, token, sequence, ttlMs }, granted, adapt(this.#liveness(name, token)))
        this.#locks.add(lock)
        return lock
      }
      const release = operations.release({ lock: name, token, session })
      belongings.endInBackground({ what: 'lock', name, ttlMs }, release)
      throw tooLate(name, token)
    })
  }

  close(options: CallOptions = {}): Promise<void> {
    return this.#closeBecause(() => closed(`session ${this.id}`), options)
  }

  end(reason: HoldfastError, options: CallOptions): Promise<void> {
    return this.#closeBecause(() => reason, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Why it was lost; null while it is held and when it was closed. */
  get loss(): HoldfastError | null {
    return this.#holding.loss
  }

  /** From now on its loss means what `onLost` says. */
  keepBy(onLost: OnLost, validity: Validity): void {
    this.#holding.keepBy((lost) => this.#hold(lost, validity, onLost))
  }

  /** Nothing keeps it alive any more, and nothing is sent: it ends at its deadline. */
  leave(): void {
    this.#isLeft = true
    this.#stop(() => closed(`session ${this.id}`))
  }

  #closeBecause(why: () => HoldfastError, options: CallOptions): Promise<void> {
    if (this.#close !== null) return this.#close
    if (this.#isLeft) return Promise.resolve()
    // What was lost has ended by itself, or will before anybody could be told to end it.
    const wasLost = this.#holding.loss !== null
    this.#stop(why)
    const close = wasLost ? Promise.resolve() : this.#inside.operations.closeSession({ ...options, session: this.id })
    this.#close = close
    // What was not confirmed may be tried again.
    close.catch(() => {
      this.#close = null
    })
    return close
  }

  /** Its locks end with it: who works with one is told before anything is sent. */
  #stop(why: () => HoldfastError): void {
    this.#scope.end(why)
    this.#holding.interrupt(why())
    for (const lock of this.#locks) lock.interrupt(why())
    // Nobody asks for the session of a lock that was left.
    const locks = [...this.#locks]
    this.#locks.clear()
    this.#holding.giveUp()
    for (const lock of locks) lock.leave()
    this.#inside.belongings.remove(this)
  }

  #hold(lost: (reason: HoldfastError) => void, { sentAt, validForMs }: Validity, onLost: OnLost): Kept {
    const { id: session, ttlMs } = this
    return this.#inside.keeper.hold({ what: { kind: 'session', session }, ttlMs, sentAt, validForMs, onLost, lost })
  }

  #liveness(lock: string, token: number): Liveness {
    const { operations } = this.#inside
    const { id: session } = this
    return {
      hold: () => ({ remainingMs: () => this.remainingMs(), forget: () => {} }),
      extend: (ttlMs) => operations.renewSession({ session, ttlMs }),
      release: async (options) => {
        try {
          await operations.release({ ...options, lock, token, session })
        } catch (error) {
          // When the session is closed meanwhile, that is what ends the lock.
          if (this.#close === null) throw error
          await this.#close
        }
      },
      leave: () => {},
      ended: (held) => this.#locks.delete(held),
    }
  }

  #onLost(reason: HoldfastError): void {
    this.#scope.end(() => sessionEnded(this.id, reason))
    for (const lock of this.#locks) {
      const { name, token } = lock
      const why = `its session ${this.id} was lost`
      lock.lose(lockLost({ what: `lock ${name}`, why, lock: name, token, session: this.id, cause: reason }))
    }
    this.#inside.belongings.remove(this)
  }
}
