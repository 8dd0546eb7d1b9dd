import t from 'tap'
import { asIncarnation, asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { Administration } from '../../src/node/administration.ts'
import { replaceWaitMs } from '../../src/node/replacements.ts'
import { transferWaitMs } from '../../src/node/transfers.ts'
import { firstDiskOf } from '../support/raft-founding.ts'
import { CoreBench } from './cores.ts'

const [self, n2, n3] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]
const newDisk = asIncarnation('new')

/** n1, which leads when it is alone, or one of three. What the core says goes to the administration, as in a replica. */
class Bench {
  readonly sent: string[] = []
  readonly said: string[] = []
  leader: NodeId | null
  readonly cores: CoreBench
  readonly administration: Administration

  constructor(members: readonly NodeId[] = [self, n2, n3]) {
    this.cores = new CoreBench(members, {
      replacementRefused: (refusal) => this.administration.replacementRefused(refusal),
      transferRefused: (reason) => this.administration.transferRefused(reason),
    })
    const { host, core } = this.cores
    this.administration = new Administration({
      self,
      host,
      core,
      leader: () => this.leader,
      send: (to, { kind, ...frame }) => this.sent.push(`${to}: ${kind} ${JSON.stringify(frame)}`),
    })
    this.leader = members.length === 1 ? self : n2
    if (members.length === 1) this.cores.pass(3000)
  }

  replace(member: NodeId = n3, incarnation = newDisk): void {
    this.administration.replace({ member, incarnation, done: (result) => this.said.push(result) })
  }

  transfer(to: NodeId | null): void {
    this.administration.transfer({ to, done: (result) => this.said.push(result) })
  }

  passUnheard(ms: number): void {
    this.cores.host.pass(ms)
    this.administration.expire(this.cores.host.now())
  }
}

t.test('a replacement is asked of the leader, and done when it is seen in the log', async (t) => {
  const bench = new Bench()
  bench.replace()
  t.same(bench.sent, ['n2: replaceRequest {"member":"n3","incarnation":"new"}'])
  bench.administration.replaced(n3, newDisk)
  t.same(bench.said, ['done'])
})

t.test('who is no member is not replaced, and who has that disk needs no other', async (t) => {
  const bench = new Bench()
  bench.replace(asNodeId('n9'))
  bench.replace(n3, firstDiskOf(n3))
  t.same(bench.said, ['unknownMember', 'done'])
  bench.leader = null
  bench.replace()
  t.same(bench.said.slice(2), ['noLeader'])
  t.same(bench.sent, [])
})

t.test('what the leader refuses is said to whom it concerns; what is not heard of in time is unknown', async (t) => {
  const bench = new Bench()
  bench.replace()
  bench.administration.receive(n2, { kind: 'replaceRefused', member: n3, incarnation: newDisk, reason: 'underWay' })
  t.same(bench.said, ['underWay'])
  bench.replace()
  bench.passUnheard(replaceWaitMs)
  t.same(bench.said, ['underWay', 'unknown'])
})

t.test('a node without its state does not know who has which disk', async (t) => {
  const bench = new Bench()
  bench.cores.core.raft.canServe = false
  bench.replace(n3, firstDiskOf(n3))
  t.same([bench.said, bench.sent], [['noLeader'], []])
})

t.test('who does not lead and is asked for a replacement says so', async (t) => {
  const bench = new Bench()
  bench.administration.receive(n3, { kind: 'replaceRequest', member: n3, incarnation: newDisk })
  t.same(bench.sent, ['n3: replaceRefused {"member":"n3","incarnation":"new","reason":"notLeader"}'])
})

t.test('a leader that refuses tells the peer that asked, and its own client', async (t) => {
  const bench = new Bench([self])
  bench.administration.receive(n3, { kind: 'replaceRequest', member: n3, incarnation: newDisk })
  bench.cores.turn()
  t.same(bench.sent, ['n3: replaceRefused {"member":"n3","incarnation":"new","reason":"unknownMember"}'])
  bench.replace(self)
  t.same(bench.said, [])
  bench.cores.turn()
  t.same(bench.said, ['unknownMember'], 'nobody replaces himself')
  t.equal(bench.sent.length, 1)
})

t.test('leadership is asked of the leader; whoever is told of it by the next leader is done', async (t) => {
  const bench = new Bench()
  bench.transfer(n3)
  t.same(bench.sent, ['n2: transferRequest {"to":"n3"}'])
  bench.leader = n3
  bench.administration.leaderChanged(n3)
  t.same(bench.said, ['done'])
  bench.transfer(n3)
  bench.transfer(asNodeId('n9'))
  t.same(bench.said, ['done', 'done', 'unknownMember'])
})

t.test('a wish that came while nobody led is told to the next leader', async (t) => {
  const bench = new Bench()
  bench.leader = null
  bench.transfer(n3)
  t.same(bench.sent, [])
  bench.leader = n2
  bench.administration.leaderChanged(n2)
  t.same(bench.sent, ['n2: transferRequest {"to":"n3"}'])
  bench.passUnheard(transferWaitMs)
  t.same(bench.said, ['timedOut'])
})

t.test('at a stop everything that waits is answered', async (t) => {
  const bench = new Bench()
  bench.replace()
  bench.transfer(n3)
  bench.administration.stop()
  t.same(bench.said.sort(), ['timedOut', 'unknown'])
})

t.test('a request to hand over that reaches who does not lead is nothing', async (t) => {
  const bench = new Bench()
  bench.administration.receive(n3, { kind: 'transferRequest', to: n3 })
  bench.cores.turn()
  t.same([bench.sent, bench.said], [[], []])
})
