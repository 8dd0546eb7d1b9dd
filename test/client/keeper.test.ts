// Leases as the thread of the user holds them: what it believes, what it tells, and what it says to the one that renews.
import t from 'tap'
import type { Instant } from '../../src/client/clock.ts'
import { HoldfastError } from '../../src/client/errors.ts'
import type { FromRenewer, ToRenewer } from '../../src/client/keeper-messages.ts'
import { LeaseKeeper, lostExitCode } from '../../src/client/keeper.ts'
import type { Kept, Lease, LinkEvents } from '../../src/client/keeper.ts'
import { packed, unpacked } from '../../src/client/keeper-wire.ts'

/** One thread on virtual time, and the other end of its link in the hands of the test. */
class Bench {
  now = 0
  /** In all; null: this machine cannot tell. */
  suspendedMs: number | null = null
  readonly said: ToRenewer[] = []
  /** Said by the renewer, and not read yet. */
  readonly unread: FromRenewer[] = []
  readonly exits: number[] = []
  readonly lost: HoldfastError[] = []
  connections = 0
  events: LinkEvents | null = null
  readonly #timers = new Set<{ readonly at: number; readonly fire: () => void }>()
  readonly keeper = new LeaseKeeper({
    clock: { now: () => this.instant },
    setTimer: (delayMs, fire) => {
      const timer = { at: this.now + delayMs, fire }
      this.#timers.add(timer)
      return { cancel: () => void this.#timers.delete(timer) }
    },
    connect: (events) => {
      this.connections++
      this.events = events
      return {
        post: (message) => void this.said.push(unpacked(packed(message))),
        receive: () => this.unread.shift(),
        close: async () => {},
      }
    },
    exit: (code) => void this.exits.push(code),
  })

  get instant(): Instant {
    return { monotonicMs: this.now, sinceBootMs: this.suspendedMs === null ? null : this.now + this.suspendedMs }
  }

  hold(lease: Partial<Lease> = {}): Kept {
    const sentAt = this.instant
    return this.keeper.hold({
      what: { kind: 'lock', lock: 'x', token: 7 },
      ttlMs: 3000,
      sentAt,
      validForMs: 2990,
      onLost: 'abort',
      lost: (reason) => void this.lost.push(reason),
      ...lease,
    })
  }

  renewed(id: number, sentAtMs: number): void {
    const sentAt = { monotonicMs: sentAtMs, sinceBootMs: null }
    this.unread.push({ kind: 'renewed', sentAt, leases: [{ id, validForMs: 2990 }] })
  }

  /** The loop runs: what is due fires; what is unread stays so. */
  pass(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const [first] = [...this.#timers].filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)
      if (first === undefined) break
      this.#timers.delete(first)
      this.now = Math.max(this.now, first.at)
      first.fire()
    }
    this.now = until
  }

  /** The loop is blocked: time passes, and nothing fires. */
  block(ms: number): void {
    this.now += ms
  }

  get timers(): number {
    return this.#timers.size
  }
}

t.test('what is held is said to the renewer before anything else can happen', async (t) => {
  const bench = new Bench()
  bench.block(5)
  bench.hold()
  bench.hold({ what: { kind: 'session', session: 's-1' }, onLost: 'kill' })
  const valid = { from: { monotonicMs: 5, sinceBootMs: null }, ms: 2990 }
  t.same(bench.said, [
    {
      kind: 'hold',
      lease: { id: 1, what: { kind: 'lock', lock: 'x', token: 7 }, ttlMs: 3000, valid, onLost: 'abort' },
    },
    { kind: 'hold', lease: { id: 2, what: { kind: 'session', session: 's-1' }, ttlMs: 3000, valid, onLost: 'kill' } },
  ])
  t.equal(bench.connections, 1)
})

t.test('it counts until a margin before the deadline, and then is lost, once', async (t) => {
  const bench = new Bench()
  const kept = bench.hold()
  t.equal(kept.remainingMs(), 2840)
  bench.pass(2839)
  t.equal(kept.remainingMs(), 1)
  t.same(bench.lost, [])
  bench.pass(1)
  t.match(bench.lost, [{ code: 'lock_lost', details: { lock: 'x', token: 7 } }])
  t.equal(kept.remainingMs(), 0)
  bench.pass(5000)
  t.equal(bench.lost.length, 1)
  t.match(bench.said.at(-1), { kind: 'givenUp', id: 1 })
  t.equal(bench.timers, 0)
})

t.test('after a time in which the loop was blocked the news are read before anything is concluded', async (t) => {
  const bench = new Bench()
  const kept = bench.hold()
  bench.block(3500)
  bench.renewed(1, 2900)
  // Its own timer fires first.
  bench.pass(0)
  t.same(bench.lost, [])
  t.equal(kept.remainingMs(), 2900 + 2840 - 3500)
  bench.block(2000)
  bench.renewed(1, 4000)
  t.equal(kept.remainingMs(), 4000 + 2840 - 5500, 'or somebody asks')
})

t.test('whoever asks first after the deadline is told, and so is the signal', async (t) => {
  const bench = new Bench()
  const kept = bench.hold()
  bench.block(60_000)
  t.equal(kept.remainingMs(), 0)
  t.equal(bench.lost.length, 1)
})

t.test('after a suspension it looks for itself, whether the other thread gets a turn or not', async (t) => {
  const bench = new Bench()
  bench.suspendedMs = 0
  bench.hold()
  const forgotten = bench.hold()
  bench.pass(1000)
  bench.suspendedMs = 60_000
  forgotten.forget()
  bench.pass(99)
  bench.pass(1)
  t.equal(bench.lost.length, 1)
  t.equal(bench.timers, 0, 'and not longer than anything is held')
  const kept = bench.hold({ validForMs: 100_000, ttlMs: 100_000 })
  bench.suspendedMs += 5000
  bench.pass(10_000)
  t.equal(bench.lost.length, 1, 'what outlasts it is kept')
  t.ok(kept.remainingMs() > 83_000)
  bench.pass(kept.remainingMs() - 1)
  t.equal(bench.lost.length, 1)
  bench.pass(100)
  t.equal(bench.lost.length, 2, 'and lost when it is over, counted with the suspension')
})

t.test('an old answer moves nothing to an earlier moment, and one for another lease nothing at all', async (t) => {
  const bench = new Bench()
  const kept = bench.hold()
  const other = bench.hold()
  bench.block(100)
  bench.renewed(1, 100)
  bench.renewed(1, -1000)
  bench.renewed(9, 100)
  t.equal(kept.remainingMs(), 2840)
  t.equal(other.remainingMs(), 2740)
})

t.test('when a node says that it is over it is lost at once, and the reason says how', async (t) => {
  const bench = new Bench()
  const kept = bench.hold()
  bench.events?.news({ kind: 'lost', id: 1, why: { kind: 'ended', code: 'token_stale', endedBy: 'expired' } })
  t.match(bench.lost, [{ code: 'lock_lost', message: /token_stale, expired/, details: { endedBy: 'expired' } }])
  t.ok(bench.lost[0] instanceof HoldfastError)
  t.equal(kept.remainingMs(), 0)
})

t.test('what was forgotten is never lost', async (t) => {
  const bench = new Bench()
  const kept = bench.hold()
  kept.forget()
  t.equal(kept.remainingMs(), 0)
  t.match(bench.said.at(-1), { kind: 'forget', id: 1 })
  bench.events?.news({ kind: 'lost', id: 1, why: { kind: 'deadline', lastFailure: null } })
  bench.pass(10_000)
  t.same(bench.lost, [])
  t.equal(bench.timers, 0)
})

t.test('a process that is to end does so after it was told, also when the telling throws', async (t) => {
  const bench = new Bench()
  const order: string[] = []
  bench.hold({ onLost: 'exit', lost: () => void order.push(`told, ${bench.exits.length} exits`) })
  bench.pass(2840)
  t.same(order, ['told, 0 exits'])
  t.same(bench.exits, [lostExitCode])
  bench.hold({
    onLost: 'exit',
    lost: () => {
      throw new Error('of the user')
    },
  })
  t.throws(() => bench.pass(3000), /of the user/)
  t.equal(bench.exits.length, 2)
})

t.test('when the renewer breaks another is told of all that is held, with the deadlines that are known', async (t) => {
  const bench = new Bench()
  bench.hold()
  const other = bench.hold()
  bench.block(500)
  bench.renewed(1, 400)
  bench.pass(0)
  bench.keeper.hold({
    what: { kind: 'session', session: 's-1' },
    ttlMs: 3000,
    sentAt: { monotonicMs: 500, sinceBootMs: null },
    validForMs: 2990,
    onLost: 'abort',
    lost: () => {},
  })
  other.forget()
  const [first] = bench.unread
  if (first !== undefined) bench.events?.news(first)
  bench.said.length = 0
  bench.events?.broke()
  t.equal(bench.connections, 1)
  bench.pass(100)
  t.equal(bench.connections, 2)
  t.match(bench.said, [
    { kind: 'hold', lease: { id: 1, valid: { from: { monotonicMs: 400 } } } },
    { kind: 'hold', lease: { id: 3 } },
  ])
  bench.events?.broke()
  bench.pass(199)
  t.equal(bench.connections, 2, 'later, when nothing was heard in between')
  bench.pass(1)
  t.equal(bench.connections, 3)
})

t.test('closing forgets everything, and nobody is connected to any more', async (t) => {
  const bench = new Bench()
  const kept = bench.hold()
  await bench.keeper.close()
  t.match(bench.said.at(-1), { kind: 'forget', id: 1 })
  t.equal(kept.remainingMs(), 0)
  bench.events?.broke()
  bench.pass(60_000)
  t.equal(bench.connections, 1)
  t.same(bench.lost, [])
})

t.test('what goes through the port comes out as it was said', async (t) => {
  const valid = { from: { monotonicMs: 1.5, sinceBootMs: 3.25 }, ms: 7.5 }
  const messages: ToRenewer[] = [
    { kind: 'forget', id: 3 },
    { kind: 'givenUp', id: 4 },
    { kind: 'hold', lease: { id: 5, what: { kind: 'lock', lock: 'ö/x', token: 1 }, ttlMs: 9, valid, onLost: 'exit' } },
    { kind: 'hold', lease: { id: 6, what: { kind: 'session', session: 's-1' }, ttlMs: 9, valid, onLost: 'kill' } },
  ]
  for (const message of messages) t.same(unpacked(packed(message)), message)
})
