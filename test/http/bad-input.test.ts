import t from 'tap'
import type { Test } from 'tap'
import type { ErrorCode } from '../../src/http/errors.ts'
import { acquire, ask, get, isProblem, lockPath, openSession, post, remove } from './calling.ts'
import type { Asked } from './calling.ts'
import { startOneMember } from './one-member.ts'

const member = await startOneMember()
const { app } = member
t.teardown(() => member[Symbol.asyncDispose]())
const session = await openSession(app)

/** What was refused left nothing behind. */
async function nothingHappened(t: Test): Promise<void> {
  t.same((await get(app, '/v1/locks?prefix=bad')).body['locks'], [])
}

const tooLate = 2 ** 53
const bodies: readonly (readonly [what: string, field: string, body: unknown])[] = [
  ['an unknown field', 'ttl', { ttl: 30_000 }],
  ['an unknown field that is also a property of objects', '__proto__', '{"__proto__": {"ttlMs": 1}}'],
  ['a field of a later version', 'permits', { permits: 3 }],
  ['a mode of a later version', 'mode', { mode: 'shared' }],
  ['a number as text', 'waitMs', { waitMs: '5' }],
  ['NaN as text', 'ttlMs', { ttlMs: 'NaN' }],
  ['null for a number', 'waitMs', { waitMs: null }],
  ['a fraction', 'waitMs', { waitMs: 0.5 }],
  ['a negative wait', 'waitMs', { waitMs: -1 }],
  ['a number that is infinite', 'waitMs', '{"waitMs": 1e400}'],
  ['a wait of 2^53', 'waitMs', { session, waitMs: tooLate }],
  ['a wait above a day', 'waitMs', { session, waitMs: 86_400_001 }],
  ['a long wait without a session', 'waitMs', { waitMs: 240_001 }],
  ['a TTL of 0', 'ttlMs', { ttlMs: 0 }],
  ['a TTL below a second', 'ttlMs', { ttlMs: 999 }],
  ['a TTL above a day', 'ttlMs', { ttlMs: 86_400_001 }],
  ['a TTL with a session', 'ttlMs', { session, ttlMs: 30_000 }],
  ['a poll without a session', 'pollMs', { pollMs: 1000 }],
  ['a long poll', 'pollMs', { session, pollMs: 240_001 }],
  ['a negative poll', 'pollMs', { session, pollMs: -1 }],
  ['a session id with a slash', 'session', { session: 's/1' }],
  ['an empty session id', 'session', { session: '' }],
  ['a long session id', 'session', { session: 's'.repeat(129) }],
  ['a request id with a space', 'requestId', { session, requestId: 'a b' }],
  ['a long request id', 'requestId', { session, requestId: 'r'.repeat(129) }],
  ['a long owner', 'owner', { owner: 'o'.repeat(257) }],
  ['an owner with half a character', 'owner', '{"owner": "\\ud800"}'],
  ['metadata that is no object', 'metadata', { metadata: 'x' }],
  ['metadata that is a list', 'metadata', { metadata: [1] }],
  ['metadata above 4 KiB', 'metadata', { metadata: { a: 'é'.repeat(2048) } }],
  ['metadata with a number that is infinite', 'metadata', '{"metadata": {"a": [1e400]}}'],
  ['metadata nested very deep', 'metadata', `{"metadata": ${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`],
  ['a body that is a list', 'body', []],
  ['a body that is null', 'body', 'null'],
  ['a body that is a number', 'body', '1'],
  ['malformed JSON', 'body', '{"waitMs": }'],
  ['JSON that is cut off', 'body', '{"waitMs": 1'],
  ['bytes that are not UTF-8', 'body', Buffer.from('{"owner": "\xff"}', 'latin1')],
]

t.test('every body that makes no sense is refused, naming the field', async (t) => {
  for (const [what, field, body] of bodies) {
    t.comment(what)
    isProblem(t, await acquire(app, 'bad', body), 'invalid_request', { field })
  }
  await nothingHappened(t)
})

t.test('the limits themselves are allowed', async (t) => {
  for (const [i, body] of [
    { ttlMs: 1000 },
    { ttlMs: 86_400_000, waitMs: 240_000 },
    { session, waitMs: 86_400_000, pollMs: 240_000 },
    { owner: '😀'.repeat(256) },
    { metadata: { a: 'x'.repeat(4096 - 8) } },
    { session, requestId: 'r'.repeat(128) },
    { mode: 'exclusive' },
    undefined,
  ].entries()) {
    const { status, text } = await acquire(app, `limit-${i}`, body)
    t.equal(status, 200, text)
  }
})

t.test('what is shown to others comes out as it went in', async (t) => {
  const metadata = {
    __proto__x: 1,
    'é😀': ['\u0000', -0.5, 1e21, true, null, {}],
    'half \ud800': 2,
    toJSON: 'x',
    constructor: { name: 3 },
  }
  const text = JSON.stringify({ owner: '😀'.repeat(256), metadata }).replace('__proto__x', '__proto__')
  await acquire(app, 'shown-as-is', text)
  const shown = (await get(app, '/v1/locks/shown-as-is')).text
  t.ok(shown.includes(JSON.stringify(metadata).replace('__proto__x', '__proto__')), shown)
  t.ok(shown.includes(`"owner":"${'😀'.repeat(256)}"`))
})

const others: readonly (readonly [what: string, code: ErrorCode, field: string | undefined, asked: Asked])[] = [
  [
    'a release without a token',
    'invalid_request',
    'token',
    { method: 'POST', url: lockPath('bad', 'release'), body: {} },
  ],
  ['a release without a body', 'invalid_request', 'body', { method: 'POST', url: lockPath('bad', 'release') }],
  ['token 0', 'invalid_request', 'token', { method: 'POST', url: lockPath('bad', 'release'), body: { token: 0 } }],
  [
    'token 2^53',
    'invalid_request',
    'token',
    { method: 'POST', url: lockPath('bad', 'release'), body: { token: tooLate } },
  ],
  [
    'a token as text',
    'invalid_request',
    'token',
    { method: 'POST', url: lockPath('bad', 'check'), body: { token: '1' } },
  ],
  [
    'a renewal of too short a TTL',
    'invalid_request',
    'ttlMs',
    { method: 'POST', url: lockPath('bad', 'renew'), body: { token: 1, ttlMs: 5 } },
  ],
  [
    'a session with too long a name',
    'invalid_request',
    'name',
    { method: 'POST', url: '/v1/sessions', body: { name: 'x'.repeat(257) } },
  ],
  ['a session of no TTL', 'invalid_request', 'ttlMs', { method: 'POST', url: '/v1/sessions', body: { ttlMs: 0 } }],
  [
    'a list with a bad id',
    'invalid_request',
    'sessions.1',
    { method: 'POST', url: '/v1/sessions/renew', body: { sessions: ['s-1', 'a b'] } },
  ],
  [
    'an unknown query parameter',
    'invalid_request',
    'x',
    { method: 'POST', url: `${lockPath('bad', 'acquire')}?x=1`, body: {} },
  ],
  [
    'a body field in the query',
    'invalid_request',
    'waitMs',
    { method: 'POST', url: `${lockPath('bad', 'acquire')}?waitMs=1` },
  ],
  [
    'an unknown consistency',
    'invalid_request',
    'consistency',
    { method: 'GET', url: '/v1/locks/bad?consistency=eventual' },
  ],
  [
    'a check that is stale',
    'invalid_request',
    'consistency',
    { method: 'POST', url: `${lockPath('bad', 'check')}?consistency=stale`, body: { token: 1 } },
  ],
  ['a limit of 0', 'invalid_request', 'limit', { method: 'GET', url: '/v1/locks?limit=0' }],
  ['a limit above the highest', 'invalid_request', 'limit', { method: 'GET', url: '/v1/locks?limit=1001' }],
  ['a limit in another notation', 'invalid_request', 'limit', { method: 'GET', url: '/v1/sessions?limit=1e2' }],
  ['a limit given twice', 'invalid_request', 'limit', { method: 'GET', url: '/v1/sessions?limit=1&limit=2' }],
  ['a cursor that nobody gave', 'invalid_request', 'cursor', { method: 'GET', url: '/v1/locks?cursor=bogus' }],
  [
    'a cursor of another list',
    'invalid_request',
    'cursor',
    { method: 'GET', url: `/v1/locks?cursor=${Buffer.from('s:7').toString('base64url')}` },
  ],
  [
    'a cursor with a name that is none',
    'invalid_request',
    'cursor',
    { method: 'GET', url: `/v1/locks?cursor=${Buffer.from('l:a\n').toString('base64url')}` },
  ],
  [
    'a cursor with a number that is none',
    'invalid_request',
    'cursor',
    { method: 'GET', url: `/v1/sessions?cursor=${Buffer.from('s:99999999999999999').toString('base64url')}` },
  ],
  ['a prefix with control characters', 'invalid_request', 'prefix', { method: 'GET', url: '/v1/locks?prefix=%00' }],
  ['a prefix that is not UTF-8', 'invalid_request', 'query', { method: 'GET', url: '/v1/locks?prefix=%C3%28' }],
  [
    'a DELETE with a body',
    'invalid_request',
    'force',
    { method: 'DELETE', url: `/v1/sessions/${session}`, body: { force: true } },
  ],
  [
    'a request id that is none in a path',
    'invalid_request',
    'requestId',
    { method: 'GET', url: '/v1/locks/bad/requests/a%20b' },
  ],
  [
    'a member id that is none',
    'invalid_request',
    'to',
    { method: 'POST', url: '/v1/cluster/transfer', body: { to: 'a b' } },
  ],
  ['a path that does not exist', 'not_found', undefined, { method: 'GET', url: '/v2/locks' }],
  ['a path with one slash too many', 'not_found', undefined, { method: 'GET', url: '/v1/locks/bad/' }],
  [
    'a lock of a name with a bare slash',
    'not_found',
    undefined,
    { method: 'POST', url: '/v1/locks/bad/name/acquire', body: {} },
  ],
]

t.test('everything else that makes no sense is refused, naming the field', async (t) => {
  for (const [what, code, field, asked] of others) {
    t.comment(what)
    isProblem(t, await ask(app, asked), code, field === undefined ? {} : { field })
  }
  await nothingHappened(t)
})

t.test('a field name as long as a body is not sent back whole', async (t) => {
  const { body } = await acquire(app, 'bad', { ['x'.repeat(50_000)]: 1 })
  t.ok((body.field ?? '').length < 110)
  t.ok((body.detail ?? '').length < 200)
})

t.test('a body over the limit is 413, a renewal of many sessions may be larger', async (t) => {
  isProblem(t, await acquire(app, 'bad', { owner: 'x'.repeat(64 * 1024) }), 'too_large')
  isProblem(t, await post(app, '/v1/sessions', { name: 'x'.repeat(64 * 1024) }), 'too_large')
  const padded = `{"sessions": []${' '.repeat(200 * 1024)}}`
  t.equal((await post(app, '/v1/sessions/renew', padded)).status, 200)
  isProblem(t, await post(app, '/v1/sessions/renew', `{"sessions": []${' '.repeat(256 * 1024)}}`), 'too_large')
})

t.test('a body that is not JSON is 415 with the way out', async (t) => {
  for (const type of [
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/json-patch+json',
    '*/*',
    'nonsense',
  ]) {
    const answer = await ask(app, {
      method: 'POST',
      url: lockPath('bad', 'acquire'),
      body: '{}',
      headers: { 'content-type': type },
    })
    isProblem(t, answer, 'unsupported_media_type', { detail: /curl --json/ })
  }
  const charset = { 'content-type': 'application/json; charset=utf-8' }
  t.equal(
    (await ask(app, { method: 'POST', url: lockPath('good', 'acquire'), body: '{}', headers: charset })).status,
    200,
  )
})

t.test('a method that a path does not have is 405 with those that it has', async (t) => {
  const cases = [
    ['GET', lockPath('bad', 'acquire'), 'POST'],
    ['DELETE', '/v1/locks/bad', 'GET, HEAD'],
    ['PUT', '/v1/sessions', 'GET, HEAD, POST'],
    ['PATCH', `/v1/sessions/${session}`, 'DELETE, GET, HEAD'],
    ['OPTIONS', '/v1/cluster', 'GET, HEAD'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
  ] as const
  for (const [method, url, allow] of cases) {
    // Whatever comes with it.
    const answer = await ask(app, { method, url, body: 'x', headers: { 'content-type': 'text/plain' } })
    isProblem(t, answer, 'method_not_allowed', { allow: allow.split(', ') })
    t.equal(answer.headers['allow'], allow)
  }
})

t.test('HEAD is GET without the body', async (t) => {
  const { status, text, headers } = await ask(app, { method: 'HEAD', url: '/v1/locks/free' })
  t.equal(status, 200)
  t.equal(text, '')
  t.match(headers['content-length'], /^\d+$/)
})

t.test('an Idempotency-Key that is no request id is refused', async (t) => {
  for (const key of ['', '""', '"a', 'a b c d e f g h i', 'ä'.repeat(16), 'x'.repeat(129), '"0123456789abcdef"; p=1']) {
    const asked = {
      method: 'POST',
      url: lockPath('bad', 'acquire'),
      body: {},
      headers: { 'idempotency-key': key },
    } as const
    isProblem(t, await ask(app, asked), 'invalid_request', { field: 'Idempotency-Key' })
  }
})

t.test('refused calls end nothing either', async (t) => {
  await remove(app, `/v1/sessions/${session}?now=1`)
  t.equal((await get(app, `/v1/sessions/${session}`)).status, 200)
})
