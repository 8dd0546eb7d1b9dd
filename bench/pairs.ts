// Clients that acquire and release as fast as they are answered, each on locks of its own: what a pair costs when nobody
// waits for anybody.
import type { BenchCluster, Node } from './cluster.ts'
import { Connection } from './connection.ts'
import { percentile } from './statistics.ts'

export interface PairsResult {
  readonly pairsPerSecond: number
  /** Of a pair: acquire and release, answered. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU of all nodes per pair, and of this process, the clients. */
  readonly nodeCpuMicros: number
  readonly clientCpuMicros: number
  readonly commandsPerEntry: number
  readonly fsyncsPerPair: number
}

/** Drives `clients` connections, spread over `nodes`, for `seconds`, after a warm-up that is not counted. */
export async function measurePairs(
  cluster: BenchCluster,
  load: { nodes: readonly Node[]; clients: number; seconds: number; warmUpSeconds: number },
): Promise<PairsResult> {
  const counter = { latenciesMs: [] as number[], running: true, counting: false }
  const connections = Array.from({ length: load.clients }, (_, number) => {
    const node = load.nodes[number % load.nodes.length]
    if (node === undefined) throw new Error('no node to talk to')
    return new Connection(node.http)
  })
  const clients = connections.map((connection, number) => runClient(connection, number, counter))
  await seconds(load.warmUpSeconds)
  const before = await cluster.costs()
  const cpuBefore = process.cpuUsage()
  const began = performance.now()
  counter.counting = true
  await seconds(load.seconds)
  counter.counting = false
  const elapsedSeconds = (performance.now() - began) / 1000
  const cpu = process.cpuUsage(cpuBefore)
  const after = await cluster.costs()
  counter.running = false
  await Promise.all(clients)
  for (const connection of connections) connection.close()
  const pairs = counter.latenciesMs.length
  return {
    pairsPerSecond: pairs / elapsedSeconds,
    p50Ms: percentile(counter.latenciesMs, 0.5),
    p99Ms: percentile(counter.latenciesMs, 0.99),
    nodeCpuMicros: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / pairs,
    clientCpuMicros: (cpu.user + cpu.system) / pairs,
    commandsPerEntry: (after.commands - before.commands) / (after.entries - before.entries),
    fsyncsPerPair: (after.logWrites - before.logWrites) / pairs,
  }
}

async function runClient(
  connection: Connection,
  number: number,
  counter: { latenciesMs: number[]; running: boolean; counting: boolean },
): Promise<void> {
  // Names as people use them, and enough of them that a lock is not simply taken again by the one who just released it.
  const locks = Array.from({ length: 16 }, (_, lock) => `/v1/locks/bench%2Fclient-${number}%2Fjob-${lock}`)
  for (let round = 0; counter.running; round++) {
    const lock = locks[round % locks.length]
    const began = performance.now()
    const requestId = `bench-${process.pid}-${number}-${round}-${Math.floor(began)}`
    const granted = await connection.post(`${lock}/acquire`, `{"requestId":"${requestId}","ttlMs":30000}`)
    const token = /"token":(\d+)/.exec(granted.body)?.[1]
    if (granted.status !== 200 || token === undefined) throw new Error(`acquire: ${granted.status} ${granted.body}`)
    const released = await connection.post(`${lock}/release`, `{"token":${token}}`)
    if (released.status !== 200) throw new Error(`release: ${released.status} ${released.body}`)
    if (counter.counting) counter.latenciesMs.push(performance.now() - began)
  }
}

export function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1000))
}
