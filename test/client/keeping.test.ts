// The machine that keeps leases, by what it was told and what it then wants done.
import t from 'tap'
import { take } from '../../src/client/keeping.ts'
import { a, b, c, lock, namesIn, Scene, session } from './keeping-scene.ts'

t.test('a lease is renewed when a third of its TTL has passed since its request was sent', async (t) => {
  const scene = new Scene().hold(1).pass(999)
  t.same(scene.sent, [])
  scene.pass(1)
  t.match(scene.sent, [{ at: 1000, endpoint: a, path: '/v1/locks/lock%201/renew', body: { token: 1 } }])
  scene.pass(200).answer().pass(799)
  t.equal(scene.sent.length, 1)
  scene.pass(1)
  t.equal(scene.last.at, 2000, 'counted from the sending, not from the answer')
})

t.test('one call is for all sessions that are due or soon will be, and every lock has its own', async (t) => {
  const scene = new Scene().hold(1, { what: session(1) }).pass(200)
  scene
    .hold(2, { what: session(2) })
    .hold(3)
    .pass(500)
  scene.hold(4, { what: session(4) }).pass(300)
  t.same(scene.sent.map(namesIn), [['s-1', 's-2']], 'what is far from due stays')
  scene.answer().pass(200)
  t.same(scene.sent.map(namesIn), [['s-1', 's-2'], ['token 3']])
  t.equal(scene.last.at, 1200)
  scene.answer().pass(500)
  t.same(namesIn(scene.last), ['s-4', 's-1', 's-2'], 'until it is due, and the others will be soon')
  t.equal(scene.last.at, 1700)
  scene.answer().pass(500)
  t.same(namesIn(scene.last), ['token 3'])
  scene.answer().pass(500)
  t.same(namesIn(scene.last), ['s-1', 's-2', 's-4'], 'and they stay together')
})

t.test('more sessions than a call takes go in several', async (t) => {
  const scene = new Scene()
  for (let id = 1; id <= 2500; id++) scene.hold(id, { what: session(id) })
  scene.pass(1000)
  t.same(
    scene.sent.map((sent) => namesIn(sent).length),
    [1000, 1000, 500],
  )
  t.equal(new Set(scene.sent.flatMap(namesIn)).size, 2500)
})

t.test('who is silent is asked beside another, and whichever answers counts from its own sending', async (t) => {
  const scene = new Scene().hold(1).pass(1000 + 375)
  t.match(scene.sent, [
    { at: 1000, endpoint: a },
    { at: 1375, endpoint: b },
  ])
  scene.answer({ renewal: 1, body: { token: 1, validForMs: 2990 } })
  t.match(scene.told, [{ kind: 'renewed', sentAt: { monotonicMs: 1000 }, leases: [{ id: 1, validForMs: 2990 }] }])
  scene.pass(624)
  t.equal(scene.sent.length, 2)
  scene.answer({ renewal: 2, body: { token: 1, validForMs: 2990 } })
  t.match(scene.told.at(-1), { sentAt: { monotonicMs: 1375 } })
  scene.pass(375)
  t.equal(scene.sent.length, 2, 'the newer one puts off the next')
  scene.pass(1)
  t.equal(scene.last.at, 2375)
})

t.test('an older answer that comes late moves nothing to an earlier moment', async (t) => {
  const scene = new Scene().hold(1).pass(1375)
  scene.answer({ renewal: 2, body: { token: 1, validForMs: 2990 } })
  const lease = scene.state.leases.get(1)
  const { valid } = { ...lease }
  scene.pass(100).answer({ renewal: 1, body: { token: 1, validForMs: 2990 } })
  t.same(lease?.valid, valid)
  t.match(lease?.due, { from: { monotonicMs: 1375 } })
})

t.test('what fails is tried elsewhere after a drawn pause that grows', async (t) => {
  const scene = new Scene().hold(1).pass(1000).fail().pass(24)
  t.equal(scene.sent.length, 1)
  scene.pass(1).fail().pass(50).fail().pass(100)
  t.match(scene.sent, [
    { at: 1000, endpoint: a },
    { at: 1025, endpoint: b },
    { at: 1075, endpoint: c },
    { at: 1175, endpoint: a },
  ])
  for (let failures = 0; failures < 20; failures++) scene.fail().pass(150)
  t.ok(
    scene.sent.every(({ at }, index) => index === 0 || at - (scene.sent[index - 1]?.at ?? 0) <= 150),
    'never by more than a tenth of the TTL, drawn in half',
  )
})

t.test('full jitter: a pause may be anything from nothing to its bound', async (t) => {
  let drawn = 0
  const scene = new Scene({ random: () => drawn }).hold(1).pass(1000).fail()
  t.equal(scene.last.at, 1000, 'nothing')
  t.equal(scene.sent.length, 2)
  drawn = 0.999
  scene.fail().pass(99)
  t.equal(scene.sent.length, 2)
  scene.pass(1)
  t.equal(scene.sent.length, 3)
})

t.test('refusals that say nothing of the lease, and answers to something else, are failures', async (t) => {
  const others = [
    { status: 503, body: { code: 'no_leader' } },
    { status: 400, body: { code: 'invalid_request' } },
    { status: 500, body: { code: 'internal' } },
    { status: 404, body: {} },
    { status: 412, body: '<html>' },
    { status: 200, body: null },
    { status: 200, body: { token: 2, validForMs: 9000 } },
    { status: 200, body: { token: 1, validForMs: '9000' } },
    { status: 200, body: { token: 1, validForMs: -1 } },
    { status: 200, body: { renewed: [{ session: 's-1', validForMs: 9000 }], gone: [] } },
  ]
  for (const other of others) {
    const scene = new Scene().hold(1).pass(1000).answer(other).pass(25)
    t.same(scene.told, [], JSON.stringify(other))
    t.match(scene.sent, [{ endpoint: a }, { endpoint: b }])
  }
  const sessions = new Scene().hold(1, { what: session(1) }).pass(1000)
  for (const body of [
    { token: 1, validForMs: 9000 },
    { renewed: [{ session: 's-2', validForMs: 9000 }], gone: ['s-3'] },
  ]) {
    sessions.answer({ body }).pass(100)
  }
  t.same(sessions.told, [])
  t.equal(sessions.sent.length, 3)
})

t.test('a connection that broke because nobody used it is no failure of its endpoint', async (t) => {
  const scene = new Scene().hold(1).pass(1000).fail({ wasStale: true })
  t.match(scene.sent, [
    { at: 1000, endpoint: a },
    { at: 1000, endpoint: a },
  ])
})

t.test('a margin before its deadline a lease is lost, once, and is not renewed any more', async (t) => {
  const scene = new Scene().hold(1).pass(1000).fail({ why: 'no route' }).pass(1839)
  t.same(scene.lost, [])
  const { length } = scene.sent
  scene.pass(5000)
  t.match(scene.told, [{ kind: 'lost', id: 1, why: { kind: 'deadline', lastFailure: 'no route' }, at: 2840 }])
  t.equal(scene.sent.length, length)
  t.same(scene.killedAt, [])
})

t.test('margins: a twentieth of the TTL, at least 50 ms, at most a second', async (t) => {
  for (const [ttlMs, at] of [
    [1000, 950],
    [10_000, 9500],
    [60_000, 59_000],
  ] as const) {
    const scene = new Scene({ random: () => 0.999 }).hold(1, { ttlMs, validForMs: ttlMs }).pass(ttlMs)
    t.match(scene.told, [{ kind: 'lost', at }])
  }
})

t.test('a process that is to end with its lock is killed by the deadline, whatever was told before', async (t) => {
  for (const onLost of ['kill', 'exit'] as const) {
    const scene = new Scene().hold(1, { onLost }).pass(2974)
    t.same(scene.lost, [1])
    t.same(scene.killedAt, [])
    scene.pass(100)
    t.same(scene.killedAt, [2975])
  }
  const renewed = new Scene().hold(1, { onLost: 'kill' }).pass(1000).answer().pass(2974)
  t.same(renewed.killedAt, [])
  renewed.pass(1)
  t.same(renewed.killedAt, [3975], 'a renewal puts it off')
})

t.test('nothing happens at the deadline of a lease that was forgotten before, even if it was lost', async (t) => {
  const scene = new Scene().hold(1, { onLost: 'kill' }).pass(2900).take({ kind: 'forget', id: 1 }).pass(1000)
  t.same(scene.lost, [1])
  t.same(scene.killedAt, [])
  t.equal(scene.sleepMs, Infinity)
})

t.test('what its holder has given up is not renewed, and ends the process in time all the same', async (t) => {
  const scene = new Scene().hold(1, { onLost: 'kill' }).pass(500).take({ kind: 'givenUp', id: 1 }).pass(3000)
  t.same(scene.sent, [])
  t.same(scene.told, [])
  t.same(scene.killedAt, [2975])
})

t.test('when a node says that it is over it is lost at once', async (t) => {
  const stale = { status: 412, body: { code: 'token_stale', endedBy: 'expired' } }
  const scene = new Scene().hold(1, { onLost: 'kill' }).pass(1000).answer(stale)
  t.match(scene.told, [{ kind: 'lost', id: 1, why: { kind: 'ended', code: 'token_stale', endedBy: 'expired' } }])
  t.same(scene.killedAt, [1000], 'and so is the process')
  const exits = new Scene().hold(1, { onLost: 'exit' }).pass(1000).answer(stale).pass(149)
  t.same(exits.killedAt, [])
  exits.pass(1)
  t.same(exits.killedAt, [1150], 'but one that can end in order gets the time of a margin')

  const sessions = new Scene()
    .hold(1, { what: session(1) })
    .hold(2, { what: session(2) })
    .pass(1000)
  sessions.answer({ body: { renewed: [{ session: 's-2', validForMs: 2990 }], gone: ['s-1'] } })
  t.match(sessions.told, [
    { kind: 'lost', id: 1, why: { code: 'session_ended' } },
    { kind: 'renewed', leases: [{ id: 2 }] },
  ])
})

t.test('nothing leaves for a lease that was forgotten, not even what was already begun', async (t) => {
  const scene = new Scene().hold(1).pass(1000).take({ kind: 'forget', id: 1 })
  t.same(scene.cancelled, [1])
  scene
    .answer({ renewal: 1, body: { token: 1, validForMs: 2990 } })
    .fail({ renewal: 1 })
    .pass(10_000)
  t.equal(scene.sent.length, 1)
  t.same(scene.told, [])
})

t.test('a call for several that one of them leaves is taken back, and goes again for the others', async (t) => {
  const scene = new Scene()
    .hold(1, { what: session(1) })
    .hold(2, { what: session(2) })
    .pass(1000)
  scene.take({ kind: 'forget', id: 1 })
  t.same(scene.cancelled, [1])
  t.same(scene.sent.map(namesIn), [['s-1', 's-2'], ['s-2']])
  t.equal(scene.state.awaited, 1)
})

t.test('who was suspended finds his lease lost when he wakes', async (t) => {
  const scene = new Scene().hold(1).pass(500)
  scene.suspendedMs = 10_000
  t.same(scene.lost, [])
  scene.pass(100)
  t.same(scene.lost, [1], 'although the monotonic clock stood still')
})

t.test('a suspension within the TTL makes the renewal due', async (t) => {
  const scene = new Scene().hold(1).pass(100)
  scene.suspendedMs = 2000
  scene.pass(100)
  t.match(scene.sent, [{ at: 200 }])
})

t.test('the leader is gone straight to, unless it failed and nobody but others speak of it', async (t) => {
  const scene = new Scene().hold(1).pass(1000).answer({ leader: c }).pass(1000)
  t.equal(scene.last.endpoint, c)
  scene.fail().pass(25)
  t.equal(scene.last.endpoint, a)
  scene.answer({ leader: c }).pass(1000)
  t.equal(scene.last.endpoint, a)
  const alone = new Scene({ endpoints: [a] }).hold(1).pass(1000).answer({ leader: b }).pass(1000)
  t.equal(alone.last.endpoint, b, 'also to one of whom only the answer spoke')
  alone.fail().pass(25)
  t.equal(alone.last.endpoint, a)
  for (const leader of ['file:///etc', 'nonsense', 'http://x/path', 'http://[', 'http://x:99999']) {
    t.equal(new Scene().hold(1).pass(1000).answer({ leader }).pass(1000).last.endpoint, a, leader)
  }
  const own = new Scene({ followLeader: false }).hold(1).pass(1000).answer({ leader: c }).pass(1000)
  t.equal(own.last.endpoint, a)
})

t.test('a crowd of locks is renewed some at a time, and one that is silent holds up nobody', async (t) => {
  const scene = new Scene()
  for (let id = 1; id <= 100; id++) scene.hold(id, { what: lock(id), ttlMs: 30_000 })
  scene.pass(10_000)
  t.equal(scene.sent.length, 64)
  scene.answer({ renewal: 5, body: { token: 5, validForMs: 29_000 } })
  t.equal(scene.sent.length, 65)
  scene.pass(2000)
  t.ok(
    scene.sent.slice(65).every(({ endpoint }) => endpoint !== a),
    'the silent one is left',
  )
  // Every answer makes room for one more.
  const answered = new Set([5])
  for (let at = 0; at < scene.sent.length; at++) {
    const sent = scene.sent[at]
    const token = Number(/\d+$/.exec(namesIn(sent ?? { path: '', body: null })[0] ?? '')?.[0])
    if (sent === undefined || sent.endpoint === a) continue
    answered.add(token)
    scene.answer({ renewal: sent.renewal, body: { token, validForMs: 29_000 } })
  }
  t.equal(answered.size, 100)
  t.equal(scene.state.renewals.size, 64, 'but for those of the silent one')
})

t.test('what happens to one lease hides nothing that is due for others', async (t) => {
  const scene = new Scene().hold(1).pass(1000)
  // Both before the machine looks: the answer to one, and a newcomer whose own time is far.
  const { instant, state, last } = scene
  take(state, { kind: 'failed', renewal: last.renewal, failure: { why: 'refused', wasStale: true } }, instant)
  const lease = { id: 2, what: lock(2), ttlMs: 60_000, valid: { from: instant, ms: 59_000 }, onLost: 'abort' } as const
  take(state, { kind: 'hold', lease }, instant)
  scene.act()
  t.same(namesIn(scene.last), ['token 1'])
  t.equal(scene.sent.length, 2)
})
