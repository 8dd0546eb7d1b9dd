import t from 'tap'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'

t.test('five nodes serve with two of them killed, not with three, and again when one is back', async (t) => {
  const cluster = await ProcessCluster.start(t, 5)
  const leader = await cluster.leader()
  const [alsoKilled, third, ...rest] = await cluster.followers()
  const [asked, other] = rest
  if (alsoKilled === undefined || third === undefined || asked === undefined || other === undefined)
    throw new Error('five nodes')
  const held = tokenIn(await call(lockUrl(leader.url, 'five', 'acquire'), { body: { ttlMs: 600_000 } }))
  const waiting = call(lockUrl(asked.url, 'five', 'acquire'), { body: { waitMs: 200_000 } })
  await until(
    'it waits',
    async () => (await call(`${asked.url}/v1/locks/five`, { method: 'GET' })).body['queueLength'] === 1,
  )

  await Promise.all([leader.kill(), alsoKilled.kill()])
  await until(
    'the lock is released',
    async () => (await call(lockUrl(other.url, 'five', 'release'), { body: { token: held } })).status === 200,
  )
  const token = tokenIn(await waiting)
  t.ok(token > held)
  t.not((await cluster.leader()).id, leader.id)

  // Without a majority nothing is granted, and that is said within a few seconds; what each node has can still be read.
  await third.kill()
  const refused = await call(lockUrl(asked.url, 'five', 'acquire'), { body: {} })
  t.equal(refused.status, 503)
  t.match(String(refused.body['code']), /^(no_leader|outcome_unknown)$/)
  t.equal((await call(`${asked.url}/v1/locks/five`, { method: 'GET' })).body['code'], 'no_leader')
  t.match((await call(`${asked.url}/v1/locks/five?consistency=stale`, { method: 'GET' })).body, {
    holders: [{ token }],
  })
  t.equal((await call(`${asked.url}/readyz`, { method: 'GET' })).status, 503)
  t.equal((await call(`${asked.url}/healthz`, { method: 'GET' })).status, 200)

  leader.start()
  await leader.ready()
  const released = await until('it serves again', async () => {
    const answer = await call(lockUrl(leader.url, 'five', 'release'), { body: { token } })
    return answer.status === 200 ? answer : null
  })
  t.equal(released.body['released'], true)
})
