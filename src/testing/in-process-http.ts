// One HTTP exchange with a node of this process, without a socket: on virtual time a request and its answer take no time,
// and whoever lets time pass can see when they are through. What the client's own exchange (client/exchange.ts) makes of
// sockets that are refused or reset, this makes of pipes.
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { ExchangeError } from '../client/exchange.ts'
import type { ExchangeAnswer, ExchangeRequest } from '../client/exchange.ts'
import type { Member } from './member.ts'
import { PipeEnd } from './pipe.ts'

export interface InProcessParts {
  memberAt(endpoint: string): Member | null
  /** Something moves. */
  stir(): void
}

/** Rejects with an ExchangeError; the time limit is the caller's. */
export function exchangeInProcess(parts: InProcessParts, asked: ExchangeRequest): Promise<ExchangeAnswer> {
  const { endpoint, method, path, body, signal } = asked
  const member = parts.memberAt(endpoint)
  if (member?.isUp !== true) {
    return Promise.reject(new ExchangeError('refused', `${endpoint}: nobody listens there`, { mayBeDone: false }))
  }
  const [near, far] = PipeEnd.pair(() => parts.stir())
  return new Promise((resolve, reject) => {
    const lost = (why: string): void => {
      if (signal?.aborted === true) reject(new ExchangeError('aborted', 'given up', { mayBeDone: true }))
      else reject(new ExchangeError('lost', `${endpoint}: ${why}`, { mayBeDone: true }))
    }
    const headers = { host: new URL(endpoint).host, accept: 'application/json' }
    const request = httpRequest({ method, path, headers, createConnection: () => near })
    request.on('error', (error) => lost(error.message))
    request.on('response', (response) => {
      readAnswer(response).then(resolve, (error: Error) => lost(error.message))
    })
    signal?.addEventListener('abort', () => request.destroy(new Error('given up')), { once: true })
    if (body === undefined) request.end()
    else request.setHeader('content-type', 'application/json').end(JSON.stringify(body))
    member.connect(far)
  })
}

async function readAnswer(response: IncomingMessage): Promise<ExchangeAnswer> {
  const chunks: Buffer[] = await response.toArray()
  const { statusCode: status = 0, headers } = response
  const text = Buffer.concat(chunks).toString()
  const leader = headers['holdfast-leader']
  const retryAfterS = Number(headers['retry-after'] ?? Number.NaN)
  return {
    status,
    body: text === '' ? null : JSON.parse(text),
    leader: typeof leader === 'string' ? leader : null,
    retryAfterMs: Number.isNaN(retryAfterS) ? null : retryAfterS * 1000,
  }
}
