// Both what a careless client may send and what no client would: whatever it is, the answer is a documented one.
import fc from 'fast-check'
import t from 'tap'
import { errorRows } from '../../src/http/errors.ts'
import { ask, get, openSession } from './calling.ts'
import type { Answer, Asked } from './calling.ts'
import { startOneMember } from './one-member.ts'
import { connectTo } from './raw-connection.ts'

const member = await startOneMember()
const { app } = member
t.teardown(() => member[Symbol.asyncDispose]())

const knownCodes: ReadonlyMap<string, number> = new Map(
  Object.entries(errorRows).map(([code, { status }]) => [code, status]),
)

/** Throws unless the answer is one that is documented, and no bug. */
function check({ status, body, text, headers }: Answer, { method }: Pick<Asked, 'method'>): void {
  const say = `${status} ${text}`
  if (!/^\d+$/.test(String(headers['holdfast-index']))) throw new Error(`no Holdfast-Index: ${say}`)
  if (status < 400) return
  if (headers['content-type'] !== 'application/problem+json; charset=utf-8') throw new Error(`no problem: ${say}`)
  if (method === 'HEAD') return
  if (body['status'] !== status || knownCodes.get(body.code ?? '') !== status) throw new Error(`not documented: ${say}`)
  if (body.code === 'internal') throw new Error(`a bug: ${say}`)
}

const odd = fc.constantFrom<unknown>(
  0,
  -1,
  0.5,
  2 ** 53,
  -(2 ** 53),
  1e308,
  '',
  '0',
  'NaN',
  null,
  true,
  [],
  {},
  '\ud800',
  'x'.repeat(600),
)
const orOdd = <Value>(value: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 30, arbitrary: value }, { weight: 1, arbitrary: odd })
const oddName = fc.oneof(
  fc.constantFrom('.', '..', '', '%', ' ', '\u0000', '?x', '#'),
  fc.string({ unit: 'binary', maxLength: 20 }),
)
const name = fc.oneof({ weight: 6, arbitrary: fc.constantFrom('a', 'b', 'a/b') }, { weight: 1, arbitrary: oddName })
const kept = [await openSession(app), await openSession(app)]
const ending = await openSession(app)
const session = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...kept, ending) },
  { weight: 1, arbitrary: fc.constantFrom('s-999', 'x', 'a b', 's-0') },
)
const requestId = fc.oneof(
  { weight: 8, arbitrary: fc.nat(20).map((n) => `r-0123456789abcdef-${n}`) },
  { weight: 1, arbitrary: fc.oneof(fc.constant('short'), fc.string({ maxLength: 140 })) },
)
const token = fc.integer({ min: 1, max: 60 })
const ttlMs = fc.constantFrom(1000, 30_000, 86_400_000)
const metadata = fc.dictionary(fc.string(), fc.jsonValue())
const label = fc.string({ maxLength: 260 })
// What may be waited for is short here; what may not is refused.
const waitMs = fc.constantFrom(0, 0, 1, 20)
const some = <Fields extends object>(
  fields: { [Key in keyof Fields]: fc.Arbitrary<Fields[Key]> },
  requiredKeys: (keyof Fields)[] = [],
) => fc.record<Fields, keyof Fields>(fields, { requiredKeys })
const acquireBody = fc.oneof(
  some({
    ttlMs: orOdd(ttlMs),
    waitMs: orOdd(waitMs),
    requestId: orOdd(requestId),
    owner: orOdd(label),
    metadata: orOdd(metadata),
  }),
  some({ session: orOdd(session), waitMs: orOdd(waitMs), pollMs: orOdd(waitMs), requestId: orOdd(requestId) }, [
    'session',
  ]),
)
const oddBody = fc.oneof(
  fc.json(),
  fc.string({ maxLength: 50 }),
  fc.uint8Array({ maxLength: 50 }),
  fc.constant(undefined),
  fc.dictionary(fc.string(), fc.anything()),
)
const orOddBody = (body: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 12, arbitrary: body }, { weight: 1, arbitrary: oddBody })

interface Call {
  readonly method: Asked['method']
  readonly path: string
  readonly body: unknown
}
const call = (
  method: Asked['method'],
  path: fc.Arbitrary<string>,
  body: fc.Arbitrary<unknown> = fc.constant(undefined),
): fc.Arbitrary<Call> =>
  fc.record({ method: fc.constant(method), path, body: method === 'GET' ? body : orOddBody(body) })
const ofLock = (rest: string) => name.map((lock) => `/v1/locks/${encoded(lock)}${rest}`)
const ofSession = (rest: string) => session.map((id) => `/v1/sessions/${encoded(id)}${rest}`)
const ofRequest = fc.tuple(name, requestId).map(([lock, id]) => `/v1/locks/${encoded(lock)}/requests/${encoded(id)}`)
const at = (...paths: string[]) => fc.constantFrom(...paths)
const known = fc.oneof(
  { weight: 8, arbitrary: call('POST', ofLock('/acquire'), acquireBody) },
  {
    weight: 4,
    arbitrary: call('POST', ofLock('/release'), some({ token: orOdd(token), session: orOdd(session) }, ['token'])),
  },
  {
    weight: 2,
    arbitrary: call('POST', ofLock('/renew'), some({ token: orOdd(token), ttlMs: orOdd(ttlMs) }, ['token'])),
  },
  { weight: 1, arbitrary: call('POST', ofLock('/check'), some({ token: orOdd(token) })) },
  {
    weight: 2,
    arbitrary: call(
      'POST',
      at('/v1/sessions'),
      some({ ttlMs: orOdd(ttlMs), name: orOdd(label), metadata: orOdd(metadata), requestId: orOdd(requestId) }),
    ),
  },
  { weight: 2, arbitrary: call('POST', ofSession('/renew'), some({ ttlMs: orOdd(ttlMs) })) },
  {
    weight: 1,
    arbitrary: call(
      'POST',
      at('/v1/sessions/renew'),
      some({ sessions: orOdd(fc.array(orOdd(session), { maxLength: 5 })) }, ['sessions']),
    ),
  },
  // Without a target it would wait for seconds for somebody to take over.
  {
    weight: 1,
    arbitrary: fc.record({
      method: fc.constant('POST' as const),
      path: at('/v1/cluster/transfer'),
      body: fc.record({ to: orOdd(fc.constantFrom('n1', 'n9')) }),
    }),
  },
  { weight: 1, arbitrary: call('DELETE', at(`/v1/sessions/${ending}`, '/v1/sessions/s-999')) },
  { weight: 1, arbitrary: call('DELETE', ofRequest) },
  { weight: 1, arbitrary: call('GET', ofRequest) },
  { weight: 1, arbitrary: call('GET', ofSession('')) },
  { weight: 1, arbitrary: call('GET', ofLock('')) },
  {
    weight: 2,
    arbitrary: call(
      'GET',
      at('/v1/sessions', '/v1/locks', '/v1/cluster', '/healthz', '/readyz', '/metrics', '/openapi.json'),
    ),
  },
)
const otherMethods = fc.constantFrom<Asked['method']>('PUT', 'PATCH', 'HEAD', 'OPTIONS', 'DELETE', 'GET')
const asked = fc.oneof(
  { weight: 12, arbitrary: known },
  { weight: 1, arbitrary: fc.tuple(known, otherMethods).map(([known, method]) => ({ ...known, method })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(known, fc.string({ maxLength: 40 }))
      .map(([known, text]) => ({ ...known, path: `/${encoded(text)}` })),
  },
)
const query = fc.oneof(
  { weight: 20, arbitrary: fc.constant('') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '?consistency=stale',
      '?limit=1',
      '?limit=x',
      '?cursor=bDph',
      '?prefix=a',
      '?session=s-1',
      '?=',
      '?&&',
      '?__proto__=1',
    ),
  },
  { weight: 1, arbitrary: fc.webQueryParameters().map((text) => `?${text}`) },
)
const oddHeaders = fc.record(
  {
    'content-type': fc.constantFrom(
      'text/plain',
      'application/json; charset=latin1',
      ';',
      'multipart/form-data; boundary=x',
    ),
    'idempotency-key': fc.oneof(
      requestId.filter((text) => /^[\x20-\x7e]*$/.test(text)),
      fc.constant('"r-0123456789abcdef"'),
    ),
    accept: fc.constantFrom('text/html', '*/*'),
    'accept-version': fc.constant('2.0'),
    'x-http-method-override': fc.constant('DELETE'),
  },
  { requiredKeys: [] },
)
const headers = fc.oneof({ weight: 6, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: oddHeaders })

/** Text with half a character in it has no encoding; what some clients send instead is not UTF-8. */
function encoded(text: string): string {
  return /\p{Cs}/u.test(text) ? '%ED%A0%80' : encodeURIComponent(text)
}

t.test('whatever is asked, the answer is a documented one', async (t) => {
  const seen = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(asked, query, headers), { minLength: 10, maxLength: 40, size: 'max' }),
      async (calls) => {
        const answering = calls.map(async ([{ method, path, body }, query, headers]) => {
          const request = { method, url: path + query, body, headers }
          const answer = await ask(app, request)
          check(answer, request)
          seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
        })
        await Promise.all(answering)
      },
    ),
    { numRuns: 120 },
  )
  // A fuzz that is refused at the first gate finds nothing.
  t.comment(JSON.stringify(Object.fromEntries(seen)))
  for (const status of [200, 201, 202, 204, 400, 404, 405, 409, 410, 412, 415, 422, 423])
    t.ok((seen.get(status) ?? 0) > 0, `${status} was among the answers`)
  t.equal((await get(app, '/readyz')).status, 200)
})

t.test('whatever bytes come, the answer is a documented one or the connection is closed', async (t) => {
  const send = await connectTo(app, 100)
  const valid = Buffer.from(
    'POST /v1/locks/a/acquire HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
  )
  const damaged = fc
    .array(fc.record({ at: fc.nat(valid.length - 1), byte: fc.nat(255), cut: fc.constantFrom(0, 0, 0, 1, 5) }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((edits) =>
      edits.reduce(
        (bytes, { at, byte, cut }) =>
          Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at + cut)]),
        valid,
      ),
    )
  const bytes = fc.oneof(
    { weight: 3, arbitrary: damaged },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array)) },
  )
  let answered = 0
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const answer = await send(Buffer.concat([sent, Buffer.from('\r\n\r\n\r\n')]))
      // What is not complete waits for the rest.
      if (Number.isNaN(answer.status)) return
      answered++
      check(answer, { method: sent.toString('latin1').startsWith('HEAD') ? 'HEAD' : 'POST' })
    }),
    { numRuns: 300 },
  )
  t.ok(answered > 100, `${answered} were answered`)
  t.equal((await get(app, '/readyz')).status, 200)
})

t.test('heads that are not ours to route are answered, too', async (t) => {
  const send = await connectTo(app)
  const end = 'connection: close\r\n\r\n'
  const cases: readonly (readonly [status: number, text: string])[] = [
    [400, `FOO / HTTP/1.1\r\nhost: x\r\n${end}`],
    [400, `GET /v1/locks/\u00e9 HTTP/1.1\r\nhost: x\r\n${end}`],
    [400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    [413, `GET /v1/locks/a HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n${end}`],
    [404, `OPTIONS * HTTP/1.1\r\nhost: x\r\n${end}`],
    [405, `PROPFIND /v1/locks HTTP/1.1\r\nhost: x\r\n${end}`],
    [200, `GET /v1/locks/a HTTP/1.1\r\n${end}`],
    [200, 'GET /v1/locks/a HTTP/1.0\r\n\r\n'],
    [200, `POST /v1/locks/expecting/acquire HTTP/1.1\r\nhost: x\r\nexpect: a-miracle\r\n${end}`],
    [200, `GET /v1/locks/a HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade\r\nupgrade: websocket\r\n\r\n`],
  ]
  for (const [status, text] of cases) {
    const answer = await send(Buffer.from(text))
    t.equal(answer.status, status, text.slice(0, 40))
    check(answer, { method: 'GET' })
  }
})
