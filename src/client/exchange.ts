// One HTTP exchange: a request, and its answer as JSON or the reason why there is none. Nothing is repeated, redirected or
// guessed here; what may have arrived at the other end and what cannot have is told apart, because everything that the
// callers conclude rests on it. The whole exchange has one time limit, so that an answer that drips is no answer.
import { Agent, request } from 'node:http'
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Socket } from 'node:net'

export interface ExchangeRequest {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoint: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** As it stands in the request line. */
  readonly path: string
  /** Sent as JSON; absent: no body. */
  readonly body?: unknown
  /** From now to the last byte of the answer. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface ExchangeAnswer {
  readonly status: number
  /** Parsed JSON; null for 204. */
  readonly body: unknown
  /** `Holdfast-Leader` as it was sent. */
  readonly leader: string | null
  /** `Retry-After`; null without one. */
  readonly retryAfterMs: number | null
}

export type ExchangeFailure =
  /** No connection came about: nothing was sent. */
  | 'refused'
  /** The connection broke before the answer was complete. */
  | 'lost'
  /** No complete answer in time. */
  | 'silent'
  /** An answer that no node gives: no HTTP, no JSON, a redirect, too large. */
  | 'bad_answer'
  | 'aborted'

export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly kind: ExchangeFailure
  /** Whether a node may have acted on the request. */
  readonly mayBeDone: boolean
  /**
   * A connection from an earlier exchange broke before a byte of the answer came: most likely it was closed by the other
   * end while nobody used it. That says nothing about the endpoint.
   */
  readonly wasStale: boolean

  constructor(
    kind: ExchangeFailure,
    message: string,
    { mayBeDone, wasStale = false, cause }: { mayBeDone: boolean; wasStale?: boolean; cause?: unknown },
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
    this.mayBeDone = mayBeDone
    this.wasStale = wasStale
  }
}

/** A node in the same house answers in a millisecond; two seconds of trying are one repetition of a lost first packet. */
const connectMs = 2000
/** A peer whose machine is gone sends nothing more: so long after that the kernel begins to ask. */
const keepAliveProbeMs = 5000
/** Lists of a thousand locks or sessions with all their metadata, and a session that holds a hundred thousand locks. */
const readBytesMax = 64 * 1024 * 1024
const changeBytesMax = 1024 * 1024

/** Where an endpoint is, taken apart once. */
interface Place {
  readonly send: typeof request
  readonly agent: Agent
  readonly connected: 'connect' | 'secureConnect'
  readonly hostname: string
  readonly port: string
  readonly hostHeader: string
}

/** Keep-alive connections to any number of endpoints. */
export class Exchanges {
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: keepAliveProbeMs })
  readonly #tlsAgent = new TlsAgent({ keepAlive: true, keepAliveMsecs: keepAliveProbeMs })
  readonly #places = new Map<string, Place>()

  /** Rejects with an ExchangeError. */
  exchange(asked: ExchangeRequest): Promise<ExchangeAnswer> {
    const place = this.#placeOf(asked.endpoint)
    return new Promise((answer, fail) => void new Exchange(place, asked, { answer, fail }))
  }

  /** Lets go of all connections. */
  close(): void {
    this.#agent.destroy()
    this.#tlsAgent.destroy()
  }

  #placeOf(endpoint: string): Place {
    const known = this.#places.get(endpoint)
    if (known !== undefined) return known
    const { protocol, hostname, port, host } = new URL(endpoint)
    const isTls = protocol === 'https:'
    const place: Place = {
      send: isTls ? tlsRequest : request,
      agent: isTls ? this.#tlsAgent : this.#agent,
      connected: isTls ? 'secureConnect' : 'connect',
      // An IPv6 address stands in brackets in a URL, and nowhere else.
      hostname: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
      port: port === '' ? (isTls ? '443' : '80') : port,
      hostHeader: host,
    }
    this.#places.set(endpoint, place)
    return place
  }
}

interface Ends {
  answer(answer: ExchangeAnswer): void
  fail(error: ExchangeError): void
}

class Exchange {
  readonly #asked: ExchangeRequest
  readonly #ends: Ends
  readonly #request: ClientRequest
  readonly #timer: NodeJS.Timeout
  #connectTimer: NodeJS.Timeout | null = null
  #isConnected = false
  #answer: IncomingMessage | null = null
  #chunks: Buffer[] = []
  #bytes = 0
  #isOver = false

  constructor(place: Place, asked: ExchangeRequest, ends: Ends) {
    this.#asked = asked
    this.#ends = ends
    const text = asked.body === undefined ? '' : JSON.stringify(asked.body)
    this.#request = place.send(optionsOf(place, asked, text))
    this.#timer = setTimeout(() => this.#fail('silent', `no answer within ${asked.timeoutMs} ms`), asked.timeoutMs)
    this.#request.on('socket', (socket) => this.#onSocket(socket, place.connected))
    this.#request.on('response', (answer) => this.#onAnswer(answer))
    this.#request.on('error', (error) => this.#onError(error))
    asked.signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#request.end(text)
    if (asked.signal?.aborted === true) this.#onAbort()
  }

  readonly #onAbort = (): void => this.#fail('aborted', 'given up')

  #onSocket(socket: Socket, connected: Place['connected']): void {
    if (this.#request.reusedSocket) {
      this.#isConnected = true
      return
    }
    if (this.#isOver) return
    const giveUp = (): void => this.#fail('refused', `no connection within ${connectMs} ms`)
    this.#connectTimer = setTimeout(giveUp, connectMs)
    socket.once(connected, () => {
      this.#isConnected = true
      if (this.#connectTimer !== null) clearTimeout(this.#connectTimer)
    })
  }

  #onAnswer(answer: IncomingMessage): void {
    this.#answer = answer
    answer.on('data', (chunk: Buffer) => this.#onData(chunk))
    answer.on('end', () => this.#onEnd(answer))
    answer.on('error', (error) => this.#onError(error))
  }

  #onData(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    const bytesMax = this.#asked.method === 'GET' ? readBytesMax : changeBytesMax
    if (this.#bytes > bytesMax) this.#fail('bad_answer', `an answer of more than ${bytesMax} bytes`)
  }

  #onEnd(answer: IncomingMessage): void {
    if (this.#isOver) return
    const read = readAnswer(answer, this.#chunks)
    if (typeof read === 'string') return this.#fail('bad_answer', read)
    this.#finish()
    this.#ends.answer(read)
  }

  #onError(error: Error): void {
    const code = 'code' in error ? String(error.code) : ''
    // HPE: the parser's, of bytes that are no HTTP.
    if (code.startsWith('HPE_')) this.#fail('bad_answer', `an answer that is not HTTP (${code})`, error)
    else this.#fail('lost', code === '' ? error.message : `${error.message} (${code})`, error)
  }

  /** Nothing that comes later changes what was said. */
  #fail(kind: ExchangeFailure, why: string, cause?: Error): void {
    if (this.#isOver) return
    this.#finish()
    const { endpoint } = this.#asked
    const isConnected = this.#isConnected
    const said = isConnected || kind === 'aborted' ? kind : 'refused'
    const mayBeDone = isConnected && !this.#isDeclined()
    const wasStale = said === 'lost' && this.#request.reusedSocket && this.#answer === null
    this.#ends.fail(new ExchangeError(said, `${endpoint}: ${why}`, { mayBeDone, wasStale, cause }))
    this.#request.destroy()
  }

  /** Whoever redirects or refuses a request has not acted on it, whoever it is. */
  #isDeclined(): boolean {
    const status = this.#answer?.statusCode ?? 0
    return status >= 300 && status < 500
  }

  #finish(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    if (this.#connectTimer !== null) clearTimeout(this.#connectTimer)
    this.#asked.signal?.removeEventListener('abort', this.#onAbort)
  }
}

function optionsOf(place: Place, { method, path, body }: ExchangeRequest, text: string): RequestOptions {
  const { hostname, port, agent, hostHeader } = place
  // As a list they are written as they stand, which costs less than a table of them.
  const headers = ['host', hostHeader, 'accept', 'application/json']
  if (body !== undefined) {
    headers.push('content-type', 'application/json', 'content-length', String(Buffer.byteLength(text)))
  }
  return { hostname, port, agent, method, path, headers }
}

/** The answer, or what is wrong with it. */
function readAnswer(answer: IncomingMessage, chunks: readonly Buffer[]): ExchangeAnswer | string {
  const { statusCode: status = 0, headers } = answer
  const type = headers['content-type'] ?? 'no type'
  const leader = headers['holdfast-leader']
  const shown = {
    status,
    leader: typeof leader === 'string' ? leader : null,
    retryAfterMs: retryAfterMs(headers['retry-after']),
  }
  if (status === 204) return { ...shown, body: null }
  if (status < 200 || (status >= 300 && status < 400)) return `status ${status}, which no node answers`
  if (!/^application\/(?:problem\+)?json(?:$|[; ])/i.test(type)) return `status ${status} with ${type} instead of JSON`
  const [first, ...others] = chunks
  const text = (others.length === 0 ? (first ?? Buffer.alloc(0)) : Buffer.concat(chunks)).toString()
  try {
    return { ...shown, body: JSON.parse(text) }
  } catch {
    return `status ${status} with what is not JSON`
  }
}

function retryAfterMs(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : null
}
