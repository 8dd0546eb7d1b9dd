// What a seed draws before anything happens: how large the cluster is, how bad its network, disks and clocks are, and
// which faults may come. Swarm testing: each seed has a random subset of the faults, because faults hide each other; a
// world in which everything fails at once rarely gets to where the subtle ones matter.
import type { NetworkFaults } from './network.ts'
import type { Random } from './random.ts'

export const faultKinds = [
  'crash',
  'crashBetweenEffects',
  'crashAll',
  'powerLoss',
  'isolate',
  'isolateOneWay',
  'split',
  'cutLink',
  'cutLeaderFromOne',
  'reset',
  'pause',
  'pauseLeader',
  'pauseAll',
  'slowDisk',
  'transfer',
  'clockJump',
  'wipe',
] as const

export type FaultKind = (typeof faultKinds)[number]

export interface Scenario {
  readonly members: 3 | 5
  readonly clients: number
  readonly locks: number
  /** How long faults come, and with what pause in the mean. */
  readonly faultsMs: number
  readonly faultPauseMs: number
  readonly faults: readonly FaultKind[]
  readonly network: NetworkFaults
  readonly writeMs: readonly [number, number]
  /** Within 1/1000 of each other, as S5 asks; or anything, with everything but S5 checked. */
  readonly clocks: 'good' | 'wild'
  readonly stallChance: number
  readonly stallMsMax: number
  readonly slowAnswerChance: number
  /** Processes that crash while the cluster is founded, at one of their first steps. */
  readonly foundingCrashes: number
}

/** Draws the scenario of a seed. */
export function drawScenario(random: Random): Scenario {
  const clocks = random.chance(0.75) ? 'good' : 'wild'
  const faults = faultKinds.filter((kind) => {
    if (kind === 'clockJump') return clocks === 'wild'
    return random.chance(kind === 'wipe' ? 0.05 : 0.35)
  })
  // TCP in most worlds; in some, single frames are lost, doubled and overtaken as well.
  const lossy = random.chance(0.2)
  return {
    members: random.chance(0.65) ? 3 : 5,
    clients: random.whole(6, 12),
    locks: random.whole(1, 4),
    faultsMs: random.between(15_000, 45_000),
    faultPauseMs: random.pick([700, 2000, 5000]),
    faults,
    network: {
      delayMinMs: random.between(0.05, 1),
      delayMeanMs: random.pick([0.1, 0.5, 5, 30]),
      loss: lossy ? random.between(0, 0.1) : 0,
      duplicate: lossy ? random.between(0, 0.1) : 0,
      reorder: lossy ? random.between(0, 0.2) : 0,
    },
    writeMs: random.pick([
      [0.2, 1],
      [0.2, 1],
      [1, 20],
      [5, 100],
    ]),
    clocks,
    stallChance: random.chance(0.3) ? random.pick([0.0005, 0.002]) : 0,
    stallMsMax: random.pick([300, 3000, 8000]),
    slowAnswerChance: random.chance(0.3) ? 0.05 : 0,
    foundingCrashes: random.chance(0.15) ? random.whole(1, 3) : 0,
  }
}

/** One line that says what was drawn. */
export function describe(scenario: Scenario): string {
  const { network, writeMs } = scenario
  const tcp = network.loss + network.duplicate + network.reorder === 0
  return [
    `${scenario.members} members, ${scenario.clients} clients, ${scenario.locks} locks`,
    `${scenario.clocks} clocks`,
    `network ${(network.delayMinMs + network.delayMeanMs).toFixed(1)} ms${tcp ? '' : ' with loss'}`,
    `disk ${writeMs.join('-')} ms`,
    scenario.stallChance > 0 ? `stalls up to ${scenario.stallMsMax} ms` : 'no stalls',
    scenario.foundingCrashes > 0 ? `${scenario.foundingCrashes} crashes at founding` : 'founded in peace',
    `faults every ${scenario.faultPauseMs} ms: ${scenario.faults.join(' ') || 'none'}`,
  ].join('; ')
}
