// Wire over TCP: one link is one connection, and carries the frames of frame.ts. Frames sent in one turn of the event
// loop leave in one write. Nothing is tried again here and nobody is authenticated: handshakes and dialling anew are the
// business of peers, links that say nothing that of link-watch.
import { connect, createServer, type Server, type Socket } from 'node:net'
import { assert } from '../assert.ts'
import type { NodeId } from '../ids.ts'
import { FrameReader, FrameWriter } from './frame.ts'
import type { Link, LinkClosed, LinkHandlers, Wire } from './wire.ts'

export interface TcpAddress {
  readonly host: string
  readonly port: number
}

export interface TcpOptions {
  /** Port 0 takes any free one. */
  readonly listen: TcpAddress
  readonly peers: ReadonlyMap<NodeId, TcpAddress>
  /** A longer frame closes the link that it comes in on as `garbage`. */
  readonly frameBytesMax: number
  /** A link with more than this waiting to leave is closed: its other end is dead or too slow. */
  readonly queueBytesMax: number
  /** How long a dialled member has to accept, and the other end of a closed link to close, too. */
  readonly dialTimeoutMs: number
}

export interface TcpWire extends Wire {
  /** The port listened on. */
  readonly port: number
  /** Stops listening, closes every link, and returns when all are closed. */
  close(): Promise<void>
}

/** Listens when it returns; links that come in before `accept` is known are closed. Throws when it cannot listen. */
export async function createTcpWire(options: TcpOptions): Promise<TcpWire> {
  const server = createServer({ noDelay: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.listen, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return new NodeTcpWire(options, server)
}

class NodeTcpWire implements TcpWire {
  readonly port: number
  readonly #options: TcpOptions
  readonly #server: Server
  readonly #links = new Set<TcpLink>()
  #accept: ((link: Link) => LinkHandlers) | null = null
  #closing: Promise<void> | null = null

  constructor(options: TcpOptions, server: Server) {
    const address = server.address()
    assert(typeof address === 'object' && address !== null, 'a TCP server has an address')
    this.port = address.port
    this.#options = options
    this.#server = server
    server.on('connection', (socket) => this.#onConnection(socket))
    // A connection that could not be accepted, for want of file descriptors: who dialled sees it fail, we go on.
    server.on('error', () => {})
  }

  listen(accept: (link: Link) => LinkHandlers): void {
    assert(this.#accept === null, 'a wire listens once')
    this.#accept = accept
  }

  dial(peer: NodeId, handlers: LinkHandlers): Link {
    const address = this.#options.peers.get(peer)
    assert(address !== undefined, () => `no address is known for ${peer}`)
    const socket = connect({ ...address, noDelay: true })
    const link = new TcpLink(socket, {
      remote: `${peer} at ${address.host}:${address.port}`,
      isOpen: false,
      options: this.#options,
    })
    this.#start(link, handlers)
    if (this.#closing !== null) link.close()
    return link
  }

  close(): Promise<void> {
    // The server has closed when its last connection has; those that were dialled are waited for by themselves.
    this.#closing ??= new Promise<void>((resolve) => {
      const links = [...this.#links]
      const closed = links.map((link) => link.closed)
      this.#server.close(() => void Promise.all(closed).then(() => resolve()))
      for (const link of links) link.close()
    })
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #onConnection(socket: Socket): void {
    if (this.#accept === null) {
      socket.destroy()
      return
    }
    const link = new TcpLink(socket, {
      remote: `${socket.remoteAddress}:${socket.remotePort}`,
      isOpen: true,
      options: this.#options,
    })
    this.#start(link, this.#accept(link))
  }

  #start(link: TcpLink, handlers: LinkHandlers): void {
    this.#links.add(link)
    void link.closed.then(() => this.#links.delete(link))
    link.start(handlers)
  }
}

interface LinkFields {
  readonly remote: string
  /** False while it is being dialled. */
  readonly isOpen: boolean
  readonly options: TcpOptions
}

class TcpLink implements Link {
  readonly remote: string
  /** Resolved when `onClose` was called. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #options: TcpOptions
  readonly #reader: FrameReader
  readonly #writer = new FrameWriter()
  #isOpen: boolean
  /** The first cause counts. From then on nothing is sent or handed out, only `onClose` follows. */
  #reason: LinkClosed | null = null
  #isFlushDue = false
  #timer: NodeJS.Timeout | null = null

  constructor(socket: Socket, { remote, isOpen, options }: LinkFields) {
    this.remote = remote
    this.#socket = socket
    this.#options = options
    this.#reader = new FrameReader(options.frameBytesMax)
    this.#isOpen = isOpen
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
  }

  get queuedBytes(): number {
    return this.#writer.bytes + this.#socket.writableLength
  }

  send(frame: Uint8Array): void {
    assert(
      frame.length <= this.#options.frameBytesMax,
      () => `a frame of ${frame.length} bytes, which the other end would refuse`,
    )
    if (this.#reason !== null) return
    this.#writer.add(frame)
    if (this.queuedBytes > this.#options.queueBytesMax) {
      // What the kernel takes at once is not waiting.
      this.#flush()
      if (this.queuedBytes > this.#options.queueBytesMax) {
        this.abort({
          why: 'local',
          detail: `${this.queuedBytes} bytes are waiting to leave, more than ${this.#options.queueBytesMax}`,
        })
        return
      }
    }
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    process.nextTick(this.#flush)
  }

  close(): void {
    if (this.#reason !== null) return
    if (!this.#isOpen) {
      this.abort({ why: 'local', detail: 'closed while it was being dialled' })
      return
    }
    this.#flush()
    this.#reason = { why: 'local', detail: 'closed by this node' }
    // Our end only: to give up the socket at once could make the other end lose what we sent last.
    this.#socket.end()
    this.#setTimer(() => this.#socket.destroy())
  }

  abort(reason: LinkClosed): void {
    this.#reason ??= reason
    this.#socket.destroy()
  }

  start(handlers: LinkHandlers): void {
    const socket = this.#socket
    if (!this.#isOpen) {
      this.#setTimer(() =>
        this.abort({ why: 'unreachable', detail: `no answer within ${this.#options.dialTimeoutMs} ms` }),
      )
    }
    socket.on('connect', () => {
      if (this.#reason !== null) return
      this.#isOpen = true
      this.#clearTimer()
      handlers.onOpen()
    })
    socket.on('data', (chunk: Buffer) => {
      if (this.#reason !== null) return
      const garbage = this.#reader.read(chunk, (frame) => {
        handlers.onFrame(frame)
        return this.#reason === null
      })
      if (garbage !== null) this.abort({ why: 'garbage', detail: garbage })
    })
    socket.on('end', () => this.abort({ why: 'closed', detail: 'the other end closed the connection' }))
    socket.on('error', (error) => {
      this.#reason ??= reasonOf(error, this.#isOpen)
    })
    socket.once('close', () => {
      this.#clearTimer()
      this.#reason ??= { why: 'closed', detail: 'the connection closed' }
      handlers.onClose(this.#reason)
    })
  }

  readonly #flush = (): void => {
    this.#isFlushDue = false
    if (this.#reason !== null) return
    const [first, ...more] = this.#writer.take()
    if (first === undefined) return
    if (more.length === 0) {
      this.#socket.write(first)
      return
    }
    this.#socket.cork()
    this.#socket.write(first)
    for (const part of more) this.#socket.write(part)
    this.#socket.uncork()
  }

  #setTimer(run: () => void): void {
    this.#clearTimer()
    this.#timer = setTimeout(run, this.#options.dialTimeoutMs)
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}

/** Nothing may be concluded from `unreachable`; `refused` means that nobody listens at any address of the member. */
function reasonOf(error: Error, wasOpen: boolean): LinkClosed {
  const causes: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
  const codes = causes.map((cause) => (cause instanceof Error && 'code' in cause ? cause.code : 'unknown'))
  const detail = `${codes.join(', ')} ${error.message}`.trim()
  if (codes.every((code) => code === 'ECONNREFUSED')) return { why: 'refused', detail }
  if (codes.includes('ETIMEDOUT')) return { why: 'unreachable', detail }
  if (wasOpen || codes.every((code) => code === 'ECONNRESET' || code === 'EPIPE')) return { why: 'closed', detail }
  return { why: 'unreachable', detail }
}
