import t from 'tap'
import { asClusterTime, asIncarnation, asIndex, asNodeId, asRun, asTerm } from '../../src/ids.ts'
import { Core } from '../../src/node/core.ts'
import type { CoreEvents } from '../../src/node/core.ts'
import { DiskWriter } from '../../src/node/disk-writer.ts'
import type { Message } from '../../src/raft/message.ts'
import { createRaft, defaultRaftOptions } from '../../src/raft/state.ts'
import { Ended, ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { firstDiskOf, foundedSetup } from '../support/raft-founding.ts'
import { silentEvents } from './silent-events.ts'

const [self, n2, n3] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]
const meta = { node: self, incarnation: asIncarnation('a'), run: asRun(1), founded: true, counted: asIndex(0) }
const none = { prevLogIndex: asIndex(0), prevLogTerm: asTerm(0), leaderCommit: asIndex(0), entries: [] }

const emptyStart = { start: { index: asIndex(0), term: asTerm(0), time: asClusterTime(0) }, notes: [] }

/** A core on a disk whose writes and reads complete when a test says so. */
class Bench {
  readonly host = new ManualHost()
  readonly sent: string[] = []
  readonly applied: number[] = []
  wakes = 0
  readonly #pending: (() => void)[] = []
  readonly #disk = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0 })
  readonly core: Core

  constructor(options: Partial<typeof defaultRaftOptions> = {}) {
    const store = this.#disk.openLog()
    const disk = new DiskWriter(store, { durable: (io) => this.core.durable(io), failed: () => {} })
    disk.store({ meta }, () => {})
    const { host } = this
    const raft = createRaft({
      self,
      members: [self, n2, n3],
      options: { ...defaultRaftOptions, ...options },
      random: () => 0.5,
      now: 0,
      stored: { ...store.stored, ...emptyStart },
      ...foundedSetup(self, [self, n2, n3]),
    })
    const events: CoreEvents = {
      ...silentEvents,
      send: (to, _, message) => this.sent.push(`${message.kind} to ${to}`),
      apply: (entries) => this.applied.push(...entries.map(({ index }) => index)),
      wake: () => this.wakes++,
    }
    this.core = new Core({ raft, host, store, disk, events })
    this.completeDisk()
  }

  /** Completes what the disk was asked for. */
  completeDisk(): void {
    for (const run of this.#pending.splice(0)) run()
  }

  heartbeat(round: number): void {
    this.core.receive({
      kind: 'message',
      from: n2,
      as: { disk: firstDiskOf(n2), since: asIndex(0) },
      message: { kind: 'appendEntries', term: asTerm(1), round, ...none },
    })
  }

  turn(now = this.host.time): void {
    this.core.drain(now)
    this.core.step({ kind: 'tick', now })
    this.core.disk.start()
  }
}

t.test('what waits for a write is said when the write is durable, not before', async (t) => {
  const bench = new Bench()
  bench.heartbeat(1)
  bench.turn()
  t.same(bench.sent, [], 'the term is not on disk yet')
  bench.completeDisk()
  t.same(bench.sent, ['appendAccepted to n2'])
})

t.test('what is said between the completion of a write and the next turn waits for nothing', async (t) => {
  const bench = new Bench()
  bench.heartbeat(1)
  bench.turn()
  // It lies in the inbox before the news of the write.
  bench.heartbeat(2)
  bench.completeDisk()
  t.same(bench.sent, ['appendAccepted to n2'])
  bench.turn()
  t.same(bench.sent, ['appendAccepted to n2', 'appendAccepted to n2'], 'no further write will come to release it')
})

t.test('inputs that come during a turn belong to the next', async (t) => {
  const bench = new Bench()
  bench.heartbeat(1)
  t.equal(bench.wakes, 1)
  bench.turn()
  bench.completeDisk()
  t.equal(bench.wakes, 2)
  t.equal(bench.core.raft.durability.doneIo, 0, 'the core learns of a write by an input')
  bench.turn()
  t.equal(bench.core.raft.durability.doneIo, 1)
})

t.test('a proposal is answered at once with what became of it', async (t) => {
  const bench = new Bench()
  t.equal(bench.core.propose(new Uint8Array(1), 0), 'notLeader')
})

t.test('entries that are on disk only are read back before they are applied', async (t) => {
  const bench = new Bench({ windowBytesMax: 1 })
  const entries = [1, 2, 3].map((index) => ({
    index: asIndex(index),
    term: asTerm(1),
    time: asClusterTime(0),
    payload: new Uint8Array(100),
  }))
  const append = { kind: 'appendEntries' as const, term: asTerm(1), ...none }
  bench.core.receive({
    kind: 'message',
    from: n2,
    as: { disk: firstDiskOf(n2), since: asIndex(0) },
    message: { ...append, round: 1, entries },
  })
  bench.turn()
  bench.completeDisk()
  bench.turn()
  bench.core.receive({
    kind: 'message',
    from: n2,
    as: { disk: firstDiskOf(n2), since: asIndex(0) },
    message: { ...append, round: 2, prevLogIndex: asIndex(3), prevLogTerm: asTerm(1), leaderCommit: asIndex(3) },
  })
  bench.turn()
  bench.completeDisk()
  bench.turn()
  t.same(bench.applied, [1, 2, 3])
})

t.test('an entry that cannot be read back ends the process', async (t) => {
  const host = new ManualHost()
  const disk = new MemoryDisk({ schedule: (_, run) => run(), random: () => 0 })
  const store = disk.openLog()
  const writer = new DiskWriter(store, { durable: () => {}, failed: () => {} })
  const stored = {
    ...store.stored,
    ...emptyStart,
    lastIndex: asIndex(1),
    spans: [{ term: asTerm(1), firstIndex: asIndex(1) }],
  }
  const members = [self, n2, n3]
  const given = { members, options: defaultRaftOptions, random: () => 0.5, now: 0, stored }
  const setup = { self, ...given, ...foundedSetup(self, members) }
  const damaged = {
    ...store,
    read: (_: object, done: (error: Error | null, entries: []) => void) => done(new Error('entry 1'), []),
  }
  const core = new Core({ raft: createRaft(setup), host, store: damaged, disk: writer, events: silentEvents })
  const heartbeat: Message = {
    kind: 'appendEntries',
    term: asTerm(1),
    round: 1,
    prevLogIndex: asIndex(1),
    prevLogTerm: asTerm(1),
    leaderCommit: asIndex(1),
    entries: [],
  }
  core.receive({ kind: 'message', from: n2, as: { disk: firstDiskOf(n2), since: asIndex(0) }, message: heartbeat })
  t.throws(() => core.drain(0), Ended)
  t.equal(host.failures[0]?.code, 'damaged')
})
