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

const everyChange = [
  'put counters',
  'put nodeRun',
  'put session',
  'put request',
  'put rememberedRequest',
  'put rememberedOpening',
  'put releasedToken',
  'put endedToken',
  'remove session',
  'remove request',
  'remove rememberedRequest',
  'remove endedToken',
  'dropBucket',
  'load',
]

/** Behind an entry: whether to cut, how much to read out, and whether to start again when that was all. */
const anyPlan = fc.record({
  cut: fc.boolean(),
  slice: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 12 }) }, fc.constant(1_000)),
  restart: fc.option(fc.nat(), { freq: 2 }),
})
const anyHistory = anyWorld.chain((entries) =>
  fc
    .array(anyPlan, { minLength: entries.length, maxLength: entries.length, size: 'max' })
    .map((plans) => entries.map((entry, index) => ({ ...entry, plan: plans[index] ?? null }))),
)
type History = typeof anyHistory extends fc.Arbitrary<infer Entries> ? Entries : never

/** Lives through the history twice, once with restarts; returns the kinds of changes that cuts told. */
function live(entries: History, limits: Limits): ReadonlySet<string> {
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
    if (plan === null) continue
    if (!disk.isReading && plan.cut) {
      disk.begin(state)
      sinceCut = []
    }
    if (!disk.isReading || !disk.take(plan.slice) || plan.restart === null) continue
    state = disk.load(limits, plan.restart)
    for (const missed of sinceCut) apply(state, missed)
    checkState(state)
    if (nextDeadline(state) !== nextDeadline(reference)) throw new Error('deadlines differ')
  }
  if (sortedRecords(state).join() !== sortedRecords(reference).join()) throw new Error('records differ')
  return disk.told
}

for (const [name, limits] of [
  ['default', defaultLimits],
  ['tight', tightLimits],
] as const) {
  t.test(`B77 B78 B99 S7 checkpoint + rest = replay, with ${name} limits`, async (t) => {
    const told = new Set<string>()
    fc.assert(
      fc.property(anyHistory, (entries) => {
        for (const change of live(entries, limits)) told.add(change)
      }),
      { numRuns: 30 },
    )
    t.same(
      [...everyChange].filter((change) => !told.has(change)),
      limits === tightLimits ? [] : ['remove endedToken'],
      'the histories reach every kind of change',
    )
  })
}
