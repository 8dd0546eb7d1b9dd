// What the client costs: pairs of acquire and release through it beside the same pairs by a bare `node:http` agent, by
// turns against one cluster, so that what the machine does meanwhile happens to both; and what it sends for locks that
// are just held, counted by a proxy.
import { Agent, createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomUUID } from 'node:crypto'
import { LockClient } from '../src/client/index.ts'
import { BenchCluster } from './cluster.ts'
import type { Node } from './cluster.ts'
import { seconds } from './pairs.ts'
import type { Gathering } from './report.ts'

export interface ClientLoad {
  readonly rounds: number
  /** Of each load in each round. */
  readonly loadSeconds: number
  isWanted(load: string): boolean
}

/** Takes a lock of this name and gives it back. */
type Pair = (lock: string) => Promise<void>

export async function measureClient(load: ClientLoad, gathering: Gathering): Promise<void> {
  await using cluster = await BenchCluster.start(3)
  for (const inFlight of [16, 64]) {
    const name = `client, C = ${inFlight}`
    if (load.isWanted(name)) await comparePairs(cluster, { ...load, inFlight, name }, gathering)
  }
  if (load.isWanted('idle')) await countIdle(cluster, gathering)
}

// ---- pairs

async function comparePairs(
  cluster: BenchCluster,
  { inFlight, name, rounds, loadSeconds }: ClientLoad & { readonly inFlight: number; readonly name: string },
  gathering: Gathering,
): Promise<void> {
  const leader = await cluster.leader()
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight, noDelay: true })
  await using client = new LockClient({ endpoints: [urlOf(leader)] })
  const bare: Pair = (lock) => barePair({ agent, leader, lock })
  const through: Pair = async (lock) => {
    const held = await client.acquire(lock)
    await held.release()
  }
  // What runs for days is compiled.
  for (const pair of [bare, through]) await pairsPerSecond(pair, { inFlight, forSeconds: 3 })
  for (let round = 0; round < rounds; round++) {
    const [bareRate, bareCpu] = await pairsPerSecond(bare, { inFlight, forSeconds: loadSeconds })
    const [clientRate, clientCpu] = await pairsPerSecond(through, { inFlight, forSeconds: loadSeconds })
    gathering.add(name, {
      'pairs by a bare agent': [bareRate, '/s'],
      'pairs through the client': [clientRate, '/s'],
      slower: [100 * (1 - clientRate / bareRate), '%'],
      'CPU of a bare pair': [bareCpu, 'us'],
      'CPU of a pair through the client': [clientCpu, 'us'],
    })
  }
  agent.destroy()
}

async function pairsPerSecond(
  pair: Pair,
  { inFlight, forSeconds }: { inFlight: number; forSeconds: number },
): Promise<readonly [rate: number, cpuMicros: number]> {
  const shared = { count: 0, running: true }
  const loops = Array.from({ length: inFlight }, async (_, number) => {
    for (let turn = 0; shared.running; turn++) {
      await pair(`bench/client-${number}/job-${turn % 16}`)
      shared.count++
    }
  })
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  await seconds(forSeconds)
  const [elapsedSeconds, { user, system }] = [(performance.now() - began) / 1000, process.cpuUsage(cpu)]
  const { count } = shared
  shared.running = false
  await Promise.all(loops)
  return [count / elapsedSeconds, (user + system) / count]
}

async function barePair({ agent, leader, lock }: { agent: Agent; leader: Node; lock: string }): Promise<void> {
  const path = `/v1/locks/${encodeURIComponent(lock)}`
  const acquire = { requestId: randomUUID(), ttlMs: 30_000, waitMs: 60_000 }
  const granted = await bareCall({ agent, leader, path: `${path}/acquire` }, acquire)
  if (typeof granted !== 'object' || granted === null || !('token' in granted)) throw new Error('not granted')
  await bareCall({ agent, leader, path: `${path}/release` }, { token: granted.token })
}

function bareCall(to: { agent: Agent; leader: Node; path: string }, body: object): Promise<unknown> {
  const { agent, leader, path } = to
  const text = JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  return new Promise((resolve, reject) => {
    const sent = request({ ...leader.http, method: 'POST', path, headers, agent }, (answer) => {
      let received = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        received += chunk
      })
      answer.on('end', () => resolve(JSON.parse(received)))
      answer.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(text)
  })
}

function urlOf({ http: { host, port } }: Node): string {
  return `http://${host}:${port}`
}

// ---- locks that are just held

const idleTtlMs = 3000
const idleThirds = 12
const sessionLocks = 100

async function countIdle(cluster: BenchCluster, gathering: Gathering): Promise<void> {
  await using proxy = await CountingProxy.start(await cluster.leader())
  await using client = new LockClient({ endpoints: [proxy.url], ttlMs: idleTtlMs, followLeader: false })
  {
    await using lock = await client.acquire('bench/idle')
    gathering.add('idle, one lock', { 'requests per third of its TTL': [await proxy.perThird(), ''] })
    lock.assertHeld()
  }
  await using session = await client.session()
  for (let number = 0; number < sessionLocks; number++) await session.acquire(`bench/idle-${number}`)
  gathering.add(`idle, ${sessionLocks} locks of a session`, {
    'requests per third of its TTL': [await proxy.perThird(), ''],
  })
  session.assertHeld()
}

/** Passes everything on to one node. */
class CountingProxy implements AsyncDisposable {
  #count = 0
  readonly #node: Node
  readonly #agent = new Agent({ keepAlive: true })
  readonly #server = createServer((asked, answer) => this.#pass(asked, answer))

  private constructor(node: Node) {
    this.#node = node
  }

  static async start(node: Node): Promise<CountingProxy> {
    const proxy = new CountingProxy(node)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('a port of TCP has a number')
    return `http://127.0.0.1:${address.port}`
  }

  async perThird(): Promise<number> {
    const before = this.#count
    await seconds((idleThirds * idleTtlMs) / 3 / 1000)
    return (this.#count - before) / idleThirds
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#agent.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    this.#count++
    const { method, url, headers } = asked
    const sent = request({ ...this.#node.http, method, path: url, headers, agent: this.#agent }, (passed) => {
      answer.writeHead(passed.statusCode ?? 502, passed.headers)
      passed.pipe(answer)
    })
    sent.on('error', () => answer.destroy())
    asked.pipe(sent)
  }
}
