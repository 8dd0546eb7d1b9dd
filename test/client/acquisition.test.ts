import t from 'tap'
import { Operations } from '../../src/client/operations.ts'
import { resolveOptions } from '../../src/client/options.ts'
import type { ClientOptions } from '../../src/client/types.ts'
import { granted, problem, stillWaiting, VirtualSurroundings } from '../support/virtual-surroundings.ts'
import type { Scripted, Sent } from '../support/virtual-surroundings.ts'

const endpoints = ['http://a:7101', 'http://b:7101', 'http://c:7101'] as const
const [a, b] = endpoints
const withdrawn: Scripted = { status: 200, body: { state: 'withdrawn' } }
const ready: Scripted = { status: 200, body: { ready: true } }

/** `answer` answers acquires; whatever else is sent is answered as by a node that is well. */
function start(answer: (request: Sent, count: number) => Scripted, options: Partial<ClientOptions> = {}) {
  let count = 0
  const world = new VirtualSurroundings((request) => {
    if (request.path.endsWith('/acquire')) return answer(request, count++)
    return request.method === 'DELETE' ? withdrawn : ready
  })
  world.chances = [0]
  const operations = new Operations({ surroundings: world, options: resolveOptions({ endpoints, ...options }) })
  world.chances = [0.5]
  const acquires = () => world.sent.filter(({ path }) => path.endsWith('/acquire'))
  const withdrawals = () => world.sent.filter(({ method }) => method === 'DELETE')
  return { world, operations, acquires, withdrawals }
}

t.test('all attempts bear one request id, and are answered with one grant', async (t) => {
  const { world, operations, acquires, withdrawals } = start((request, count) =>
    count < 3
      ? ((['silence', { fails: 'lost' }, problem(503, 'outcome_unknown')] as const)[count] ?? 'silence')
      : granted(request, 9),
  )
  const grant = await world.run(operations.acquire({ lock: 'a/b', waitMs: 0 }))
  t.match(grant, { token: 9, sequence: 7, ttlMs: 30_000, validForMs: 29_900 })
  t.equal(new Set(acquires().map(({ fields }) => fields['requestId'])).size, 1)
  t.equal(grant.sentAt.monotonicMs, acquires().at(-1)?.atMs)
  t.equal(acquires()[0]?.path, '/v1/locks/a%2Fb/acquire')
  t.equal(withdrawals().length, 0)
  t.equal(world.pendingTimers, 0)
})

t.test('the wait is counted from the first attempt', async (t) => {
  const { world, operations, acquires } = start((_, count) =>
    count === 0 ? { fails: 'lost', afterMs: 4000 } : problem(423, 'wait_timeout', { holders: [], queueLength: 0 }),
  )
  await t.rejects(world.run(operations.acquire({ lock: 'x', waitMs: 10_000 })), { code: 'wait_timeout' })
  const [first, second] = acquires()
  t.equal(first?.fields['waitMs'], 10_000)
  t.ok(Number(second?.fields['waitMs']) <= 6000 && Number(second?.fields['waitMs']) > 5900)
})

t.test('a wait that is over is asked for once more, and is no try', async (t) => {
  const { world, operations, acquires } = start((request, count) =>
    count === 0 ? { fails: 'lost', afterMs: 5000 } : granted(request),
  )
  await world.run(operations.acquire({ lock: 'x', waitMs: 3000 }))
  t.equal(acquires()[1]?.fields['waitMs'], 1)
})

t.test('a request of a session that still waits is repeated under its id until it is granted', async (t) => {
  const { world, operations, acquires } = start((request, count) =>
    count < 5 ? stillWaiting(request) : granted(request),
  )
  await world.run(operations.acquire({ lock: 'x', session: 's-1', waitMs: Infinity }))
  t.equal(acquires().length, 6)
  t.equal(new Set(acquires().map(({ fields }) => fields['requestId'])).size, 1)
  t.ok(acquires().every(({ fields }) => fields['waitMs'] === 86_400_000 && !('ttlMs' in fields)))
  t.equal(world.nowMs, 5 * 60_000 + 1)
})

t.test('who says at once that it still waits is not asked in a circle', async (t) => {
  const { world, operations, acquires } = start((request) => ({ ...stillWaiting(request), afterMs: 1 }))
  await t.rejects(world.run(operations.acquire({ lock: 'x', session: 's-1', waitMs: 60_000 })), {
    code: 'outcome_unknown',
  })
  t.ok(acquires().length < 200, `${acquires().length}`)
})

t.test('a grant that ended before its answer was heard is asked for anew', async (t) => {
  const { world, operations, acquires } = start((request, count) => {
    if (count === 0) return { fails: 'lost' }
    return count === 1 ? problem(409, 'already_released', { token: 4, endedBy: 'unclaimed' }) : granted(request, 8)
  })
  t.match(await world.run(operations.acquire({ lock: 'x', waitMs: 1000 })), { token: 8 })
  const ids = acquires().map(({ fields }) => fields['requestId'])
  t.equal(ids[0], ids[1])
  t.not(ids[1], ids[2])
})

t.test('an answer to another request, or about another lock, is not ours', async (t) => {
  for (const more of [{ requestId: 'somebody-elses-request' }, { lock: 'y' }, { token: '5' }]) {
    const { world, operations, acquires } = start((request, count) => {
      const { status, body } = granted(request)
      return count === 0 ? { status, body: { ...Object(body), ...more } } : granted(request)
    })
    await world.run(operations.acquire({ lock: 'x', waitMs: 0 }))
    t.equal(acquires().length, 2)
  }
})

t.test('an acquire given up without an answer is withdrawn', async (t) => {
  for (const session of [undefined, 's-1']) {
    const { world, operations, acquires, withdrawals } = start(() => 'silence')
    const giveUp = new AbortController()
    world.setTimer(500, () => giveUp.abort())
    const call = operations.acquire({ lock: 'x', session, waitMs: 10_000, signal: giveUp.signal })
    await t.rejects(world.run(call), { code: 'aborted' })
    t.equal(world.nowMs, 500)
    t.same(await world.run(operations.settled({ timeoutMs: 1000 })), [])
    const id = String(acquires()[0]?.fields['requestId'])
    const query = session === undefined ? '' : `?session=${session}`
    t.same(
      withdrawals().map(({ path }) => path),
      [`/v1/locks/x/requests/${id}${query}`],
    )
    t.equal(world.pendingTimers, 0)
  }
})

t.test('so is one whose time is over, and one that is refused after a copy of it was lost', async (t) => {
  const late = start(() => 'silence', { timeoutMs: 2000 })
  await t.rejects(late.world.run(late.operations.acquire({ lock: 'x', waitMs: 1000 })), { code: 'outcome_unknown' })
  t.ok(late.world.nowMs <= 3000)
  await late.world.run(late.operations.settled({ timeoutMs: 1000 }))
  t.equal(late.withdrawals().length, 1)

  const refused = start((_, count) => (count === 0 ? { fails: 'lost' } : problem(423, 'lock_held', { holders: [] })))
  await t.rejects(refused.world.run(refused.operations.acquire({ lock: 'x', waitMs: 0 })), { code: 'lock_held' })
  await refused.world.run(refused.operations.settled({ timeoutMs: 1000 }))
  t.equal(refused.withdrawals().length, 1)
})

t.test('one that nobody can have taken in, or that was answered, is not', async (t) => {
  const down = start(() => ({ fails: 'refused' }))
  await t.rejects(down.world.run(down.operations.acquire({ lock: 'x', waitMs: 0 })), { code: 'unreachable' })
  const held = start(() => problem(423, 'lock_held', { holders: [], queueLength: 2 }))
  await t.rejects(held.world.run(held.operations.acquire({ lock: 'x', waitMs: 0 })), {
    code: 'lock_held',
    details: { holders: [], queueLength: 2 },
  })
  const polled = start((request, count) => (count === 0 ? stillWaiting(request) : problem(423, 'wait_timeout')))
  await t.rejects(polled.world.run(polled.operations.acquire({ lock: 'x', session: 's-1', waitMs: 90_000 })), {
    code: 'wait_timeout',
  })
  const early = start((request) => granted(request))
  const call = early.operations.acquire({ lock: 'x', waitMs: 0, signal: AbortSignal.abort() })
  await t.rejects(early.world.run(call), { code: 'aborted' })
  t.equal(early.world.sent.length, 0)
  for (const { world, withdrawals } of [down, held, polled]) {
    await world.pass(20_000)
    t.equal(withdrawals().length, 0)
  }
})

t.test('however it ends, nothing is watched any more and the signal is left alone', async (t) => {
  const ends = [problem(500, 'internal'), problem(423, 'lock_held'), { fails: 'lost' }, 'silence', 'granted'] as const
  for (const end of ends) {
    const { world, operations } = start((request) => (end === 'granted' ? granted(request) : end))
    let listeners = 0
    const signal = {
      aborted: false,
      addEventListener: () => void listeners++,
      removeEventListener: () => void listeners--,
    }
    const call = operations.acquire({ lock: 'x', waitMs: 500, timeoutMs: 2000, signal })
    await world.run(call.catch(() => null))
    await world.run(operations.settled({ timeoutMs: 1000 }))
    t.equal(listeners, 0)
    t.equal(world.pendingTimers, 0)
  }
})

t.test('between two polls an abort withdraws the wait, too', async (t) => {
  const giveUp = new AbortController()
  const { world, operations, withdrawals } = start((request) => {
    giveUp.abort()
    return stillWaiting(request)
  })
  const call = operations.acquire({ lock: 'x', session: 's-1', waitMs: 90_000, signal: giveUp.signal })
  await t.rejects(world.run(call), { code: 'aborted' })
  await world.run(operations.settled({ timeoutMs: 1000 }))
  t.equal(withdrawals().length, 1)
})

t.test('what cannot be withdrawn is told at the end, and forgotten when it has ended by itself', async (t) => {
  const lost = () => {
    const world = new VirtualSurroundings(() => 'silence')
    const operations = new Operations({ surroundings: world, options: resolveOptions({ endpoints, timeoutMs: 1000 }) })
    return { world, operations }
  }
  const first = lost()
  await t.rejects(first.world.run(first.operations.acquire({ lock: 'x', waitMs: 0 })), { code: 'outcome_unknown' })
  t.same(await first.world.run(first.operations.settled({ timeoutMs: 300 })), [{ what: 'request', name: 'x' }])
  t.ok(first.world.nowMs <= 1400, `${first.world.nowMs}`)
  t.equal(first.world.pendingTimers, 0, 'nothing more is tried')

  const second = lost()
  await t.rejects(second.world.run(second.operations.acquire({ lock: 'x', waitMs: 0 })), { code: 'outcome_unknown' })
  await second.world.pass(31_000)
  t.same(await second.world.run(second.operations.settled({ timeoutMs: 300 })), [])
})

t.test('a session whose opening was given up is opened again to be closed', async (t) => {
  const opened: Scripted = { status: 200, body: { session: 's-7', ttlMs: 5000, validForMs: 4900 } }
  let posts = 0
  const world = new VirtualSurroundings(({ method }) => {
    if (method === 'DELETE') return { status: 204 }
    return posts++ === 0 ? 'silence' : opened
  })
  const operations = new Operations({ surroundings: world, options: resolveOptions({ endpoints }) })
  const giveUp = new AbortController()
  world.setTimer(100, () => giveUp.abort())
  await t.rejects(world.run(operations.openSession({ ttlMs: 5000, name: 'n', signal: giveUp.signal })), {
    code: 'aborted',
  })
  t.same(await world.run(operations.settled({ timeoutMs: 1000 })), [])
  t.same(world.sent[0]?.body, world.sent[1]?.body, 'under the same id')
  t.same(world.sent.at(-1)?.path, '/v1/sessions/s-7')
})

t.test('a node that stops answering while we wait is left in time to keep the place in line', async (t) => {
  let hangsFromMs = Infinity
  const world = new VirtualSurroundings((request) => {
    const { endpoint, path, atMs } = request
    if (endpoint === a && (path.endsWith('/acquire') || atMs >= hangsFromMs)) return 'silence'
    return path === '/readyz' ? ready : { ...granted(request), afterMs: 60_000 }
  })
  world.chances = [0]
  const operations = new Operations({ surroundings: world, options: resolveOptions({ endpoints }) })
  const call = operations.acquire({ lock: 'x', waitMs: 200_000 })
  hangsFromMs = 42_000
  await world.run(call)
  const [first, second] = world.sent.filter(({ path }) => path.endsWith('/acquire'))
  t.equal(first?.endpoint, a)
  t.not(second?.endpoint, a)
  t.ok(Number(second?.atMs) < hangsFromMs + 10_000, `${second?.atMs}`)
  t.equal(second?.fields['requestId'], first?.fields['requestId'])
  t.equal(world.pendingTimers, 0)
})

t.test('a node that is not ready for one look is waited on, for two it is left', async (t) => {
  for (const { looks, leaves } of [
    { looks: 1, leaves: false },
    { looks: 2, leaves: true },
  ]) {
    let probes = 0
    const world = new VirtualSurroundings((request) => {
      if (request.path === '/readyz') return probes++ < looks ? problem(503, 'no_leader') : ready
      return { ...granted(request), afterMs: 60_000 }
    })
    const operations = new Operations({ surroundings: world, options: resolveOptions({ endpoints: [a, b] }) })
    await world.run(operations.acquire({ lock: 'x', waitMs: 200_000 }))
    t.equal(world.sent.filter(({ path }) => path.endsWith('/acquire')).length, leaves ? 2 : 1)
  }
})

t.test('many waits at one node are watched by one look every five seconds', async (t) => {
  const { world, operations } = start((request) => ({ ...granted(request), afterMs: 60_000 }), {
    endpoints: [a],
  })
  const calls = Array.from({ length: 50 }, () => operations.acquire({ lock: 'x', waitMs: 100_000 }))
  await world.run(Promise.all(calls))
  const looks = world.sent.filter(({ path }) => path === '/readyz').length
  t.ok(looks >= 10 && looks <= 12, `${looks}`)
})

t.test('wrong options are named, and nothing is sent', async (t) => {
  const { world, operations } = start((request) => granted(request))
  const wrong = [
    { lock: '' },
    { lock: '..' },
    { lock: 'a\u0000' },
    { lock: '\ud800' },
    { lock: 'x'.repeat(513) },
    { waitMs: -1 },
    { waitMs: Number.NaN },
    { waitMs: 240_001 },
    { ttlMs: 999 },
    { ttlMs: 1000.5 },
    { timeoutMs: 0 },
    { owner: 'x'.repeat(257) },
    { session: 'a b' },
    { metadata: { big: 1n } },
    { metadata: { text: 'x'.repeat(5000) } },
  ]
  for (const options of wrong) {
    const call = operations.acquire({ lock: 'x', waitMs: 0, ...options })
    await t.rejects(call, { code: 'invalid_option' }, Object.keys(options).join())
  }
  await t.rejects(operations.lock('.'), { code: 'invalid_option' })
  await t.rejects(operations.get('no slash'), { code: 'invalid_option' })
  t.equal(world.sent.length, 0)
  for (const wrongEndpoints of [[], ['nowhere'], ['http://'], ['ftp://a'], ['http://a/path'], ['http://u:p@a']]) {
    t.throws(() => resolveOptions({ endpoints: wrongEndpoints }), { code: 'invalid_option' })
  }
  t.same(resolveOptions({ endpoints: ['http://A:80/', 'http://a', 'https://[::1]:7'] }).endpoints, [
    'http://a',
    'https://[::1]:7',
  ])
})
