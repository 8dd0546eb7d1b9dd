// What checkpoints cost: the same load on two clusters, one with the default settings and one that never makes any.
import { BenchCluster } from './cluster.ts'
import { measurePairs } from './pairs.ts'
import { addPauses, resetPauses } from './pauses.ts'
import type { Gathering } from './report.ts'

const clients = 64
const never = ['entries', 'records', 'log-bytes'].flatMap((what) => [`--checkpoint-${what}`, String(1e15)])

/** Two clusters, loaded by turns; who begins changes from round to round. */
export async function measureCheckpointCost(
  options: { rounds: number; loadSeconds: number },
  gathering: Gathering,
): Promise<void> {
  await using withThem = await BenchCluster.start(3, { isProbed: true })
  await using without = await BenchCluster.start(3, { flags: never, isProbed: true })
  const clusters = [
    ['with checkpoints', withThem],
    ['without', without],
  ] as const
  for (const [, cluster] of clusters)
    await measurePairs(cluster, { nodes: cluster.nodes, clients, seconds: 0.1, warmUpSeconds: 6 })
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, cluster] of round % 2 === 0 ? clusters : clusters.toReversed()) {
      await resetPauses(cluster)
      const result = await measurePairs(cluster, {
        nodes: cluster.nodes,
        clients,
        seconds: options.loadSeconds,
        warmUpSeconds: 1,
      })
      await addPauses(cluster, gathering, `C = 64 on an empty table, ${name}`)
      gathering.add(`pairs, C = 64, on an empty table, ${name}`, {
        pairs: [result.pairsPerSecond, '/s'],
        'pair, p99': [result.p99Ms, 'ms'],
        'CPU of all nodes per pair': [result.nodeCpuMicros, 'us'],
      })
      console.log(`round ${round + 1}, ${name}: ${result.pairsPerSecond.toFixed(0)} pairs/s`)
    }
  }
}
