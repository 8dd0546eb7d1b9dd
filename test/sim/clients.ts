// Adversarial clients. The tasks of a client take one lock after the other through whatever node they like, with and
// without its session, and behave as badly as real ones do: they give up early, repeat a request at two nodes at once,
// send their DELETE late or not at all, die between a grant and its release, keep talking to a node that is cut off. What
// they are told is checked at once against the log (checks/).
import { assert } from '../../src/assert.ts'
import { asRequestId } from '../../src/ids.ts'
import type { LockName, NodeId, RequestId, SessionId, Token } from '../../src/ids.ts'
import type { Granted, Result } from '../../src/lockfsm/outcome.ts'
import { checkToken } from '../../src/lockfsm/views.ts'
import type { Called, HistoryRecorder } from '../linearizability/recorder.ts'
import { Caller } from './caller.ts'
import type { SharedFacts } from './caller.ts'
import { factsOf } from './checks/reads.ts'
import type { LockChecks } from './checks/lock-checks.ts'
import { ClientSession } from './client-session.ts'
import type { SessionHandle } from './client-session.ts'
import { isDefinitelyNotDone } from './frontend.ts'
import type { Frontend, Reply } from './frontend.ts'
import type { Random } from './random.ts'
import type { ClientStyle } from './scenario.ts'
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
  readonly style: ClientStyle
  /** How fast its clock runs against virtual time; null: not within what S5 asks for, so it is not checked. */
  readonly clockRate: number | null
  readonly shared: SharedFacts
  readonly history: HistoryRecorder
  /** An answer assures of something: checks it, now and later. Returns the virtual time until which the client counts on it. */
  assured(promise: { token: Token | null; session: SessionId | null; sentAt: number; validForMs: number }): number
}

/** One request as its task repeats it. */
interface AcquireRequest {
  readonly lock: LockName
  readonly session: SessionId | null
  readonly requestId: RequestId
  readonly ttlMs: number | null
  readonly waitMs: number
  readonly pollMs: number
}

interface HeldGrant {
  readonly granted: Granted
  readonly lock: LockName
  readonly session: SessionHandle | null
  /** Virtual time until which the client counts on a TTL of the grant's own. */
  until: number
}

export class Client {
  readonly #parts: ClientParts
  readonly #caller: Caller
  readonly #session: ClientSession
  /** Chance that it leaves its session behind after some work: some keep one as long as they live (H13). */
  readonly #leaves: number
  #busyTasks = 0
  #count = 0

  constructor(parts: ClientParts) {
    this.#parts = parts
    this.#leaves = parts.random.pick([0, 0.15])
    this.#caller = new Caller(parts)
    this.#session = new ClientSession(parts, this.#caller)
  }

  /** Whether one of its tasks is in the middle of something. */
  get busy(): boolean {
    return this.#busyTasks > 0
  }

  start(): void {
    for (let task = 0; task < this.#parts.style.tasks; task++) start(this.#live())
  }

  /** Ends its session, if it has one. */
  dismiss(): void {
    this.#busyTasks++
    start(this.#session.close(), () => this.#busyTasks--)
  }

  /** Reads at a node that it has in mind, beside its other work: at one that leads no longer, say. */
  look(node: NodeId): void {
    this.#busyTasks++
    start(this.#read(node), () => this.#busyTasks--)
  }

  *#live(): Task {
    const { timeline, random, style, shared } = this.#parts
    yield* sleep(timeline, random.between(0, style.thinkMs))
    while (!shared.closing) {
      this.#busyTasks++
      yield* this.#work()
      this.#busyTasks--
      yield* sleep(timeline, random.exponential(style.thinkMs))
    }
  }

  *#work(): Task {
    const { random, style, locks } = this.#parts
    if (random.chance(style.reads)) return yield* this.#read(this.#caller.pickNode())
    const session = random.chance(style.withSession) ? yield* this.#session.get() : null
    const grant = yield* this.#acquire(random.pick(locks), session)
    // Sometimes a second lock beside the first, so that a session ends with several.
    const second = grant !== null && random.chance(0.3) ? yield* this.#acquire(random.pick(locks), session) : null
    if (grant !== null) yield* this.#hold(grant, second)
    if (session !== null && random.chance(this.#leaves)) {
      if (random.chance(0.5)) yield* this.#session.close()
      else this.#session.forget()
    }
  }

  // ---- requests

  *#acquire(lock: LockName, session: SessionHandle | null): Task<HeldGrant | null> {
    const { random, timeline, style, name, history } = this.#parts
    const called = history.acquire(lock)
    const requestId = asRequestId(`${name}-request-${++this.#count}-0000000000`)
    const waitMs = random.pick(style.waitMs)
    const ttlMs = session === null ? random.whole(...style.ttlMs) : null
    const pollMs = session === null ? waitMs : random.pick([200, 2000, 20_000])
    const acquire = { lock, session: session?.id ?? null, requestId, ttlMs, waitMs, pollMs }
    const attempts = random.whole(1, 5)
    for (let attempt = 0; attempt < attempts; attempt++) {
      // Now and then the same request goes out twice at once, to two nodes or to one, and one answer is waited for.
      const node = this.#caller.pickNode()
      if (random.chance(style.twin)) start(this.#attempt(acquire, random.chance(0.4) ? node : this.#caller.pickNode()))
      const { reply, until } = yield* this.#attempt(acquire, node)
      if (reply.kind !== 'outcome') continue
      const { result } = reply
      noteAnswer(called, result)
      if (result.kind === 'granted') return this.#granted(result, { lock, session, until })
      if (result.kind === 'refused' && result.code === 'session_ended' && session !== null) this.#session.over(session)
      if (result.kind !== 'stillWaiting' && result.kind !== 'detached') return null
      yield* sleep(timeline, random.exponential(100))
    }
    // It gives up: tells so, tells so late, or just walks away.
    if (!random.chance(style.walkAway)) yield* this.#cancel(acquire)
    return null
  }

  *#attempt(acquire: AcquireRequest, node: NodeId): Task<{ reply: Reply; until: number }> {
    const { random, timeline, checks, name, style } = this.#parts
    const mark = `${name}.${++this.#count}`
    const sentAt = timeline.now
    const reply = yield* this.#caller.call({
      build: (takenInAt) => ({
        kind: 'acquire',
        mode: 'exclusive',
        owner: mark,
        metadata: null,
        takenInAt,
        ...acquire,
      }),
      node,
      waitMs: acquire.pollMs,
      patienceMs: random.chance(0.3) ? random.pick(style.patienceMs) : acquire.pollMs + 10_000,
    })
    if (isDefinitelyNotDone(reply)) checks.answers.definitelyNotDone(mark, reply.kind)
    if (reply.kind !== 'outcome') return { reply, until: 0 }
    if (reply.atStop !== true || reply.result.kind !== 'stillWaiting') checks.answers.answered(mark, reply.result)
    if (reply.result.kind !== 'granted') return { reply, until: 0 }
    const { token, validForMs } = reply.result
    return { reply, until: this.#parts.assured({ token, session: acquire.session, sentAt, validForMs }) }
  }

  #granted(
    granted: Granted,
    { lock, session, until }: { lock: LockName; session: SessionHandle | null; until: number },
  ): HeldGrant {
    const { shared, checks, name, clockRate, history } = this.#parts
    shared.grants++
    if (session !== null) session.until = Math.max(session.until, until)
    const grant: HeldGrant = { granted, lock, session, until }
    history.endsBy(lock, granted.token, () =>
      session === null ? grant.until : Math.min(session.until, session.overAt),
    )
    if (clockRate !== null) {
      checks.beliefs.begin({ client: name, lock, token: granted.token, until: () => this.#countsUntil(grant) })
    }
    return grant
  }

  #countsUntil({ session, until }: HeldGrant): number {
    if (session === null) return until
    return session.isOver ? 0 : session.until
  }

  *#hold(first: HeldGrant, second: HeldGrant | null): Task {
    const { timeline, random, style } = this.#parts
    const grants = second === null ? [first] : [first, second]
    const shortestMs = Math.min(...grants.map(({ granted }) => granted.ttlMs))
    // Nobody need renew before the TTL is nearly over: a grant that was given back meanwhile is missed then (H10, H11).
    const isIdle = first.session === null && random.chance(0.15)
    if (isIdle) yield* sleep(timeline, shortestMs * random.between(0.5, 0.95))
    const end = timeline.now + (isIdle ? 0 : random.exponential(style.holdMs))
    while (timeline.now < end) {
      yield* sleep(timeline, Math.min(end - timeline.now, (shortestMs / 3) * random.between(0.3, 1.3)) + 1)
      if (first.session !== null || timeline.now >= end) continue
      for (const grant of grants) if (!(yield* this.#renewGrant(grant))) return
    }
    // It dies holding: the locks must come free by their TTL.
    if (random.chance(0.05)) return first.session === null ? undefined : this.#session.forget()
    for (const grant of grants) {
      if (random.chance(style.twin)) start(this.#release(grant))
      yield* this.#release(grant)
    }
  }

  *#release(grant: HeldGrant): Task {
    const { timeline, random, checks, name, clockRate, style, history } = this.#parts
    const { token } = grant.granted
    const called = history.release(grant.lock, token)
    checks.beliefs.end({ client: name, lock: grant.lock, token })
    for (let attempt = 0; attempt < 4; attempt++) {
      const session = random.chance(0.5) ? grant.granted.session : null
      const reply = yield* this.#caller.call({
        build: () => ({ kind: 'release', lock: grant.lock, token, session }),
        waitMs: 0,
        patienceMs: random.pick(style.patienceMs),
      })
      if (reply.kind !== 'outcome') continue
      called.answered({ kind: 'release', token, said: reply.result.kind === 'released' ? 'released' : 'stale' })
      if (reply.result.kind === 'released') checks.promises.released(token)
      else
        assert(
          timeline.now >= this.#countsUntil(grant) || clockRate === null,
          () => `S5: token ${token} is stale before its time`,
        )
      return
    }
  }

  *#renewGrant(grant: HeldGrant): Task<boolean> {
    const { timeline, checks, name } = this.#parts
    const { token, lock } = grant.granted
    const sentAt = timeline.now
    const ttlMs = grant.granted.ttlMs + (++this.#count % 500)
    const reply = yield* this.#caller.call({
      build: () => ({ kind: 'renewGrant', lock, token, ttlMs }),
      waitMs: 0,
      patienceMs: 1500,
    })
    if (reply.kind !== 'outcome') return true
    if (reply.result.kind !== 'grantRenewed') {
      checks.beliefs.end({ client: name, lock, token })
      return false
    }
    const { ttlMs: renewedMs, validForMs } = reply.result
    assert(renewedMs === ttlMs, () => `H1: a renewal to ${ttlMs} ms was answered with ${renewedMs} ms`)
    const until = this.#parts.assured({ token, session: null, sentAt, validForMs })
    grant.until = Math.max(grant.until, until)
    return true
  }

  *#cancel({ lock, session, requestId }: AcquireRequest): Task {
    const { random, timeline, checks, shared } = this.#parts
    if (random.chance(0.3) && !shared.closing) yield* sleep(timeline, random.between(0, 10_000))
    for (let attempt = 0; attempt < 2; attempt++) {
      const reply = yield* this.#caller.call({
        build: () => ({ kind: 'cancelRequest', lock, session, requestId }),
        waitMs: 0,
        patienceMs: 6000,
      })
      if (reply.kind !== 'outcome') continue
      if (reply.result.kind === 'requestCancelled') checks.promises.cancelled({ lock, session, requestId })
      return
    }
  }

  // ---- reads

  *#read(node: NodeId): Task {
    const { random, frontend, locks, shared, checks, timeline, history } = this.#parts
    const lock = random.pick(locks)
    const after = shared.ackedIndex
    const called = history.look(lock)
    let shown: Token | null = null
    shared.operations++
    const said = yield* wait<'done' | 'failed'>((settle) => {
      frontend.read(node, {
        evaluate: (replica) => {
          const facts = factsOf(replica.lock, lock)
          const { token } = facts
          shown = token
          assert(token === null || checkToken(replica.lock, { lock, token }).valid, 'S6: a holder shown is a holder')
          const index = replica.appliedIndex
          // The log is judged when this turn is over: only then the reference has what the member has.
          timeline.after(0, () => checks.reads.checkRead({ lock, index, after, facts }))
        },
        reply: settle,
      })
      timeline.after(10_000, () => settle('failed'))
    })
    if (said === 'done') called.answered({ kind: 'read', said: shown })
  }
}

/** What an answer to an acquire says for sure; of anything else nobody knows what an earlier attempt has obtained. */
function noteAnswer(called: Called, result: Result): void {
  if (result.kind === 'granted') called.answered({ kind: 'acquire', token: result.token })
  if (result.kind === 'refused' && (result.code === 'lock_held' || result.code === 'wait_timeout'))
    called.answered({ kind: 'acquire', token: 'refused' })
}
