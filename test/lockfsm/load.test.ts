import t from 'tap'
import { asClusterTime, asSequence } from '../../src/ids.ts'
import { changedCount, cutChanges } from '../../src/lockfsm/cut.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import { beginLoading, finishLoading, loadRecord } from '../../src/lockfsm/load.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import type { LockState } from '../../src/lockfsm/state.ts'
import { Table, lockNamed, sessionNamed, sortedRecords } from './table.ts'
import { shuffled } from './world.ts'

const day = 86_400_000

/** Loads what `table` is made of in an order drawn from `seed`; returns the state and the number of steps at the end. */
function load(
  { state }: Table,
  { seed, oldestBucket = 0 }: { seed: number; oldestBucket?: number },
): { loaded: LockState; steps: number } {
  const loading = beginLoading(defaultLimits, oldestBucket)
  for (const record of shuffled([...toRecords(state)], seed)) loadRecord(loading, record, 5)
  const finishing = finishLoading(loading)
  for (let steps = 1; ; steps += 1) {
    const step = finishing.next()
    if (step.done === true) return { loaded: step.value, steps }
  }
}

t.test('H25 a queue stands in its order, whatever order its records were loaded in', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.hold({ session })
  for (let index = 0; index < 20; index += 1) table.acquire({ session, requestId: `w${index}`, waitMs: day })
  for (let seed = 0; seed < 20; seed += 1) {
    const { loaded } = load(table, { seed })
    checkState(loaded)
    t.same(
      loaded.locks.get(lockNamed('x'))?.queue.map(({ id }) => id),
      table.queue(),
    )
  }
})

t.test('owners keep what the checkpoint counted, and nothing has changed', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.hold({ session })
  const { loaded } = load(table, { seed: 1 })
  t.equal(changedCount(loaded), 0)
  t.equal(loaded.changes.counters.digested, 5)
  t.same(
    [...loaded.runs.values()].map(({ digested }) => digested),
    [5],
  )
  const entered = loaded.sessions.get(sessionNamed(session))
  t.equal(entered?.digested, 5)
  t.equal(entered?.requests.values().next().value?.digested, 5)
  t.equal(cutChanges(loaded).take(100).length, 2, 'counters and the run of n1, as always')
})

t.test('what is remembered in void buckets is left out', async (t) => {
  const table = new Table()
  table.release(table.hold().token)
  table.at(15_000)
  table.release(table.hold().token)
  const { loaded } = load(table, { seed: 1, oldestBucket: 1 })
  t.equal(loaded.remembered.count, 1)
  t.same(
    loaded.remembered.buckets.map(({ number }) => number),
    [1],
  )
})

t.test('the end of loading is made of steps, so that nobody waits for it', async (t) => {
  const table = new Table()
  for (let index = 0; index < 2_000; index += 1) table.hold({ lock: `l${index}`, ttlMs: 1_000 })
  table.at(1_000)
  const { loaded, steps } = load(table, { seed: 3 })
  t.same(sortedRecords(loaded), sortedRecords(table.state))
  t.ok(steps >= 4, `${steps} steps`)
  t.equal(loaded.time, asClusterTime(1_000))
  t.equal(loaded.nextSequence, asSequence(2_001))
})
