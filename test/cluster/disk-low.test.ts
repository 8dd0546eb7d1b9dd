import t from 'tap'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'

/** More than any disk has: a node that wants so much free is always short of it. */
const moreThanThereIs = { 'disk-low-bytes': String(1024 ** 5) }
const figure = 'holdfast_disk_low 1'

t.test('a follower on a full disk refuses its own clients, and as a leader those of all', async (t) => {
  const cluster = await ProcessCluster.start(t, 3)
  const [low, other] = await cluster.followers()
  if (low === undefined || other === undefined) throw new Error('a cluster of three has two followers')
  await low.stop()
  low.start(moreThanThereIs)
  await low.ready()
  await until('it notices', async () => (await call(`${low.url}/metrics`, { method: 'GET' })).text.includes(figure))
  const token = tokenIn(await call(lockUrl(other.url, 'a', 'acquire'), { body: {} }))
  const refused = await call(lockUrl(low.url, 'b', 'acquire'), { body: {} })
  t.match(refused, { status: 503, body: { code: 'disk_low' }, headers: { 'retry-after': '30' } })
  t.equal((await call(lockUrl(low.url, 'a', 'release'), { body: { token } })).status, 200)

  await call(`${other.url}/v1/cluster/transfer`, { body: { to: low.id } })
  await until('it leads', async () => (await cluster.leader()) === low)
  t.match(await call(lockUrl(other.url, 'c', 'acquire'), { body: {} }), { status: 503, body: { code: 'disk_low' } })
  t.match(await call(lockUrl(other.url, 'a', 'check'), { body: { token } }), { status: 200, body: { valid: false } })
})
