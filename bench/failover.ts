// How long nobody is granted a lock when the leader dies (SIGKILL) or hangs (SIGSTOP), as clients of the other nodes see
// it: from the signal to the first acquire that was sent by anybody and granted after it.
import { BenchCluster } from './cluster.ts'
import type { Node } from './cluster.ts'
import { Connection } from './connection.ts'
import { seconds } from './pairs.ts'

export interface FailoverResult {
  readonly signal: 'SIGKILL' | 'SIGSTOP'
  /** Milliseconds, one for each trial. */
  readonly outagesMs: readonly number[]
}

export async function measureFailover(
  signal: FailoverResult['signal'],
  trials: number,
  clients: number,
): Promise<FailoverResult> {
  await using cluster = await BenchCluster.start(3)
  const outagesMs: number[] = []
  for (let trial = 0; trial < trials; trial++) outagesMs.push(await measureOne(cluster, signal, { trial, clients }))
  return { signal, outagesMs }
}

async function measureOne(
  cluster: BenchCluster,
  signal: FailoverResult['signal'],
  { trial, clients }: { trial: number; clients: number },
): Promise<number> {
  const leader = await cluster.leader()
  const others = cluster.nodes.filter((node) => node !== leader)
  const shared = { signalledAt: Infinity, running: true, granted: (_at: number): void => {} }
  const firstGrant = new Promise<number>((resolve) => {
    shared.granted = resolve
  })
  const loads = Array.from({ length: clients }, (_, number) =>
    runClient(others[number % others.length] ?? leader, `${trial}-${number}`, shared),
  )
  await seconds(1)
  shared.signalledAt = performance.now()
  leader.process.kill(signal)
  const grantedAt = await firstGrant
  await seconds(0.3)
  shared.running = false
  await Promise.all(loads)
  if (signal === 'SIGSTOP') leader.process.kill('SIGCONT')
  else {
    if (leader.process.signalCode === null) await new Promise((resolve) => leader.process.once('exit', resolve))
    cluster.restart(leader)
  }
  for (const node of cluster.nodes) await cluster.ready(node)
  await seconds(1)
  return grantedAt - shared.signalledAt
}

async function runClient(
  node: Node,
  name: string,
  shared: { signalledAt: number; running: boolean; granted(at: number): void },
): Promise<void> {
  const connection = new Connection(node.http)
  const lock = `/v1/locks/bench%2Ffailover-${name}`
  for (let round = 0; shared.running; round++) {
    const sentAt = performance.now()
    const requestId = `bench-${process.pid}-${name}-${round}-0000000000`
    const granted = await connection.post(`${lock}/acquire`, `{"requestId":"${requestId}","ttlMs":2000,"waitMs":3000}`)
    const token = /"token":(\d+)/.exec(granted.body)?.[1]
    if (granted.status !== 200 || token === undefined) continue
    // One that was on its way when the signal came may have been granted by the old leader.
    if (sentAt >= shared.signalledAt) shared.granted(performance.now())
    await connection.post(`${lock}/release`, `{"token":${token}}`)
  }
  connection.close()
}
