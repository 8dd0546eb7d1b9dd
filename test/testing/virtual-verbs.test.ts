import t from 'tap'
import { isHoldfastError } from '../../src/client/index.ts'
import { TestCluster } from '../../src/testing/index.ts'
import { testVerbs } from './verbs.ts'

testVerbs(t, 'virtual')

t.test('one node is a cluster, too, and its errors are those of any client', async (t) => {
  await using cluster = await TestCluster.start({ time: 'virtual', nodes: 1 })
  const holder = await cluster.client().acquire('a')
  t.equal(await cluster.client().tryAcquire('a'), null)
  await cluster.failover()
  holder.assertHeld()
  const error: unknown = await cluster
    .client()
    .acquire('a', { waitMs: 0 })
    .catch((error: unknown) => error)
  t.ok(isHoldfastError(error) && error.code === 'lock_held')
  await holder.release()
})

t.test('a cluster of no nodes is refused', async (t) => {
  for (const nodes of [0, 2.5, 10]) await t.rejects(TestCluster.start({ nodes }), { message: 'nodes: 1 to 9' })
})
