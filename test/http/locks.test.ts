import t from 'tap'
import { acquire, ask, eventually, get, isProblem, lockPath, openSession, post, release, tokenOf } from './calling.ts'
import { asIndex } from '../../src/ids.ts'
import { serveReplica, startOneMember } from './one-member.ts'

const member = await startOneMember()
const { app } = member
t.teardown(() => member[Symbol.asyncDispose]())

/** Resolves when `count` requests wait for the lock. */
function queued(name: string, count: number) {
  return eventually(async () => ((await get(app, `/v1/locks/${name}`)).body['queueLength'] === count ? true : null))
}

t.test('a lock is taken and released with one call each, and tokens grow', async (t) => {
  const first = await acquire(app, 'a')
  t.equal(first.status, 200)
  t.match(first.body, { lock: 'a', session: null, mode: 'exclusive', ttlMs: 30_000, requestId: /^r-[0-9a-f-]{36}$/ })
  t.ok((first.body.validForMs ?? 0) > 29_000 && (first.body.validForMs ?? 0) < 30_000)
  t.same(Object.keys(first.body).sort(), [
    'lock',
    'mode',
    'requestId',
    'sequence',
    'session',
    'token',
    'ttlMs',
    'validForMs',
  ])
  const released = await release(app, 'a', { token: tokenOf(first) })
  t.equal(released.status, 200)
  t.same(released.body, { lock: 'a', token: first.body.token, released: true })
  const second = await acquire(app, 'a')
  t.ok(tokenOf(second) > tokenOf(first))
})

t.test('an answer says which log index it reflects, and where the leader is', async (t) => {
  const first = await acquire(app, 'index')
  const second = await release(app, 'index', { token: first.body.token })
  t.ok(Number(second.headers['holdfast-index']) > Number(first.headers['holdfast-index']))
  t.equal(second.headers['holdfast-leader'], 'http://127.0.0.1:7101')
})

t.test('a release repeated within a minute is the same release', async (t) => {
  const token = tokenOf(await acquire(app, 'twice'))
  const first = await release(app, 'twice', { token })
  const again = await release(app, 'twice', { token })
  t.equal(again.status, 200)
  t.same(again.body, first.body)
})

t.test('a token releases nothing but the lock it was given for, and only while it holds', async (t) => {
  const token = tokenOf(await acquire(app, 'mine'))
  isProblem(t, await release(app, 'other', { token }), 'token_stale', { token, endedBy: 'unknown' })
  isProblem(t, await release(app, 'mine', { token: token + 1000 }), 'token_stale', { endedBy: 'unknown' })
  t.equal((await release(app, 'mine', { token })).status, 200)
})

t.test('a release that names a session must name that of the grant', async (t) => {
  const session = await openSession(app)
  const token = tokenOf(await acquire(app, 'of-session', { session }))
  const other = await openSession(app)
  isProblem(t, await release(app, 'of-session', { token, session: other }), 'token_stale')
  t.equal((await release(app, 'of-session', { token, session })).status, 200)
})

t.test('a try at a held lock is refused at once and says who holds it', async (t) => {
  const holder = await acquire(app, 'held', { owner: 'worker-7', metadata: { host: 'a', pid: 1 } })
  const refused = await acquire(app, 'held', { requestId: 'r-0123456789abcdef' })
  isProblem(t, refused, 'lock_held', {
    requestId: 'r-0123456789abcdef',
    queueLength: 0,
    holders: [
      {
        session: null,
        owner: 'worker-7',
        mode: 'exclusive',
        token: holder.body.token,
        metadata: { host: 'a', pid: 1 },
      },
    ],
  })
  // A refusal is not remembered.
  await release(app, 'held', { token: holder.body.token })
  t.equal((await acquire(app, 'held', { requestId: 'r-0123456789abcdef' })).status, 200)
})

t.test('a waiting call is granted when the holder releases', async (t) => {
  const token = tokenOf(await acquire(app, 'queue'))
  const waiting = acquire(app, 'queue', { waitMs: 60_000 })
  await queued('queue', 1)
  await release(app, 'queue', { token })
  t.ok(tokenOf(await waiting) > token)
})

t.test('H17 a wait that is over is refused, and says with whom the lock is', async (t) => {
  const token = tokenOf(await acquire(app, 'too-long'))
  const refused = await acquire(app, 'too-long', { waitMs: 50 })
  isProblem(t, refused, 'wait_timeout', { holders: [{ token }], queueLength: 0 })
})

t.test('with a session a call answers 202 when its poll is over, and a repeat goes on in the same place', async (t) => {
  const token = tokenOf(await acquire(app, 'poll'))
  const session = await openSession(app)
  const body = { session, waitMs: 60_000, pollMs: 50, requestId: 'p1' }
  const waiting = await acquire(app, 'poll', body)
  t.equal(waiting.status, 202)
  t.match(waiting.body, { lock: 'poll', session, requestId: 'p1', position: 1, queueLength: 1 })
  t.same(Object.keys(waiting.body).sort(), ['lock', 'position', 'queueLength', 'requestId', 'sequence', 'session'])
  const again = acquire(app, 'poll', { ...body, pollMs: 60_000 })
  await release(app, 'poll', { token })
  const granted = await again
  t.equal(granted.body.sequence, waiting.body.sequence)
  t.ok(tokenOf(granted) > token)
})

t.test('a poll of 0 puts the request in line and answers at once', async (t) => {
  await acquire(app, 'no-poll')
  const session = await openSession(app)
  const placed = await acquire(app, 'no-poll', { session, waitMs: 60_000, pollMs: 0 })
  t.equal(placed.status, 202)
  t.equal(placed.body['position'], 1)
})

t.test('a repeated request finds its grant, and later that the grant has ended', async (t) => {
  const body = { requestId: 'again-0123456789' }
  const first = await acquire(app, 'repeat', body)
  const second = await acquire(app, 'repeat', body)
  t.equal(tokenOf(second), tokenOf(first))
  await release(app, 'repeat', { token: first.body.token })
  isProblem(t, await acquire(app, 'repeat', body), 'already_released', { token: first.body.token, endedBy: 'released' })
})

t.test('a request id with other content is refused, naming what differs', async (t) => {
  const requestId = 'content-0123456789'
  await acquire(app, 'content', { requestId })
  isProblem(t, await acquire(app, 'content', { requestId, ttlMs: 60_000 }), 'request_mismatch', { field: 'ttlMs' })
  isProblem(t, await acquire(app, 'content-2', { requestId }), 'request_mismatch', { field: 'lock' })
  // These may differ.
  t.equal((await acquire(app, 'content', { requestId, owner: 'x', metadata: {}, waitMs: 10 })).status, 200)
})

t.test('a grant without a session is renewed by its token, one with a session through the session', async (t) => {
  const alone = await acquire(app, 'renew', { ttlMs: 5000 })
  const renewed = await post(app, lockPath('renew', 'renew'), { token: alone.body.token, ttlMs: 60_000 })
  t.equal(renewed.status, 200)
  t.match(renewed.body, { lock: 'renew', token: alone.body.token, ttlMs: 60_000 })
  t.ok((renewed.body.validForMs ?? 0) > 59_000)
  t.equal((await post(app, lockPath('renew', 'renew'), { token: alone.body.token })).body['ttlMs'], 60_000)

  const session = await openSession(app)
  const held = await acquire(app, 'renew-2', { session })
  isProblem(t, await post(app, lockPath('renew-2', 'renew'), { token: held.body.token }), 'held_by_session', {
    session,
  })
  isProblem(t, await post(app, lockPath('renew', 'renew'), { token: 999_999 }), 'token_stale')
})

t.test('a grant ends with its TTL, and the next in line gets the lock', async (t) => {
  const first = await acquire(app, 'short', { ttlMs: 1000 })
  const next = await acquire(app, 'short', { waitMs: 10_000 })
  t.ok(tokenOf(next) > tokenOf(first))
  isProblem(t, await release(app, 'short', { token: first.body.token }), 'token_stale', { endedBy: 'expired' })
})

t.test("check says whether a token is a holder's", async (t) => {
  const { token } = (await acquire(app, 'check')).body
  const valid = await post(app, lockPath('check', 'check'), { token })
  t.match(valid.body, { valid: true, holders: [{ token }] })
  await release(app, 'check', { token })
  const stale = await post(app, lockPath('check', 'check'), { token })
  t.same(stale.body, { valid: false, holders: [] })
})

t.test('a lock shows its holder and its queue; one that nobody holds looks free', async (t) => {
  t.same((await get(app, '/v1/locks/nobody')).body, { lock: 'nobody', holders: [], queueLength: 0, queue: [] })
  const session = await openSession(app, { name: 'importer' })
  const held = await acquire(app, 'shown', { session, metadata: { a: [1, null, { b: 'c' }] } })
  const waiter = await openSession(app, { name: 'second' })
  await acquire(app, 'shown', { session: waiter, waitMs: 60_000, pollMs: 0, requestId: 'w' })
  const { status, body } = await get(app, '/v1/locks/shown')
  t.equal(status, 200)
  t.match(body, {
    lock: 'shown',
    holders: [{ session, owner: 'importer', token: held.body.token, metadata: { a: [1, null, { b: 'c' }] } }],
    queueLength: 1,
    queue: [{ position: 1, session: waiter, requestId: 'w', owner: 'second', mode: 'exclusive' }],
  })
})

t.test('locks are listed in byte order, page by page, by prefix', async (t) => {
  const names = ['list/b', 'list/a', 'list/é', 'list/😀', 'list/\uffee', 'list/a/1']
  for (const name of names) await acquire(app, name)
  const seen: unknown[] = []
  let query = '?prefix=list%2F&limit=2'
  for (let pages = 0; ; pages++) {
    const { body } = await get(app, `/v1/locks${query}`)
    const { locks, cursor } = body
    if (!Array.isArray(locks)) throw new Error('a page has locks')
    t.ok(locks.length <= 2)
    seen.push(...locks.map(({ lock }: { lock: string }) => lock))
    if (cursor === null || cursor === undefined) {
      t.equal(pages, 2)
      break
    }
    query = `?prefix=list%2F&limit=2&cursor=${cursor}`
  }
  // U+1F600 is above U+FFEE in bytes, and below it in UTF-16.
  t.same(seen, ['list/a', 'list/a/1', 'list/b', 'list/é', 'list/\uffee', 'list/😀'])
})

t.test('a stale read answers from this node and says how far it had applied', async (t) => {
  const { token } = (await acquire(app, 'stale')).body
  for (const url of ['/v1/locks/stale', '/v1/locks?prefix=stale', '/v1/sessions']) {
    const { status, body, headers } = await get(app, `${url}${url.includes('?') ? '&' : '?'}consistency=stale`)
    t.equal(status, 200)
    t.equal(body['appliedIndex'], Number(headers['holdfast-index']))
    t.ok(Number(body['appliedIndex']) > 0)
  }
  const fresh = await get(app, '/v1/locks/stale?consistency=linearizable')
  t.match(fresh.body, { holders: [{ token }] })
  t.notOk('appliedIndex' in fresh.body)
})

t.test('a read says how far the lock table has applied, not how far the core has handed entries out', async (t) => {
  // The core of a founded member has handed out more than this one entry.
  const behind = await serveReplica({ appliedIndex: asIndex(1) })
  t.teardown(() => behind.close())
  const { body, headers } = await get(behind, '/v1/locks/stale?consistency=stale')
  t.equal(body['appliedIndex'], 1)
  t.equal(headers['holdfast-index'], '1')
})

t.test('the request id may come in the header, with or without quotes', async (t) => {
  const url = lockPath('header', 'acquire')
  const bare = { 'idempotency-key': 'header-0123456789' }
  const first = await ask(app, { method: 'POST', url, body: {}, headers: bare })
  t.equal(first.body.requestId, 'header-0123456789')
  const quoted = await ask(app, {
    method: 'POST',
    url,
    body: {},
    headers: { 'idempotency-key': '"header-0123456789"' },
  })
  t.equal(tokenOf(quoted), tokenOf(first))
  const both = await ask(app, { method: 'POST', url, body: { requestId: 'header-0123456789' }, headers: bare })
  t.equal(tokenOf(both), tokenOf(first))
  const differ = await ask(app, { method: 'POST', url, body: { requestId: 'another-0123456789' }, headers: bare })
  isProblem(t, differ, 'invalid_request', { field: 'Idempotency-Key' })
})

t.test('H22 without a session a request id is long enough to be random', async (t) => {
  isProblem(t, await acquire(app, 'nightly', { requestId: 'nightly' }), 'invalid_request', { field: 'requestId' })
  const url = lockPath('nightly', 'acquire')
  const short = await ask(app, { method: 'POST', url, headers: { 'idempotency-key': 'nightly' } })
  isProblem(t, short, 'invalid_request', { field: 'Idempotency-Key' })
  const session = await openSession(app)
  t.equal((await acquire(app, 'nightly', { session, requestId: 'nightly' })).status, 200)
})
