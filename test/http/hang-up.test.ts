// Clients that go away, on real connections: what a node is told of them decides whether a lock is held by nobody.
import { once } from 'node:events'
import t from 'tap'
import type { Test } from 'tap'
import { asIndex, asLockName, asRequestId, asSequence, asToken } from '../../src/ids.ts'
import type { Answer, CallRequest } from '../../src/node/calls.ts'
import { acquire, eventually, get, isProblem, release } from './calling.ts'
import { serveReplica, startOneMember } from './one-member.ts'
import { listen, open, parseAnswer } from './raw-connection.ts'

interface Begun {
  readonly request: CallRequest
  abandoned: number
}

/** A server whose calls are answered by the test. */
async function serveCalls(t: Test) {
  const begun: Begun[] = []
  const app = await serveReplica({
    call: (request) => {
      const call: Begun = { request, abandoned: 0 }
      begun.push(call)
      return () => {
        call.abandoned++
      }
    },
  })
  t.teardown(() => app.close())
  const port = await listen(app)
  return { app, port, begun, call: (index: number) => eventually(() => begun[index] ?? null) }
}

const granted: Answer = {
  kind: 'outcome',
  index: asIndex(7),
  result: {
    kind: 'granted',
    lock: asLockName('a'),
    token: asToken(3),
    session: null,
    requestId: asRequestId('r-0123456789abcdef'),
    mode: 'exclusive',
    sequence: asSequence(4),
    ttlMs: 30_000,
    validForMs: 29_000,
  },
}

const wait =
  'POST /v1/locks/a/acquire HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"waitMs":9000}'

t.test('H14 a client that closes its connection is reported at once, and its grant is not taken as told', async (t) => {
  const { port, call } = await serveCalls(t)
  const socket = await open(port)
  socket.write(wait)
  const begun = await call(0)
  t.equal(begun.abandoned, 0)
  socket.destroy()
  await eventually(() => (begun.abandoned > 0 ? true : null))
  t.equal(begun.request.answer(granted), false)
  t.equal(begun.abandoned, 1)
})

t.test('H14 so is a client that only ends its side: it will not wait for an answer', async (t) => {
  const { port, call } = await serveCalls(t)
  const socket = await open(port)
  socket.write(wait)
  const begun = await call(0)
  socket.end()
  await eventually(() => (begun.abandoned > 0 ? true : null))
  t.equal(begun.request.answer(granted), false)
})

t.test('H14 so are all the calls of a process that was killed, one per connection', async (t) => {
  const { port, call } = await serveCalls(t)
  const sockets = [await open(port), await open(port)]
  for (const socket of sockets) socket.write(wait)
  const calls = [await call(0), await call(1)]
  for (const socket of sockets) socket.resetAndDestroy()
  await eventually(() => (calls.every(({ abandoned }) => abandoned === 1) ? true : null))
  t.same(
    calls.map(({ request }) => request.answer(granted)),
    [false, false],
  )
})

t.test(
  'H14 an answer that is handed to a living connection is told, and what happens later is not reported',
  async (t) => {
    const { port, call } = await serveCalls(t)
    const socket = await open(port)
    socket.write(wait)
    const begun = await call(0)
    t.equal(begun.request.answer(granted), true)
    const [bytes] = await once(socket, 'data')
    const { status, body, headers } = parseAnswer(Buffer.from(bytes))
    t.equal(status, 200)
    t.equal(body.token, 3)
    t.equal(headers['holdfast-index'], '7')
    socket.destroy()
    // Another call proves that the server has seen the close.
    const other = await open(port)
    other.write(wait)
    await call(1)
    t.equal(begun.abandoned, 0)
    other.destroy()
  },
)

t.test('every call on a kept connection is reported for itself', async (t) => {
  const { app, port, call } = await serveCalls(t)
  const connected = once(app.server, 'connection')
  const socket = await open(port)
  const [served] = await connected
  for (let i = 0; i < 30; i++) {
    socket.write(wait)
    const begun = await call(i)
    begun.request.answer(granted)
    await once(socket, 'data')
  }
  t.ok(served.listenerCount('close') < 8, 'no listener is left behind by a call')
  socket.write(wait)
  const last = await call(30)
  socket.destroy()
  await eventually(() => (last.abandoned > 0 ? true : null))
  t.equal((await call(29)).abandoned, 0)
})

t.test('H14 a request sent behind another is not begun before that one is answered', async (t) => {
  const { port, begun, call } = await serveCalls(t)
  const socket = await open(port)
  socket.write(wait + wait)
  const first = await call(0)
  // A call on another connection proves that the server has read what lay before it.
  const other = await open(port)
  other.write(wait)
  await call(1)
  t.equal(begun.length, 2)
  first.request.answer(granted)
  const second = await call(2)
  t.equal(second.request.answer(granted), true)
  other.destroy()
  socket.destroy()
})

t.test('H14 a request behind one whose client goes away is never begun', async (t) => {
  const { port, begun, call } = await serveCalls(t)
  const socket = await open(port)
  socket.write(wait + wait)
  const first = await call(0)
  socket.destroy()
  await eventually(() => (first.abandoned > 0 ? true : null))
  t.equal(first.request.answer(granted), false)
  const other = await open(port)
  other.write(wait)
  await call(1)
  t.equal(begun.length, 2)
  other.destroy()
})

t.test('a request that comes while the server closes is answered in the usual form', async (t) => {
  const { app, port, call } = await serveCalls(t)
  const socket = await open(port)
  socket.write(wait)
  const first = await call(0)
  const closing = app.close()
  const received: Buffer[] = []
  socket.on('data', (bytes: Buffer) => received.push(bytes))
  await eventually(() => (app.server.listening ? null : true))
  const arrived = once(app.server, 'request')
  socket.write('GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n')
  await arrived
  first.request.answer(granted)
  await once(socket, 'close')
  await closing
  const all = Buffer.concat(received).toString()
  const [one, two] = all.split(/(?=HTTP\/1.1 404)/)
  t.equal(parseAnswer(Buffer.from(one ?? '')).status, 200)
  isProblem(t, parseAnswer(Buffer.from(two ?? '')), 'not_found')
})

t.test('a connection that sends hundreds of requests behind one that waits is closed', async (t) => {
  const { port, call } = await serveCalls(t)
  const socket = await open(port)
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  socket.write(wait.repeat(300))
  const first = await call(0)
  socket.resume()
  await closed
  await eventually(() => (first.abandoned > 0 ? true : null))
  t.pass()
})

t.test('what cannot be written is answered as a bug, and the grant is not taken as told', async (t) => {
  const { port, call } = await serveCalls(t)
  const socket = await open(port)
  socket.write(wait)
  const { request } = await call(0)
  if (granted.kind !== 'outcome' || granted.result.kind !== 'granted') throw new Error('it is a grant')
  t.equal(request.answer({ ...granted, result: { ...granted.result, token: asToken(Number.NaN) } }), false)
  const [bytes] = await once(socket, 'data')
  isProblem(t, parseAnswer(Buffer.from(bytes)), 'internal', { instance: /^urn:uuid:/ })
  socket.destroy()
})

t.test('H14 a lock that was awaited by a client who left goes to the next in line', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  const { app } = member
  const port = await listen(app)
  const { body } = await acquire(app, 'a', { requestId: 'first-0123456789' })
  const socket = await open(port)
  socket.write(wait)
  await eventually(async () => ((await get(app, '/v1/locks/a')).body['queueLength'] === 1 ? true : null))
  const next = acquire(app, 'a', { waitMs: 60_000 })
  await eventually(async () => ((await get(app, '/v1/locks/a')).body['queueLength'] === 2 ? true : null))
  socket.destroy()
  // Two seconds of cluster time after it left, its place in the queue is given back.
  await eventually(async () => ((await get(app, '/v1/locks/a')).body['queueLength'] === 1 ? true : null))
  await release(app, 'a', { token: body.token })
  t.equal((await next).status, 200)
})
