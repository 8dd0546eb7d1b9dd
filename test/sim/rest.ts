// What a healed world owes (RAFT.md 2, 29-32): it comes to rest with one leader, every call settled and every lock free
// again; its members have the same log; new work is done through each of them; and nothing is kept that nobody needs.
import { assert } from '../../src/assert.ts'
import type { NodeId } from '../../src/ids.ts'
import { checkLogLength } from './checks/bounds.ts'
import type { Machine } from './machine.ts'
import { probe } from './probe.ts'
import type { World } from './world.ts'

/** Healed, a majority connected: one leader, every call settled, every lock free again, new work done. */
export function rest(world: World, members: readonly Machine[]): void {
  const { timeline, clients, facts, lockChecks } = world
  facts.closing = true
  const idle = () => clients.every((client) => !client.busy)
  assert(
    world.run(timeline.now + 240_000, () => idle() && world.leader !== null),
    'L3: the world did not come to rest',
  )
  assert(
    world.run(timeline.now + 120_000, () => world.injuries.left.length === 0),
    () => `H28: ${world.injuries.left.join(', ')} did not become members again`,
  )
  attendNothing(world)
  for (const client of clients) client.dismiss()
  facts.dismissed = true
  const free = () => idle() && lockChecks.state.locks.size === 0
  assert(world.run(timeline.now + 40_000, free), `L1: locks are held after everybody has gone`)
  const converged = () => members.every(({ node }) => node?.replica?.appliedIndex === world.raftChecks.lastCommitted)
  assert(world.run(timeline.now + 60_000, converged), '29: the members did not converge')
  let probed = false
  probe(
    world,
    members.map(({ id }) => id),
    () => {
      probed = true
    },
  )
  assert(
    world.run(timeline.now + 120_000, () => probed),
    '31: a call was never answered',
  )
  // Every node has sent something by now: what it had given up, or what was lost, has been passed over.
  const isSettled = ({ node }: Machine) => node?.replica?.unanswered === 0 && node.replica.calls.open === 0
  assert(
    world.run(timeline.now + 10_000, () => members.every(isSettled)),
    '32: commands are kept that have no fate',
  )
  for (const machine of members) checkLogLength(machine, world.scenario.keeping)
}

/** All calls are settled, sessions live on: no grant is kept by an attempt that nobody answered (H13, H14). */
function attendNothing(world: World): void {
  const { frontend, lockChecks, timeline } = world
  const runOf = (id: NodeId) => (world.machine(id).isUp ? (lockChecks.state.runs.get(id)?.run ?? null) : null)
  const ghosts = () => lockChecks.ghosts({ runOf, grantsBegun: frontend.grantsBegun })
  const settled = world.run(timeline.now + 40_000, () => lockChecks.state.waiting === 0 && ghosts().length === 0)
  assert(settled, () => `H13: attempts keep grants that nobody knows of: ${ghosts().join(', ')}`)
}
