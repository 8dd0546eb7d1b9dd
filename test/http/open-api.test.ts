import t from 'tap'
import { Value } from 'typebox/value'
import * as api from '../../src/http/api.ts'
import { errorCodes, errorRows } from '../../src/http/errors.ts'
import { asNodeId } from '../../src/ids.ts'
import { acquire, ask, get, openSession, post } from './calling.ts'
import { startOneMember } from './one-member.ts'

const member = await startOneMember()
const { app, node } = member
const incarnation = () => node.incarnationOf(asNodeId('n1'))
t.teardown(() => member[Symbol.asyncDispose]())

interface Operation {
  readonly summary: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[]
  readonly requestBody?: { readonly required: boolean }
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly headers?: object; readonly content?: Readonly<Record<string, unknown>> }
    >
  >
}

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

const document: Document = JSON.parse((await get(app, '/openapi.json')).text)
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
)

t.test('the document mentions every route of the API and no other', (t) => {
  t.equal(document.openapi, '3.1.0')
  t.same(operations.map(({ name }) => name).sort(), [
    'DELETE /v1/locks/{lock}/requests/{requestId}',
    'DELETE /v1/sessions/{session}',
    'GET /healthz',
    'GET /metrics',
    'GET /readyz',
    'GET /v1/backup',
    'GET /v1/cluster',
    'GET /v1/locks',
    'GET /v1/locks/{lock}',
    'GET /v1/locks/{lock}/requests/{requestId}',
    'GET /v1/sessions',
    'GET /v1/sessions/{session}',
    'POST /v1/cluster/members/{id}/replace',
    'POST /v1/cluster/transfer',
    'POST /v1/locks/{lock}/acquire',
    'POST /v1/locks/{lock}/check',
    'POST /v1/locks/{lock}/release',
    'POST /v1/locks/{lock}/renew',
    'POST /v1/sessions',
    'POST /v1/sessions/renew',
    'POST /v1/sessions/{session}/renew',
  ])
  t.end()
})

t.test('every code is documented, with its meaning, at a route that may answer with it', (t) => {
  const described = operations.flatMap(({ operation }) =>
    Object.entries(operation.responses).map(([status, { description }]) => ({ status: Number(status), description })),
  )
  for (const code of errorCodes) {
    const { status, meaning } = errorRows[code]
    // These come before any route.
    if (code === 'method_not_allowed') continue
    t.ok(
      described.some(
        (response) => response.status === status && response.description.includes(`\`${code}\`: ${meaning}`),
      ),
      code,
    )
  }
  const { Problem } = document.components.schemas
  t.match(Problem, { properties: { code: { enum: errorCodes } } })
  t.end()
})

t.test('every path parameter is declared, every reference leads somewhere, every answer is described', (t) => {
  for (const { name, path, operation } of operations) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => String(parameter))
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
    t.same(declared.map((parameter) => parameter.name).sort(), inPath.sort(), name)
    t.ok(
      declared.every(({ required }) => required === true),
      name,
    )
    t.ok(operation.summary.length > 0, name)
    t.ok(
      Object.keys(operation.responses).some((status) => status.startsWith('2')),
      name,
    )
    t.ok(
      Object.values(operation.responses).every(({ description }) => description !== ''),
      name,
    )
  }
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
    ([, schema]) => schema,
  )
  t.ok(references.length > 50)
  t.same([...new Set(references)], ['Problem'])
  t.end()
})

t.test('a body is required exactly where a field is', (t) => {
  const required = operations
    .filter(({ operation }) => operation.requestBody?.required === true)
    .map(({ path }) => path)
  t.same(required.sort(), [
    '/v1/cluster/members/{id}/replace',
    '/v1/locks/{lock}/check',
    '/v1/locks/{lock}/release',
    '/v1/locks/{lock}/renew',
    '/v1/sessions/renew',
  ])
  t.end()
})

t.test('what is answered is what is documented', async (t) => {
  const session = await openSession(app, { name: 'n', metadata: { a: 1 } })
  const granted = await acquire(app, 'a', { session })
  const waiting = await acquire(app, 'a', { session, requestId: 'w', waitMs: 1000, pollMs: 0 })
  const answers = [
    [api.Granted, granted],
    [api.StillWaiting, waiting],
    [api.Problem, await acquire(app, 'a')],
    [api.LockView, await get(app, '/v1/locks/a')],
    [api.LocksView, await get(app, '/v1/locks?consistency=stale')],
    [api.SessionView, await get(app, `/v1/sessions/${session}`)],
    [api.SessionsView, await get(app, '/v1/sessions?limit=1')],
    [api.RequestView, await get(app, `/v1/locks/a/requests/w?session=${session}`)],
    [api.Checked, await post(app, '/v1/locks/a/check', { token: granted.body.token })],
    [api.Released, await post(app, '/v1/locks/a/release', { token: granted.body.token })],
    [api.SessionOpened, await post(app, `/v1/sessions/${session}/renew`)],
    [api.SessionsRenewed, await post(app, '/v1/sessions/renew', { sessions: [session, 's-99'] })],
    [api.ClusterView, await get(app, '/v1/cluster')],
    [api.Transferred, await post(app, '/v1/cluster/transfer', { to: 'n1' })],
    [api.Replaced, await post(app, '/v1/cluster/members/n1/replace', { incarnation: incarnation() })],
    [api.RequestCancelled, await ask(app, { method: 'DELETE', url: `/v1/locks/a/requests/w?session=${session}` })],
    [api.Ready, await get(app, '/readyz')],
    [api.Healthy, await get(app, '/healthz')],
  ] as const
  for (const [schema, { text, body }] of answers) t.ok(Value.Check(schema, body), text)
})

t.test('the document can be read at /docs', async (t) => {
  const { status, text, headers } = await get(app, '/docs/')
  t.equal(status, 200)
  t.match(text, /swagger/)
  t.match(headers['holdfast-index'], /^\d+$/)
  t.equal((await get(app, '/docs/json')).body['openapi'], '3.1.0')
})

t.test('headers stand in the document, and only figures and backups are no JSON', (t) => {
  const answers = operations.flatMap(({ name, operation }) =>
    Object.entries(operation.responses).map(([status, response]) => ({ name: `${name} ${status}`, ...response })),
  )
  for (const { name, headers } of answers) {
    t.same(Object.keys(headers ?? {}).slice(0, 2), ['Holdfast-Index', 'Holdfast-Leader'], name)
  }
  const retried = answers.filter(({ headers }) => 'Retry-After' in (headers ?? {}))
  t.ok(retried.length > 0 && retried.every(({ name }) => name.endsWith(' 503')))
  const keyed = operations.filter(({ operation }) =>
    operation.parameters?.some((parameter) => parameter.name === 'Idempotency-Key' && parameter.in === 'header'),
  )
  t.same(keyed.map(({ name }) => name).sort(), ['POST /v1/locks/{lock}/acquire', 'POST /v1/sessions'])
  const text = answers.filter(({ content }) => 'text/plain' in (content ?? {}))
  t.same(
    text.map(({ name }) => name),
    ['GET /metrics 200'],
  )
  const bytes = answers.filter(({ content }) => 'application/octet-stream' in (content ?? {}))
  t.same(
    bytes.map(({ name }) => name),
    ['GET /v1/backup 200'],
  )
  t.end()
})
