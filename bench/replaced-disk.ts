// A follower comes back with an empty disk and takes a snapshot from the leader, while the others serve a fixed load: how
// long that takes, and whether their clients notice.
import type { BenchCluster } from './cluster.ts'
import { metric, probe } from './observed.ts'
import { PacedLoad } from './paced-load.ts'
import { seconds } from './pairs.ts'
import type { Gathering } from './report.ts'

const pairsPerSecond = 2000

export async function measureReplacedDisk(cluster: BenchCluster, gathering: Gathering): Promise<void> {
  const leader = await cluster.leader()
  const follower = cluster.nodes.find((node) => node !== leader) ?? leader
  const load = new PacedLoad(
    cluster.nodes.filter((node) => node !== follower),
    pairsPerSecond,
  )
  try {
    await seconds(10)
    load.look()
    await seconds(20)
    const before = load.look()
    await cluster.end(follower, 'SIGKILL')
    await cluster.replaceDisk(follower)
    await seconds(2)
    load.look()
    await probe(leader, 'pauses')
    const began = performance.now()
    cluster.restart(follower)
    await cluster.ready(follower)
    const readySeconds = (performance.now() - began) / 1000
    const during = load.look()
    const { pauses } = await probe(leader, 'pauses')
    gathering.add(`an empty disk takes a snapshot, ${pairsPerSecond} pairs/s at the others`, {
      'start to ready': [readySeconds, 's'],
      'snapshots taken': [await metric(follower, 'holdfast_snapshots_installed_total'), ''],
      'pairs before': [before.pairsPerSecond, '/s'],
      'pair before, p50': [before.p50Ms, 'ms'],
      'pair before, p99': [before.p99Ms, 'ms'],
      'pairs meanwhile': [during.pairsPerSecond, '/s'],
      'pair meanwhile, p50': [during.p50Ms, 'ms'],
      'pair meanwhile, p99': [during.p99Ms, 'ms'],
      'pair meanwhile, longest': [during.maxMs, 'ms'],
      'pairs that failed, before and meanwhile': [before.failed + during.failed, ''],
      'longest pause of the leader meanwhile': [pauses.maxMs, 'ms'],
      'of computing alone': [pauses.computedMaxMs, 'ms'],
    })
  } finally {
    load.stop()
  }
}
