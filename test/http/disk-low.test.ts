import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { acquire, get, isProblem, lockPath, openSession, post, remove } from './calling.ts'
import { startOneMember } from './one-member.ts'

t.test('while the disk is low new work is refused as not done, and what ends work goes on', async (t) => {
  const volume = {
    free: 5000,
    freeBytes: (done: (error: null, bytes: number) => void) => void setTimeout(() => done(null, volume.free)),
  }
  const member = await startOneMember({}, { volume })
  t.teardown(() => member[Symbol.asyncDispose]())
  const { app, node } = member
  const session = await openSession(app)
  const held = await acquire(app, 'a', { session })
  const alone = await acquire(app, 'b')
  t.match((await get(app, '/metrics')).text, /^holdfast_disk_low 0$/m)

  volume.free = 999
  while (!node.space.isLow) await sleep(20)
  const requestId = 'r-0123456789abcdef'
  const refused = await acquire(app, 'c', { requestId })
  isProblem(t, refused, 'disk_low', { requestId })
  t.equal(refused.headers['retry-after'], '30')
  isProblem(t, await post(app, '/v1/sessions', {}), 'disk_low')
  t.equal((await post(app, `/v1/sessions/${session}/renew`, {})).status, 200)
  t.equal((await post(app, lockPath('b', 'renew'), { token: alone.body['token'] })).status, 200)
  t.equal((await post(app, lockPath('a', 'release'), { token: held.body['token'] })).status, 200)
  t.equal((await post(app, lockPath('b', 'release'), { token: alone.body['token'] })).status, 200)
  t.equal((await remove(app, `/v1/locks/c/requests/${requestId}`)).status, 200)
  t.match((await get(app, '/v1/locks/c')).body, { holders: [], queueLength: 0 }, 'it was not done')
  t.equal((await remove(app, `/v1/sessions/${session}`)).status, 204)
  const { text } = await get(app, '/metrics')
  t.match(text, /^holdfast_disk_low 1$/m)
  t.match(text, /^holdfast_disk_free_bytes 999$/m)

  volume.free = 5000
  while (node.space.isLow) await sleep(20)
  t.equal((await acquire(app, 'c')).status, 200)
})
