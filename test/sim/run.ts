// One seed from its drawing to its verdict: founding, a time of faults under load, healing, a time in which everything
// must come to rest and work again (RAFT.md 2, 29-31), and the final comparison of all members.
import { assert } from '../../src/assert.ts'
import { majority } from '../../src/raft/quorum.ts'
import { Faults } from './faults.ts'
import { probe } from './probe.ts'
import { createRandom } from './random.ts'
import { describe, drawScenario } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import { World } from './world.ts'

export interface RunResult {
  readonly seed: number | string
  readonly scenario: string
  readonly simulatedMs: number
  readonly operations: number
  readonly grants: number
  readonly faults: number
  readonly leaderChanges: number
  readonly frames: number
  readonly trace: string
}

/** A promise was broken, or the world did not come to rest. */
export class SeedFailed extends Error {
  override readonly name = 'SeedFailed'
  readonly seed: number | string

  constructor(seed: number | string, at: number, scenario: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`seed ${seed} at ${(at / 1000).toFixed(4)} s: ${reason}\n  ${scenario}\n  npm run sim -- --seed ${seed}`, { cause })
    this.seed = seed
  }
}

/** Runs a seed; throws SeedFailed. `log` is given a line for everything that a human may want to follow. */
export function runSeed(seed: number | string, log: (line: string) => void = () => {}, change: Partial<Scenario> = {}): RunResult {
  const scenario = { ...drawScenario(createRandom(seed).fork('scenario')), ...change }
  const world = new World(seed, scenario, log)
  try {
    live(world)
  } catch (cause) {
    throw new SeedFailed(seed, world.timeline.now, describe(scenario), cause)
  }
  return {
    seed,
    scenario: describe(scenario),
    simulatedMs: world.timeline.now,
    operations: world.facts.operations,
    grants: world.facts.grants,
    faults: world.faults,
    leaderChanges: world.raftChecks.leaders.size,
    frames: world.network.arrived,
    trace: world.trace.hash,
  }
}

/** The closing line of a run. */
export function summary(result: RunResult): string {
  const { seed, simulatedMs, operations, grants, faults, leaderChanges, trace } = result
  return (
    `seed ${seed}: ${(simulatedMs / 1000).toFixed(1)} s simulated, ${operations} operations, ${grants} grants, ` +
    `${faults} faults, ${leaderChanges} leader changes, trace ${trace}`
  )
}

function live(world: World): void {
  found(world)
  const faults = new Faults(world)
  for (const client of world.clients) client.start()
  world.onProcessEnd = (machine) => faults.processEnded(machine)
  faults.start()
  world.run(world.timeline.now + world.scenario.faultsMs)
  faults.stop()
  judgeEnds(world, faults)
  const survivors = world.machines.filter(({ id }) => !faults.wiped.has(id))
  if (survivors.length >= majority(world.machines.length)) rest(world, faults)
  compareReplicas(world)
}

/** All members take part; some crash on the way and come back. */
function found(world: World): void {
  const random = world.random.fork('founding')
  const crashing = world.scenario.foundingCrashes
  for (const [number, machine] of world.machines.entries()) {
    world.timeline.after(random.exponential(200), () => machine.start(number < crashing ? random.whole(0, 40) : null))
  }
  for (let lookAt = 1000; lookAt < 30_000; lookAt += 1000) {
    world.timeline.at(lookAt + random.between(0, 500), () => {
      for (const machine of world.machines) machine.start()
    })
  }
  const serves = () => world.leader !== null && world.lockChecks.index > 0
  const isFounded = world.run(60_000, () => serves() && world.machines.every(({ isUp }) => isUp))
  assert(isFounded, 'L3: the members did not found a cluster')
}

/** Nodes end by themselves only for a reason that was given to them. */
function judgeEnds(world: World, faults: Faults): void {
  for (const [id, failure] of world.failures) {
    assert(failure.code === 'stranger' && faults.wiped.has(id), `${id} ended: ${failure.code}, ${failure.message}`)
  }
}

/** Healed, a majority connected: one leader, every call settled, every lock free again, new work done. */
function rest(world: World, faults: Faults): void {
  world.facts.closing = true
  const idle = () => world.clients.every((client) => !client.busy)
  assert(world.run(world.timeline.now + 240_000, () => idle() && world.leader !== null), 'L3: the world did not come to rest')
  const { now } = world.timeline
  const free = () => world.lockChecks.state.locks.size === 0
  assert(world.run(now + 40_000, free), `L1: locks are held after everybody has gone`)
  judgeEnds(world, faults)
  const members = world.machines.filter(({ id }) => !faults.wiped.has(id))
  const converged = () => members.every(({ node }) => node?.replica?.core.raft.appliedIndex === world.raftChecks.lastCommitted)
  assert(world.run(world.timeline.now + 60_000, converged), '29: the members did not converge')
  let probed = false
  probe(world, members.map(({ id }) => id), () => {
    probed = true
  })
  assert(world.run(world.timeline.now + 120_000, () => probed), '31: a call was never answered')
}

function compareReplicas(world: World): void {
  for (const { id, node } of world.machines) {
    const replica = node?.replica
    if (replica?.core.raft.appliedIndex === world.lockChecks.index) world.lockChecks.checkReplica(id, replica.lock)
  }
}
