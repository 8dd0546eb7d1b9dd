import t from 'tap'
import { acquire, get, isProblem, openSession, release, remove, tokenOf } from './calling.ts'
import { startOneMember } from './one-member.ts'

const member = await startOneMember()
const { app } = member
t.teardown(() => member[Symbol.asyncDispose]())

t.test('a request shows what became of it: waiting, granted, ended', async (t) => {
  const holder = tokenOf(await acquire(app, 'life'))
  const session = await openSession(app)
  const { sequence } = (await acquire(app, 'life', { session, waitMs: 60_000, pollMs: 0, requestId: 'r' })).body
  const url = `/v1/locks/life/requests/r?session=${session}`
  t.same((await get(app, url)).body, { state: 'waiting', session, sequence, position: 1, queueLength: 1 })
  await release(app, 'life', { token: holder })
  const granted = await get(app, url)
  t.match(granted.body, { state: 'granted', session, sequence })
  t.ok(tokenOf(granted) > holder)
  await release(app, 'life', { token: granted.body.token })
  t.same((await get(app, url)).body, { state: 'ended', session, token: granted.body.token, endedBy: 'released' })
})

t.test("a request that never came, was refused, or is another lock's is not found", async (t) => {
  isProblem(t, await get(app, '/v1/locks/life/requests/never-0123456789'), 'not_found', {
    requestId: 'never-0123456789',
  })
  tokenOf(await acquire(app, 'found', { requestId: 'found-0123456789' }))
  isProblem(t, await acquire(app, 'found', { requestId: 'refused-0123456789' }), 'lock_held')
  isProblem(t, await get(app, '/v1/locks/found/requests/refused-0123456789'), 'not_found')
  isProblem(t, await get(app, '/v1/locks/other/requests/found-0123456789'), 'not_found')
  t.equal((await get(app, '/v1/locks/found/requests/found-0123456789')).status, 200)
  const stale = await get(app, '/v1/locks/found/requests/found-0123456789?consistency=stale')
  t.match(stale.body, { state: 'granted', appliedIndex: Number })
})

t.test('a DELETE takes a waiting request out of the queue, and a copy still on its way is refused', async (t) => {
  await acquire(app, 'cancel')
  const requestId = 'cancel-0123456789'
  const waiting = acquire(app, 'cancel', { requestId, waitMs: 60_000 })
  while ((await get(app, `/v1/locks/cancel/requests/${requestId}`)).status !== 200);
  const cancelled = await remove(app, `/v1/locks/cancel/requests/${requestId}`)
  t.equal(cancelled.status, 200)
  t.same(cancelled.body, { state: 'withdrawn' })
  isProblem(t, await waiting, 'request_cancelled', { requestId })
  isProblem(t, await acquire(app, 'cancel', { requestId }), 'request_cancelled', { requestId })
  t.same((await get(app, `/v1/locks/cancel/requests/${requestId}`)).body, {
    state: 'ended',
    session: null,
    token: null,
    endedBy: null,
  })
})

t.test('a DELETE of a granted request releases the lock', async (t) => {
  const requestId = 'granted-0123456789'
  const token = tokenOf(await acquire(app, 'granted', { requestId }))
  t.same((await remove(app, `/v1/locks/granted/requests/${requestId}`)).body, { state: 'released' })
  t.ok(tokenOf(await acquire(app, 'granted')) > token)
})

t.test('a DELETE of a request that never came refuses it when it comes after all', async (t) => {
  const requestId = 'late-0123456789abc'
  t.same((await remove(app, `/v1/locks/late/requests/${requestId}`)).body, { state: 'none' })
  isProblem(t, await acquire(app, 'late', { requestId }), 'request_cancelled')
})

t.test('a DELETE of a request of another lock changes nothing', async (t) => {
  const requestId = 'elsewhere-0123456789'
  const token = tokenOf(await acquire(app, 'here', { requestId }))
  isProblem(t, await remove(app, `/v1/locks/there/requests/${requestId}`), 'request_mismatch', { field: 'lock' })
  t.equal((await release(app, 'here', { token })).status, 200)
})

t.test('a DELETE names the session of the request, if it has one', async (t) => {
  const session = await openSession(app)
  const token = tokenOf(await acquire(app, 'in-session', { session, requestId: 'x' }))
  t.same((await remove(app, '/v1/locks/in-session/requests/x')).body, { state: 'none' })
  t.match((await get(app, '/v1/locks/in-session')).body, { holders: [{ token }] })
  t.same((await remove(app, `/v1/locks/in-session/requests/x?session=${session}`)).body, { state: 'released' })
  isProblem(t, await remove(app, '/v1/locks/in-session/requests/x?session=s-999999'), 'session_unknown')
  await remove(app, `/v1/sessions/${session}`)
  t.same((await remove(app, `/v1/locks/in-session/requests/x?session=${session}`)).body, { state: 'none' })
})
