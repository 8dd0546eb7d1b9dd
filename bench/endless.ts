// Minutes of full load: whether what a node takes of memory and disk stays what it is.
import { BenchCluster } from './cluster.ts'
import { diskMiB, residentMemory } from './observed.ts'
import { measurePairs } from './pairs.ts'
import type { Gathering } from './report.ts'

const sampleSeconds = 30
/** Before that the table is still filling with what is remembered, and the log with its tail. */
const settledSeconds = 120

/** Full load for minutes: every half minute what it takes of memory and disk. */
export async function measureEndless(minutes: number, gathering: Gathering): Promise<void> {
  await using cluster = await BenchCluster.start(3)
  const samples = Math.max(1, Math.round((minutes * 60) / sampleSeconds))
  for (let sample = 1; sample <= samples; sample++) {
    const { pairsPerSecond } = await measurePairs(cluster, {
      clients: 64,
      nodes: cluster.nodes,
      warmUpSeconds: 0,
      seconds: sampleSeconds,
    })
    await sampleAll(cluster, gathering, {
      atSeconds: sample * sampleSeconds,
      pairsPerSecond,
      isLast: sample === samples,
    })
  }
}

async function sampleAll(
  { nodes }: BenchCluster,
  gathering: Gathering,
  { atSeconds, pairsPerSecond, isLast }: { atSeconds: number; pairsPerSecond: number; isLast: boolean },
): Promise<void> {
  const each = await Promise.all(
    nodes.map(async (node) => ({ disk: await diskMiB(node), resident: residentMemory(node).nowMiB })),
  )
  const texts = each.map(({ disk, resident }) => `${disk.toFixed(0).padStart(5)} ${resident.toFixed(0).padStart(5)}`)
  console.log(
    `${String(atSeconds).padStart(4)} s ${pairsPerSecond.toFixed(0).padStart(6)} pairs/s; disk, memory MiB: ${texts.join(', ')}`,
  )
  gathering.add('endless load, C = 64, per half minute', { pairs: [pairsPerSecond, '/s'] })
  if (atSeconds < settledSeconds) return
  for (const { disk, resident } of each) {
    gathering.add('endless load, C = 64, from the second minute on, per node', {
      'data folder': [disk, 'MiB'],
      'resident memory': [resident, 'MiB'],
    })
    if (isLast) {
      gathering.add('endless load, C = 64, at the end, per node', {
        'data folder': [disk, 'MiB'],
        'resident memory': [resident, 'MiB'],
      })
    }
  }
}
