// A well-behaved client that comes when everything is healed: every lock must be granted to it, through every node that
// takes part, and be released again (RAFT.md 2, 30 and 31). Now and then a middlebox resets the links between that node and
// the leader at the worst moment: what was under way goes again over the new ones, and nothing is unknown (H20).
import { assert } from '../../src/assert.ts'
import { asRequestId } from '../../src/ids.ts'
import type { LockName, NodeId } from '../../src/ids.ts'
import type { Reply } from './frontend.ts'
import { start, wait } from './task.ts'
import type { Task } from './task.ts'
import type { World } from './world.ts'

/** Takes and releases every lock through every one of `nodes`; calls `finished` when all of it has been done. */
export function probe(world: World, nodes: readonly NodeId[], finished: () => void): void {
  start(takeAll(world, nodes), finished)
}

function* takeAll(world: World, nodes: readonly NodeId[]): Task {
  for (const node of nodes) for (const lock of world.locks) yield* takeOne(world, node, lock)
}

function* takeOne(world: World, node: NodeId, lock: LockName): Task {
  const requestId = asRequestId(`probe-${node}-${world.locks.indexOf(lock)}-0000000000`)
  const times = { ttlMs: 30_000, waitMs: 20_000, pollMs: 20_000 }
  const granted = yield* ask(world, node, (takenInAt) => {
    const shown = { owner: null, metadata: null, takenInAt }
    return { kind: 'acquire', lock, session: null, requestId, mode: 'exclusive', ...times, ...shown }
  })
  assert(
    granted.kind === 'outcome' && granted.result.kind === 'granted',
    () => `30: ${lock} is not granted through ${node}`,
  )
  const { token } = granted.result
  const released = yield* ask(world, node, () => ({ kind: 'release', lock, token, session: null }), 0)
  assert(
    released.kind === 'outcome' && released.result.kind === 'released',
    () => `30: ${lock} is not released through ${node}`,
  )
}

function* ask(
  world: World,
  node: NodeId,
  build: Parameters<World['frontend']['send']>[1]['build'],
  waitMs = 20_000,
): Task<Reply> {
  const { network, timeline, leader } = world
  const random = world.random.fork(`reset at ${timeline.now}`)
  if (leader !== null && leader.id !== node && random.chance(0.3)) {
    timeline.after(random.between(0, 2 + 4 * network.faults.delayMeanMs), () => network.reset(node, leader.id))
  }
  return yield* wait<Reply>((reply) => world.frontend.send(node, { build, waitMs, reply }))
}
