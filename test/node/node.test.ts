// A node as a whole, with one member, on a clock and a disk that a test moves: what its start and its turns owe to the rest.
import t from 'tap'
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import { asClusterId, asLockName, asNodeId, asRequestId, asSequence, asToken } from '../../src/ids.ts'
import type { NodeId, Token } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import { defaultKeeping } from '../../src/node/keeping.ts'
import type { Volume } from '../../src/node/disk-space.ts'
import { HoldfastNode } from '../../src/node/node.ts'
import type { NodeSetup } from '../../src/node/node.ts'
import { defaultRaftOptions } from '../../src/raft/state.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { FakeWire } from '../support/fake-wire.ts'
import { ManualHost } from '../support/manual-host.ts'

const [self, n2] = [asNodeId('n1'), asNodeId('n2')]

class Bench {
  readonly host = new ManualHost()
  readonly wire = new FakeWire()
  readonly disk: MemoryDisk
  #pending: (() => void)[] = []

  constructor() {
    this.disk = new MemoryDisk({
      schedule: (_, run) => this.#pending.push(run),
      random: () => 0,
      rules: { hashRecord, voidKeys },
    })
  }

  start(change: Partial<NodeSetup> = {}): HoldfastNode {
    const { host, wire, disk } = this
    const setup: NodeSetup = {
      self,
      members: [self],
      httpUrl: 'http://n1',
      limits: defaultLimits,
      raft: defaultRaftOptions,
      keeping: defaultKeeping,
      diskLowBytes: 0,
      restored: null,
      ...change,
    }
    const [store, state, foundingStore] = [disk.openLog(), disk.openState(), disk.openFounding()]
    const resetState = (): never => {
      throw new Error('the state is never damaged here')
    }
    const volume: Volume = { freeBytes: (done) => void this.#pending.push(() => done(null, 1e12)) }
    const node = new HoldfastNode(setup, { host, wire, store, state, resetState, foundingStore, volume })
    node.start()
    return node
  }

  /** Lets the disk work until it has nothing to do, and time pass. */
  pass(ms: number): void {
    for (const until = this.host.time + ms; this.host.time < until;) {
      this.host.pass(1)
      this.settle()
    }
  }

  settle(): void {
    do {
      for (const run of this.#pending.splice(0)) run()
      this.host.settle()
    } while (this.#pending.length > 0)
  }
}

/** The token that an acquire through `node` is granted. */
function acquire(bench: Bench, node: HoldfastNode, name: string): Token | null {
  let token: Token | null = null
  const lock = asLockName(name)
  const requestId = asRequestId(`${name}-0000000000000000`)
  const { replica } = node
  replica?.call({
    command: {
      kind: 'acquire',
      lock,
      session: null,
      requestId,
      mode: 'exclusive',
      ttlMs: 30_000,
      waitMs: 0,
      pollMs: 0,
      owner: '',
      metadata: null,
    },
    waitMs: 0,
    answer: (answer) => {
      if (answer.kind === 'outcome' && answer.result.kind === 'granted') token = answer.result.token
      return true
    },
  })
  bench.pass(100)
  return token
}

t.test('H24 nothing is said to anybody before the run of this start is stored', async (t) => {
  const bench = new Bench()
  const dialled: NodeId[] = []
  const dial = bench.wire.dial.bind(bench.wire)
  let listens = 0
  bench.wire.listen = () => void listens++
  bench.wire.dial = (peer, handlers) => {
    dialled.push(peer)
    return dial(peer, handlers)
  }
  bench.start({ members: [self, n2] })
  bench.host.pass(10_000)
  t.same([listens, dialled], [0, []], 'as long as the disk takes')
  bench.settle()
  bench.host.pass(1000)
  t.equal(listens, 1)
  t.ok(dialled.includes(n2))
})

t.test('DESIGN 4 time runs at full speed however seldom there are heartbeats', async (t) => {
  const bench = new Bench()
  const raft = { ...defaultRaftOptions, heartbeatMs: 2000, electionTimeoutMinMs: 6000, electionTimeoutMaxMs: 8000 }
  const node = bench.start({ raft })
  bench.pass(10_000)
  const { replica } = node
  if (replica === null) throw new Error('the cluster is founded')
  t.ok(acquire(bench, node, 'a'))
  const [time, now] = [replica.clusterTime, bench.host.time]
  bench.pass(20_000)
  const share = (replica.clusterTime - time) / (bench.host.time - now)
  t.ok(share > 0.97 && share <= 1, `at ${share} of real time`)
})

t.test('S2 a restored cluster counts from where its founding says, in its first run and after a restart', async (t) => {
  const bench = new Bench()
  const restored = {
    from: asClusterId('e'.repeat(32)),
    sha256: 'a'.repeat(64),
    firstToken: asToken(7e12),
    firstSequence: asSequence(8e12),
  }
  const first = bench.start({ restored })
  bench.pass(2000)
  const token = acquire(bench, first, 'a')
  t.equal(token, 7e12)
  await stopped(bench, first)
  // The backup is not needed any more: what was stored at the founding counts.
  const second = bench.start()
  bench.pass(2000)
  t.equal(acquire(bench, second, 'b'), 7e12 + 1)
})

function stopped(bench: Bench, node: HoldfastNode): Promise<void> {
  return new Promise((resolve) => {
    node.stop(resolve)
    bench.pass(5000)
  })
}
