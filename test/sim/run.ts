// One seed from its drawing to its verdict: founding, a time of faults under load, healing, a time in which everything
// must come to rest and work again (RAFT.md 2, 29-31), and the final comparison of all members.
import { assert } from '../../src/assert.ts'
import { Faults } from './faults.ts'
import { found } from './founding.ts'
import { tell } from './happenings.ts'
import type { Happenings } from './happenings.ts'
import type { Machine } from './machine.ts'
import { createRandom } from './random.ts'
import { rest } from './rest.ts'
import { describe, drawScenario } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import { World } from './world.ts'

/** Of the search for an order; what takes more is left undecided, and counted. */
const historyStatesMax = 20_000

export interface RunResult {
  readonly seed: number | string
  readonly scenario: string
  readonly simulatedMs: number
  readonly operations: number
  readonly grants: number
  readonly faults: number
  readonly leaderChanges: number
  readonly frames: number
  readonly happenings: Happenings
  readonly trace: string
}

/** A promise was broken, or the world did not come to rest. */
export class SeedFailed extends Error {
  override readonly name = 'SeedFailed'
  readonly seed: number | string

  constructor(parts: { seed: number | string; only: 'disk' | null; at: number; scenario: string; cause: unknown }) {
    const { seed, only, at, scenario, cause } = parts
    const reason = cause instanceof Error ? cause.message : String(cause)
    const again = `npm run sim -- ${only === null ? '' : `--faults ${only} `}--seed ${seed}`
    super(`seed ${seed} at ${(at / 1000).toFixed(4)} s: ${reason}\n  ${scenario}\n  ${again}`, { cause })
    this.seed = seed
  }
}

export interface RunOptions {
  /** Given a line for everything that a human may want to follow. */
  readonly log?: (line: string) => void
  /** Which faults may come; all of them by default. */
  readonly only?: 'disk' | null
  /** In place of what the seed draws. */
  readonly change?: Partial<Scenario>
  /** Is given the world before anything has happened in it: to look on, or to break something. */
  readonly prepare?: (world: World) => void
}

/** Runs a seed; throws SeedFailed. */
export function runSeed(seed: number | string, options: RunOptions = {}): RunResult {
  return play(seed, options).result
}

/** 18: runs a seed twice, and fails unless it was the same run; what is to be told is told once. */
export function runTwice(seed: number | string, options: RunOptions = {}): RunResult {
  const first = play(seed, options)
  const again = play(seed, { ...options, log: () => {} })
  const second = first.world.trace.partsFrom(again.world.trace)
  if (second === null) return first.result
  const cause = new Error('18: played a second time, it went another way from this second on')
  throw new SeedFailed({ seed, only: options.only ?? null, at: second * 1000, scenario: first.result.scenario, cause })
}

function play(
  seed: number | string,
  { log = () => {}, only = null, change, prepare }: RunOptions,
): { result: RunResult; world: World } {
  const scenario = { ...drawScenario(createRandom(seed).fork('scenario'), only), ...change }
  const world = new World(seed, scenario, log)
  prepare?.(world)
  try {
    live(world)
  } catch (cause) {
    throw new SeedFailed({ seed, only, at: world.timeline.now, scenario: describe(scenario), cause })
  }
  const result = {
    seed,
    scenario: describe(scenario),
    simulatedMs: world.timeline.now,
    operations: world.facts.operations,
    grants: world.facts.grants,
    faults: world.faults,
    leaderChanges: world.raftChecks.leaders.size,
    frames: world.network.arrived,
    happenings: world.happenings.counts,
    trace: world.trace.hash,
  }
  return { result, world }
}

/** The closing line of a run. */
export function summary(result: RunResult): string {
  const { seed, simulatedMs, operations, grants, faults, leaderChanges, happenings, trace } = result
  return (
    `seed ${seed}: ${(simulatedMs / 1000).toFixed(1)} s simulated, ${operations} operations, ${grants} grants, ` +
    `${faults} faults, ${leaderChanges} leader changes, ${tell(happenings)}, trace ${trace}`
  )
}

function live(world: World): void {
  if (!found(world)) return
  const faults = new Faults(world)
  for (const client of world.clients) client.start()
  world.onProcessEnd = (machine) => {
    const failure = world.failures.get(machine.id) ?? null
    judgeEnd(world, machine)
    world.operator.ended(machine, failure)
  }
  world.onNewLeader = (machine) => faults.newLeader(machine)
  world.onSnapshot = (machine) => faults.takesSnapshot(machine)
  faults.start()
  world.run(world.timeline.now + world.scenario.faultsMs)
  faults.stop()
  checkStability(world)
  const members = world.machines.filter(({ id }) => !world.wiped.has(id))
  // With too many wiped disks the rest must wait for ever, and do no harm.
  if (members.length * 2 > world.machines.length) rest(world, members)
  compareReplicas(world)
  judgeHistory(world)
}

/** S1, S2, S3, S6 as clients see them: one order of their calls explains every answer. */
function judgeHistory({ history }: World): void {
  const { broken } = history.judge(historyStatesMax)
  assert(broken.length === 0, () => `linearizability: ${broken.join('\n')}`)
}

/** L3, H34: links that are reset, and nothing worse, never cost the leader its place. */
function checkStability({ scenario, raftChecks }: World): void {
  const { faults, network, faultPauseMs, stallChance, clocks, foundingCrashes, foundingTrouble } = scenario
  const isCalm =
    foundingCrashes === 0 &&
    !foundingTrouble &&
    clocks === 'good' &&
    stallChance === 0 &&
    faultPauseMs >= 1500 &&
    network.loss + network.reorder === 0
  const onlyResets = faults.every((kind) => kind === 'reset' || kind === 'breakOff')
  const leaders = raftChecks.leaders.size
  assert(!isCalm || !onlyResets || leaders === 1, () => `L3: ${leaders} leaders, although links were only reset`)
}

/** Nodes end by themselves only for a reason that was given to them; all but strangers may be started again. */
function judgeEnd({ failures, wiped, injuries }: World, machine: Machine): void {
  const failure = failures.get(machine.id)
  if (failure === undefined) return
  const injury = injuries.of(machine)
  const isExpected = {
    stranger: wiped.has(machine.id) || injury !== null,
    write_failed: machine.mayFailToWrite,
    damaged: injury !== null && injury !== 'lost',
    old_run: injury === 'lostTail',
    diverged: false,
  }
  assert(isExpected[failure.code], () => `${machine.id} ended: ${failure.code}, ${failure.message}`)
  if (failure.code !== 'stranger') failures.delete(machine.id)
}

function compareReplicas(world: World): void {
  world.lockChecks.ended()
  for (const { id, node } of world.machines) {
    const replica = node?.replica
    if (replica?.appliedIndex === world.lockChecks.index) world.lockChecks.replicas.compareAll(id, replica.lock)
  }
}
