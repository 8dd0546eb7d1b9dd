// How tests of the HTTP side call a node, and what is true of every answer.
import type { Test } from 'tap'
import { errorRows } from '../../src/http/errors.ts'
import type { ErrorCode } from '../../src/http/errors.ts'
import type { App } from '../../src/http/door.ts'

/** A JSON answer; the fields that tests go on with have types. */
export interface Body {
  readonly token?: number
  readonly session?: string
  readonly requestId?: string
  readonly sequence?: number
  readonly validForMs?: number
  readonly cursor?: string | null
  readonly code?: string
  readonly detail?: string
  readonly field?: string
  readonly instance?: string
  readonly [other: string]: unknown
}

export interface Answer {
  readonly status: number
  readonly body: Body
  readonly text: string
  readonly headers: Readonly<Record<string, unknown>>
}

type Method = 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH' | 'HEAD' | 'OPTIONS'

export interface Asked {
  readonly method: Method
  readonly url: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export async function ask(app: App, { method, url, body, headers = {} }: Asked): Promise<Answer> {
  const isText = typeof body === 'string' || body instanceof Uint8Array
  const payload = isText ? Buffer.from(body) : body === undefined ? undefined : JSON.stringify(body)
  const type = payload === undefined ? {} : { 'content-type': 'application/json' }
  const answer = await app.inject({
    method,
    url,
    headers: { ...type, ...headers },
    ...(payload === undefined ? {} : { payload }),
  })
  const isJson = /json/.test(String(answer.headers['content-type']))
  return {
    status: answer.statusCode,
    body: isJson && answer.body !== '' ? answer.json() : {},
    text: answer.body,
    headers: answer.headers,
  }
}

export const post = (app: App, url: string, body?: unknown): Promise<Answer> => ask(app, { method: 'POST', url, body })
export const get = (app: App, url: string): Promise<Answer> => ask(app, { method: 'GET', url })
export const remove = (app: App, url: string): Promise<Answer> => ask(app, { method: 'DELETE', url })

export function lockPath(name: string, verb: string): string {
  return `/v1/locks/${encodeURIComponent(name)}/${verb}`
}

export const acquire = (app: App, name: string, body?: unknown): Promise<Answer> =>
  post(app, lockPath(name, 'acquire'), body)
export const release = (app: App, name: string, body: unknown): Promise<Answer> =>
  post(app, lockPath(name, 'release'), body)

/** The session that was opened. */
export async function openSession(app: App, body: unknown = {}): Promise<string> {
  const { body: opened } = await post(app, '/v1/sessions', body)
  return String(opened.session)
}

/** The token of a grant, for lack of which the test fails. */
export function tokenOf({ status, body, text }: Answer): number {
  if (status !== 200 || body.token === undefined) throw new Error(`not granted: ${status} ${text}`)
  return body.token
}

/** The answer is that problem, in the form that every problem has. */
export function isProblem(
  t: Test,
  answer: Answer,
  code: ErrorCode,
  more: Readonly<Record<string, unknown>> = {},
): void {
  const { status, title, retryAfterS } = errorRows[code]
  t.equal(answer.status, status, `${code}: ${answer.text}`)
  t.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
  t.match(answer.body, { type: `urn:holdfast:error:${code}`, title, status, code, detail: /\w/, ...more })
  t.equal(answer.headers['retry-after'], retryAfterS === undefined ? undefined : String(retryAfterS))
  t.match(answer.headers['holdfast-index'], /^\d+$/)
}

/** Calls `look` until it gives something other than null, and returns that. */
export async function eventually<Value>(look: () => Promise<Value | null> | Value | null): Promise<Value> {
  for (;;) {
    const found = await look()
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
