// How long event loops stood still: asks the probes of all nodes, and adds what they say to the figures.
import type { BenchCluster } from './cluster.ts'
import { probe } from './observed.ts'
import type { Probed } from './pause-probe.ts'
import type { Gathering } from './report.ts'

type Nodes = Pick<BenchCluster, 'nodes'>

/** Pauses count from now on. */
export async function resetPauses(cluster: Nodes): Promise<void> {
  await askAll(cluster)
}

/** Adds the pauses since they were last asked for. */
export async function addPauses(cluster: Nodes, gathering: Gathering, when: string): Promise<void> {
  for (const { pauses } of await askAll(cluster)) {
    gathering.add(`pauses of the event loops, ${when}, per node`, {
      longest: [pauses.maxMs, 'ms'],
      'p99.9': [pauses.p999Ms, 'ms'],
      'longest, of computing alone': [pauses.computedMaxMs, 'ms'],
      'p99.9, of computing alone': [pauses.computedP999Ms, 'ms'],
    })
  }
}

function askAll({ nodes }: Nodes): Promise<readonly Probed[]> {
  return Promise.all(nodes.map((node) => probe(node, 'pauses')))
}
