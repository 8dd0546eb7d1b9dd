// `npm run bench -- million`: what a store of a million held locks costs, and whether keeping it safe disturbs those who
// use it. Parts, each of which can be run alone (--only): `held` fills one cluster and measures memory, pauses, restarts
// and a snapshot in it; `cost` compares checkpoints with none; `endless` is minutes of full load.
import { BenchCluster } from './cluster.ts'
import { measureCheckpointCost } from './checkpoint-cost.ts'
import { measureEndless } from './endless.ts'
import { holdLocks, openSessions } from './filling.ts'
import { diskMiB, metric, probe, residentMemory } from './observed.ts'
import { measurePairs, seconds } from './pairs.ts'
import { addPauses, resetPauses } from './pauses.ts'
import { measureReplacedDisk } from './replaced-disk.ts'
import type { Gathering } from './report.ts'

const pairsLoad = { clients: 64, warmUpSeconds: 1 }

export interface MillionOptions {
  readonly locks: number
  readonly sessions: number
  /** Of the endless load. */
  readonly minutes: number
  /** Of each load of the two that are compared, and how often. */
  readonly loadSeconds: number
  readonly rounds: number
  readonly isWanted: (part: string) => boolean
}

export async function measureMillion(options: MillionOptions, gathering: Gathering): Promise<void> {
  if (options.isWanted('held')) await measureHeld(options, gathering)
  if (options.isWanted('cost')) await measureCheckpointCost(options, gathering)
  if (options.isWanted('endless')) await measureEndless(options.minutes, gathering)
}

async function measureHeld({ locks, sessions, loadSeconds }: MillionOptions, gathering: Gathering): Promise<void> {
  await using cluster = await BenchCluster.start(3, { isProbed: true })
  const opened = await openSessions(cluster.nodes, sessions)
  const before = await memoryOf(cluster)
  let held = 0
  for (const size of sizesUpTo(locks)) {
    await resetPauses(cluster)
    const began = performance.now()
    await holdLocks(cluster.nodes, opened, { from: held, to: size })
    console.log(`${size} locks held; ${((size - held) / (performance.now() - began)).toFixed(1)} a millisecond`)
    held = size
    await addPauses(cluster, gathering, `while ${size} locks are taken`)
    const after = await memoryOf(cluster)
    for (const [number, node] of cluster.nodes.entries()) {
      const [now, then] = [after[number], before[number]]
      if (now === undefined || then === undefined) continue
      gathering.add(`${size} locks held in ${sessions} sessions, per node`, {
        'resident memory': [now.resident.nowMiB, 'MiB'],
        'resident memory, peak': [now.resident.peakMiB, 'MiB'],
        'resident bytes per lock': [((now.resident.nowMiB - then.resident.nowMiB) * 2 ** 20) / size, 'B'],
        'bytes of the heap per lock': [(now.heapBytes - then.heapBytes) / size, 'B'],
        'data folder': [await diskMiB(node), 'MiB'],
      })
    }
  }
  await measurePauses(cluster, loadSeconds, gathering, `with ${locks} held`)
  await measureRestarts(cluster, gathering)
  await measureReplacedDisk(cluster, gathering)
}

/** 10^4, 10^5 .. up to what was asked for, and that. */
function sizesUpTo(locks: number): readonly number[] {
  return [...[10_000, 100_000].filter((size) => size < locks), locks]
}

async function memoryOf({ nodes }: BenchCluster) {
  return Promise.all(
    nodes.map(async (node) => {
      // As it is, before the collection that the heap is measured behind.
      const resident = residentMemory(node)
      const { heapBytes } = await probe(node, 'memory')
      return { resident, heapBytes: heapBytes ?? NaN }
    }),
  )
}

/** Full load on the full table, so long that there are checkpoints. */
async function measurePauses(
  cluster: BenchCluster,
  forSeconds: number,
  gathering: Gathering,
  where: string,
): Promise<void> {
  // What runs for days is compiled, and what was just collected by force has settled.
  await measurePairs(cluster, { ...pairsLoad, nodes: cluster.nodes, seconds: 5 })
  const [first] = cluster.nodes
  const made = async (): Promise<number> => (first === undefined ? NaN : metric(first, 'holdfast_checkpoints_total'))
  const madeBefore = await made()
  await resetPauses(cluster)
  const result = await measurePairs(cluster, { ...pairsLoad, nodes: cluster.nodes, seconds: forSeconds })
  await addPauses(cluster, gathering, `C = 64 ${where}`)
  gathering.add(`pairs, C = 64, ${where}`, {
    pairs: [result.pairsPerSecond, '/s'],
    'pair, p99': [result.p99Ms, 'ms'],
    'checkpoints in that time': [(await made()) - madeBefore, ''],
  })
}

async function measureRestarts(cluster: BenchCluster, gathering: Gathering): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const leader = await cluster.leader()
    const follower = cluster.nodes.find((node) => node !== leader) ?? leader
    for (const [who, node] of [
      ['a follower', follower],
      ['the leader', leader],
    ] as const) {
      await cluster.end(node, signal)
      const began = performance.now()
      cluster.restart(node)
      await cluster.ready(node)
      const readyMs = performance.now() - began
      console.log(`${who} is ready ${readyMs.toFixed(0)} ms after its start behind ${signal}`)
      gathering.add(`restart after ${signal}, the others running`, { [`${who}, to ready`]: [readyMs / 1000, 's'] })
      await seconds(3)
    }
  }
}
