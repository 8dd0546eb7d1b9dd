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

export function documented({ tag, summary, answers, problems }: RouteNotes) {
  return { tags: [tag], summary, response: answers, problems: [...always, ...problems] }
}

declare module 'fastify' {
  interface FastifySchema {
    readonly problems?: readonly ErrorCode[]
  }
}

/** The schema as it stands in the document. */
export function withProblems({ problems = [], ...schema }: FastifySchema): FastifySchema {
  return { ...schema, response: { ...objectOr(schema.response), ...problemResponses(problems) } }
}

function objectOr(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
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
  return {
    description: codes.map((code) => `\`${code}\`: ${errorRows[code].meaning}.`).join('\n\n'),
    content: { 'application/problem+json': { schema: { $ref: `${problemId}#` } } },
  }
}
