// Both doors in front of real frameworks, by the same rules; then what is particular to each.
import t from 'tap'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { RequestListener } from 'node:http'
import express from 'express'
import type { Request } from 'express'
import fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import { expressFencing, fastifyFencing, fencingOf, memoryTokens } from '../../src/guard/index.ts'
import type { HighestTokens, RequestWithHeaders } from '../../src/guard/index.ts'

interface Answer {
  readonly status: number
  readonly type: string | undefined
  readonly body: unknown
}

type Ask = (call: { method?: string; path: string; token?: string | string[] }) => Promise<Answer>

interface Served {
  readonly ask: Ask
  readonly close: () => Promise<void>
}

/** Resources are named by the path; `/free` is not guarded, and `/broken` cannot be named. */
function resourceOf({ url }: RequestWithHeaders & { readonly url?: string }): string | null {
  if (url === '/broken') throw new Error('no name')
  return url === '/free' ? null : `row ${url ?? ''}`
}

async function serveFastify(tokens: HighestTokens): Promise<Served> {
  const app = fastify()
  await app.register(fastifyFencing({ tokens, resource: resourceOf }))
  app.post('/free', () => ({ unguarded: true }))
  app.post('/*', async (request) => {
    const { resource, token } = fencingOf(request)
    return { resource, token }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  return { ask: askAt(address), close: () => app.close() }
}

async function serveExpress(tokens: HighestTokens): Promise<Served> {
  const app = express()
  // Express prints errors otherwise.
  app.set('env', 'test')
  app.use(expressFencing({ tokens, resource: resourceOf }))
  app.post('/free', (_, response) => void response.json({ unguarded: true }))
  app.use((request, response) => {
    const { resource, token } = fencingOf(request)
    response.json({ resource, token })
  })
  return listen(app)
}

async function listen(listener: RequestListener): Promise<Served> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    ask: askAt(server.address()),
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function askAt(address: unknown): Ask {
  const port = typeof address === 'object' && address !== null && 'port' in address ? Number(address.port) : 0
  return async ({ method = 'POST', path, token }) => {
    const headers = token === undefined ? {} : { 'Fencing-Token': token }
    const asked = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }).end()
    const [response] = await once(asked, 'response')
    let text = ''
    for await (const chunk of response) text += String(chunk)
    const isJson = String(response.headers['content-type']).includes('json')
    return {
      status: response.statusCode,
      type: response.headers['content-type'],
      body: isJson ? JSON.parse(text) : text,
    }
  }
}

const doors = { fastify: serveFastify, express: serveExpress }
for (const [name, serve] of Object.entries(doors)) {
  t.test(`${name}: stale tokens are refused by resource, with a problem that says so`, async (t) => {
    const { ask, close } = await serve(memoryTokens())
    t.teardown(close)
    t.match(await ask({ path: '/a', token: '34' }), { status: 200, body: { resource: 'row /a', token: 34 } })
    t.match(await ask({ path: '/a', token: '34' }), { status: 200 })
    const stale = await ask({ path: '/a', token: '33' })
    t.equal(stale.type, 'application/problem+json; charset=utf-8')
    t.match(stale, {
      status: 412,
      body: { type: 'urn:holdfast:error:token_stale', status: 412, code: 'token_stale', token: 33, highest: 34 },
    })
    t.match(await ask({ path: '/b', token: '33' }), { status: 200 })
  })

  t.test(`${name}: without a token 428, with none that can be one 400, and neither is remembered`, async (t) => {
    const { ask, close } = await serve(memoryTokens())
    t.teardown(close)
    t.match(await ask({ path: '/a' }), { status: 428, body: { code: 'token_required' } })
    const malformed = ['', '0', '-1', '+1', '01', '1.0', '1e3', '0x10', '"7"', '9007199254740992', '99999999999999999']
    for (const token of [...malformed, 'seven', '7, 8', ['7', '8'], '7 8', '７']) {
      const sent = typeof token === 'string' ? Buffer.from(token).toString('latin1') : token
      t.match(await ask({ path: '/a', token: sent }), { status: 400, body: { code: 'invalid_token' } }, String(token))
    }
    t.match(await ask({ path: '/a', token: '1' }), { status: 200 })
    t.match(await ask({ path: '/a', token: '9007199254740991' }), { status: 200 })
    t.match(await ask({ path: '/a', token: '9007199254740990' }), { status: 412 })
  })

  t.test(`${name}: what has no resource passes, whatever its token`, async (t) => {
    const { ask, close } = await serve(memoryTokens())
    t.teardown(close)
    t.match(await ask({ path: '/free' }), { status: 200, body: { unguarded: true } })
    t.match(await ask({ path: '/free', token: 'seven' }), { status: 200 })
  })

  t.test(`${name}: nothing is let through when the resource or the tokens cannot be found out`, async (t) => {
    const outage: HighestTokens = { admit: () => Promise.reject(new Error('away')) }
    const { ask, close } = await serve(outage)
    t.teardown(close)
    t.equal((await ask({ path: '/a', token: '1' })).status, 500)
    t.equal((await ask({ path: '/broken', token: '1' })).status, 500)
  })

  t.test(`${name}: a full memory is 503`, async (t) => {
    const { ask, close } = await serve(memoryTokens({ resourcesMax: 0 }))
    t.teardown(close)
    t.equal((await ask({ path: '/a', token: '1' })).status, 503)
  })
}

t.test('a request that was let in can find out that it has been overtaken', async (t) => {
  const tokens = memoryTokens()
  const app = fastify()
  await app.register(fastifyFencing({ tokens, resource: () => 'row' }))
  app.post('/', async (request) => {
    const fencing = fencingOf(request)
    await fencing.confirm()
    tokens.admitNow({ resource: 'row', token: 34 })
    await fencing.confirm()
    return 'written'
  })
  const headers = { 'fencing-token': '33' }
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/', headers })
  t.equal(statusCode, 412)
  t.match(JSON.parse(body), { code: 'token_stale' })
})

t.test('fastify: whoever is turned away by authentication or validation raises nothing', async (t) => {
  const tokens = memoryTokens()
  const app = fastify()
  await app.register(fastifyFencing({ tokens, resource: () => 'row' }))
  app.addHook('onRequest', async (request, reply) => {
    if (request.headers.authorization === undefined) return reply.code(401).send()
    return undefined
  })
  const schema = { body: { type: 'object', required: ['amount'] } }
  app.post('/', { schema }, () => 'written')
  const post = async (token: string, payload: object, authorization?: string): Promise<number> => {
    const headers = { 'fencing-token': token, ...(authorization === undefined ? {} : { authorization }) }
    return (await app.inject({ method: 'POST', url: '/', headers, payload })).statusCode
  }
  t.equal(await post('99', { amount: 1 }), 401)
  t.equal(await post('98', {}, 'me'), 400)
  t.equal(await post('34', { amount: 1 }, 'me'), 200)
  t.equal(await post('33', { amount: 1 }, 'me'), 412)
})

t.test('fastify: the guard belongs to the scope that registers it, and to no other', async (t) => {
  const app = fastify()
  app.register(async (guarded) => {
    await guarded.register(fastifyFencing({ tokens: memoryTokens(), resource: () => 'row' }))
    guarded.post('/guarded', () => 'written')
  })
  app.post('/other', () => 'written')
  t.equal((await app.inject({ method: 'POST', url: '/guarded' })).statusCode, 428)
  t.equal((await app.inject({ method: 'POST', url: '/other' })).statusCode, 200)
})

t.test('express: the middleware fits plain node:http, and what comes after it fails by itself', async (t) => {
  const door = expressFencing({ tokens: memoryTokens(), resource: () => 'row' })
  const { ask, close } = await listen((request, response) =>
    door(request, response, (error) => {
      response.statusCode = error === undefined ? 204 : 500
      response.end()
    }),
  )
  t.teardown(close)
  t.equal((await ask({ path: '/', token: '34' })).status, 204)
  t.equal((await ask({ path: '/', token: '33' })).status, 412)
})

t.test('both take what their framework calls a request', async (t) => {
  const tokens = memoryTokens()
  const app = fastify()
  await app.register(
    fastifyFencing({ tokens, resource: ({ routeOptions }: FastifyRequest) => routeOptions.url ?? null }),
  )
  app.post('/row/:id', () => 'written')
  const headers = { 'fencing-token': '33' }
  t.equal((await app.inject({ method: 'POST', url: '/row/7', headers })).statusCode, 200)
  t.same(tokens.admitNow({ resource: '/row/:id', token: 32 }), { kind: 'stale', highest: 33 })

  const router = express()
  router.use(expressFencing({ tokens, resource: ({ hostname }: Request) => hostname }))
  const { ask, close } = await listen(router)
  t.teardown(close)
  await ask({ path: '/', token: '35' })
  t.same(tokens.admitNow({ resource: '127.0.0.1', token: 34 }), { kind: 'stale', highest: 35 })
})

t.test('a request that passed no door has no fencing', async (t) => {
  t.throws(() => fencingOf({}), { code: 'invalid_option' })
})
