// `holdfast status`: a table of all nodes, and whether the cluster serves.
import type { Command } from 'commander'
import { processSurroundings } from '../client/surroundings.ts'
import { Failure } from './failures.ts'
import { withConnection, withExamples } from './flags.ts'
import type { ConnectionFlags } from './flags.ts'
import { askNodes, leaderOf, nodeHeader, nodeRows } from './nodes.ts'
import { Output } from './output.ts'
import { tableLines } from './table.ts'

/** A node that lives says what it knows at once. */
const patienceMs = 2000

export function addStatus(program: Command): void {
  const command = withExamples(program.command('status'), 'holdfast status', 'holdfast status --json')
    .summary('shows all nodes, and who leads')
    .description('Shows what every node says of the cluster. Ends with 0 when a leader has a majority.')
  withConnection(command).action(async (flags: ConnectionFlags) => {
    const surroundings = processSurroundings()
    const timeoutMs = Math.min(patienceMs, flags.timeout)
    const nodes = await askNodes(surroundings, { endpoints: flags.endpoints, timeoutMs })
    surroundings.close()
    const leader = leaderOf(nodes)
    new Output(flags).result({ leader, nodes }, () => tableLines(nodeHeader, nodeRows(nodes)))
    if (leader !== null) return
    const isAnswered = nodes.some(({ kind }) => kind === 'answered')
    throw new Failure(
      'unreachable',
      isAnswered
        ? 'no leader has a majority. Start the nodes that are down'
        : 'no node answers. Is --endpoints (or HOLDFAST_ENDPOINTS) right? ./cluster.sh up starts a local cluster',
    )
  })
}
