// Calls for another leader: settled by what is heard of leaders, told to whoever leads, never without an answer.
import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { Transfers } from '../../src/node/transfers.ts'

const [first, second, third] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]

function waiting(to: NodeId | null, asked: NodeId | null, until = 3000) {
  const transfers = new Transfers()
  const heard: string[] = []
  transfers.add({ to, done: (result) => heard.push(result) }, asked, until)
  return { transfers, heard }
}

t.test('a call for a leader is done when that one leads', async (t) => {
  const { transfers, heard } = waiting(third, first)
  transfers.leaderChanged(second)
  t.same(heard, [])
  transfers.leaderChanged(third)
  t.same(heard, ['done'])
  transfers.leaderChanged(third)
  transfers.expire(10_000)
  t.same(heard, ['done'], 'once')
})

t.test('a call for any other leader is done when another than the one that was asked leads', async (t) => {
  const { transfers, heard } = waiting(null, first)
  transfers.leaderChanged(first)
  t.same(heard, [])
  // It may be the very node that was called.
  transfers.leaderChanged(second)
  t.same(heard, ['done'])
})

t.test('a call that found no leader is told to the next, once', async (t) => {
  const { transfers, heard } = waiting(null, null)
  t.same(transfers.leaderChanged(first), [null])
  t.same(heard, [])
  t.same(transfers.leaderChanged(second), [])
  t.same(heard, ['done'])
})

t.test('without a leader in time it was certainly not done; with one, nobody knows', async (t) => {
  const { transfers, heard } = waiting(second, null)
  transfers.add({ to: second, done: (result) => heard.push(`asked ${result}`) }, first, 1500)
  transfers.expire(1499)
  t.same(heard, [])
  transfers.expire(1500)
  t.same(heard, ['asked timedOut'])
  transfers.expire(3000)
  t.same(heard, ['asked timedOut', 'noLeader'])
})

t.test('a leader that does not hand over lets nobody wait', async (t) => {
  const { transfers, heard } = waiting(second, first)
  transfers.refused()
  t.same(heard, ['timedOut'])
})

t.test('a stop settles all, also those that ask again', async (t) => {
  const { transfers, heard } = waiting(second, first)
  transfers.add({ to: null, done: () => transfers.stop() }, first, 3000)
  transfers.stop()
  t.same(heard, ['timedOut'])
})
