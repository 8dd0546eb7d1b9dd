// The calls of the client against real nodes that are killed, stopped, or reached through a network that loses things.
// However a call ends, nothing stays behind in the store.
import t from 'tap'
import type { Test } from 'tap'
import { isHoldfastError } from '../../src/client/errors.ts'
import type { ExchangeAnswer, ExchangeRequest } from '../../src/client/exchange.ts'
import { Operations } from '../../src/client/operations.ts'
import { resolveOptions } from '../../src/client/options.ts'
import { processSurroundings } from '../../src/client/surroundings.ts'
import type { ClientOptions } from '../../src/client/types.ts'
import { freePort, ProcessCluster, until } from '../support/cluster-processes.ts'
import { startHostileServer } from '../support/hostile-server.ts'
import { startLossyProxy } from '../support/lossy-proxy.ts'

/** Begins at the first endpoint. */
function clientOf(
  t: Test,
  endpoints: readonly string[],
  options: Partial<ClientOptions> = {},
  onSending: (request: ExchangeRequest) => void = () => {},
): Operations {
  const real = processSurroundings()
  const exchange = (request: ExchangeRequest): Promise<ExchangeAnswer> => {
    onSending(request)
    return real.exchange(request)
  }
  let draws = 0
  const surroundings = { ...real, exchange, random: () => (draws++ === 0 ? 0 : Math.random()) }
  t.teardown(() => surroundings.close())
  return new Operations({ surroundings, options: resolveOptions({ endpoints, ...options }) })
}

async function nothingLeft(observer: Operations): Promise<void> {
  await until('nothing is held or awaited, and no session lives', async () => {
    const { locks } = await observer.locks({})
    const { sessions } = await observer.sessions({})
    return locks.length === 0 && sessions.length === 0
  })
}

t.test('one good endpoint among wrong ones is enough', async (t) => {
  const cluster = await ProcessCluster.start(t, 1)
  const html = 'HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>'
  const other = await startHostileServer(t, (socket) => void socket.write(html))
  const garbage = await startHostileServer(t, (socket) => void socket.write('SSH-2.0\r\n'))
  const wrong = [`http://127.0.0.1:${await freePort()}`, other.url, garbage.url]
  const client = clientOf(t, [...wrong, ...cluster.nodes.map(({ url }) => url)])
  for (let n = 0; n < 5; n++) {
    const { token } = await client.acquire({ lock: 'a/b \u00fc', waitMs: 1000 })
    await client.release({ lock: 'a/b \u00fc', token })
  }
  t.same(await client.settled({ timeoutMs: 10_000 }), [])
  await nothingLeft(client)
})

t.test('grants whose answers are lost are given back', async (t) => {
  const cluster = await ProcessCluster.start(t, 1)
  const [node] = cluster.nodes
  const observer = clientOf(t, [node?.url ?? ''])
  const proxy = await startLossyProxy(t, node?.place.httpPort ?? 0)
  const client = clientOf(t, [proxy.url], { timeoutMs: 1500 })
  proxy.fate = (direction) => (direction === 'answer' ? 'lose' : 'pass')
  const calls = [
    client.acquire({ lock: 'free', waitMs: 0 }),
    client.openSession({ ttlMs: 3_600_000 }),
    client.release({ lock: 'free', token: 1 }),
  ]
  for (const outcome of await Promise.allSettled(calls)) {
    t.match(outcome, { status: 'rejected', reason: { name: 'HoldfastError', code: 'outcome_unknown' } })
  }
  proxy.fate = () => 'pass'
  t.same(await client.settled({ timeoutMs: 20_000 }), [])
  await nothingLeft(observer)
})

t.test('an aborted wait leaves the line', async (t) => {
  const cluster = await ProcessCluster.start(t, 1)
  const client = clientOf(t, [cluster.nodes[0]?.url ?? ''])
  const { token } = await client.acquire({ lock: 'x', waitMs: 0, ttlMs: 3_600_000 })
  const { session } = await client.openSession({ ttlMs: 3_600_000 })
  for (const of of [undefined, session]) {
    const giveUp = new AbortController()
    const call = client.acquire({ lock: 'x', session: of, waitMs: 200_000, signal: giveUp.signal })
    const rejected = t.rejects(call, { code: 'aborted' })
    await until('it waits', async () => (await client.lock('x')).queueLength === 1)
    giveUp.abort()
    await rejected
    t.same(await client.settled({ timeoutMs: 20_000 }), [])
    t.equal((await client.lock('x')).queueLength, 0)
  }
  await client.release({ lock: 'x', token })
  await client.closeSession({ session })
  await nothingLeft(client)
})

for (const [end, words] of [
  ['SIGKILL', 'is killed'],
  ['SIGSTOP', 'stops answering'],
] as const) {
  t.test(`a wait keeps its place when the node at which it waits ${words}`, async (t) => {
    const cluster = await ProcessCluster.start(t, 3)
    const [there] = await cluster.followers()
    if (there === undefined) throw new Error('there is no follower')
    const others = cluster.nodes.filter((node) => node !== there).map(({ url }) => url)
    const observer = clientOf(t, others)
    const { token } = await observer.acquire({ lock: 'x', waitMs: 0, ttlMs: 3_600_000 })
    const asked: string[] = []
    const first = clientOf(t, [there.url, ...others], { followLeader: false }, (request) => {
      if (request.path.endsWith('/acquire')) asked.push(request.endpoint)
    })
    const wait = first.acquire({ lock: 'x', waitMs: 200_000 })
    await until('it waits', async () => (await observer.lock('x')).queueLength === 1)
    const next = observer.acquire({ lock: 'x', waitMs: 200_000 })
    await until('another waits behind', async () => (await observer.lock('x')).queueLength === 2)
    const [place] = (await observer.lock('x')).queue

    there.signal(end)
    await until('it waits elsewhere', async () => asked.length > 1)
    await observer.release({ lock: 'x', token })
    const granted = await wait
    t.equal(asked[0], there.url)
    t.equal(granted.sequence, place?.sequence)
    t.ok(granted.token > token)
    await observer.release({ lock: 'x', token: granted.token })
    t.ok((await next).sequence > granted.sequence)
  })
}

t.test('whatever the network loses, every lock has one holder and nothing stays behind', async (t) => {
  const cluster = await ProcessCluster.start(t, 3)
  const observer = clientOf(
    t,
    cluster.nodes.map(({ url }) => url),
  )
  const proxies = await Promise.all(cluster.nodes.map(({ place }) => startLossyProxy(t, place.httpPort)))
  const fates = ['cut', 'passAndCut', 'lose'] as const
  for (const proxy of proxies) {
    proxy.fate = () => (Math.random() < 0.1 ? (fates[Math.floor(Math.random() * 3)] ?? 'cut') : 'pass')
  }
  const holders = new Map<string, number>()
  const clients = Array.from({ length: 6 }, () =>
    clientOf(
      t,
      proxies.map(({ url }) => url),
      { followLeader: false, timeoutMs: 3000 },
    ),
  )
  const tokens: number[] = []
  const work = async (client: Operations, lock: string): Promise<void> => {
    const { token } = await client.acquire({ lock, waitMs: 10_000, ttlMs: 60_000 })
    t.notOk(holders.has(lock), `${lock} has one holder`)
    holders.set(lock, token)
    tokens.push(token)
    await new Promise((resolve) => setTimeout(resolve, 2))
    holders.delete(lock)
    await client.release({ lock, token, timeoutMs: 30_000 })
  }
  const codes = new Set<string>()
  for (let round = 0; round < 8; round++) {
    const outcomes = await Promise.allSettled(clients.map((client, n) => work(client, `lock-${(round + n) % 3}`)))
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue
      const { reason } = outcome
      t.ok(isHoldfastError(reason), String(reason))
      codes.add(isHoldfastError(reason) ? reason.code : '')
    }
  }
  t.ok(tokens.length >= 10, `${tokens.length} grants`)
  t.equal(new Set(tokens).size, tokens.length, 'no token twice')
  t.same(
    [...codes].filter(
      (code) => !['wait_timeout', 'outcome_unknown', 'unreachable', 'no_leader', 'overloaded'].includes(code),
    ),
    [],
  )
  for (const proxy of proxies) proxy.fate = () => 'pass'
  for (const client of clients) t.same(await client.settled({ timeoutMs: 30_000 }), [])
  await nothingLeft(observer)
})
