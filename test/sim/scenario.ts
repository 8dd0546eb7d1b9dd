// What a seed draws before anything happens: how large the cluster is, how bad its network, disks and clocks are, how its
// clients behave, and which faults may come. Swarm testing: each seed has a random subset of the faults, because faults
// hide each other; a world in which everything fails at once rarely gets to where the subtle ones matter. Some worlds know
// only one or two kinds and see them often, and a few last long enough for memory to be forgotten.
import type { KeepingOptions } from '../../src/node/keeping.ts'
import type { NetworkFaults } from './network.ts'
import type { Random } from './random.ts'

export const faultKinds = [
  'crash',
  'crashBetweenEffects',
  'crashAll',
  'powerLoss',
  'stop',
  'isolate',
  'isolateLeader',
  'isolateOneWay',
  'split',
  'cutLink',
  'cutLeaderFromOne',
  'holdLink',
  'leaderWithOne',
  'hitNewLeaders',
  'slowLink',
  'reset',
  'breakOff',
  'pause',
  'pauseLeader',
  'suspendLeader',
  'pauseAll',
  'slowDisk',
  'slowDisks',
  'writeError',
  'transfer',
  'clockJump',
  'wipe',
  'slowedDisk',
  'fullDisk',
  'loseDisk',
  'rotLog',
  'rotState',
  'loseTail',
  'away',
  'hitInstalls',
] as const

export type FaultKind = (typeof faultKinds)[number]

/** Faults of disks; those behind the first four hurt what was synced. */
export const diskFaultKinds = [
  'slowDisk',
  'slowedDisk',
  'fullDisk',
  'writeError',
  'loseDisk',
  'rotLog',
  'rotState',
  'loseTail',
] as const satisfies readonly FaultKind[]

/** What goes with them when nothing but disks shall fail. */
const crashKinds = ['crash', 'crashBetweenEffects', 'crashAll', 'powerLoss', 'stop', 'away', 'hitInstalls'] as const

/** How the clients of a world behave; every choice is drawn anew from these. Times in milliseconds. */
export interface ClientStyle {
  /** Tasks of one client, which share its session. */
  readonly tasks: number
  readonly thinkMs: number
  readonly holdMs: number
  readonly waitMs: readonly number[]
  readonly ttlMs: readonly [number, number]
  /** Chance that a task reads instead of asking for a lock. */
  readonly reads: number
  /** Chance that a request has a session. */
  readonly withSession: number
  /** Chance that the same request goes to two nodes at once; that a renewal does. */
  readonly twin: number
  /** Chance that who gives up does not say so. */
  readonly walkAway: number
  /** How long a client waits for answers that should come at once. */
  readonly patienceMs: readonly number[]
}

export interface Scenario {
  readonly members: 3 | 5
  readonly clients: number
  readonly locks: number
  readonly style: ClientStyle
  /** How long faults come, and with what pause in the mean. */
  readonly faultsMs: number
  readonly faultPauseMs: number
  readonly faults: readonly FaultKind[]
  /** Mean length of cuts and pauses. */
  readonly faultMs: number
  readonly network: NetworkFaults
  /** Payload bytes of one append: with few, a follower gets the entries of a term one by one. */
  readonly appendBytesMax: number
  /** When checkpoints are made, and how much of the log is kept behind them. */
  readonly keeping: KeepingOptions
  readonly writeMs: readonly [number, number]
  /** Within 1/1000 of each other, as S5 asks; or anything, with everything but S5 checked. */
  readonly clocks: 'good' | 'wild'
  readonly stallChance: number
  readonly stallMsMax: number
  /** Chances that an answer, or the news that a client has hung up, takes up to 10 s. */
  readonly slowAnswerChance: number
  readonly slowHangUpChance: number
  /** Processes that crash while the cluster is founded, at one of their first steps. */
  readonly foundingCrashes: number
  /** Disks that are replaced by empty ones while the cluster is founded. */
  readonly foundingWipes: number
  /** Cuts and resets while the cluster is founded. */
  readonly foundingTrouble: boolean
}

/** Draws the scenario of a seed; with `disk` nothing but disks and processes fail. */
export function drawScenario(random: Random, only: 'disk' | null = null): Scenario {
  const drawn = drawAll(random)
  const ofDisks = random.fork('only disks')
  if (only === null) return drawn
  const drawnKinds = [...diskFaultKinds, ...crashKinds].filter(() => ofDisks.chance(0.5))
  return {
    ...drawn,
    faults: ofDisks.chance(0.3) ? [ofDisks.pick(diskFaultKinds), 'crashBetweenEffects'] : drawnKinds,
    network: { ...drawn.network, loss: 0, duplicate: 0, reorder: 0 },
    foundingWipes: 0,
    foundingTrouble: false,
  }
}

function drawAll(random: Random): Scenario {
  const clocks = random.chance(0.75) ? 'good' : 'wild'
  const isLong = random.chance(0.07)
  // TCP in most worlds; in some, single frames are lost, doubled and overtaken as well.
  const lossy = random.chance(0.15)
  return {
    members: random.chance(0.65) ? 3 : 5,
    clients: isLong ? random.whole(3, 5) : random.whole(4, 9),
    locks: random.whole(1, 4),
    style: drawStyle(random, isLong),
    faultsMs: isLong ? random.between(100_000, 200_000) : random.between(15_000, 40_000),
    faultPauseMs: isLong ? random.pick([5000, 20_000]) : random.pick([500, 1500, 4000]),
    faults: [...drawFaults(random, clocks, isLong), ...drawDiskFaults(random.fork('disk faults'))],
    faultMs: random.pick([500, 1000, 4000, 8000]),
    network: {
      delayMinMs: random.between(0.05, 1),
      delayMeanMs: random.pick([0.1, 0.5, 5, 30]),
      loss: lossy ? random.between(0, 0.1) : 0,
      duplicate: lossy ? random.between(0, 0.1) : 0,
      reorder: lossy ? random.between(0, 0.2) : 0,
      backoff: random.fork('backoff').chance(0.5),
    },
    appendBytesMax: random.pick([300, 2048]),
    keeping: drawKeeping(random.fork('keeping')),
    writeMs: random.pick([
      [0.2, 1],
      [0.2, 1],
      [1, 20],
      [5, 100],
    ]),
    clocks,
    ...drawStalls(random),
    slowAnswerChance: random.chance(0.3) ? 0.05 : 0,
    slowHangUpChance: random.chance(0.4) ? 0.2 : 0,
    foundingCrashes: random.chance(0.15) ? random.whole(1, 3) : 0,
    foundingWipes: random.chance(0.03) ? random.whole(1, 2) : 0,
    foundingTrouble: random.chance(0.1),
  }
}

/**
 * From a checkpoint every few entries and a log that is gone at once, so that whoever was away for a second needs a
 * snapshot, to one checkpoint in a world.
 */
function drawKeeping(random: Random): KeepingOptions {
  const entries = random.pick([4, 8, 15, 30, 60, 300])
  return {
    entries,
    logBytes: random.pick([500, 2000, 1_000_000]),
    records: random.pick([5, 40, 1_000_000]),
    tailBytes: random.pick([0, 0, 1000, 10_000]),
    heldBytesMax: random.pick([1000, 20_000, 1_000_000]),
  }
}

/** In half of the worlds none; seldom in others, so that other faults have their time. */
function drawDiskFaults(random: Random): readonly FaultKind[] {
  if (random.chance(0.5)) return []
  return ([...diskFaultKinds, 'away', 'hitInstalls'] as const).filter(
    (kind) => kind !== 'slowDisk' && random.chance(0.3),
  )
}

/** Few and long, or many as short as a step of cluster time. */
function drawStalls(random: Random): Pick<Scenario, 'stallChance' | 'stallMsMax'> {
  if (random.chance(0.65)) return { stallChance: 0, stallMsMax: 300 }
  if (random.chance(0.4)) return { stallChance: 0.02, stallMsMax: 300 }
  return { stallChance: random.pick([0.0005, 0.002]), stallMsMax: random.pick([300, 3000, 8000]) }
}

function drawStyle(random: Random, isLong: boolean): ClientStyle {
  return {
    tasks: random.whole(1, 3),
    thinkMs: isLong ? 1500 : random.pick([50, 200, 600]),
    holdMs: random.pick([20, 200, 1000]),
    waitMs: random.pick([
      [0, 500, 3000, 15_000],
      [0, 300],
      [2000, 8000],
    ]),
    ttlMs: random.pick([
      [1000, 3000],
      [2000, 8000],
    ]),
    reads: random.pick([0.1, 0.4]),
    withSession: random.pick([0.1, 0.5, 0.9]),
    twin: random.pick([0, 0.15, 0.4]),
    walkAway: random.pick([0.1, 0.5]),
    patienceMs: random.pick([
      [100, 1500, 9000],
      [300, 2000],
    ]),
  }
}

const drawnApart = new Set<FaultKind>([
  'wipe',
  'slowedDisk',
  'fullDisk',
  'loseDisk',
  'rotLog',
  'rotState',
  'loseTail',
  'away',
  'hitInstalls',
])

function drawFaults(random: Random, clocks: Scenario['clocks'], isLong: boolean): readonly FaultKind[] {
  const possible = faultKinds.filter((kind) => !drawnApart.has(kind) && (kind !== 'clockJump' || clocks === 'wild'))
  const few = random.chance(0.4)
  const drawn = few
    ? Array.from({ length: random.whole(1, 2) }, () => random.pick(possible))
    : possible.filter(() => random.chance(0.3))
  if (isLong) drawn.push('holdLink')
  if (random.chance(0.05)) drawn.push('wipe')
  return [...new Set(drawn)]
}

/** One line that says what was drawn. */
export function describe(scenario: Scenario): string {
  const { network, writeMs, style, foundingWipes, foundingCrashes, keeping } = scenario
  const tcp = network.loss + network.duplicate + network.reorder === 0
  const founding = [
    foundingCrashes > 0 ? `${foundingCrashes} crashes` : '',
    foundingWipes > 0 ? `${foundingWipes} wipes` : '',
    scenario.foundingTrouble ? 'a bad network' : '',
  ].filter((trouble) => trouble !== '')
  return [
    `${scenario.members} members, ${scenario.clients} clients of ${style.tasks} tasks, ${scenario.locks} locks`,
    `${scenario.clocks} clocks`,
    `network ${(network.delayMinMs + network.delayMeanMs).toFixed(1)} ms${tcp ? '' : ' with loss'}${network.backoff ? ' and backoff' : ''}`,
    `disk ${writeMs.join('-')} ms`,
    `a mark every ${keeping.entries} entries, ${keeping.logBytes} bytes, ${keeping.records} records; ${keeping.tailBytes} bytes of log behind it, up to ${keeping.heldBytesMax} for snapshots`,
    scenario.stallChance > 0 ? `stalls up to ${scenario.stallMsMax} ms` : 'no stalls',
    founding.length > 0 ? `founded with ${founding.join(', ')}` : 'founded in peace',
    `faults every ${scenario.faultPauseMs} ms for ${scenario.faultMs} ms: ${scenario.faults.join(' ') || 'none'}`,
  ].join('; ')
}
