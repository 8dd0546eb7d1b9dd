import t from 'tap'
import type { Test } from 'tap'
import { Exchanges } from '../../src/client/exchange.ts'
import type { ExchangeRequest } from '../../src/client/exchange.ts'
import { freePort, until } from '../support/cluster-processes.ts'
import { http, startHostileServer } from '../support/hostile-server.ts'
import type { Manners } from '../support/hostile-server.ts'

const name = 'ExchangeError'
const html = '<html><body>502 Bad Gateway</body></html>'

function start(t: Test): (endpoint: string, more?: Partial<ExchangeRequest>) => ReturnType<Exchanges['exchange']> {
  const exchanges = new Exchanges()
  t.teardown(() => exchanges.close())
  return (endpoint, more = {}) =>
    exchanges.exchange({
      endpoint,
      method: 'POST',
      path: '/v1/sessions',
      body: { ttlMs: 1000 },
      timeoutMs: 20_000,
      ...more,
    })
}

t.test('an answer is its status, its JSON, the leader it names and the time it asks for', async (t) => {
  const exchange = start(t)
  const headers = ['Holdfast-Leader: http://c:7101', 'Retry-After: 30', 'x-other: 1']
  const body = '{"code":"no_leader","detail":"\u00fc"}'
  const server = await startHostileServer(t, (socket, count) => {
    if (count === 0)
      socket.write(http({ status: '503 No', type: 'application/problem+json; charset=utf-8', body, headers }))
    else socket.write('HTTP/1.1 204 No Content\r\n\r\n')
  })
  t.same(await exchange(server.url), {
    status: 503,
    body: { code: 'no_leader', detail: '\u00fc' },
    leader: 'http://c:7101',
    retryAfterMs: 30_000,
  })
  t.same(await exchange(server.url), { status: 204, body: null, leader: null, retryAfterMs: null })
  t.equal(server.connections(), 1, 'one connection for both')
  t.match(server.requests[0], /^POST \/v1\/sessions HTTP\/1.1\r\nhost: 127.0.0.1:\d+\r\n/i)
  t.match(server.requests[0], /\r\n\r\n\{"ttlMs":1000\}$/)
})

t.test(
  'whatever is no answer of a node is a bad answer, and says whether the request may have been carried out',
  async (t) => {
    const large = JSON.stringify({ text: 'x'.repeat(2 * 1024 * 1024) })
    const cases: Readonly<
      Record<string, { readonly says: string; readonly mayBeDone: boolean; readonly isCut?: true }>
    > = {
      garbage: { says: '\u0000\u0001\u0002 SSH-2.0-OpenSSH_9.2\r\n\r\n', mayBeDone: true, isCut: true },
      'the HTML page of a proxy': {
        says: http({ status: '502 Bad Gateway', type: 'text/html', body: html }),
        mayBeDone: true,
      },
      'HTML with status 200': { says: http({ type: 'text/html', body: html }), mayBeDone: true },
      'HTML that calls itself JSON': { says: http({ body: html }), mayBeDone: true },
      'nothing that calls itself JSON': { says: http({ body: '' }), mayBeDone: true },
      'another server': { says: http({ status: '404 Not Found', type: 'text/html', body: html }), mayBeDone: false },
      'a redirect': { says: http({ status: '307 Here', headers: ['location: /elsewhere'] }), mayBeDone: false },
      'JSON as text': { says: http({ type: 'text/plain' }), mayBeDone: true },
      'a type that only begins like JSON': { says: http({ type: 'application/jsonp' }), mayBeDone: true },
      'too much': { says: http({ body: large }), mayBeDone: true, isCut: true },
      'another protocol': {
        says: 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
        mayBeDone: true,
        isCut: true,
      },
      'a head without an end': {
        says: `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(10_000)}`,
        mayBeDone: true,
        isCut: true,
      },
    }
    for (const [what, { says, mayBeDone, isCut = false }] of Object.entries(cases)) {
      const server = await startHostileServer(t, (socket) => void socket.write(says))
      await t.rejects(start(t)(server.url), { name, kind: 'bad_answer', mayBeDone }, what)
      t.equal(server.requests.length, 1, 'nothing is repeated or followed')
      if (isCut) await until('the connection is cut', async () => server.open() === 0)
    }
  },
)

t.test('half an answer is lost when the connection ends, and silence when it does not', async (t) => {
  const half = http({ body: '{"token": 1', length: 100 })
  const ends: Readonly<Record<string, Manners>> = {
    'it ends in the body': (socket) => void socket.end(half),
    'it ends in the head': (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-'),
    'it ends before a byte': (socket) => void socket.end(),
    'it is reset': (socket) => void socket.resetAndDestroy(),
  }
  for (const [what, manners] of Object.entries(ends)) {
    const server = await startHostileServer(t, manners)
    await t.rejects(start(t)(server.url), { name, kind: 'lost', mayBeDone: true, wasStale: false }, what)
  }
  const silences: Readonly<Record<string, Manners>> = {
    'nothing comes': () => {},
    'the rest does not come': (socket) => void socket.write(half),
    'it says that it will go on': (socket) => void socket.write('HTTP/1.1 100 Continue\r\n\r\n'),
  }
  for (const [what, manners] of Object.entries(silences)) {
    const server = await startHostileServer(t, manners)
    await t.rejects(start(t)(server.url, { timeoutMs: 200 }), { name, kind: 'silent', mayBeDone: true }, what)
    await until('the connection is gone', async () => server.open() === 0)
  }
})

t.test('an answer that drips is cut off when its time is over, however alive it is', async (t) => {
  let drops = 0
  const server = await startHostileServer(t, (socket) => {
    socket.write(http({ body: '{', length: 1_000_000 }))
    const drip = setInterval(() => {
      drops++
      socket.write(' ')
    }, 10)
    socket.once('close', () => clearInterval(drip))
  })
  await t.rejects(start(t)(server.url, { timeoutMs: 500 }), { name, kind: 'silent', mayBeDone: true })
  t.ok(drops > 1)
  await until('the connection is gone', async () => server.open() === 0)
})

t.test('where no connection comes about nothing was sent', async (t) => {
  const exchange = start(t)
  const free = await freePort()
  await t.rejects(exchange(`http://127.0.0.1:${free}`), { name, kind: 'refused', mayBeDone: false })
  await t.rejects(exchange('http://nobody.invalid:7101'), { name, kind: 'refused', mayBeDone: false })
  const plain = await startHostileServer(t, (socket) => void socket.write(http()))
  await t.rejects(exchange(`https://127.0.0.1:${plain.port}`, { timeoutMs: 1000 }), {
    name,
    kind: 'refused',
    mayBeDone: false,
  })
  const deaf = await startHostileServer(t, () => {})
  await t.rejects(exchange(`https://127.0.0.1:${deaf.port}`), {
    kind: 'refused',
    message: /no connection within 2000 ms/,
  })
})

t.test('a connection that the other end had closed is told apart from one that broke', async (t) => {
  const exchange = start(t)
  const server = await startHostileServer(t, (socket, count) => {
    if (count === 1) socket.destroy()
    else if (count === 3) socket.end(http({ length: 100 }))
    else socket.write(http())
  })
  await exchange(server.url)
  await t.rejects(exchange(server.url), { name, kind: 'lost', wasStale: true, mayBeDone: true })
  t.match(await exchange(server.url), { status: 200 })
  t.equal(server.connections(), 2)
  await t.rejects(
    exchange(server.url),
    { name, kind: 'lost', wasStale: false, mayBeDone: true },
    'it had begun to answer',
  )
})

t.test('a signal ends an exchange before it is sent, and while it waits', async (t) => {
  const exchange = start(t)
  const server = await startHostileServer(t, () => {})
  await t.rejects(exchange(server.url, { signal: AbortSignal.abort() }), { name, kind: 'aborted', mayBeDone: false })
  t.equal(server.requests.length, 0)
  const giveUp = new AbortController()
  const waiting = exchange(server.url, { signal: giveUp.signal })
  void until('the request is there', async () => server.requests.length === 1).then(() => giveUp.abort())
  await t.rejects(waiting, { name, kind: 'aborted', mayBeDone: true })
  await until('the connection is gone, so that the node knows', async () => server.open() === 0)
})

t.test('a signal that fires later changes nothing, and keeps no listener', async (t) => {
  const exchange = start(t)
  const server = await startHostileServer(t, (socket) => void socket.write(http()))
  const later = new AbortController()
  let listeners = 0
  const { signal } = later
  const counted = {
    get aborted() {
      return signal.aborted
    },
    addEventListener: (event: 'abort', listener: () => void) => {
      listeners++
      signal.addEventListener(event, listener)
    },
    removeEventListener: (event: 'abort', listener: () => void) => {
      listeners--
      signal.removeEventListener(event, listener)
    },
  }
  t.match(await exchange(server.url, { signal: counted }), { status: 200 })
  t.equal(listeners, 0)
  later.abort()
  t.match(await exchange(server.url), { status: 200 })
  t.equal(server.connections(), 1)
})

t.test('lists may be long, answers to changes may not', async (t) => {
  const exchange = start(t)
  const body = JSON.stringify({ text: 'x'.repeat(3 * 1024 * 1024) })
  const server = await startHostileServer(t, (socket) => void socket.write(http({ body })))
  t.match(await exchange(server.url, { method: 'GET', path: '/v1/locks', body: undefined }), { status: 200 })
  await t.rejects(exchange(server.url), { name, kind: 'bad_answer', message: /more than 1048576 bytes/ })
})
