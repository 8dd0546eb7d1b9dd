import t from 'tap'
import { HoldfastError } from '../../src/client/errors.ts'
import { Operations } from '../../src/client/operations.ts'
import { resolveOptions } from '../../src/client/options.ts'
import type { ClientOptions } from '../../src/client/types.ts'
import { problem, VirtualSurroundings } from '../support/virtual-surroundings.ts'
import type { Scripted, Sent } from '../support/virtual-surroundings.ts'

const [a, b, c] = ['http://a:7101', 'http://b:7101', 'http://c:7101']
const endpoints = [a, b, c]
const released = { status: 200, body: { lock: 'x', token: 5, released: true } }
const letGo = { lock: 'x', token: 5 }

function start(answer: (request: Sent, count: number) => Scripted, options: Partial<ClientOptions> = {}) {
  const world = new VirtualSurroundings(answer)
  world.chances = [0]
  const operations = new Operations({ surroundings: world, options: resolveOptions({ endpoints, ...options }) })
  world.chances = [0.5]
  return { world, operations }
}

const asked = ({ sent }: VirtualSurroundings) => sent.map(({ endpoint }) => endpoint)

t.test('an endpoint that refuses, breaks, hangs or talks nonsense is not the last word', async (t) => {
  for (const bad of [{ fails: 'refused' }, { fails: 'lost' }, { fails: 'bad_answer' }, 'silence'] as const) {
    const { world, operations } = start(({ endpoint }) => (endpoint === c ? released : bad))
    await world.run(operations.release(letGo))
    t.same(asked(world), [a, b, c])
    t.ok(world.nowMs < 10_000, 'in good time')
    t.equal(world.pendingTimers, 0, 'and nothing is left to do')
  }
})

t.test('the next call begins with who did not fail', async (t) => {
  const { world, operations } = start(({ endpoint }) => (endpoint === a ? { fails: 'refused' } : released))
  await world.run(operations.release(letGo))
  for (let n = 0; n < 4; n++) await world.run(operations.release(letGo))
  t.equal(asked(world).filter((endpoint) => endpoint === a).length, 1)
})

t.test('all are down: unreachable, when the time is over and not before', async (t) => {
  const { world, operations } = start(() => ({ fails: 'refused' }), { timeoutMs: 5000 })
  await t.rejects(world.run(operations.release(letGo)), {
    code: 'unreachable',
    message: /a:7101: refused; .*c:7101: refused/,
  })
  t.ok(world.nowMs > 3900 && world.nowMs <= 5000, `${world.nowMs}`)
  t.ok(world.sent.length > 8 && world.sent.length < 30, 'with growing pauses')
})

t.test('what may have been done is never said to be undone', async (t) => {
  for (const bad of [{ fails: 'lost' }, { fails: 'bad_answer' }, 'silence', problem(503, 'outcome_unknown')] as const) {
    const { world, operations } = start((_, count) => (count === 0 ? bad : { fails: 'refused' }))
    await t.rejects(world.run(operations.release(letGo)), { code: 'outcome_unknown' })
  }
})

t.test('a read does nothing, so its outcome is never unknown', async (t) => {
  const { world, operations } = start(() => 'silence')
  await t.rejects(world.run(operations.lock('x')), { code: 'unreachable' })
})

t.test('refusals that a repetition would not change are thrown at once', async (t) => {
  const { world, operations } = start(() => problem(412, 'token_stale', { token: 5, endedBy: 'expired' }))
  await t.rejects(world.run(operations.release(letGo)), {
    code: 'token_stale',
    details: { status: 412, token: 5, endedBy: 'expired' },
  })
  t.equal(world.sent.length, 1)
})

t.test('a bug of the server is not repeated', async (t) => {
  const { world, operations } = start(() => problem(500, 'internal'))
  await t.rejects(world.run(operations.release(letGo)), { code: 'internal' })
  t.equal(world.sent.length, 1)
})

t.test('who asks for time is left alone for so long, and others are asked meanwhile', async (t) => {
  const { world, operations } = start(({ endpoint, atMs }) =>
    atMs < 2500 ? problem(503, endpoint === b ? 'overloaded' : 'no_leader') : released,
  )
  await world.run(operations.release(letGo))
  const times = new Map(
    endpoints.map((endpoint) => [endpoint, world.sent.filter((sent) => sent.endpoint === endpoint)]),
  )
  for (const [endpoint, sent] of times) {
    const gaps = sent.slice(1).map(({ atMs }, n) => atMs - (sent[n]?.atMs ?? 0))
    t.ok(
      gaps.every((gapMs) => gapMs >= 1000),
      `${endpoint}: ${gaps.join(' ')}`,
    )
  }
  t.same(asked(world).slice(0, 3), endpoints)
})

t.test('who asks for time is passed over while others fail', async (t) => {
  const { world, operations } = start(({ endpoint }, count) => {
    if (endpoint === a) return { ...problem(503, 'overloaded'), retryAfterMs: 10_000 }
    return count < 6 ? { fails: 'refused' } : released
  })
  await world.run(operations.release(letGo))
  t.same(asked(world), [a, b, c, b, c, b, c])
})

t.test('a leader that cannot tell the outcome is not asked again at once', async (t) => {
  const { world, operations } = start((_, count) =>
    count === 1 ? { ...problem(503, 'outcome_unknown'), leader: b } : { ...released, leader: b },
  )
  await world.run(operations.release(letGo))
  await world.run(operations.release(letGo))
  t.same(asked(world).slice(0, 2), [a, b])
  t.not(asked(world)[2], b)
})

t.test('no leader to the end: that is what is thrown, and at once when nobody will have time in time', async (t) => {
  const { world, operations } = start(() => ({ ...problem(503, 'disk_low'), retryAfterMs: 30_000 }))
  await t.rejects(world.run(operations.release(letGo)), { code: 'disk_low', details: { status: 503 } })
  t.ok(world.nowMs < 1000, `${world.nowMs}`)
})

t.test('the leader that an answer names is asked from then on', async (t) => {
  const { world, operations } = start(() => ({ ...released, leader: c }))
  for (let n = 0; n < 3; n++) await world.run(operations.release(letGo))
  t.same(asked(world), [a, c, c])
})

t.test('with followLeader: false the endpoints take turns', async (t) => {
  const { world, operations } = start(() => ({ ...released, leader: c }), { followLeader: false })
  for (let n = 0; n < 4; n++) await world.run(operations.release(letGo))
  t.same(asked(world), [a, b, c, a])
})

t.test('a call follows two hints and no more', async (t) => {
  let other = 0
  const { world, operations } = start(() => ({
    ...problem(503, 'outcome_unknown'),
    leader: `http://leader-${++other}:1`,
  }))
  await t.rejects(world.run(operations.release(letGo)), { code: 'outcome_unknown' })
  const strangers = asked(world).filter((endpoint) => !endpoints.includes(endpoint))
  t.same(strangers, ['http://leader-1:1', 'http://leader-2:1'])
})

t.test('a hinted address that fails is not believed for half a minute, and longer when it fails again', async (t) => {
  const away = 'http://not-from-here:1'
  const { world, operations } = start(({ endpoint }) =>
    endpoint === away ? { fails: 'refused' } : { ...released, leader: away },
  )
  const calls = async (): Promise<number> => {
    const before = world.sent.length
    for (let n = 0; n < 5; n++) await world.run(operations.release(letGo))
    return asked(world)
      .slice(before)
      .filter((endpoint) => endpoint === away).length
  }
  t.equal(await calls(), 1)
  await world.pass(29_000)
  t.equal(await calls(), 0)
  await world.pass(2000)
  t.equal(await calls(), 1)
  await world.pass(31_000)
  t.equal(await calls(), 0, 'a minute now')
})

t.test('a hint that is no address, or leaves TLS, is not followed', async (t) => {
  for (const leader of ['n2', 'ftp://c:1', 'http://user:secret@c:1', 'http://c:1/path', 'javascript:alert(1)', '']) {
    const { world, operations } = start(() => ({ ...released, leader }))
    for (let n = 0; n < 3; n++) await world.run(operations.release(letGo))
    t.same(asked(world), [a, b, c], leader)
  }
  const secure = ['https://a', 'https://b']
  const { world, operations } = start(() => ({ ...released, leader: 'http://b' }), { endpoints: secure })
  for (let n = 0; n < 2; n++) await world.run(operations.release(letGo))
  t.same(asked(world), secure)
})

t.test('a connection that was closed while nobody used it is replaced at once, at the same endpoint', async (t) => {
  const stale: Scripted = { fails: 'lost', wasStale: true, afterMs: 0 }
  const { world, operations } = start((_, count) => (count === 1 ? stale : { ...released, leader: b, afterMs: 0 }))
  await world.run(operations.release(letGo))
  await world.run(operations.release(letGo))
  t.same(asked(world), [a, b, b])
  t.equal(world.nowMs, 0, 'without a pause')
})

t.test('pauses are drawn from nothing to a bound that doubles up to a second', async (t) => {
  const { world, operations } = start(() => ({ fails: 'refused', afterMs: 0 }), { endpoints: [a] })
  world.chances = [0.5, 0.999999]
  await t.rejects(world.run(operations.release(letGo)), { code: 'unreachable' })
  const gaps = world.sent.slice(1).map(({ atMs }, n) => Math.round(atMs - (world.sent[n]?.atMs ?? 0)))
  t.same(gaps.slice(0, 8), [25, 25, 100, 100, 400, 400, 1000, 500])
})

t.test('a signal ends a call before it is sent, while it is under way, and while it pauses', async (t) => {
  const before = start(() => released)
  const reason = new Error('changed my mind')
  await t.rejects(before.world.run(before.operations.release({ ...letGo, signal: AbortSignal.abort(reason) })), {
    code: 'aborted',
    cause: reason,
  })
  t.equal(before.world.sent.length, 0)

  for (const answer of ['silence', { fails: 'refused' }] as const) {
    const { world, operations } = start(() => answer, { endpoints: [a] })
    world.chances = [0.9]
    const giveUp = new AbortController()
    const call = operations.release({ ...letGo, signal: giveUp.signal })
    world.setTimer(10, () => giveUp.abort())
    await t.rejects(world.run(call), { code: 'aborted' })
    t.equal(world.nowMs, 10)
    t.equal(world.sent.length, 1)
    t.equal(world.pendingTimers, 0)
  }
})

t.test('what cannot be repeated without doing it twice is not', async (t) => {
  const { world, operations } = start((_, count) => (count < 2 ? problem(503, 'no_leader') : { fails: 'lost' }))
  await t.rejects(world.run(operations.post('/v1/cluster/transfer', {})), { code: 'outcome_unknown' })
  t.equal(world.sent.length, 3)
})

t.test('wrong types in an answer, and an answer to another question, are no answer', async (t) => {
  const wrong = [
    { lock: 'x', token: 6, ttlMs: 1000, validForMs: 900 },
    { lock: 'y', token: 5, ttlMs: 1000, validForMs: 900 },
    { lock: 'x', token: '5', ttlMs: 1000, validForMs: 900 },
    { lock: 'x', token: 5, ttlMs: 1000, validForMs: -1 },
    { lock: 'x', token: 5, ttlMs: 1000, validForMs: 1e300 },
    { lock: 'x', token: 5, ttlMs: 1000 },
    [],
    null,
    'granted',
  ]
  for (const body of wrong) {
    const right = { lock: 'x', token: 5, ttlMs: 1000, validForMs: 990 }
    const { world, operations } = start(({ endpoint }) => ({ status: 200, body: endpoint === b ? right : body }))
    t.match(await world.run(operations.renewLock(letGo)), { validForMs: 990 }, JSON.stringify(body))
    t.same(asked(world), [a, b])
    const alone = start(() => ({ status: 200, body }), { endpoints: [a] })
    await t.rejects(alone.world.run(alone.operations.lock('x')), { code: 'bad_answer' })
  }
})

t.test('a problem without a known code is no answer of a node', async (t) => {
  for (const body of [{ code: 'no_such_code', detail: 'x' }, { code: 'token_stale' }, { error: 'not found' }, null]) {
    const { world, operations } = start(() => ({ status: 404, body }))
    await t.rejects(world.run(operations.lock('x')), { code: 'bad_answer' })
  }
})

t.test('what an answer is worth counts from the sending of the very attempt that was answered', async (t) => {
  const body = { lock: 'x', token: 5, ttlMs: 1000, validForMs: 990 }
  const { world, operations } = start(({ endpoint }) =>
    endpoint === a ? 'silence' : { status: 200, body, afterMs: 700 },
  )
  const { sentAt } = await world.run(operations.renewLock(letGo))
  t.equal(sentAt.monotonicMs, world.sent[1]?.atMs)
  t.equal(world.nowMs - sentAt.monotonicMs, 700)
})

t.test('time that a suspended machine slept counts', async (t) => {
  const { world, operations } = start(() => ({ fails: 'refused' }), { timeoutMs: 5000 })
  const asleepMs = 3_600_000
  let sleptMs = 0
  Object.assign(world, {
    clock: { now: () => ({ monotonicMs: world.nowMs, sinceBootMs: world.nowMs + sleptMs }) },
  })
  const call = operations.release(letGo)
  world.setTimer(100, () => {
    sleptMs = asleepMs
  })
  await t.rejects(world.run(call), { code: 'unreachable' })
  t.ok(world.nowMs < 400, `${world.nowMs}`)
})

t.test('every error narrows by its code', async (t) => {
  const error = new HoldfastError('lock_held', 'held', { details: { queueLength: 3 } })
  t.ok(error instanceof HoldfastError)
  t.ok(error instanceof Error)
  t.equal(numberIn(error), 3)
  t.equal(numberIn(new HoldfastError('quota_exceeded', 'full', { details: { max: 8 } })), 8)
})

/** This compiles only while the code decides which details there are. */
function numberIn(error: HoldfastError): number | undefined {
  switch (error.code) {
    case 'lock_held':
    case 'wait_timeout':
      return error.details.queueLength
    case 'quota_exceeded':
      return error.details.max
    default:
      return error.details.status
  }
}
