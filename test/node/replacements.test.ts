import t from 'tap'
import type { ReplaceRefusal } from '../../src/codec/frame.ts'
import { asIncarnation, asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { Replacements, replaceWaitMs } from '../../src/node/replacements.ts'

const [n1, n2, n3] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]
const [first, second] = [asIncarnation('first'), asIncarnation('second')]

class Bench {
  readonly replacements = new Replacements()
  readonly said: string[] = []

  call(member: NodeId = n2, incarnation = second, now = 0, asked = n3): void {
    const done = (result: string) => void this.said.push(`${member} ${incarnation}: ${result}`)
    this.replacements.add({ member, incarnation, done }, asked, now)
  }

  refuse(member: NodeId, reason: ReplaceRefusal, incarnation = second, by = n3): readonly NodeId[] {
    return this.replacements.refused({ member, incarnation, reason }, by)
  }
}

t.test('a call is done when that disk of that member has been applied', async (t) => {
  const bench = new Bench()
  bench.call()
  bench.replacements.applied(n3, second)
  bench.replacements.applied(n2, first)
  t.same(bench.said, [], 'another member, and another disk')
  bench.replacements.applied(n2, second)
  t.same(bench.said, ['n2 second: done'])
  bench.replacements.applied(n2, second)
  bench.replacements.expire(10 * replaceWaitMs)
  t.equal(bench.said.length, 1, 'once')
})

t.test('two calls for the same disk are both answered by one entry', async (t) => {
  const bench = new Bench()
  bench.call()
  bench.call()
  bench.replacements.applied(n2, second)
  t.same(bench.said, ['n2 second: done', 'n2 second: done'])
})

t.test('a refusal answers the calls for that member with its reason', async (t) => {
  const bench = new Bench()
  bench.call(n2)
  bench.call(n3)
  bench.refuse(n2, 'underWay')
  t.same(bench.said, ['n2 second: underWay'])
  bench.refuse(n3, 'notLeader')
  t.same(bench.said, ['n2 second: underWay', 'n3 second: noLeader'])
})

t.test('a refusal of one disk says nothing of another for the same member, which may be in the log', async (t) => {
  const bench = new Bench()
  bench.call(n2, first)
  bench.call(n2, second)
  bench.replacements.asked(n3, { kind: 'replaceRequest', member: n2, incarnation: first })
  t.same(bench.refuse(n2, 'underWay'), [])
  t.same(bench.said, ['n2 second: underWay'])
  bench.replacements.applied(n2, first)
  t.same(bench.said, ['n2 second: underWay', 'n2 first: done'])
})

t.test('a refusal says nothing of what an earlier leader was asked, who may have appended it', async (t) => {
  const bench = new Bench()
  bench.call(n2, second, 0, n1)
  bench.call(n2, second, 0, n3)
  bench.refuse(n2, 'notLeader')
  t.same(bench.said, ['n2 second: noLeader'])
  bench.replacements.expire(replaceWaitMs)
  t.same(bench.said, ['n2 second: noLeader', 'n2 second: unknown'])
})

t.test('who was asked twice and leads no more may have taken the first', async (t) => {
  const bench = new Bench()
  bench.call()
  bench.call()
  bench.refuse(n2, 'notLeader')
  t.same(bench.said, ['n2 second: unknown', 'n2 second: unknown'])
})

t.test('a refusal because it is in force already answers nothing: it is seen in the log', async (t) => {
  const bench = new Bench()
  bench.call()
  bench.refuse(n2, 'inForce')
  t.same(bench.said, [])
  bench.replacements.applied(n2, second)
  t.same(bench.said, ['n2 second: done'])
})

t.test('what was not seen in time is unknown, never failed', async (t) => {
  const bench = new Bench()
  bench.call(n2, second, 100)
  bench.replacements.expire(100 + replaceWaitMs - 1)
  t.same(bench.said, [])
  bench.replacements.expire(100 + replaceWaitMs)
  t.same(bench.said, ['n2 second: unknown'])
  bench.replacements.applied(n2, second)
  t.equal(bench.said.length, 1)
})

t.test('at a stop everything that waits is unknown', async (t) => {
  const bench = new Bench()
  bench.call()
  bench.replacements.stop()
  t.same(bench.said, ['n2 second: unknown'])
})

t.test('peers that asked us are told of a refusal, each once, and of nothing when it is done', async (t) => {
  const bench = new Bench()
  const ask = (by: NodeId) => bench.replacements.asked(by, { kind: 'replaceRequest', member: n2, incarnation: second })
  ask(n1)
  ask(n3)
  ask(n3)
  t.same(bench.refuse(n2, 'takingOver'), [n1, n3])
  t.same(bench.refuse(n2, 'takingOver'), [], 'they know')
  ask(n1)
  bench.replacements.applied(n2, second)
  t.same(bench.refuse(n2, 'underWay'), [])
})
