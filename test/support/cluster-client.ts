// A client of real nodes: one HTTP request at a time, without any retry or pool of its own. What a node that is gone
// leaves of a call is an error here, as it is for every client.
import { Agent, request } from 'node:http'

export interface HttpAnswer {
  readonly status: number
  /** What was sent, and what it is as JSON; empty for anything else. */
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

export interface HttpCall {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly body?: unknown
  /** The connection is closed when there is no answer after so long. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** No connection outlives its answer: a process that was killed must not leave one behind for the next call. */
const agent = new Agent({ keepAlive: false })

/** Rejects when the connection could not be made, or closed before the answer was complete. */
export function call(
  url: string,
  { method = 'POST', body, timeoutMs = 60_000, signal }: HttpCall = {},
): Promise<HttpAnswer> {
  const sentText = body === undefined ? '' : JSON.stringify(body)
  const headers =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sentText) }
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method, headers, agent, timeout: timeoutMs, ...(signal === undefined ? {} : { signal }) },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const isJson = /json/.test(answer.headers['content-type'] ?? '')
          resolve({
            status: answer.statusCode ?? 0,
            text,
            body: isJson ? JSON.parse(text) : {},
            headers: answer.headers,
          })
        })
      },
    )
    sent.on('timeout', () => sent.destroy(new Error(`no answer from ${url} within ${timeoutMs} ms`)))
    sent.on('error', reject)
    sent.end(sentText)
  })
}

export function lockUrl(base: string, lock: string, verb: string): string {
  return `${base}/v1/locks/${encodeURIComponent(lock)}/${verb}`
}

/** The token of a grant; throws for any other answer. */
export function tokenIn({ status, body }: HttpAnswer): number {
  const { token } = body as { readonly token?: unknown }
  if (status !== 200 || typeof token !== 'number') throw new Error(`not granted: ${status} ${JSON.stringify(body)}`)
  return token
}
