// How a route says in its schema what it may answer: schemas by status, and for errors the codes. What validates and
// serialises is thereby what stands in the OpenAPI document.
//
// Problems all have one shape and need no serialiser of their own: the document has them at every route, Fastify does
// not. (It would compile a hundred, which is a quarter of a second of every start.)
import type { FastifySchema } from 'fastify'
import type { TSchema } from 'typebox'
import { problemId } from './api.ts'
import { errorRows } from './errors.ts'
import type { ErrorCode } from './errors.ts'

export interface RouteNotes {
  readonly tag: 'sessions' | 'locks' | 'requests' | 'cluster' | 'operation'
  readonly summary: string
  readonly answers: Readonly<Record<number, TSchema>>
  readonly problems: readonly ErrorCode[]
  /** The request id may also come as a header. */
  readonly idempotencyKey?: true
}

/** Every route may answer with these. */
const always: readonly ErrorCode[] = ['invalid_request', 'internal']
/** And what changes the table with these. */
export const ofChanges: readonly ErrorCode[] = [
  'too_large',
  'unsupported_media_type',
  'no_leader',
  'overloaded',
  'disk_low',
  'outcome_unknown',
]

/** And what reads the table with these. */
export const ofReads: readonly ErrorCode[] = ['no_leader', 'overloaded']

export function documented({ tag, summary, answers, problems, idempotencyKey }: RouteNotes) {
  return {
    tags: [tag],
    summary,
    response: answers,
    problems: [...always, ...problems],
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  }
}

declare module 'fastify' {
  interface FastifySchema {
    readonly problems?: readonly ErrorCode[]
    readonly idempotencyKey?: true
  }
}

const answerHeaders = {
  'Holdfast-Index': { description: 'the log index that the answer reflects', schema: { type: 'integer' } },
  'Holdfast-Leader': { description: 'where the leader is; absent while none is known', schema: { type: 'string' } },
}
const retryAfter = { description: 'seconds to wait before trying again', schema: { type: 'integer' } }
const idempotencyHeader = {
  type: 'object',
  properties: {
    'Idempotency-Key': { type: 'string', description: 'the `requestId`, when the body has none; both must be equal' },
  },
}

/** The schema as it stands in the document: with problems, and with the headers of requests and answers. */
export function asDocumented({ problems = [], idempotencyKey, ...schema }: FastifySchema): FastifySchema {
  const response = { ...answerResponses(schema.response), ...problemResponses(problems) }
  return { ...schema, ...(idempotencyKey === undefined ? {} : { headers: idempotencyHeader }), response }
}

function answerResponses(answers: unknown): object {
  if (typeof answers !== 'object' || answers === null) return {}
  const described = Object.entries(answers).map(([status, schema]: [string, TSchema]) => {
    const description = 'description' in schema ? String(schema['description']) : (meanings[status] ?? 'done')
    // Only the figures for Prometheus and backups are no JSON, and only an answer without content has no type.
    const type = 'type' in schema ? schema['type'] : null
    const text = 'format' in schema && schema['format'] === 'binary' ? 'application/octet-stream' : 'text/plain'
    const media = type === 'string' ? text : 'application/json'
    const content = type === 'null' ? {} : { content: { [media]: { schema } } }
    return [status, { description, headers: answerHeaders, ...content }]
  })
  return Object.fromEntries(described)
}

const meanings: Readonly<Record<string, string>> = {
  200: 'done, or found',
  201: 'made',
  204: 'done; there is nothing to say',
}

function problemResponses(codes: readonly ErrorCode[]) {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { status } = errorRows[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries([...byStatus].map(([status, ofStatus]) => [status, problemResponse(ofStatus)]))
}

function problemResponse(codes: readonly ErrorCode[]) {
  const isToRetry = codes.some((code) => errorRows[code].retryAfterS !== undefined)
  return {
    headers: isToRetry ? { ...answerHeaders, 'Retry-After': retryAfter } : answerHeaders,
    description: codes.map((code) => `\`${code}\`: ${errorRows[code].meaning}.`).join('\n\n'),
    content: { 'application/problem+json': { schema: { $ref: `${problemId}#` } } },
  }
}
