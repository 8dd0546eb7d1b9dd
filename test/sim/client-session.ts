// The session of a simulated client, shared by its tasks: opened by whoever needs it first, renewed in the background
// (at two nodes at once, now and then), and ended by closing it, by forgetting it, or because it was told that it is over.
import { assert } from '../../src/assert.ts'
import { asRequestId } from '../../src/ids.ts'
import type { SessionId } from '../../src/ids.ts'
import type { Caller } from './caller.ts'
import type { ClientParts } from './clients.ts'
import { isDefinitelyNotDone } from './frontend.ts'
import { sleep, start } from './task.ts'
import type { Task } from './task.ts'

export interface SessionHandle {
  readonly id: SessionId
  readonly ttlMs: number
  /** Virtual time until which the client counts on it. */
  until: number
  isOver: boolean
  /** When its client asked for the end, or was told of it. */
  overAt: number
}

export class ClientSession {
  readonly #parts: ClientParts
  readonly #caller: Caller
  #current: SessionHandle | null = null
  #isOpening = false
  #count = 0

  constructor(parts: ClientParts, caller: Caller) {
    this.#parts = parts
    this.#caller = caller
  }

  get isOpen(): boolean {
    return this.#current !== null
  }

  /** The present session, or a new one; null when none could be opened. */
  *get(): Task<SessionHandle | null> {
    if (this.#current === null && !this.#isOpening) {
      this.#isOpening = true
      this.#current = yield* this.#open()
      this.#isOpening = false
      if (this.#current !== null) start(this.#renew(this.#current))
    }
    return this.#current
  }

  /** It is over, as somebody was told. */
  over(session: SessionHandle): void {
    session.isOver = true
    session.overAt = Math.min(session.overAt, this.#parts.timeline.now)
    if (this.#current === session) this.#current = null
  }

  /** The client dies as far as this session is concerned: nobody renews or closes it. */
  forget(): void {
    this.#current = null
  }

  *close(): Task {
    const session = this.#current
    if (session === null) return
    this.over(session)
    const { id } = session
    for (let attempt = 0; attempt < 3; attempt++) {
      const reply = yield* this.#caller.call({
        build: () => ({ kind: 'closeSession', session: id }),
        waitMs: 0,
        patienceMs: 8000,
      })
      if (reply.kind !== 'outcome') continue
      this.#parts.checks.promises.sessionClosed(id)
      return
    }
  }

  *#open(): Task<SessionHandle | null> {
    const { random, timeline, checks, name, style } = this.#parts
    const requestId = asRequestId(`${name}-session-${++this.#count}-0000000000`)
    const ttlMs = random.whole(...style.ttlMs)
    for (let attempt = 0; attempt < 4; attempt++) {
      const mark = `${name} opens ${this.#count}.${attempt}`
      const sentAt = timeline.now
      const reply = yield* this.#caller.call({
        build: (takenInAt) => ({ kind: 'openSession', requestId, ttlMs, name: mark, metadata: null, takenInAt }),
        waitMs: 0,
        patienceMs: random.pick(style.patienceMs),
      })
      if (isDefinitelyNotDone(reply)) checks.answers.definitelyNotDone(mark, reply.kind)
      if (reply.kind !== 'outcome') continue
      checks.answers.answered(mark, reply.result)
      if (reply.result.kind !== 'sessionOpened') return null
      const { session: id, validForMs } = reply.result
      const until = this.#parts.assured({ token: null, session: id, sentAt, validForMs })
      return { id, ttlMs, until, isOver: false, overAt: Infinity }
    }
    return null
  }

  /** Renews for as long as the session is this client's. */
  *#renew(session: SessionHandle): Task {
    const { timeline, random, style } = this.#parts
    const isOurs = () => this.#current === session
    while (isOurs()) {
      yield* sleep(timeline, (session.ttlMs / 3) * random.between(0.5, 1.2))
      if (!isOurs()) return
      if (random.chance(style.twin)) start(this.#renewOnce(session))
      yield* this.#renewOnce(session)
    }
  }

  *#renewOnce(session: SessionHandle): Task {
    const { random, timeline } = this.#parts
    yield* sleep(timeline, random.between(0, 100))
    // A TTL that no other renewal asks for tells whose outcome is answered (H1).
    const ttlMs = random.chance(0.8) ? session.ttlMs + (++this.#count % 500) : null
    const sentAt = timeline.now
    const reply = yield* this.#caller.call({
      build: () => ({ kind: 'renewSessions', renewals: [{ session: session.id, ttlMs }] }),
      waitMs: 0,
      patienceMs: session.ttlMs,
    })
    if (reply.kind !== 'outcome' || reply.result.kind !== 'sessionsRenewed') return
    const [renewed] = reply.result.renewals
    assert(renewed?.session === session.id, () => `H1: a renewal of ${session.id} was answered for ${renewed?.session}`)
    if ('refusal' in renewed) {
      const isBroken = timeline.now < session.until && !session.isOver && this.#parts.clockRate !== null
      assert(!isBroken, () => `S5: ${session.id} is refused as ${renewed.refusal} before its time`)
      this.over(session)
      return
    }
    assert(
      ttlMs === null || renewed.ttlMs === ttlMs,
      () => `H1: a renewal to ${ttlMs} ms was answered with ${renewed.ttlMs} ms`,
    )
    const until = this.#parts.assured({ token: null, session: session.id, sentAt, validForMs: renewed.validForMs })
    session.until = Math.max(session.until, until)
  }
}
