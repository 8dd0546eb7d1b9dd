// A user of the real keeper: it takes a lock, by itself or with a session, counts on it for as long as the keeper says so,
// and gives it back or not. The promise that it watches: nobody else is granted a lock that this client still counts on.
// More than that: when a grant of its has ended in the log, its keeper has told it so, or its thread is blocked since
// before and will see nothing else first; and a process that was to be killed is dead, whatever its thread is doing.
import { assert } from '../../src/assert.ts'
import { asRequestId } from '../../src/ids.ts'
import type { LockName, SessionId, Token } from '../../src/ids.ts'
import { lookEveryMs } from '../../src/client/clock.ts'
import type { Kept } from '../../src/client/keeper.ts'
import type { OnLost } from '../../src/client/types.ts'
import type { Result } from '../../src/lockfsm/outcome.ts'
import type { Reply } from './frontend.ts'
import { KeptProcess } from './kept-process.ts'
import type { ClientCall } from './kept-process.ts'
import type { Random } from './random.ts'
import { start, wait } from './task.ts'
import type { Task } from './task.ts'
import type { World } from './world.ts'

export interface KeptStyle {
  readonly ttlMs: number
  readonly holdMs: number
  readonly waitMs: number
  readonly onLost: OnLost
  readonly withSession: number
  /** How far it is from all nodes: a way takes so long in the mean. */
  readonly farMs: number
}

export interface KeptCounts {
  grants: number
  lost: number
  /** Grants that ended in the log while their client was blocked. */
  blocked: number
  killed: number
}

/** Something that is kept alive, and the grants that live with it. */
interface Held {
  readonly kept: Kept
  readonly onLost: OnLost
  readonly tokens: Set<Token>
  isLost: boolean
}

interface KeptSession {
  readonly id: SessionId
  readonly held: Held
}

type OutcomeOf<Kind extends Result['kind']> = Extract<Result, { kind: Kind }>

export class KeptClient {
  readonly name: string
  process: KeptProcess
  readonly #world: World
  readonly #random: Random
  readonly #style: KeptStyle
  readonly #counts: KeptCounts
  readonly #held = new Set<Held>()
  #session: KeptSession | null = null
  #isOpening = false
  #count = 0

  constructor(parts: { name: string; world: World; random: Random; style: KeptStyle; counts: KeptCounts }) {
    this.name = parts.name
    this.#world = parts.world
    this.#random = parts.random
    this.#style = parts.style
    this.#counts = parts.counts
    this.process = this.#newProcess()
  }

  /** Begins with a process of its own, in place of one that has ended. */
  restart(): void {
    this.#held.clear()
    this.#session = null
    this.#isOpening = false
    this.process = this.#newProcess()
    // Two of them: what is answered to one says nothing of the other's.
    for (let task = 0; task < 2; task++) start(this.#live(this.process))
  }

  // ---- the promise

  /** To be called after every entry of the log. */
  check(): void {
    const { main, worker, isAlive, resumedAt } = this.process
    // No timer tells of a suspension: who asks finds the truth at once, who does not is told at the next look at the clock.
    if (this.#world.timeline.now - resumedAt < 1.1 * lookEveryMs) return
    for (const held of this.#held) {
      if (!isAlive) return
      for (const token of held.tokens) {
        if (!this.#hasEnded(token)) continue
        if (held.onLost === 'kill' && !worker.isPaused) this.#broken(token, 'and its process lives')
        if (held.isLost) continue
        if (!main.isPaused) this.#broken(token, 'and was not told')
        this.#counts.blocked++
      }
    }
  }

  /** The thread of the user is about to do something. */
  #beginTurn(): void {
    for (const held of this.#held) {
      for (const token of held.tokens) {
        if (this.#hasEnded(token) && held.kept.remainingMs() > 0) this.#broken(token, 'and wakes up believing in it')
      }
    }
  }

  #hasEnded(token: Token): boolean {
    const grant = this.#world.lockChecks.lives.grants.get(token)
    return grant !== undefined && grant.ended !== null
  }

  #broken(token: Token, what: string): void {
    const grant = this.#world.lockChecks.lives.grants.get(token)
    assert(false, () => `S5: ${this.name} counts on token ${token} of ${grant?.lock}, which has ended, ${what}`)
  }

  // ---- what it does

  *#live(process: KeptProcess): Task {
    const random = this.#random
    while (process.isAlive) {
      yield* this.#pause(random.exponential(200))
      const session = random.chance(this.#style.withSession) ? yield* this.#openSession() : null
      const lock = random.pick(this.#world.locks)
      yield* this.#work(lock, session)
      if (this.#session !== null && random.chance(0.2)) yield* this.#closeSession()
    }
  }

  *#work(lock: LockName, session: KeptSession | null): Task {
    const requestId = asRequestId(`${this.name}-request-${++this.#count}-0000000000`)
    const { ttlMs, waitMs } = this.#style
    for (let attempt = 0; attempt < 6; attempt++) {
      const sentAt = this.process.clock.now()
      const reply = yield* this.#call({
        build: (takenInAt) => ({
          kind: 'acquire',
          lock,
          session: session?.id ?? null,
          requestId,
          mode: 'exclusive',
          ttlMs: session === null ? ttlMs : null,
          waitMs,
          pollMs: waitMs,
          owner: `${this.name} ${++this.#count}`,
          metadata: null,
          takenInAt,
        }),
        waitMs,
        timeoutMs: waitMs + 3000,
      })
      const granted = outcome(reply, 'granted')
      if (granted !== null) {
        const { token, validForMs } = granted
        const held =
          session === null
            ? this.#hold({ what: { kind: 'lock', lock, token }, ttlMs, sentAt, validForMs })
            : session.held
        held.tokens.add(token)
        this.#counts.grants++
        return yield* this.#use(lock, token, held)
      }
      if (reply.kind === 'outcome' && reply.result.kind === 'refused') return
    }
    yield* this.#insist({ build: () => ({ kind: 'cancelRequest', lock, session: session?.id ?? null, requestId }) })
  }

  *#use(lock: LockName, token: Token, held: Held): Task {
    const end = this.process.main.now() + this.#random.exponential(this.#style.holdMs)
    // Who is to be killed does not listen: he is what that is for.
    const listens = held.onLost !== 'kill'
    while (this.process.main.now() < end && !(listens && held.isLost)) {
      yield* this.#pause(Math.min(50, end - this.process.main.now() + 1))
    }
    held.tokens.delete(token)
    if (held !== this.#session?.held) this.#forget(held)
    // Some die with it, as far as this lock is concerned.
    if (!this.#random.chance(0.05)) yield* this.#release(lock, token)
  }

  *#release(lock: LockName, token: Token): Task {
    yield* this.#insist({ build: () => ({ kind: 'release', lock, token, session: null }) })
  }

  *#openSession(): Task<KeptSession | null> {
    if (this.#session?.held.isLost === true) yield* this.#closeSession()
    if (this.#session !== null || this.#isOpening) return this.#session
    this.#isOpening = true
    this.#session = yield* this.#open()
    this.#isOpening = false
    return this.#session
  }

  *#open(): Task<KeptSession | null> {
    const requestId = asRequestId(`${this.name}-session-${++this.#count}-0000000000`)
    const { ttlMs } = this.#style
    for (let attempt = 0; attempt < 4; attempt++) {
      const sentAt = this.process.clock.now()
      const name = `${this.name} opens ${++this.#count}`
      const reply = yield* this.#call({
        build: (takenInAt) => ({ kind: 'openSession', requestId, ttlMs, name, metadata: null, takenInAt }),
        waitMs: 0,
        timeoutMs: 3000,
      })
      const opened = outcome(reply, 'sessionOpened')
      if (opened === null) continue
      const { session: id, validForMs } = opened
      const held = this.#hold({ what: { kind: 'session', session: id }, ttlMs, sentAt, validForMs })
      return { id, held }
    }
    return null
  }

  *#closeSession(): Task {
    const session = this.#session
    if (session === null) return
    this.#session = null
    this.#forget(session.held)
    yield* this.#insist({ build: () => ({ kind: 'closeSession', session: session.id }) })
  }

  /** From now on this client counts on nothing of it. */
  #forget(held: Held): void {
    held.kept.forget()
    this.#held.delete(held)
  }

  #hold(lease: Pick<Parameters<KeptProcess['keeper']['hold']>[0], 'what' | 'ttlMs' | 'sentAt' | 'validForMs'>): Held {
    const { onLost } = this.#style
    const held: Held = {
      kept: this.process.keeper.hold({
        ...lease,
        onLost,
        lost: () => {
          held.isLost = true
          this.#counts.lost++
        },
      }),
      onLost,
      tokens: new Set(),
      isLost: false,
    }
    this.#held.add(held)
    return held
  }

  // ---- calls, on the loop of the user

  *#insist(call: Pick<ClientCall, 'build'>): Task {
    for (let attempt = 0; attempt < 4; attempt++) {
      const reply = yield* this.#call({ ...call, waitMs: 0, timeoutMs: 2000 })
      if (reply.kind === 'outcome') return
    }
  }

  *#call(call: Omit<ClientCall, 'node' | 'heard'>): Task<Reply> {
    const node = this.#random.pick(this.#world.machines).id
    return yield* wait<Reply>((settle) => this.process.call({ ...call, node, heard: settle }))
  }

  *#pause(ms: number): Task {
    yield (resume) => this.process.afterMs(ms, resume)
  }

  #newProcess(): KeptProcess {
    const process = new KeptProcess(this.#world, this.#random.fork(`process ${++this.#count}`), this.#style)
    process.onTurn = () => this.#beginTurn()
    return process
  }
}

function outcome<Kind extends 'granted' | 'sessionOpened'>(reply: Reply, kind: Kind): OutcomeOf<Kind> | null {
  if (reply.kind !== 'outcome') return null
  const { result } = reply
  return isKind(result, kind) ? result : null
}

function isKind<Kind extends Result['kind']>(result: Result, kind: Kind): result is OutcomeOf<Kind> {
  return result.kind === kind
}
