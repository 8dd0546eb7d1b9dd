import t from 'tap'
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import { asDigest } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import { LoadingState, loadState } from '../../src/node/loading-state.ts'
import type { LoadedState } from '../../src/node/loading-state.ts'
import { FormatError } from '../../src/codec/packr.ts'
import { DamagedStateError } from '../../src/storage/state-store.ts'
import type { Checkpoint, RecordBytes } from '../../src/storage/state-store.ts'
import { ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { checkpointOf, lockTable, recordsOf, textOf } from './lock-tables.ts'

const table = lockTable(20)
const records = recordsOf(table)
const whole = checkpointOf(records)

interface Loaded {
  readonly problem: string
  readonly loaded: LoadedState | null
}

function load(sent: readonly RecordBytes[], checkpoint: Checkpoint): Loaded | null {
  const host = new ManualHost()
  const loading = new LoadingState(host, defaultLimits, checkpoint.oldestBucket)
  for (const bytes of sent) loading.take(bytes)
  let result: Loaded | null = null
  loading.finish(checkpoint, (problem, loaded) => {
    result = { problem, loaded }
  })
  host.settle()
  return result
}

/** A disk with these records under that checkpoint, and what is loaded from it. */
function loadFromDisk(
  stored: readonly RecordBytes[],
  checkpoint: Checkpoint,
  damage: (disk: MemoryDisk) => void = () => {},
) {
  const host = new ManualHost()
  const pending: (() => void)[] = []
  const settle = () => {
    do {
      for (const run of pending.splice(0)) run()
      host.settle()
    } while (pending.length > 0)
  }
  const rules = { hashRecord, voidKeys }
  const disk = new MemoryDisk({ schedule: (_, run) => pending.push(run), random: () => 0, rules })
  const state = disk.openState()
  const writer = state.begin()
  for (const record of stored) writer.put(record)
  writer.commit(checkpoint, () => {})
  settle()
  damage(disk)
  const results: { readonly error: Error | null; readonly loaded: LoadedState | null }[] = []
  loadState(host, state, defaultLimits, (error, loaded) => results.push({ error, loaded }))
  settle()
  t.equal(results.length, 1, 'it says so once')
  return results[0]
}

t.test('records make the state that they were taken from, in any order, with its digest', async (t) => {
  for (const sent of [records, [...records].reverse()]) {
    const result = load(sent, whole)
    t.equal(result?.problem, '')
    t.equal(result?.loaded === null || result === null ? '' : textOf(result.loaded.lock), textOf(table))
    t.match(result?.loaded?.tally, { digest: whole.digest, records: whole.records })
  }
})

t.test('a checkpoint of another number of records, or another digest, is not theirs', async (t) => {
  t.match(load(records.slice(1), whole), { loaded: null, problem: /records, not/ })
  t.match(load(records, { ...whole, digest: asDigest(1) }), { loaded: null, problem: /digest/ })
})

t.test('a state that asserts something of itself that these records are not is none', async (t) => {
  const withoutCounters = records.filter(({ key }) => key[0] !== 1)
  t.match(load(withoutCounters, checkpointOf(withoutCounters)), { loaded: null, problem: /contradict/ })
  t.throws(() => load([...records, ...records], checkpointOf([...records, ...records])), FormatError)
})

t.test('much that is to be finished is finished in several turns', async (t) => {
  // Requests before their sessions wait until all have come.
  const many = [...recordsOf(lockTable(5000))].reverse()
  const host = new ManualHost()
  const loading = new LoadingState(host, defaultLimits, 0)
  for (const bytes of many) loading.take(bytes)
  let turns = 0
  let isDone = false
  const defer = host.defer.bind(host)
  host.defer = (run) => {
    turns++
    defer(run)
  }
  // Every look at the clock finds it 3 ms later.
  host.now = () => (host.time += 3)
  loading.finish(checkpointOf(many), (problem, loaded) => {
    isDone = problem === '' && loaded !== null
  })
  t.equal(isDone, false)
  host.settle()
  t.equal(isDone, true)
  t.ok(turns >= 5, `${turns} turns`)
})

t.test('what is on the disk is loaded', async (t) => {
  const result = loadFromDisk(records, whole)
  t.equal(result?.error, null)
  t.equal(result?.loaded === undefined || result.loaded === null ? '' : textOf(result.loaded.lock), textOf(table))
})

t.test(
  'a state on the disk that is not that of its checkpoint, or none at all, is damage of the state alone',
  async (t) => {
    const others: readonly [string, ReturnType<typeof loadFromDisk>][] = [
      ['a wrong count', loadFromDisk(records, { ...whole, records: 3 })],
      ['a wrong digest', loadFromDisk(records, { ...whole, digest: asDigest(1) })],
      ['a flipped bit', loadFromDisk(records, whole, (disk) => disk.flipBit({ kind: 'record', place: 3 }))],
      ['no record of ours', loadFromDisk(...withCheckpoint([...records, { key: Buffer.of(99), value: Buffer.of() }]))],
      ['no value of ours', loadFromDisk(...withCheckpoint([{ key: Buffer.of(1), value: Buffer.of(0xc1) }]))],
      ['no counters', loadFromDisk(...withCheckpoint(records.filter(({ key }) => key[0] !== 1)))],
      ['no session', loadFromDisk(...withCheckpoint(records.filter(({ key }) => key[0] !== 3)))],
    ]
    for (const [what, result] of others) {
      t.type(result?.error, DamagedStateError, what)
      t.equal(result?.loaded, null, what)
    }
  },
)

function withCheckpoint(stored: readonly RecordBytes[]): [readonly RecordBytes[], Checkpoint] {
  return [stored, checkpointOf(stored)]
}
