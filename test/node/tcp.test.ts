import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { asNodeId } from '../../src/ids.ts'
import { createTcpWire, type TcpOptions, type TcpWire } from '../../src/node/tcp.ts'
import type { Link, LinkHandlers } from '../../src/node/wire.ts'

const peer = asNodeId('n2')
const limits = { frameBytesMax: 100_000, queueBytesMax: 4_000_000, dialTimeoutMs: 300 }

async function someWire(t: Test, options: Partial<TcpOptions> = {}): Promise<TcpWire> {
  const wire = await createTcpWire({ listen: { host: '127.0.0.1', port: 0 }, peers: new Map(), ...limits, ...options })
  t.teardown(() => wire.close())
  return wire
}

/** A wire whose `n2` is on that port. */
function wireTo(t: Test, port: number, options: Partial<TcpOptions> = {}): Promise<TcpWire> {
  return someWire(t, { peers: new Map([[peer, { host: '127.0.0.1', port }]]), ...options })
}

/** What a link called back, in order: `open`, frames as text, `closed <why>`. */
class Record implements LinkHandlers {
  readonly events: string[] = []
  detail = ''
  readonly #waiting: { count: number; resolve: () => void }[] = []

  onOpen(): void {
    this.#note('open')
  }

  onFrame(frame: Uint8Array): void {
    this.#note(Buffer.from(frame).toString())
  }

  onClose({ why, detail }: Parameters<LinkHandlers['onClose']>[0]): void {
    this.detail = detail
    this.#note(`closed ${why}`)
  }

  get frames(): string[] {
    return this.events.filter((event) => event !== 'open' && !event.startsWith('closed'))
  }

  /** Resolved when there are that many events. */
  reaches(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve })
      this.#wake()
    })
  }

  #note(event: string): void {
    this.events.push(event)
    this.#wake()
  }

  #wake(): void {
    for (const { count, resolve } of this.#waiting) if (this.events.length >= count) resolve()
  }
}

/** The next incoming link of a wire, with what it calls back. */
function nextLink(wire: TcpWire): Promise<{ link: Link; record: Record }> {
  return new Promise((resolve) => {
    wire.listen((link) => {
      const record = new Record()
      resolve({ link, record })
      return record
    })
  })
}

/** Two wires with a link between them, open on both sides. */
async function linkedPair(t: Test, options: Partial<TcpOptions> = {}) {
  const accepting = await someWire(t, options)
  const incoming = nextLink(accepting)
  const dialling = await wireTo(t, accepting.port, options)
  const record = new Record()
  const link = dialling.dial(peer, record)
  await record.reaches(1)
  return { dialled: { link, record }, accepted: await incoming, accepting, dialling }
}

/** A raw connection to a wire, and the link that it is over there. */
async function rawClient(
  t: Test,
  options: Partial<TcpOptions> = {},
): Promise<{ socket: Socket; record: Record; link: Link }> {
  const wire = await someWire(t, options)
  const incoming = nextLink(wire)
  const socket = connect(wire.port, '127.0.0.1')
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return { socket, ...(await incoming) }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))

t.test('frames go both ways and keep their order', async (t) => {
  const { dialled, accepted } = await linkedPair(t)
  const texts = Array.from({ length: 5000 }, (_, index) => `${index}`.padEnd(1 + (index % 97) * 13, '.'))
  for (const text of texts) dialled.link.send(Buffer.from(text))
  for (const text of texts.slice(0, 100)) accepted.link.send(Buffer.from(text))
  await accepted.record.reaches(5000)
  await dialled.record.reaches(101)
  t.same(accepted.record.events, texts)
  t.same(dialled.record.events, ['open', ...texts.slice(0, 100)])
  t.match(dialled.link.remote, /^n2 at 127\.0\.0\.1:\d+$/)
  t.match(accepted.link.remote, /^127\.0\.0\.1:\d+$/)
})

t.test('a frame may use its buffer again as soon as send returned', async (t) => {
  const { dialled, accepted } = await linkedPair(t)
  const buffer = Buffer.alloc(50_000)
  for (const letter of ['a', 'b', 'c']) {
    buffer.fill(letter)
    dialled.link.send(buffer)
    dialled.link.send(buffer.subarray(0, 5))
  }
  buffer.fill('-')
  await accepted.record.reaches(6)
  t.same(
    accepted.record.frames.map((text) => [text.length, new Set(text).size, text[0]]),
    ['a', 'b', 'c'].flatMap((letter) => [
      [50_000, 1, letter],
      [5, 1, letter],
    ]),
  )
})

t.test('a frame that was handed out stays as it is', async (t) => {
  const wire = await someWire(t)
  const kept: Uint8Array[] = []
  wire.listen(() => ({ onOpen: () => {}, onFrame: (frame) => kept.push(frame), onClose: () => {} }))
  const other = await wireTo(t, wire.port)
  const record = new Record()
  const link = other.dial(peer, record)
  await record.reaches(1)
  for (let round = 0; round < 300; round++) {
    link.send(Buffer.alloc(1 + ((round * 37) % 3000), round))
    if (round % 10 === 0) await nextTurn()
  }
  while (kept.length < 300) await nextTurn()
  const isAsSent = (frame: Uint8Array, round: number) =>
    frame.length === 1 + ((round * 37) % 3000) && frame.every((byte) => byte === round % 256)
  t.ok(kept.every(isAsSent))
})

t.test('frames of one turn leave in one write', async (t) => {
  const server = createServer()
  const chunks: Buffer[] = []
  server.on('connection', (socket) => socket.on('data', (chunk) => chunks.push(chunk)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const wire = await wireTo(t, typeof address === 'object' && address !== null ? address.port : 0)
  const record = new Record()
  const link = wire.dial(peer, record)
  await record.reaches(1)
  for (let frame = 0; frame < 50; frame++) link.send(Buffer.alloc(20))
  t.equal(link.queuedBytes, 50 * 28)
  await settle()
  t.equal(link.queuedBytes, 0)
  t.same(
    chunks.map((chunk) => chunk.length),
    [50 * 28],
  )
})

t.test('nobody listens: refused', async (t) => {
  const gone = await createTcpWire({ listen: { host: '127.0.0.1', port: 0 }, peers: new Map(), ...limits })
  const { port } = gone
  await gone.close()
  const wire = await wireTo(t, port)
  const record = new Record()
  wire.dial(peer, record)
  t.same(record.events, [], 'nothing before dial has returned')
  await record.reaches(1)
  await settle()
  t.same(record.events, ['closed refused'])
  t.match(record.detail, /ECONNREFUSED/)
})

t.test('no answer in time: unreachable, from which nothing may be concluded', async (t) => {
  // A stopped process accepts nothing: when its queue of connections is full, the kernel does not answer either.
  const program =
    "require('net').createServer().listen({port: 0, host: '127.0.0.1', backlog: 1}, function () { process.send(this.address().port) })"
  const stopped = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  t.teardown(() => stopped.kill('SIGKILL'))
  const [port] = await once(stopped, 'message')
  stopped.kill('SIGSTOP')
  const fillers = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => fillers.forEach((socket) => socket.destroy()))
  await settle()
  const wire = await wireTo(t, port)
  const record = new Record()
  wire.dial(peer, record)
  await record.reaches(1)
  t.same(record.events, ['closed unreachable'])
})

t.test('the other end closes, resets, or goes away with half a frame: closed, and nothing of that frame', async (t) => {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(1000, 0)
  const ways: readonly ((socket: Socket) => void)[] = [(socket) => socket.end(), (socket) => socket.resetAndDestroy()]
  for (const way of ways) {
    const { socket, record } = await rawClient(t)
    socket.write(Buffer.concat([header, Buffer.alloc(500)]))
    await settle()
    way(socket)
    await record.reaches(1)
    await settle()
    t.same(record.events, ['closed closed'])
  }
})

t.test('the other end closes while more is queued for it than it takes: closed at once', async (t) => {
  const wire = await someWire(t)
  const incoming = nextLink(wire)
  const socket = connect({ port: wire.port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const { link, record } = await incoming
  socket.pause()
  // Until the kernel takes no more.
  for (let frame = 0; frame < 10_000 && link.queuedBytes < limits.queueBytesMax / 2; frame++) {
    link.send(Buffer.alloc(limits.frameBytesMax))
    await nextTurn()
  }
  socket.end()
  await record.reaches(1)
  t.same(record.events, ['closed closed'])
})

t.test('garbage and frames over the limit close the link, and only that link', async (t) => {
  const wire = await someWire(t)
  const records: Record[] = []
  wire.listen(() => {
    const record = new Record()
    records.push(record)
    return record
  })
  const oversized = Buffer.alloc(8)
  oversized.writeUInt32BE(limits.frameBytesMax + 1, 0)
  const wrongSum = Buffer.from('00000003' + '00000000' + '616263', 'hex')
  const inputs = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    oversized,
    wrongSum,
    Buffer.alloc(100),
    Buffer.alloc(100, 0xff),
  ]
  const sound = connect(wire.port, '127.0.0.1')
  t.teardown(() => sound.destroy())
  await once(sound, 'connect')
  for (const input of inputs) {
    const socket = connect(wire.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(input)
    await once(socket, 'close')
  }
  await settle()
  sound.write(Buffer.from('00000003' + '352441c2' + '616263', 'hex'))
  await records[0]?.reaches(1)
  t.same(
    records.map((record) => record.events),
    [['abc'], ...inputs.map(() => ['closed garbage'])],
  )
})

t.test('a queue over the limit closes the link, and nothing more is queued', async (t) => {
  const { socket, record, link } = await rawClient(t)
  socket.pause()
  const frame = Buffer.alloc(limits.frameBytesMax)
  let sent = 0
  while (link.queuedBytes <= limits.queueBytesMax - frame.length && sent < 10_000) {
    link.send(frame)
    sent++
    await nextTurn()
  }
  t.ok(sent < 10_000, `the kernel took ${sent} frames`)
  t.same(record.events, [])
  for (let more = 0; more < 5; more++) link.send(frame)
  await record.reaches(1)
  t.same(record.events, ['closed local'])
  t.match(record.detail, /bytes are waiting to leave/)
  const queued = link.queuedBytes
  link.send(frame)
  t.equal(link.queuedBytes, queued)
})

t.test('a burst over the limit is no reason to close while the other end reads', async (t) => {
  const { dialled, accepted } = await linkedPair(t, { queueBytesMax: 50_000 })
  for (let frame = 0; frame < 100; frame++) {
    dialled.link.send(Buffer.alloc(2000, 'x'))
    if (frame % 20 === 0) await nextTurn()
  }
  await accepted.record.reaches(100)
  t.same(dialled.record.events, ['open'])
})

t.test('close sends what is queued; both ends are told once, and nothing comes after', async (t) => {
  const { dialled, accepted } = await linkedPair(t)
  for (let frame = 0; frame < 200; frame++) dialled.link.send(Buffer.from(`${frame}`.padEnd(5000)))
  dialled.link.close()
  dialled.link.close()
  dialled.link.send(Buffer.from('too late'))
  accepted.link.send(Buffer.from('crossing'))
  await accepted.record.reaches(201)
  await dialled.record.reaches(2)
  await settle()
  t.equal(accepted.record.frames.length, 200)
  t.equal(accepted.record.events.at(-1), 'closed closed')
  t.same(dialled.record.events, ['open', 'closed local'])
})

t.test('a handler that closes its link in the middle of a chunk gets no further frame', async (t) => {
  const wire = await someWire(t)
  const events: string[] = []
  const isClosed = new Promise<void>((resolve) => {
    wire.listen((link) => ({
      onOpen: () => events.push('open'),
      onFrame: (frame) => {
        events.push(Buffer.from(frame).toString())
        link.close()
      },
      onClose: ({ why }) => {
        events.push(`closed ${why}`)
        resolve()
      },
    }))
  })
  const other = await wireTo(t, wire.port)
  const record = new Record()
  const link = other.dial(peer, record)
  await record.reaches(1)
  for (const text of ['a', 'b', 'c']) link.send(Buffer.from(text))
  await isClosed
  await settle()
  t.same(events, ['a', 'closed local'])
})

t.test('a link that is closed while it is dialled never opens', async (t) => {
  const accepting = await someWire(t)
  accepting.listen(() => new Record())
  const wire = await wireTo(t, accepting.port)
  const record = new Record()
  wire.dial(peer, record).close()
  t.same(record.events, [], 'not within the call')
  await record.reaches(1)
  await settle()
  t.same(record.events, ['closed local'])
})

t.test('the other end of a closed link that does not close, too, is left after a while', async (t) => {
  const { socket, record, link } = await rawClient(t)
  socket.pause()
  link.send(Buffer.alloc(limits.frameBytesMax))
  link.close()
  const before = Date.now()
  await record.reaches(1)
  t.same(record.events, ['closed local'])
  t.ok(Date.now() - before < 2000)
})

t.test('closing the wire closes its links, and frees the port', async (t) => {
  const { dialled, accepted, accepting, dialling } = await linkedPair(t)
  const { port } = accepting
  await Promise.all([accepting.close(), accepting.close()])
  t.same(accepted.record.events, ['closed local'])
  await dialled.record.reaches(2)
  t.same(dialled.record.events, ['open', 'closed closed'])
  const record = new Record()
  dialling.dial(peer, record)
  await record.reaches(1)
  t.same(record.events, ['closed refused'])
  const again = await createTcpWire({ listen: { host: '127.0.0.1', port }, peers: new Map(), ...limits })
  await t.rejects(createTcpWire({ listen: { host: '127.0.0.1', port }, peers: new Map(), ...limits }), {
    code: 'EADDRINUSE',
  })
  await again.close()
  await dialling.close()
  const late = new Record()
  dialling.dial(peer, late)
  await late.reaches(1)
  t.same(late.events, ['closed local'])
})

t.test('connections before anybody listens are closed, not kept', async (t) => {
  const wire = await someWire(t)
  const socket = connect(wire.port, '127.0.0.1')
  await once(socket, 'close')
  t.pass()
})
