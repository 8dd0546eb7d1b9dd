// The client: what its users begin with, and what they end with. It checks what it is asked for, so that a mistake is
// told before anything is sent, and knows everything that it has open, so that closing it leaves nothing behind in the
// store, or says what it may have left.
import {
  checkAcquire,
  checkCall,
  checkElection,
  checkLeader,
  checkSession,
  checkTry,
  checkWithLock,
  workAndOptions,
} from './asked.ts'
import { Belongings } from './belongings.ts'
import { Candidate } from './election.ts'
import { closed } from './endings.ts'
import type { Inside } from './inside.ts'
import { Operations } from './operations.ts'
import { resolveOptions } from './options.ts'
import { takeLock } from './own-session.ts'
import { Scope } from './scope.ts'
import { HeldSession } from './session.ts'
import { processSurroundings } from './surroundings.ts'
import type { Surroundings } from './surroundings.ts'
import { takeAlone } from './taking.ts'
import { tryRepeatedly } from './trying.ts'
import type {
  AcquireOptions,
  CallOptions,
  ClientOptions,
  Closed,
  ElectOptions,
  Election,
  LeaderInfo,
  Lock,
  Session,
  SessionOptions,
  TryAcquireOptions,
  WithLockOptions,
  Work,
} from './types.ts'
import { withLock } from './with-lock.ts'

export class LockClient implements AsyncDisposable {
  readonly #inside: Inside
  #close: Promise<Closed> | null = null

  /** `surroundings` are for tests: clocks, timers, chance and network of the process unless given. */
  constructor(options: ClientOptions, surroundings: Surroundings = processSurroundings()) {
    const resolved = resolveOptions(options)
    const { endpoints, followLeader } = resolved
    this.#inside = {
      surroundings,
      options: resolved,
      operations: new Operations({ surroundings, options: resolved }),
      keeper: surroundings.createKeeper({ endpoints, followLeader }),
      belongings: new Belongings(surroundings.clock),
      scope: new Scope(),
    }
  }

  /** Stands in line until it is granted: rejects with `wait_timeout` after `waitMs`, `lock_held` when that is 0. */
  async acquire(name: string, options: AcquireOptions = {}): Promise<Lock> {
    checkAcquire(name, options)
    return takeLock(this.#inside, name, options)
  }

  /** Takes it if it is free, with as many tries as asked for; null when others held it to the end. */
  async tryAcquire(name: string, options: TryAcquireOptions = {}): Promise<Lock | null> {
    checkTry(name, options)
    const inside = this.#inside
    const { scope } = inside
    return tryRepeatedly(inside, { ...options, scope }, () => takeAlone(inside, name, { ...options, waitMs: 0 }))
  }

  /**
   * Runs `work` while the lock is held, and gives it back whatever becomes of it. Rejects with the error of the work; with
   * `lock_lost` when the lock was lost meanwhile, whether the work was stopped by that (its own error is the cause) or not.
   */
  withLock<Result>(name: string, work: Work<Result>, options?: WithLockOptions): Promise<Result>
  withLock<Result>(name: string, options: WithLockOptions, work: Work<Result>): Promise<Result>
  async withLock<Result>(
    name: string,
    first: Work<Result> | WithLockOptions,
    second: Work<Result> | WithLockOptions = {},
  ): Promise<Result> {
    const { work, options } = workAndOptions(first, second)
    checkWithLock(name, options)
    return withLock(this.#inside, { name, options, work })
  }

  /** Opens a session: one liveness, and one renewal, for many locks. */
  async session(options: SessionOptions = {}): Promise<Session> {
    checkSession(options)
    return HeldSession.open(this.#inside, options, (session) => this.#inside.belongings.add(session))
  }

  /** Stands for election: the leader is who holds the lock of this name. */
  elect(name: string, options: ElectOptions = {}): Election {
    checkElection(name, options)
    const candidate = new Candidate(this.#inside, name, options)
    candidate.campaign()
    return candidate
  }

  /** Who holds the lock of this name at this moment; null when nobody does. */
  async leader(name: string, options: CallOptions = {}): Promise<LeaderInfo | null> {
    checkLeader(name, options)
    const { operations, scope } = this.#inside
    const { holders } = await scope.run(options.signal, (signal) => operations.lock(name, { ...options, signal }))
    const [holder] = holders
    if (holder === undefined) return null
    return { token: holder.token, owner: holder.owner, value: holder.metadata?.['value'] ?? null }
  }

  /**
   * Gives up all calls and waits, resigns, closes all sessions, releases all locks; their signals abort first. A lock of
   * `withLock` is released when the work has ended, which is waited for. `timeoutMs` is for each of these calls.
   */
  async close(options: Pick<CallOptions, 'timeoutMs'> = {}): Promise<Closed> {
    checkCall(options)
    this.#close ??= this.#closeNow(options)
    return this.#close
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #closeNow(options: Pick<CallOptions, 'timeoutMs'>): Promise<Closed> {
    const { scope, belongings, operations, keeper, surroundings, options: defaults } = this.#inside
    const { timeoutMs = defaults.timeoutMs } = options
    const why = () => closed('the client')
    scope.end(why)
    await scope.idle()
    const unconfirmed = await belongings.endAll(why, { timeoutMs })
    const requests = await operations.settled({ timeoutMs })
    await keeper.close()
    surroundings.close()
    return { unconfirmed: [...unconfirmed, ...requests] }
  }
}
