import t from 'tap'
import { createTally } from '../../src/codec/digest.ts'
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import { asClusterTime, asIncarnation, asIndex, asNodeId, asRun, asTerm } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import type { LockState } from '../../src/lockfsm/state.ts'
import { replaceState } from '../../src/lockfsm/replace-state.ts'
import { Checkpoints } from '../../src/node/checkpoints.ts'
import { LoadingState } from '../../src/node/loading-state.ts'
import type { LoadedState } from '../../src/node/loading-state.ts'
import type { LogStore } from '../../src/storage/log-store.ts'
import type { Checkpoint, RecordBytes, StateStore } from '../../src/storage/state-store.ts'
import { ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { checkpointOf, hold, lockTable, recordsOf, textOf } from './lock-tables.ts'

const meta = {
  node: asNodeId('n1'),
  incarnation: asIncarnation('a'),
  run: asRun(1),
  founded: true,
  counted: asIndex(0),
}
const incarnations = new Map([['n1', asIncarnation('a')]])

/** Checkpoints of a lock table, on a disk that does what it is asked for when a test says so. The log has 100 entries. */
class Bench {
  readonly host = new ManualHost()
  readonly made: Checkpoint[] = []
  readonly failed: string[] = []
  readonly lock: LockState
  readonly disk: MemoryDisk
  readonly state: StateStore
  readonly log: LogStore
  readonly checkpoints: Checkpoints
  /** What the node knows to be durable of its log. */
  durable = 100
  #pending: (() => void)[] = []

  constructor(locks = 10) {
    this.lock = lockTable(locks)
    const rules = { hashRecord, voidKeys }
    this.disk = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0, rules })
    this.log = this.disk.openLog()
    this.state = this.disk.openState()
    const entries = Array.from({ length: 100 }, (_, position) => ({
      index: asIndex(position + 1),
      term: asTerm(1),
      time: asClusterTime(0),
      payload: new Uint8Array(0),
    }))
    const hardState = { currentTerm: asTerm(1), votedFor: null }
    const nothing = { truncateFrom: null, trimTo: null, installed: null, peers: null }
    this.log.write({ meta, hardState, entries, ...nothing }, () => {})
    this.completeDisk()
    this.checkpoints = new Checkpoints(
      {
        host: this.host,
        log: this.log,
        state: this.state,
        lock: this.lock,
        durableIndex: () => asIndex(this.durable),
        made: (checkpoint) => this.made.push(checkpoint),
        failed: (error) => this.failed.push(error.message),
      },
      createTally(),
    )
  }

  mark(index: number): void {
    this.checkpoints.marked({ index: asIndex(index), term: asTerm(1), time: asClusterTime(0) }, incarnations)
  }

  completeDisk(): void {
    while (this.#pending.length > 0) for (const run of this.#pending.splice(0)) run()
  }

  /** Encodes and writes as far as it goes. */
  settle(): void {
    this.host.settle()
    this.completeDisk()
  }

  /** The state on the disk, as text. */
  stored(): string {
    const view = this.state.openView()
    const records: RecordBytes[] = []
    view?.read(Infinity, (_, read) => records.push(...read))
    this.completeDisk()
    return textOf(this.#load(records).lock)
  }

  #load(records: readonly RecordBytes[]): LoadedState {
    return loaded(this.host, records)
  }
}

function loaded(host: ManualHost, records: readonly RecordBytes[]): LoadedState {
  const loading = new LoadingState(host, defaultLimits, 0)
  for (const record of records) loading.take(record)
  const states: LoadedState[] = []
  loading.finish(checkpointOf(records), (problem, state) => {
    if (state === null) throw new Error(problem)
    states.push(state)
  })
  host.settle()
  const [state] = states
  if (state === undefined) throw new Error('it is loaded')
  return state
}

t.test('a checkpoint is the state at the mark, whatever is applied while it is made', async (t) => {
  const bench = new Bench()
  const atMark = textOf(bench.lock)
  const expected = checkpointOf(recordsOf(bench.lock))
  bench.mark(50)
  hold(bench.lock, 'later')
  t.same(bench.made, [], 'nothing is done in the turn of the mark')
  bench.settle()
  t.equal(bench.stored(), atMark)
  const [made] = bench.made
  t.match(made, { index: 50, term: 1, digest: expected.digest, records: expected.records, oldestBucket: 0 })
  t.same(made?.incarnations, { n1: 'a' })
  t.same(bench.state.stored.checkpoint, made)
  t.equal(bench.checkpoints.made, 1)
})

t.test('the next checkpoint writes what has changed, and its digest is that of the whole state', async (t) => {
  const bench = new Bench()
  bench.mark(50)
  bench.settle()
  hold(bench.lock, 'later')
  bench.mark(60)
  bench.settle()
  const expected = checkpointOf(recordsOf(bench.lock))
  t.match(bench.made[1], { index: 60, digest: expected.digest, records: expected.records })
  t.equal(bench.stored(), textOf(bench.lock))
})

t.test(
  'S7 two nodes that have applied the same have the same digest, whenever each made its checkpoints',
  async (t) => {
    const [often, once] = [new Bench(), new Bench()]
    for (const bench of [often, once]) {
      bench.mark(10)
      if (bench === often) bench.settle()
      for (const [position, lock] of ['x', 'y', 'z'].entries()) {
        hold(bench.lock, lock)
        bench.mark(20 + position)
        if (bench === often) bench.settle()
      }
      bench.settle()
      bench.mark(50)
      bench.settle()
    }
    t.equal(often.made.length, 5)
    t.equal(once.made.length, 2, 'the others passed')
    t.equal(often.made.at(-1)?.digest, once.made.at(-1)?.digest)
  },
)

t.test('a mark that comes while a checkpoint is under way passes', async (t) => {
  const bench = new Bench()
  bench.mark(50)
  t.equal(bench.checkpoints.isBusy, true)
  bench.mark(51)
  bench.host.settle()
  bench.mark(52)
  bench.settle()
  t.same(
    bench.made.map(({ index }) => index),
    [50],
  )
  t.equal(bench.checkpoints.isBusy, false)
})

t.test('records are encoded in slices, each in a turn of its own', async (t) => {
  const bench = new Bench(5000)
  let slices = 0
  const defer = bench.host.defer.bind(bench.host)
  bench.host.defer = (run) => {
    slices++
    defer(run)
  }
  bench.mark(50)
  bench.settle()
  t.ok(slices >= 5, `${slices} slices`)
  t.equal(bench.made.length, 1)
})

t.test('a slice ends when it has taken long', async (t) => {
  const bench = new Bench(1000)
  let slices = 0
  const defer = bench.host.defer.bind(bench.host)
  bench.host.defer = (run) => {
    slices++
    defer(run)
  }
  // Every look at the clock finds it a millisecond later.
  bench.host.now = () => bench.host.time++
  bench.mark(50)
  bench.settle()
  t.ok(slices >= 7, `${slices} slices for 1000 records in pieces of 64`)
})

t.test('H30 a checkpoint waits for the log to be durable up to it', async (t) => {
  const bench = new Bench()
  bench.durable = 49
  bench.mark(50)
  bench.settle()
  bench.checkpoints.logDurable()
  bench.settle()
  t.equal(bench.state.stored.checkpoint, null)
  t.equal(bench.disk.durable().state.checkpoint, null)
  bench.durable = 50
  bench.checkpoints.logDurable()
  bench.settle()
  t.equal(bench.state.stored.checkpoint?.index, 50)
  t.same(bench.failed, [])
})

t.test('the checkpoint names the log by its hash', async (t) => {
  const bench = new Bench()
  const chains: string[] = []
  bench.log.chainAt(asIndex(50), (_, chain) => chains.push(chain))
  bench.mark(50)
  bench.settle()
  t.same([bench.made[0]?.chain], chains)
})

t.test('a write that fails ends the process, and no checkpoint was made', async (t) => {
  const bench = new Bench()
  bench.disk.failNextWrite(new Error('no space'))
  bench.mark(50)
  bench.settle()
  t.same(bench.failed, ['no space'])
  t.same(bench.made, [])
})

const snapshot = lockTable(3)

/** A snapshot takes the place of the lock table, as an install does it. */
function replace(bench: Bench): { isIdle: boolean } {
  const { lock, tally } = loaded(new ManualHost(), recordsOf(snapshot))
  const replaced = { isIdle: false }
  replaceState(bench.lock, lock)
  bench.checkpoints.replaced(tally, () => {
    replaced.isIdle = true
  })
  return replaced
}

t.test('a checkpoint that is being encoded, or waits for the log, is void when a snapshot comes', async (t) => {
  for (const durable of [100, 10]) {
    const bench = new Bench(5000)
    bench.durable = durable
    bench.mark(50)
    if (durable === 10) bench.settle()
    t.equal(replace(bench).isIdle, true, 'at once')
    bench.durable = 100
    bench.checkpoints.logDurable()
    bench.settle()
    t.same(bench.made, [])
    t.equal(bench.disk.durable().state.checkpoint, null)
    t.equal(bench.checkpoints.isBusy, false)
  }
})

t.test('one that is being written is still of the state before: the snapshot waits for it', async (t) => {
  const bench = new Bench()
  const before = checkpointOf(recordsOf(bench.lock))
  bench.mark(50)
  bench.host.settle()
  const replaced = replace(bench)
  t.equal(replaced.isIdle, false)
  bench.completeDisk()
  t.equal(replaced.isIdle, true)
  t.same(bench.made, [], 'the log is not trimmed by it, and nobody is told of it')
  const { digest, records } = before
  t.match(bench.disk.durable().state.checkpoint, { index: 50, digest, records }, 'a power cut now finds it')
  t.equal(bench.checkpoints.isBusy, false)
})

t.test('marks behind a snapshot pass until it is the state on the disk; the next one counts from it', async (t) => {
  const bench = new Bench()
  replace(bench)
  bench.mark(60)
  bench.settle()
  t.equal(bench.checkpoints.isBusy, false)
  t.same(bench.made, [])
  bench.checkpoints.settled()
  hold(bench.lock, 'later')
  bench.mark(70)
  bench.settle()
  t.match(bench.made, [{ index: 70, digest: checkpointOf(recordsOf(bench.lock)).digest }])
})

t.test('when the disks are to be closed nothing more is begun, and what is under way says nothing', async (t) => {
  for (const phase of ['encoding', 'waiting', 'writing']) {
    const bench = new Bench()
    bench.durable = phase === 'waiting' ? 0 : 100
    bench.mark(50)
    if (phase !== 'encoding') bench.host.settle()
    bench.checkpoints.stop()
    bench.durable = 100
    bench.checkpoints.logDurable()
    bench.settle()
    bench.mark(60)
    bench.settle()
    t.same([bench.made, bench.failed], [[], []], phase)
    t.equal(bench.disk.durable().state.checkpoint, null, phase)
  }
})
