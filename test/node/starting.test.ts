import t from 'tap'
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import { asClusterTime, asIncarnation, asIndex, asNodeId, asRun, asTerm } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import { DiskWriter } from '../../src/node/disk-writer.ts'
import { begin } from '../../src/node/starting.ts'
import type { Begun } from '../../src/node/starting.ts'
import type { Entry } from '../../src/raft/entry.ts'
import { DamagedError } from '../../src/storage/log-store.ts'
import type { Installing, LogBatch } from '../../src/storage/log-store.ts'
import { DamagedStateError } from '../../src/storage/state-store.ts'
import type { Checkpoint } from '../../src/storage/state-store.ts'
import { ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { firstDiskOf, foundedWith } from '../support/raft-founding.ts'
import { checkpointOf, lockTable, recordsOf, textOf } from './lock-tables.ts'

const [self, n2] = [asNodeId('n1'), asNodeId('n2')]
const members: readonly NodeId[] = [self, n2]
const meta = { node: self, incarnation: firstDiskOf(self), run: asRun(1), founded: true, counted: asIndex(0) }
const table = lockTable(5)
const records = recordsOf(table)
const secondDisk = asIncarnation('n2.2')

/** Terms 1, 2 and 3 begin at 1, 41 and 71. */
function entry(index: number): Entry {
  const term = asTerm(index <= 40 ? 1 : index <= 70 ? 2 : 3)
  const plain = { index: asIndex(index), term, time: asClusterTime(index), payload: new Uint8Array(0) }
  return index % 20 === 0 ? { ...plain, note: { kind: 'checkpoint' } } : plain
}

/** A disk as an earlier run left it, and the beginning of the next. */
class Bench {
  readonly disk: MemoryDisk
  readonly host = new ManualHost()
  #pending: (() => void)[] = []

  constructor() {
    const rules = { hashRecord, voidKeys }
    this.disk = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0, rules })
  }

  settle(): void {
    do {
      for (const run of this.#pending.splice(0)) run()
      this.host.settle()
    } while (this.#pending.length > 0)
  }

  /** The log up to `last`, in one write. */
  writeLog(last: number, more: Partial<LogBatch> = {}): void {
    const entries = Array.from({ length: last }, (_, position) => entry(position + 1))
    const hardState = { currentTerm: asTerm(3), votedFor: null }
    this.change({ hardState, entries, ...more })
  }

  change(batch: Partial<LogBatch>): void {
    const nothing = { hardState: null, truncateFrom: null, entries: [], trimTo: null, installed: null, peers: null }
    const log = this.disk.openLog()
    log.write({ meta, ...nothing, ...batch }, failLoudly)
    this.settle()
    void log.close()
  }

  /** The checkpoint at that entry of the log, or with the hash of another. */
  writeCheckpoint(index: number, chainAt = index): Checkpoint {
    const log = this.disk.openLog()
    let chain = ''
    log.chainAt(asIndex(chainAt), (_, found) => {
      chain = found
    })
    this.settle()
    void log.close()
    const checkpoint = this.#checkpoint(index, chain)
    const state = this.disk.openState()
    const writer = state.begin()
    for (const record of records) writer.put(record)
    writer.commit(checkpoint, failLoudly)
    this.settle()
    void state.close()
    return checkpoint
  }

  /** A snapshot at `index` that came whole, flipped or not, with its mark still in the log. */
  receive(index: number, { isFlipped = true, term = entry(index).term } = {}): Installing {
    const state = this.disk.openState()
    const generation = state.nextGeneration
    // The hash is that of the entry, if it is in the log: the snapshot comes from the same history.
    const chain = this.#chainOf(index) ?? 'c'.repeat(32)
    const mark = { index: asIndex(index), term, time: asClusterTime(index), chain, generation }
    this.change({ installing: mark })
    const install = state.install(generation)
    install.put(records, failLoudly)
    this.settle()
    install.finish({ ...this.#checkpoint(index, chain), term }, failLoudly)
    this.settle()
    if (isFlipped) install.flip(failLoudly)
    this.settle()
    void state.close()
    return mark
  }

  begin(isStopped = () => false): { readonly error: Error | null; readonly begun: Begun | null } | null {
    const store = this.disk.openLog()
    const state = this.disk.openState()
    const disk = new DiskWriter(store, { durable: () => {}, failed: (error) => failLoudly(error) })
    const newLock = () => createState(defaultLimits)
    let result: { readonly error: Error | null; readonly begun: Begun | null } | null = null
    const { host } = this
    const founders = foundedWith(members)
    const incarnation = founders.get(self) ?? asIncarnation('')
    const disks = { store, state, disk }
    begin(
      { self, incarnation, host, ...disks, limits: defaultLimits, newLock, founders, isStopped },
      (error, begun) => {
        result = { error, begun }
      },
    )
    this.settle()
    void store.close()
    void state.close()
    return result
  }

  begun(): Begun {
    const { error, begun } = this.begin() ?? {}
    if (error !== null && error !== undefined) throw error
    if (begun === null || begun === undefined) throw new Error('it has begun')
    return begun
  }

  #checkpoint(index: number, chain: string): Checkpoint {
    const { term, time } = entry(index)
    return checkpointOf(records, { index: asIndex(index), term, time, chain, incarnations: { n2: secondDisk } })
  }

  #chainOf(index: number): string | null {
    const log = this.disk.openLog()
    let chain: string | null = null
    if (index <= log.stored.lastIndex && index >= log.stored.start.index) {
      log.chainAt(asIndex(index), (_, found) => {
        chain = found
      })
    }
    this.settle()
    void log.close()
    return chain
  }
}

function failLoudly(error: Error | null): void {
  if (error !== null) throw error
}

t.test('without a checkpoint the whole log is to be applied to a new lock table', async (t) => {
  const bench = new Bench()
  bench.writeLog(50)
  const begun = bench.begun()
  t.match(begun, { applied: 0, canServe: true, log: { start: { index: 0 }, lastIndex: 50 } })
  t.equal(textOf(begun.lock), textOf(createState(defaultLimits)))
  t.same(begun.incarnations, foundedWith(members))
})

t.test('with a checkpoint its state is there, and what is behind it is to be applied', async (t) => {
  const bench = new Bench()
  bench.writeLog(50)
  const { digest } = bench.writeCheckpoint(40)
  const begun = bench.begun()
  t.match(begun, { applied: 40, canServe: true, tally: { digest, records: records.length }, log: { lastIndex: 50 } })
  t.equal(textOf(begun.lock), textOf(table))
  t.same(
    [...begun.incarnations],
    [
      [self, firstDiskOf(self)],
      [n2, secondDisk],
    ],
    'the disks in force are those of the checkpoint',
  )
})

t.test('a checkpoint of another log than this one is damage of neither alone', async (t) => {
  const bench = new Bench()
  bench.writeLog(50)
  bench.writeCheckpoint(40, 39)
  const { error } = bench.begin() ?? {}
  t.type(error, DamagedError)
})

t.test('H30 a checkpoint ahead of its log is a log that has lost entries', async (t) => {
  const bench = new Bench()
  bench.writeLog(30)
  bench.change({ entries: Array.from({ length: 20 }, (_, position) => entry(31 + position)) })
  bench.writeCheckpoint(50)
  bench.disk.loseTail('log', 1)
  const { error, begun } = bench.begin() ?? {}
  t.type(error, DamagedError)
  t.notOk(error instanceof DamagedStateError, 'wiping the state alone would hide it')
  t.equal(begun, null)
})

t.test('a log whose beginning was trimmed, without the state for it, votes and waits for a snapshot', async (t) => {
  const bench = new Bench()
  bench.writeLog(50)
  bench.writeCheckpoint(40)
  bench.change({ trimTo: asIndex(30) })
  bench.disk.wipeState()
  const begun = bench.begun()
  t.match(begun, { applied: 30, canServe: false, log: { start: { index: 30 }, lastIndex: 50 } })
  t.same([...begun.incarnations.keys()], [self], 'H28 who was replaced is lost, too: it counts nobody else')
})

t.test('a record that is damaged is damage of the state alone', async (t) => {
  const bench = new Bench()
  bench.writeLog(50)
  bench.writeCheckpoint(40)
  bench.disk.flipBit({ kind: 'record', place: 2 })
  t.type(bench.begin()?.error, DamagedStateError)
})

t.test(
  'an install that was cut off behind the flip is finished; the tail behind it stays if it belongs to it',
  async (t) => {
    for (const [last, index] of [
      [90, 50],
      [50, 50],
      [90, 41],
      [90, 70],
    ] as const) {
      const bench = new Bench()
      bench.writeLog(last)
      bench.receive(index)
      const { log, applied, canServe, lock } = bench.begun()
      t.equal(textOf(lock), textOf(table))
      t.same([applied, canServe], [index, true])
      // What is handed to the core is what the next opening finds.
      const { start, lastIndex, lastTime, spans, notes, installing } = bench.disk.openLog().stored
      t.same({ ...log }, { start, lastIndex, lastTime, spans, notes }, `${last} entries, a snapshot at ${index}`)
      t.equal(installing, null)
      t.equal(lastIndex, last)
    }
  },
)

t.test('an install of what the log does not have is finished by dropping the log', async (t) => {
  const cases: readonly (readonly [number, Parameters<Bench['receive']>])[] = [
    [30, [50]],
    // The entry at that index is of another term: what is behind it may contradict the snapshot.
    [60, [50, { term: asTerm(3) }]],
  ]
  for (const [last, received] of cases) {
    const bench = new Bench()
    bench.writeLog(last)
    bench.receive(...received)
    const { log, applied } = bench.begun()
    t.equal(applied, 50)
    t.match(log, { start: { index: 50 }, lastIndex: 50, spans: [], notes: [] })
    const { start, lastIndex, lastTime, spans, notes } = bench.disk.openLog().stored
    t.same({ ...log }, { start, lastIndex, lastTime, spans, notes })
  }
})

t.test('an install that was cut off before the flip is forgotten, and all is as before', async (t) => {
  const bench = new Bench()
  bench.writeLog(50)
  bench.writeCheckpoint(40)
  bench.receive(80, { isFlipped: false })
  t.match(bench.begun(), { applied: 40, canServe: true, log: { start: { index: 0 }, lastIndex: 50 } })
  t.equal(bench.disk.openLog().stored.installing, null)

  const first = new Bench()
  first.writeLog(50)
  first.receive(80, { isFlipped: false })
  t.match(first.begun(), { applied: 0, canServe: true }, 'also when there was no checkpoint')
})

t.test('an install whose records turn out to be damaged leaves the log as it was: that is all there is', async (t) => {
  const bench = new Bench()
  bench.writeLog(50)
  const mark = bench.receive(80)
  bench.disk.flipBit({ kind: 'record', place: 0 })
  t.type(bench.begin()?.error, DamagedStateError)
  const log = bench.disk.openLog()
  t.match(log.stored, { start: { index: 0 }, lastIndex: 50, installing: mark })
  void log.close()
  // The node throws the state away and begins again.
  bench.disk.wipeState()
  t.match(bench.begun(), { applied: 0, canServe: true, log: { lastIndex: 50 } })
})

t.test('a crash while an install is finished leaves one that is finished by the next start', async (t) => {
  const bench = new Bench()
  bench.writeLog(90)
  bench.receive(50)
  bench.disk.failNextWrite(new Error('no space'))
  t.throws(() => bench.begin(), /no space/)
  bench.disk.crash()
  t.match(bench.begun(), { applied: 50, log: { start: { index: 50 }, lastIndex: 90 } })
})

t.test('a node that stops while it loads asks nothing more of its disks', async (t) => {
  for (const looks of [0, 1]) {
    const bench = new Bench()
    bench.writeLog(50)
    bench.writeCheckpoint(40)
    let left = looks
    t.equal(
      bench.begin(() => left-- <= 0),
      null,
    )
  }
})
