// One lock that everybody wants: waiters block in the queue, whoever holds it releases at once. What counts is how fast it
// changes hands: from the moment a release is sent until the next holder has its answer.
import type { Node } from './cluster.ts'
import { Connection } from './connection.ts'
import { seconds } from './pairs.ts'
import { percentile } from './statistics.ts'

export interface ContendedResult {
  readonly handOversPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export async function measureContended(load: {
  nodes: readonly Node[]
  waiters: number
  seconds: number
  warmUpSeconds: number
}): Promise<ContendedResult> {
  const shared = { handOversMs: [] as number[], releasedAt: 0, running: true, counting: false }
  const clients = Array.from({ length: load.waiters }, (_, number) => {
    const node = load.nodes[number % load.nodes.length]
    if (node === undefined) throw new Error('no node to talk to')
    return runWaiter(new Connection(node.http), number, shared)
  })
  await seconds(load.warmUpSeconds)
  shared.counting = true
  const began = performance.now()
  await seconds(load.seconds)
  shared.counting = false
  const elapsedSeconds = (performance.now() - began) / 1000
  shared.running = false
  await Promise.all(clients)
  return {
    handOversPerSecond: shared.handOversMs.length / elapsedSeconds,
    p50Ms: percentile(shared.handOversMs, 0.5),
    p99Ms: percentile(shared.handOversMs, 0.99),
  }
}

async function runWaiter(
  connection: Connection,
  number: number,
  shared: { handOversMs: number[]; releasedAt: number; running: boolean; counting: boolean },
): Promise<void> {
  const lock = '/v1/locks/bench%2Fcontended'
  for (let round = 0; shared.running; round++) {
    const requestId = `bench-${process.pid}-waiter-${number}-${round}-${Math.floor(performance.now())}`
    const granted = await connection.post(
      `${lock}/acquire`,
      `{"requestId":"${requestId}","ttlMs":30000,"waitMs":60000}`,
    )
    const token = /"token":(\d+)/.exec(granted.body)?.[1]
    if (granted.status !== 200 || token === undefined) throw new Error(`acquire: ${granted.status} ${granted.body}`)
    const now = performance.now()
    if (shared.counting && shared.releasedAt > 0) shared.handOversMs.push(now - shared.releasedAt)
    shared.releasedAt = performance.now()
    const released = await connection.post(`${lock}/release`, `{"token":${token}}`)
    if (released.status !== 200) throw new Error(`release: ${released.status} ${released.body}`)
  }
  connection.close()
}
