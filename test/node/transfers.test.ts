import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
import { Transfers } from '../../src/node/transfers.ts'

const [self, other, third] = [asNodeId('n1'), asNodeId('n2'), asNodeId('n3')]

t.test('a call for a leader is done when that one leads', async (t) => {
  const transfers = new Transfers(self)
  const heard: string[] = []
  transfers.add({ to: third, done: (result) => heard.push(result) }, 0)
  transfers.leaderChanged(other)
  t.same(heard, [])
  transfers.leaderChanged(third)
  t.same(heard, ['done'])
  transfers.leaderChanged(third)
  transfers.expire(10_000)
  t.same(heard, ['done'], 'once')
})

t.test('a call for any other leader is not done while this node leads', async (t) => {
  const transfers = new Transfers(self)
  const heard: string[] = []
  transfers.add({ to: null, done: (result) => heard.push(result) }, 0)
  transfers.leaderChanged(self)
  t.same(heard, [])
  transfers.leaderChanged(other)
  t.same(heard, ['done'])
})

t.test('a call times out after 3 s, or after its own time', async (t) => {
  const transfers = new Transfers(self)
  const heard: string[] = []
  transfers.add({ to: other, done: (result) => heard.push(`long ${result}`) }, 0)
  transfers.add({ to: other, done: (result) => heard.push(`short ${result}`) }, 0, 1500)
  transfers.expire(1499)
  t.same(heard, [])
  transfers.expire(1500)
  t.same(heard, ['short timedOut'])
  transfers.expire(3000)
  t.same(heard, ['short timedOut', 'long timedOut'])
})

t.test('a stop settles all, also those that ask again', async (t) => {
  const transfers = new Transfers(self)
  const heard: string[] = []
  transfers.add({ to: other, done: (result) => heard.push(result) }, 0)
  transfers.add({ to: null, done: () => transfers.stop() }, 0)
  transfers.stop()
  t.same(heard, ['timedOut'])
})
