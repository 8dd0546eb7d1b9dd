// Adversarial clients. Each takes one lock after the other through whatever node it likes, with and without a session,
// and behaves as badly as real ones do: gives up early, repeats a request at two nodes at once, sends its DELETE late or
// not at all, dies between a grant and its release, keeps talking to a node that is cut off. What it was told is checked
// at once against the log (checks/lock-checks.ts).
import { assert } from '../../src/assert.ts'
import { asRequestId } from '../../src/ids.ts'
import type { LockName, NodeId, RequestId, SessionId, Token } from '../../src/ids.ts'
import type { Acquire } from '../../src/lockfsm/command.ts'
import type { Granted } from '../../src/lockfsm/outcome.ts'
import { checkToken, viewLock } from '../../src/lockfsm/views.ts'
import type { LockChecks } from './checks/lock-checks.ts'
import type { Frontend, Reply } from './frontend.ts'
import type { Random } from './random.ts'
import { sleep, start, wait } from './task.ts'
import type { Task } from './task.ts'
import type { Timeline } from './timeline.ts'

export interface ClientParts {
  readonly name: string
  readonly timeline: Timeline
  readonly random: Random
  readonly frontend: Frontend
  readonly checks: LockChecks
  readonly nodes: readonly NodeId[]
  readonly locks: readonly LockName[]
  /** How fast its clock runs against virtual time; null: not within what S5 asks for, so it is not checked. */
  readonly clockRate: number | null
  readonly thinkMs: number
  readonly shared: SharedFacts
}

/** What all clients of a world know together. */
export interface SharedFacts {
  /** The greatest index that any client has seen in an answer: no later read may be older (S6). */
  ackedIndex: number
  operations: number
  grants: number
  /** Clients stop taking new work. */
  closing: boolean
}

interface HeldGrant {
  readonly granted: Granted
  readonly lock: LockName
  /** On the client's own clock, as virtual time. */
  until: number
}

export class Client {
  /** Whether it is in the middle of something. */
  busy = false
  readonly #parts: ClientParts
  #session: SessionId | null = null
  #sessionTtlMs = 0
  #count = 0

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  start(): void {
    start(this.#live())
  }

  *#live(): Task {
    const { timeline, random, thinkMs, shared } = this.#parts
    yield* sleep(timeline, random.between(0, thinkMs))
    while (!shared.closing) {
      this.busy = true
      yield* this.#work()
      this.busy = false
      yield* sleep(timeline, random.exponential(thinkMs))
    }
    this.busy = true
    if (this.#session !== null) yield* this.#closeSession(this.#session)
    this.busy = false
  }

  *#work(): Task {
    const { random } = this.#parts
    if (random.chance(0.15)) return yield* this.#read()
    const withSession = random.chance(0.5)
    if (withSession && this.#session === null) {
      yield* this.#openSession()
      if (this.#session === null) return
    }
    const grant = yield* this.#acquire(withSession ? this.#session : null)
    if (grant !== null) yield* this.#hold(grant)
    if (withSession && random.chance(0.1) && this.#session !== null) {
      // Either orderly, or it dies: the session must end by itself.
      if (random.chance(0.5)) yield* this.#closeSession(this.#session)
      this.#session = null
    }
  }

  // ---- sessions

  *#openSession(): Task {
    const { random } = this.#parts
    const requestId = this.#requestId()
    const ttlMs = random.whole(1000, 8000)
    for (let attempt = 0; attempt < 4; attempt++) {
      const sentAt = this.#parts.timeline.now
      const reply = yield* this.#call({
        build: (takenInAt) => ({ kind: 'openSession', requestId, ttlMs, name: this.#parts.name, metadata: null, takenInAt }),
        waitMs: 0,
        patienceMs: random.pick([300, 2000, 9000]),
      })
      if (reply.kind === 'outcome' && reply.result.kind === 'sessionOpened') {
        const { session, validForMs } = reply.result
        this.#promised({ token: null, session, sentAt, validForMs })
        this.#session = session
        this.#sessionTtlMs = ttlMs
        start(this.#renewSession(session))
        return
      }
      if (reply.kind === 'outcome') return
    }
  }

  /** Renews for as long as the session is this client's. */
  *#renewSession(session: SessionId): Task {
    const { timeline, random } = this.#parts
    while (this.#session === session) {
      yield* sleep(timeline, (this.#sessionTtlMs / 3) * random.between(0.5, 1.2))
      if (this.#session !== session) return
      const sentAt = timeline.now
      const reply = yield* this.#call({
        build: () => ({ kind: 'renewSessions', renewals: [{ session, ttlMs: null }] }),
        waitMs: 0,
        patienceMs: this.#sessionTtlMs,
      })
      if (reply.kind !== 'outcome' || reply.result.kind !== 'sessionsRenewed') continue
      const [renewed] = reply.result.renewals
      assert(renewed !== undefined, 'a renewal is answered')
      if ('refusal' in renewed) {
        if (this.#session === session) this.#session = null
        return
      }
      this.#promised({ token: null, session, sentAt, validForMs: renewed.validForMs })
    }
  }

  *#closeSession(session: SessionId): Task {
    this.#session = null
    for (let attempt = 0; attempt < 3; attempt++) {
      const reply = yield* this.#call({ build: () => ({ kind: 'closeSession', session }), waitMs: 0, patienceMs: 8000 })
      if (reply.kind === 'outcome') return
    }
  }

  // ---- requests

  *#acquire(session: SessionId | null): Task<HeldGrant | null> {
    const { random, locks, timeline } = this.#parts
    const lock = random.pick(locks)
    const requestId = this.#requestId()
    const waitMs = random.pick([0, 0, 500, 3000, 15_000])
    const ttlMs = session === null ? random.whole(1000, 6000) : null
    const pollMs = session === null ? waitMs : random.pick([200, 2000, 20_000])
    const attempts = random.whole(1, 5)
    for (let attempt = 0; attempt < attempts; attempt++) {
      const acquire = { lock, session, requestId, ttlMs, waitMs, pollMs }
      // Now and then the same request goes to two nodes at once, and only one answer is waited for.
      if (random.chance(0.15)) start(this.#attempt(acquire))
      const { reply, sentAt } = yield* this.#attempt(acquire)
      if (reply.kind === 'outcome') {
        const { result } = reply
        if (result.kind === 'granted') return this.#granted(result, sentAt)
        if (result.kind === 'refused' && (result.code === 'session_ended' || result.code === 'session_unknown')) this.#session = null
        if (result.kind !== 'stillWaiting' && result.kind !== 'detached') return null
        yield* sleep(timeline, random.exponential(200))
      }
    }
    // It gives up: tells so, tells so late, or just walks away.
    if (random.chance(0.7)) yield* this.#cancel({ lock, session, requestId })
    return null
  }

  *#attempt(
    acquire: Pick<Acquire, 'lock' | 'session' | 'requestId' | 'ttlMs' | 'waitMs' | 'pollMs'>,
  ): Task<{ reply: Reply; sentAt: number }> {
    const { random, timeline, checks } = this.#parts
    const mark = `${this.#parts.name}.${++this.#count}`
    const sentAt = timeline.now
    const reply = yield* this.#call({
      build: (takenInAt) => ({ kind: 'acquire', mode: 'exclusive', owner: mark, metadata: null, takenInAt, ...acquire }),
      waitMs: acquire.pollMs,
      patienceMs: random.pick([100, 1500, acquire.pollMs + 10_000]),
    })
    if (reply.kind === 'outcome' && reply.result.kind === 'granted') {
      this.#promised({ token: reply.result.token, session: acquire.session, sentAt, validForMs: reply.result.validForMs })
    } else if (reply.kind === 'noLeader' || reply.kind === 'overloaded') {
      checks.definitelyNotDone(mark, reply.kind)
    }
    return { reply, sentAt }
  }

  #granted(granted: Granted, sentAt: number): HeldGrant {
    this.#parts.shared.grants++
    return { granted, lock: granted.lock, until: this.#deadline(sentAt, granted.validForMs) }
  }

  *#hold(grant: HeldGrant): Task {
    const { timeline, random } = this.#parts
    const { token, session, ttlMs } = grant.granted
    const holdMs = random.exponential(1500)
    const end = timeline.now + holdMs
    while (timeline.now < end) {
      yield* sleep(timeline, Math.min(end - timeline.now, (ttlMs / 3) * random.between(0.3, 1.3)) + 1)
      if (session !== null || timeline.now >= end) continue
      if (!(yield* this.#renewGrant(grant))) return
    }
    // It dies holding: the lock must come free by its TTL.
    if (random.chance(0.1)) return
    for (let attempt = 0; attempt < 4; attempt++) {
      const reply = yield* this.#call({
        build: () => ({ kind: 'release', lock: grant.lock, token, session: random.chance(0.5) ? session : null }),
        waitMs: 0,
        patienceMs: random.pick([200, 3000, 9000]),
      })
      if (reply.kind !== 'outcome') continue
      const isReleased = reply.result.kind === 'released'
      const wasHeld = timeline.now < grant.until && (session === null || this.#session === session)
      assert(isReleased || !wasHeld || this.#parts.clockRate === null, `S5: token ${token} is stale before its time`)
      return
    }
  }

  *#renewGrant(grant: HeldGrant): Task<boolean> {
    const { timeline } = this.#parts
    const { token, lock } = grant.granted
    const sentAt = timeline.now
    const reply = yield* this.#call({
      build: () => ({ kind: 'renewGrant', lock, token, ttlMs: null }),
      waitMs: 0,
      patienceMs: 1500,
    })
    if (reply.kind !== 'outcome') return true
    if (reply.result.kind !== 'grantRenewed') return false
    this.#promised({ token, session: null, sentAt, validForMs: reply.result.validForMs })
    grant.until = this.#deadline(sentAt, reply.result.validForMs)
    return true
  }

  *#cancel(request: { lock: LockName; session: SessionId | null; requestId: RequestId }): Task {
    const { random, timeline } = this.#parts
    if (random.chance(0.3)) yield* sleep(timeline, random.between(0, 20_000))
    for (let attempt = 0; attempt < 2; attempt++) {
      const reply = yield* this.#call({ build: () => ({ kind: 'cancelRequest', ...request }), waitMs: 0, patienceMs: 6000 })
      if (reply.kind === 'outcome') return
    }
  }

  // ---- reads

  *#read(): Task {
    const { random, frontend, nodes, locks, shared, checks, timeline } = this.#parts
    const node = random.pick(nodes)
    const lock = random.pick(locks)
    const after = shared.ackedIndex
    shared.operations++
    const shown: Token[] = []
    const reply = yield* wait<'done' | 'failed'>((settle) => {
      frontend.read(node, {
        evaluate: (replica) => {
          const index = replica.core.raft.appliedIndex
          assert(index >= after, `S6: a read at ${node} saw entry ${index}, but ${after} was answered before`)
          const [holder] = viewLock(replica.lock, lock).holders
          if (holder === undefined) return
          assert(checkToken(replica.lock, { lock, token: holder.token }).valid, 'S6: a holder shown is a holder')
          shown.push(holder.token)
        },
        reply: settle,
      })
      timeline.after(10_000, () => settle('failed'))
    })
    for (const token of shown) {
      assert(reply === 'failed' || checks.grants.has(token), `S6: a read showed token ${token}, which nobody was granted`)
    }
  }

  // ---- one call

  *#call(request: {
    build: Parameters<Frontend['send']>[1]['build']
    waitMs: number
    patienceMs: number
  }): Task<Reply> {
    const { frontend, random, nodes, shared, timeline } = this.#parts
    shared.operations++
    const reply = yield* wait<Reply>((settle) => {
      const exchange = frontend.send(random.pick(nodes), { build: request.build, waitMs: request.waitMs, reply: settle })
      timeline.after(request.patienceMs, () => {
        exchange.hangUp()
        settle({ kind: 'broken' })
      })
    })
    if (reply.kind === 'outcome') shared.ackedIndex = Math.max(shared.ackedIndex, reply.index)
    return reply
  }

  /** An answer made a promise: it must not have been broken, now or later. */
  #promised(promise: { token: Token | null; session: SessionId | null; sentAt: number; validForMs: number }): void {
    const { checks, timeline, clockRate } = this.#parts
    const until = clockRate === null ? 0 : this.#deadline(promise.sentAt, promise.validForMs)
    const check = () => checks.checkPromise({ token: promise.token, session: promise.session, until })
    check()
    if (until > timeline.now) timeline.at(until, check)
  }

  /** Virtual time at which the client's own clock says that `validForMs` have passed since `sentAt`. */
  #deadline(sentAt: number, validForMs: number): number {
    return sentAt + validForMs / (this.#parts.clockRate ?? 1)
  }

  #requestId(): RequestId {
    return asRequestId(`${this.#parts.name}-request-${++this.#count}-0000000000`)
  }
}
