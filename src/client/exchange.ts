// One HTTP exchange: a request, and its answer as JSON or the reason why there is none. Nothing is repeated, redirected or
// guessed here; what may have arrived at the other end and what cannot have is told apart, because everything that the
// callers conclude rests on it. The whole exchange has one time limit, so that an answer that drips is no answer.
import { request } from 'node:http'
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { cameAbout, PlainAgent, SecureAgent } from './connections.ts'
import type { StopSignal } from './stopping.ts'

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
  readonly signal?: StopSignal
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

/** Lists of a thousand locks or sessions with all their metadata, and a session that holds a hundred thousand locks. */
const readBytesMax = 64 * 1024 * 1024
const changeBytesMax = 1024 * 1024

/** Where an endpoint is, taken apart once. */
interface Place {
  readonly send: typeof request
  readonly agent: Agent
  readonly hostname: string
  readonly port: string
  readonly hostHeader: string
}

/** Keep-alive connections to any number of endpoints. */
export class Exchanges {
  readonly #agent = new PlainAgent()
  readonly #tlsAgent = new SecureAgent()
  readonly #places = new Map<string, Place>()

  /** Rejects with an ExchangeError. */
  exchange(asked: ExchangeRequest): Promise<ExchangeAnswer> {
    const place = this.#placeOf(asked.endpoint)
    return new Promise((answer, fail) => new Exchange(asked, { answer, fail }).begin(place))
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
  #request: ClientRequest | null = null
  #timer: NodeJS.Timeout | null = null
  #answer: IncomingMessage | null = null
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #isOver = false

  constructor(asked: ExchangeRequest, ends: Ends) {
    this.#asked = asked
    this.#ends = ends
  }

  begin(place: Place): void {
    const { body, timeoutMs, signal } = this.#asked
    const text = body === undefined ? '' : JSON.stringify(body)
    const request = place.send(optionsOf(place, this.#asked, text))
    this.#request = request
    this.#timer = setTimeout(() => this.#fail('silent', `no answer within ${timeoutMs} ms`), timeoutMs)
    request.on('response', (answer) => this.#onAnswer(answer))
    request.on('upgrade', (_answer, socket) => {
      socket.destroy()
      this.#fail('bad_answer', 'an answer in another protocol')
    })
    request.on('error', (error) => this.#onError(error))
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    request.end(text)
    if (signal?.aborted === true) this.#onAbort()
  }

  readonly #onAbort = (): void => this.#fail('aborted', 'given up')

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
    const isConnected = cameAbout(this.#request?.socket ?? null)
    const said = isConnected || kind === 'aborted' ? kind : 'refused'
    const mayBeDone = isConnected && !this.#isDeclined()
    const wasStale = said === 'lost' && this.#request?.reusedSocket === true && this.#answer === null
    this.#ends.fail(new ExchangeError(said, `${endpoint}: ${why}`, { mayBeDone, wasStale, cause }))
    this.#request?.destroy()
  }

  /** Whoever redirects or refuses a request has not acted on it, whoever it is. */
  #isDeclined(): boolean {
    const status = this.#answer?.statusCode ?? 0
    return status >= 300 && status < 500
  }

  #finish(): void {
    this.#isOver = true
    if (this.#timer !== null) clearTimeout(this.#timer)
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
  const { statusCode: status = 0, rawHeaders } = answer
  const { type, leader, retryAfter } = headersIn(rawHeaders)
  const shown = { status, leader, retryAfterMs: retryAfter === null ? null : retryMs(retryAfter) }
  if (status === 204) return { ...shown, body: null }
  if (status < 200 || (status >= 300 && status < 400)) return `status ${status}, which no node answers`
  if (type === null || !/^application\/(?:problem\+)?json(?:$|[; ])/i.test(type)) {
    return `status ${status} with ${type ?? 'no type'} instead of JSON`
  }
  const [first = Buffer.alloc(0)] = chunks
  const text = (chunks.length > 1 ? Buffer.concat(chunks) : first).toString()
  try {
    return { ...shown, body: JSON.parse(text) }
  } catch {
    return `status ${status} with what is not JSON`
  }
}

/** As they were sent, name and value by turns: a table of all of them would cost more than these three. */
function headersIn(raw: readonly string[]) {
  let [type, leader, retryAfter]: (string | null)[] = [null, null, null]
  for (let n = 0; n + 1 < raw.length; n += 2) {
    const value = raw[n + 1] ?? ''
    switch (raw[n]?.toLowerCase()) {
      case 'content-type':
        type = value
        break
      case 'holdfast-leader':
        leader = value
        break
      case 'retry-after':
        retryAfter = value
        break
      default:
    }
  }
  return { type: type ?? null, leader: leader ?? null, retryAfter: retryAfter ?? null }
}

/** Dates, which no node sends, say nothing. */
function retryMs(header: string): number | null {
  return /^\d{1,6}$/.test(header) ? Number(header) * 1000 : null
}
