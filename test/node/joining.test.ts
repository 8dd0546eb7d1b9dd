// A disk that comes in place of a lost one to a founded cluster, as the node sees it: what it stores, in which order.
import t from 'tap'
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import type { Introduction } from '../../src/codec/introduction.ts'
import { asClusterId, asIncarnation, asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import { defaultKeeping } from '../../src/node/keeping.ts'
import { HoldfastNode } from '../../src/node/node.ts'
import { defaultRaftOptions } from '../../src/raft/state.ts'
import type { FoundingRecord } from '../../src/storage/founding-store.ts'
import { FakeWire } from '../support/fake-wire.ts'
import { Ended, ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { introduce } from './introduce.ts'

const [n1, self, n3] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]
const members = [n1, self, n3]
const lostDisk = asIncarnation('d'.repeat(32))
const strangerMs = 500

const record: FoundingRecord = {
  clusterId: asClusterId('c'.repeat(32)),
  members: members.map((id) => ({ id, incarnation: id === self ? lostDisk : introduce(id).incarnation })),
  limits: { sessionsMax: 7 },
  restored: null,
}

/** What a member of the founded cluster says of itself. */
function founded(node: NodeId, of = record): Introduction {
  const introduction = introduce(node)
  return { ...introduction, founding: { ...introduction.founding, record: of, limits: {} } }
}

/** The process of n2 on a disk that outlives it, whose writes are done when a test says so. */
class Bench {
  readonly disk: MemoryDisk
  host = new ManualHost()
  wire = new FakeWire()
  #pending: (() => void)[] = []

  constructor() {
    const rules = { hashRecord, voidKeys }
    this.disk = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0, rules })
  }

  start(): HoldfastNode {
    this.host = new ManualHost()
    this.wire = new FakeWire()
    const { host, wire, disk } = this
    const node = new HoldfastNode(
      {
        self,
        members,
        httpUrl: 'http://n2',
        limits: defaultLimits,
        raft: defaultRaftOptions,
        keeping: defaultKeeping,
        diskLowBytes: 0,
        restored: null,
      },
      {
        host,
        wire,
        store: disk.openLog(),
        state: disk.openState(),
        resetState: () => {
          throw new Error('no state is damaged here')
        },
        foundingStore: disk.openFounding(),
        volume: { freeBytes: () => {} },
      },
    )
    node.start()
    this.settle()
    return node
  }

  /** The writes that were begun are done; with what follows from them, unless only so many steps are to be. */
  settle(steps = Infinity): void {
    for (let step = 0; step < steps && this.#pending.length > 0; step++) {
      for (const run of this.#pending.splice(0)) run()
    }
    this.host.settle()
  }

  /** That member takes the link that we dialled to it. */
  welcome(node: NodeId, introduction = founded(node)): void {
    const link = this.wire.newest(node)
    link.open()
    link.frame({ kind: 'welcome', from: introduction })
  }

  /** That member refuses it. */
  refuse(node: NodeId): void {
    const link = this.wire.newest(node)
    link.open()
    link.frame({ kind: 'rejected', reason: 'stranger', detail: 'who are you' })
  }

  crash(): void {
    this.disk.crash()
    this.#pending = []
  }
}

t.test('H28 a new disk stores that it does not count before it stores the record of the others', async (t) => {
  const bench = new Bench()
  bench.start()
  t.match(bench.disk.durable(), { meta: { counted: 0, founded: false }, founding: null })
  bench.welcome(n1)
  bench.settle(1)
  t.match(bench.disk.durable(), { meta: { counted: null, founded: false }, founding: null })
  bench.settle(1)
  t.match(bench.disk.durable(), { meta: { founded: false }, founding: record })
  bench.settle()
  t.match(bench.disk.durable(), { meta: { counted: null, founded: true }, founding: record })
})

t.test('H28 a crash at any step of it is a start that goes on, never one that counts', async (t) => {
  for (let steps = 0; steps <= 4; steps++) {
    const bench = new Bench()
    bench.start()
    bench.welcome(n1)
    bench.settle(steps)
    bench.crash()
    const node = bench.start()
    if (node.founding === null) bench.welcome(n3)
    else if (node.replica === null) bench.welcome(n1)
    bench.settle()
    t.match(bench.disk.durable(), { meta: { counted: null, founded: true }, founding: record }, `${steps}`)
    t.equal(node.replica?.core.raft.countedBy, null, `${steps}`)
    t.equal(node.replica?.readiness().ready, false)
  }
})

t.test('the limits of the founding count, whatever the new process was configured with', async (t) => {
  const bench = new Bench()
  const node = bench.start()
  bench.welcome(n1)
  bench.settle()
  t.equal(node.replica?.lock.limits.sessionsMax, 7)
})

t.test('H27 a disk that nobody takes in ends, and says how it may be taken in', async (t) => {
  const bench = new Bench()
  bench.start()
  bench.refuse(n1)
  bench.host.pass(strangerMs - 1)
  t.same(bench.host.failures, [])
  t.throws(() => bench.host.pass(1), Ended)
  t.match(bench.host.failures, [{ code: 'stranger', advice: /members\/n2\/replace/ }])
  t.equal(bench.disk.durable().founding, null)
})

t.test('a member that lags behind may refuse a disk that the others have taken in', async (t) => {
  const bench = new Bench()
  bench.start()
  bench.refuse(n1)
  bench.welcome(n3)
  bench.settle()
  bench.host.pass(2 * strangerMs)
  t.same(bench.host.failures, [])
})

t.test('a process that stops does not end as a stranger later', async (t) => {
  const bench = new Bench()
  const node = bench.start()
  bench.refuse(n1)
  node.stop(() => {})
  bench.settle()
  bench.host.pass(2 * strangerMs)
  t.same(bench.host.failures, [])
})

t.test('H28 a founder that has lost the record ends: it has lost its votes and entries as well', async (t) => {
  const bench = new Bench()
  bench.start()
  const { incarnation } = bench.disk.durable().meta ?? { incarnation: lostDisk }
  const own = record.members.map(({ id, incarnation: theirs }) => ({
    id,
    incarnation: id === self ? incarnation : theirs,
  }))
  t.throws(() => bench.welcome(n1, founded(n1, { ...record, members: own })), Ended)
  t.match(bench.host.failures, [{ code: 'damaged', message: /had stored the founding record/ }])
  bench.settle()
  t.equal(bench.disk.durable().founding, null, 'and nothing is stored')
})
