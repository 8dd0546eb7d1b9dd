import t from 'tap'
import { decodeCommand, encodeCommand } from '../../src/codec/command.ts'
import type { Frame } from '../../src/codec/frame.ts'
import { FormatError } from '../../src/codec/packr.ts'
import { asClusterTime, asNodeId, asRun } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { Forwarding } from '../../src/node/forwarding.ts'
import { OwnCommands } from '../../src/node/own-commands.ts'
import { Renewals } from '../../src/node/renewals.ts'
import { Withdrawals } from '../../src/node/withdrawals.ts'
import { CoreBench } from './cores.ts'
import { acquire, release } from './own-commands-bench.ts'

const [self, n2, n3] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]
const run = asRun(1)

/** n1 alone, which leads, or one of three, which does not. */
class Bench {
  readonly cores: CoreBench
  readonly sent: string[] = []
  readonly fates: string[] = []
  leader: NodeId | null = n2
  counts = true
  isReady = true
  isLow = false
  wakes = 0
  readonly connected = new Set<NodeId>([n2, n3])
  readonly commands = new OwnCommands({
    node: self,
    run: () => run,
    clusterTime: () => asClusterTime(0),
    lastSending: 0,
  })
  readonly renewals = new Renewals(this.commands)
  readonly forwarding: Forwarding

  constructor(members: readonly NodeId[] = [self, n2, n3]) {
    this.cores = new CoreBench(members)
    const { core, host } = this.cores
    const isLow = (): boolean => this.isLow
    this.forwarding = new Forwarding({
      self,
      host,
      core,
      peers: {
        send: (to, frame) => this.sent.push(`${to}: ${textOf(frame)}`),
        isConnected: (peer) => this.connected.has(peer),
      },
      space: {
        get isLow() {
          return isLow()
        },
      },
      commands: this.commands,
      renewals: this.renewals,
      withdrawals: new Withdrawals(this.commands, () => {}),
      leader: () => this.leader,
      counts: () => this.counts,
      isReady: () => this.isReady,
      wake: () => this.wakes++,
    })
    if (members.length === 1) {
      this.cores.pass(3000)
      this.leader = self
    }
  }

  submit(command = release): void {
    const which = this.fates.push('')
    const learn = (fate: { kind: string }) => {
      this.fates[which - 1] += fate.kind
    }
    this.commands.submit({ command, learn })
  }

  turn(): string[] {
    this.forwarding.turn(this.cores.host.now())
    return this.sent.splice(0)
  }
}

function textOf(frame: Frame): string {
  switch (frame.kind) {
    case 'forward':
      return `sending ${frame.sending}: ${frame.commands.map((bytes) => decodeCommand(bytes).origin.number).join()}`
    case 'forwardRefused':
      return `refused ${frame.reason} of ${frame.sending}: ${frame.numbers.join()}`
    default:
      return frame.kind
  }
}

function commandOf(node: NodeId, number: number, command = release): Uint8Array {
  return encodeCommand({ origin: { node, run, number }, command })
}

t.test('commands go to the leader over the link to it, and wait for one', async (t) => {
  const bench = new Bench()
  bench.submit()
  bench.leader = null
  t.same(bench.turn(), [])
  t.equal(bench.forwarding.wakeAt(), Infinity, 'nothing is to be done before a leader is known')
  bench.leader = n3
  bench.connected.delete(n3)
  t.same(bench.turn(), [])
  bench.connected.add(n3)
  t.same(bench.turn(), ['n3: sending 1: 1'])
})

t.test('a node whose disk does not count sends nothing: it has no numbers to send under', async (t) => {
  const bench = new Bench()
  bench.counts = false
  bench.submit()
  t.same(bench.turn(), [])
  bench.counts = true
  t.same(bench.turn(), ['n2: sending 1: 1'])
})

t.test('a node that is not ready sends what ends work, and keeps what brings some', async (t) => {
  const bench = new Bench()
  bench.isReady = false
  bench.submit(acquire)
  bench.submit(release)
  t.same(bench.turn(), ['n2: sending 1: 1'])
  bench.isReady = true
  t.same(bench.turn(), ['n2: sending 2: 2'])
})

t.test('who does not lead refuses at once, passes nothing on, and says of which sending', async (t) => {
  const bench = new Bench()
  bench.forwarding.receive(n3, { kind: 'forward', sending: 7, commands: [commandOf(n3, 4), commandOf(n3, 5)] })
  t.same(bench.sent, ['n3: refused notLeader of 7: 4,5'])
  t.equal(bench.forwarding.intake.isEmpty, true)
})

t.test('a leader takes commands in, its own without a link', async (t) => {
  const bench = new Bench([self])
  bench.submit()
  t.same(bench.turn(), [])
  t.equal(bench.forwarding.intake.isEmpty, false)
  bench.forwarding.receive(n3, { kind: 'forward', sending: 7, commands: [commandOf(n3, 4)] })
  const { count } = bench.forwarding.intake.pack()
  t.equal(count, 2)
  t.ok(bench.wakes > 0, 'a turn is due, which packs them')
})

t.test('a leader that is short of disk space refuses what brings work, and nothing else', async (t) => {
  const bench = new Bench([self])
  bench.isLow = true
  const commands = [commandOf(n3, 4, acquire), commandOf(n3, 5)]
  bench.forwarding.receive(n3, { kind: 'forward', sending: 7, commands })
  t.same(bench.sent, ['n3: refused diskLow of 7: 4'])
  t.equal(bench.forwarding.intake.pack().count, 1)
  bench.submit(acquire)
  bench.turn()
  t.same(bench.fates, ['notDone'], 'also to itself')
})

t.test('commands in the name of another node are none', async (t) => {
  const bench = new Bench([self])
  const commands = [commandOf(n2, 4)]
  t.throws(() => bench.forwarding.receive(n3, { kind: 'forward', sending: 7, commands }), FormatError)
  t.equal(bench.forwarding.intake.isEmpty, true)
})

t.test('who was refused asks again a moment later, or as soon as another leads', async (t) => {
  const bench = new Bench()
  bench.submit()
  bench.turn()
  bench.forwarding.receive(n2, { kind: 'forwardRefused', sending: 1, reason: 'notLeader', numbers: [1] })
  t.same(bench.fates, ['notDone'])
  bench.submit()
  t.same(bench.turn(), [])
  bench.cores.host.pass(24)
  t.same(bench.turn(), [])
  bench.cores.host.pass(1)
  t.same(bench.turn(), ['n2: sending 2: 2'])

  bench.forwarding.receive(n2, { kind: 'forwardRefused', sending: 2, reason: 'notLeader', numbers: [2] })
  bench.submit()
  t.same(bench.turn(), [])
  bench.leader = n3
  bench.forwarding.routeChanged()
  t.same(bench.turn(), ['n3: sending 3: 3'])
})

t.test('H20 over a new route everything unanswered goes again', async (t) => {
  const bench = new Bench()
  bench.submit()
  bench.submit()
  t.same(bench.turn(), ['n2: sending 1: 1,2'])
  t.same(bench.turn(), [])
  bench.forwarding.routeChanged()
  t.same(bench.turn(), ['n2: sending 2: 1,2'])
})

t.test('a large sending goes in several frames under one name', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 100; count++) bench.submit({ ...acquire, metadata: 'm'.repeat(4000) })
  const frames = bench.turn()
  t.ok(frames.length > 1)
  t.ok(frames.every((frame) => frame.startsWith('n2: sending 1: ')))
  t.equal(frames.join().split(',').length, 100)
})
