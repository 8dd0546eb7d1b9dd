// One seed of the property of the keeper: a cluster with its faults, users of the real keeper with theirs, and the check of
// what these count on after every entry of the log.
import { Faults } from './faults.ts'
import { found } from './founding.ts'
import { KeptClient } from './kept-client.ts'
import type { KeptCounts, KeptStyle } from './kept-client.ts'
import { disturb } from './kept-faults.ts'
import { createRandom } from './random.ts'
import type { Random } from './random.ts'
import { describe, drawScenario } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import { start } from './task.ts'
import { World } from './world.ts'

const runMs = 15_000

/** Throws when a promise was broken. */
export function play(seed: number, log: (line: string) => void = () => {}): KeptCounts {
  const random = createRandom(`keeper ${seed}`)
  const scenario = scenarioOf(random)
  const world = new World(`keeper ${seed}`, scenario, log)
  const counts: KeptCounts = { grants: 0, lost: 0, blocked: 0, killed: 0 }
  try {
    run(world, random, counts)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`at ${world.timeline.now.toFixed(1)} ms: ${reason}\n  ${describe(scenario)}`, { cause })
  }
  return counts
}

function run(world: World, random: Random, counts: KeptCounts): void {
  if (!found(world)) return
  const clients = Array.from({ length: random.whole(3, 6) }, (_, number) => {
    const name = `keeping-${number}`
    return new KeptClient({
      name,
      world,
      random: random.fork(name),
      style: drawStyle(random.fork(`${name} style`)),
      counts,
    })
  })
  const faults = new Faults(world)
  for (const client of world.clients) client.start()
  for (const client of clients) client.restart()
  world.onProcessEnd = (machine) => {
    const failure = world.failures.get(machine.id) ?? null
    world.failures.delete(machine.id)
    world.operator.ended(machine, failure)
  }
  world.onNewLeader = (machine) => faults.newLeader(machine)
  world.onEntry = () => {
    for (const client of clients) client.check()
  }
  faults.start()
  start(disturb({ world, random: random.fork('disturb'), clients, counts }))
  world.run(world.timeline.now + runMs)
}

/** Clusters mostly well: a store that is down grants nothing to anybody. */
function scenarioOf(random: Random): Scenario {
  const drawn = drawScenario(random.fork('scenario'))
  return {
    ...drawn,
    members: 3,
    clients: 1,
    locks: random.whole(1, 3),
    clocks: 'good',
    faults: drawn.faults.filter((kind) => !diskTrouble.has(kind)),
    faultPauseMs: random.pick([2000, 6000, 30_000]),
    faultMs: Math.min(drawn.faultMs, 4000),
    foundingCrashes: 0,
    foundingWipes: 0,
    foundingTrouble: false,
  }
}

const diskTrouble = new Set<string>([
  'wipe',
  'loseDisk',
  'rotLog',
  'rotState',
  'loseTail',
  'fullDisk',
  'writeError',
  'clockJump',
])

function drawStyle(random: Random): KeptStyle {
  return {
    ttlMs: random.whole(1000, 6000),
    holdMs: random.pick([300, 1000, 6000]),
    waitMs: random.pick([0, 2000, 8000]),
    onLost: random.pick(['abort', 'abort', 'exit', 'kill']),
    withSession: random.pick([0, 0.5, 1]),
    farMs: random.pick([0, 0, 20, 200]),
  }
}
