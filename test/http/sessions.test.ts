import t from 'tap'
import { acquire, ask, get, isProblem, openSession, post, remove, tokenOf } from './calling.ts'
import { startOneMember } from './one-member.ts'

const member = await startOneMember({ sessionsMax: 60 })
const { app } = member
t.teardown(() => member[Symbol.asyncDispose]())

t.test('a session is opened with 201, and with 200 and the same id when the request is repeated', async (t) => {
  const requestId = 'open-0123456789abc'
  const opened = await post(app, '/v1/sessions', { ttlMs: 60_000, requestId })
  t.equal(opened.status, 201)
  t.match(opened.body, { session: /^s-\d+$/, ttlMs: 60_000 })
  t.same(Object.keys(opened.body).sort(), ['session', 'ttlMs', 'validForMs'])
  const repeated = await post(app, '/v1/sessions', { ttlMs: 60_000, requestId })
  t.equal(repeated.status, 200)
  t.equal(repeated.body.session, opened.body.session)
  isProblem(t, await post(app, '/v1/sessions', { ttlMs: 61_000, requestId }), 'request_mismatch', {
    field: 'ttlMs',
    requestId,
  })
})

t.test('a session may be opened without a body, and its request id may come in the header', async (t) => {
  const plain = await post(app, '/v1/sessions')
  t.equal(plain.status, 201)
  t.equal(plain.body['ttlMs'], 30_000)
  const headers = { 'idempotency-key': '"open-in-the-header"' }
  const opened = await ask(app, { method: 'POST', url: '/v1/sessions', headers })
  const repeated = await ask(app, { method: 'POST', url: '/v1/sessions', headers })
  t.equal(repeated.status, 200)
  t.equal(repeated.body.session, opened.body.session)
  isProblem(t, await post(app, '/v1/sessions', { requestId: 'short' }), 'invalid_request', { field: 'requestId' })
})

t.test('the request ids of sessions are a name space of their own', async (t) => {
  const requestId = 'shared-0123456789a'
  t.equal((await post(app, '/v1/sessions', { requestId })).status, 201)
  t.equal((await acquire(app, 'name-space', { requestId })).status, 200)
})

t.test('a renewal may change the TTL, and never moves the deadline to an earlier moment', async (t) => {
  const session = await openSession(app, { ttlMs: 60_000 })
  const shorter = await post(app, `/v1/sessions/${session}/renew`, { ttlMs: 2000 })
  t.equal(shorter.status, 200)
  t.match(shorter.body, { session, ttlMs: 2000 })
  t.ok((shorter.body.validForMs ?? 0) > 50_000)
  const longer = await post(app, `/v1/sessions/${session}/renew`, { ttlMs: 120_000 })
  t.ok((longer.body.validForMs ?? 0) > 110_000)
  t.equal((await post(app, `/v1/sessions/${session}/renew`)).body['ttlMs'], 120_000)
})

t.test('many sessions are renewed with one call, which says which are gone', async (t) => {
  const a = await openSession(app)
  const b = await openSession(app)
  const closed = await openSession(app)
  await remove(app, `/v1/sessions/${closed}`)
  const { status, body } = await post(app, '/v1/sessions/renew', { sessions: [a, closed, 's-999999', b] })
  t.equal(status, 200)
  t.match(body, { renewed: [{ session: a }, { session: b }], gone: [closed, 's-999999'] })
  t.same(Object.keys((body['renewed'] as object[])[0] ?? {}).sort(), ['session', 'validForMs'])
  t.same((await post(app, '/v1/sessions/renew', { sessions: [] })).body, { renewed: [], gone: [] })
})

t.test('a thousand sessions fit into one renewal, one more does not', async (t) => {
  const ids = Array.from({ length: 1000 }, (_, i) => `s-${1_000_000 + i}${'x'.repeat(118)}`)
  const { status, body } = await post(app, '/v1/sessions/renew', { sessions: ids })
  t.equal(status, 200)
  t.same(body['gone'], ids)
  isProblem(t, await post(app, '/v1/sessions/renew', { sessions: [...ids, 's-1'] }), 'invalid_request', {
    field: 'sessions',
  })
})

t.test('a session shows what it holds and awaits', async (t) => {
  const session = await openSession(app, { name: 'w', metadata: { zone: 'a' }, ttlMs: 10_000 })
  const { token } = (await acquire(app, 'view-held', { session })).body
  await acquire(app, 'view-awaited')
  const { sequence } = (await acquire(app, 'view-awaited', { session, waitMs: 60_000, pollMs: 0, requestId: 'q' })).body
  const { status, body } = await get(app, `/v1/sessions/${session}`)
  t.equal(status, 200)
  const { expiresInMs, ...rest } = body
  t.same(rest, {
    session,
    name: 'w',
    ttlMs: 10_000,
    metadata: { zone: 'a' },
    holds: [{ lock: 'view-held', token, mode: 'exclusive' }],
    waits: [{ lock: 'view-awaited', sequence, position: 1, requestId: 'q' }],
  })
  t.ok(Number(expiresInMs) > 8000 && Number(expiresInMs) <= 11_000)
})

t.test('closing a session releases what it holds, and may be repeated', async (t) => {
  const session = await openSession(app)
  const token = tokenOf(await acquire(app, 'closing', { session }))
  const closed = await remove(app, `/v1/sessions/${session}`)
  t.equal(closed.status, 204)
  t.equal(closed.text, '')
  t.match(closed.headers['holdfast-index'], /^\d+$/)
  t.equal((await remove(app, `/v1/sessions/${session}`)).status, 204)
  t.equal((await remove(app, '/v1/sessions/s-999999')).status, 204)
  t.ok(tokenOf(await acquire(app, 'closing')) > token)
  isProblem(t, await post(app, '/v1/locks/closing/release', { token }), 'token_stale', { endedBy: 'session_closed' })
})

t.test('an ended session is 410 and an unknown one 404, whatever is asked of it', async (t) => {
  const ended = await openSession(app)
  await remove(app, `/v1/sessions/${ended}`)
  for (const [session, code] of [
    [ended, 'session_ended'],
    ['s-999999', 'session_unknown'],
    ['nonsense', 'session_unknown'],
  ] as const) {
    isProblem(t, await get(app, `/v1/sessions/${session}`), code, { session })
    isProblem(t, await post(app, `/v1/sessions/${session}/renew`), code, { session })
    isProblem(t, await acquire(app, 'of-nobody', { session }), code, { session })
  }
  t.same((await get(app, '/v1/locks/of-nobody')).body['holders'], [])
})

t.test('opening a session that has ended meanwhile says so', async (t) => {
  const requestId = 'reopen-0123456789'
  const session = await openSession(app, { requestId })
  await remove(app, `/v1/sessions/${session}`)
  isProblem(t, await post(app, '/v1/sessions', { requestId }), 'session_ended', { session })
})

t.test('a session ends by itself after its TTL', async (t) => {
  const session = await openSession(app, { ttlMs: 1000 })
  tokenOf(await acquire(app, 'expiring', { session }))
  tokenOf(await acquire(app, 'expiring', { waitMs: 10_000 }))
  isProblem(t, await get(app, `/v1/sessions/${session}`), 'session_ended')
})

t.test('sessions are listed in the order of their opening, page by page', async (t) => {
  const mine = [await openSession(app), await openSession(app), await openSession(app)]
  const seen: unknown[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body } = await get(app, `/v1/sessions?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    const { sessions } = body
    if (!Array.isArray(sessions)) throw new Error('a page has sessions')
    seen.push(...sessions.map(({ session }: { session: string }) => session))
    cursor = body.cursor ?? null
  }
  t.same(seen.slice(-3), mine)
  t.equal(new Set(seen).size, seen.length)
})

t.test('a limit of the replicated configuration is named when it is reached', async (t) => {
  let last = await post(app, '/v1/sessions')
  for (let i = 0; i < 60 && last.status === 201; i++) last = await post(app, '/v1/sessions')
  isProblem(t, last, 'quota_exceeded', { limit: 'sessions', max: 60 })
})
