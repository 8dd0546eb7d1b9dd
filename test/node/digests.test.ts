import t from 'tap'
import { asDigest, asIndex, asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { Digests } from '../../src/node/digests.ts'
import type { Divergence } from '../../src/node/digests.ts'

const [n1, n2, n3, n4, n5] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3'), asNodeId('n4'), asNodeId('n5')]
const settleMs = 10_000

/** n1 among so many members: what it has, what it hears, and what follows. */
function among(members: number) {
  const digests = new Digests(n1, members)
  return {
    digests,
    made: (digest: number, { at = 10, now = 0 } = {}): Divergence | null =>
      digests.made(asIndex(at), asDigest(digest), now),
    heard: (node: NodeId, digest: number, { at = 10, now = 0 } = {}): Divergence | null =>
      digests.heard(node, asIndex(at), asDigest(digest), now),
  }
}

t.test('S7 members that have the same go on, and know of each other that they have', async (t) => {
  const { digests, made, heard } = among(3)
  t.same(digests.agreeing, [])
  t.equal(made(7), null)
  t.same(digests.agreeing, [n1])
  t.equal(heard(n2, 7), null)
  t.equal(heard(n3, 7), null)
  t.same(digests.agreeing, [n1, n2, n3])
  t.equal(digests.expire(10 * settleMs), null)
  t.equal(digests.differences, 0)
})

t.test('S7 who differs from a majority stops at once, and nobody of the majority does', async (t) => {
  const minority = among(3)
  t.equal(minority.made(8), null)
  t.equal(minority.heard(n2, 7), null, 'one against one')
  t.equal(minority.heard(n3, 7), 'differs')

  const majority = among(3)
  t.equal(majority.made(7), null)
  t.equal(majority.heard(n2, 8), null)
  t.equal(majority.heard(n3, 7), null)
  t.equal(majority.digests.expire(10 * settleMs), null, 'the majority was there in time')
  t.equal(majority.digests.differences, 1)
  t.same(majority.digests.agreeing, [n1, n3])
})

t.test('S7 a majority is one of the members, not of those that were heard', async (t) => {
  const { made, heard } = among(5)
  t.equal(made(8), null)
  t.equal(heard(n2, 7), null)
  t.equal(heard(n3, 7), null, 'two of five against one')
  t.equal(heard(n4, 7), 'differs')
})

t.test('S7 without a majority all that took part stop 10 s after the first difference, not earlier', async (t) => {
  const { digests, made, heard } = among(3)
  made(7, { now: 0 })
  heard(n2, 8, { now: 5000 })
  t.equal(digests.expire(5000 + settleMs - 1), null, 'n3 may still say who is right')
  t.equal(digests.expire(5000 + settleMs), 'undecided')
})

t.test('S7 a value that comes late decides all the same', async (t) => {
  const late = among(3)
  late.made(7)
  late.heard(n2, 8)
  t.equal(late.heard(n3, 9, { now: settleMs }), 'undecided', 'three values, and the time is over')

  const inTime = among(3)
  inTime.made(7)
  inTime.heard(n2, 8)
  t.equal(inTime.heard(n3, 7, { now: settleMs - 1 }), null)
  t.equal(inTime.digests.expire(10 * settleMs), null)
})

t.test('S7 four equal halves: two against two is no majority of four', async (t) => {
  const { digests, made, heard } = among(4)
  made(7)
  heard(n2, 7)
  heard(n3, 8)
  heard(n4, 8)
  t.equal(digests.expire(settleMs), 'undecided')
})

t.test('who has no checkpoint at an index does not stop for what others differ in there', async (t) => {
  const { digests, made, heard } = among(5)
  heard(n2, 7)
  heard(n3, 8)
  heard(n4, 9)
  t.equal(heard(n5, 9), null)
  t.equal(digests.expire(settleMs), null)
  t.equal(digests.differences, 1)
  t.equal(made(7, { now: 2 * settleMs }), 'undecided', 'until it makes one')
})

t.test('what a member said of an index stands, whatever it says later', async (t) => {
  const { made, heard } = among(3)
  made(7)
  heard(n2, 7)
  t.equal(heard(n2, 8), null)
  t.equal(heard(n3, 8), null, 'one of three differs, and it is not us')
})

t.test('indices are compared one by one', async (t) => {
  const { digests, made, heard } = among(3)
  made(7, { at: 10 })
  t.equal(heard(n2, 8, { at: 20 }), null)
  t.equal(heard(n3, 8, { at: 20 }), null)
  t.same(digests.newest, { index: 10, digest: 7 })
  t.equal(made(9, { at: 20 }), 'differs')
})

t.test('the newest 32 indices are kept; what is older is not compared any more, and costs nothing', async (t) => {
  const { digests, made, heard } = among(3)
  for (let index = 1; index <= 40; index++) made(index, { at: index })
  t.same(
    [...digests.own()].map(({ index }) => index),
    Array.from({ length: 32 }, (_, position) => position + 9),
  )
  t.equal(heard(n2, 1, { at: 8 }), null)
  t.equal(heard(n3, 1, { at: 8 }), null)
  t.equal([...digests.own()].length, 32, 'and takes no place of what is newer')
  heard(n2, 1, { at: 9 })
  t.equal(heard(n3, 1, { at: 9 }), 'differs')
})

t.test('what members say who are far ahead leaves room for what we make', async (t) => {
  const { digests, made, heard } = among(3)
  for (let index = 1000; index <= 1100; index++) heard(n2, 1, { at: index })
  for (let index = 1; index <= 5; index++) made(index, { at: index })
  t.equal([...digests.own()].length, 5)
})

t.test('what a member says of indices that we have not reached does not push out what we have', async (t) => {
  const { digests, made, heard } = among(3)
  made(7, { at: 10 })
  heard(n2, 8, { at: 10 })
  for (let index = 11; index <= 100; index++) heard(n2, 1, { at: index })
  t.same(digests.newest, { index: 10, digest: 7 })
  t.same(digests.agreeing, [n1])
  t.equal(digests.expire(settleMs), 'undecided', 'the difference is still known')
  made(2, { at: 11, now: settleMs })
  t.equal(heard(n3, 1, { at: 11 }), 'differs', 'what comes next for us is kept')
})
