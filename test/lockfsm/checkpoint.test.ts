// Checkpoint + rest = replay: whatever happened, wherever it was cut, however slowly the cut was read out while entries
// went on, and whatever order its records are loaded in. The table that goes on is the loaded one, again and again; the
// reference lives through everything.
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import fc from 'fast-check'
import { asClusterTime } from '../../src/ids.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import type { TableEntry } from '../../src/lockfsm/apply.ts'
import { nextDeadline } from '../../src/lockfsm/expiry.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import type { Limits } from '../../src/lockfsm/state.ts'
import { Disk } from './disk.ts'
import { sortedRecords } from './table.ts'
import { World, anyWorld, tightLimits } from './world.ts'

/** What is done behind an entry: nothing, a cut, a slice of one; or a slice and, when it was the last, a restart. */
const anyPlan = fc.array(
  fc.record({ cut: fc.boolean(), slice: fc.nat(12), restart: fc.option(fc.nat(), { freq: 2, nil: null }) }),
  { minLength: 150, maxLength: 150, size: 'max' },
)

const told = new Set<string>()

function live(
  entries: Parameters<typeof fc.sample>[0] extends never ? never : readonly Behind[],
  limits: Limits,
): void {
  const [world, disk, reference] = [new World(), new Disk(), createState(limits)]
  let state = createState(limits)
  let sinceCut: TableEntry[] = []
  for (const { movedMs, actions, plan } of entries) {
    const time = reference.time + movedMs
    const entry = { time: asClusterTime(time), commands: world.commands(actions, time) }
    const outcomes = apply(reference, entry)
    if (!isDeepStrictEqual(apply(state, entry), outcomes)) throw new Error('outcomes differ')
    checkState(state)
    world.learn(outcomes)
    sinceCut.push(entry)
    if (!disk.isReading && plan.cut) {
      disk.begin(state)
      sinceCut = []
    }
    if (disk.isReading && disk.take(plan.slice + 1) && plan.restart !== null) {
      state = disk.load(limits, plan.restart)
      for (const missed of sinceCut) apply(state, missed)
      checkState(state)
      if (nextDeadline(state) !== nextDeadline(reference)) throw new Error('deadlines differ')
    }
  }
  if (sortedRecords(state).join() !== sortedRecords(reference).join()) throw new Error('records differ')
  for (const change of disk.told) told.add(change)
}
