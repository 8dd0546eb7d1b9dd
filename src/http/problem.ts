// Errors as answers (RFC 9457). A problem is a value: its code decides everything that follows from the table in
// errors.ts; what else stands in it is for the one who reads it.
import type { FastifyReply } from 'fastify'
import type { Static } from 'typebox'
import type { Problem } from './api.ts'
import { appliedIndex, stamp } from './door.ts'
import type { Door } from './door.ts'
import { errorRows } from './errors.ts'

export type ProblemBody = Static<typeof Problem>

export type ProblemDetails = Pick<ProblemBody, 'code' | 'detail'> &
  Partial<Omit<ProblemBody, 'type' | 'title' | 'status' | 'code' | 'detail'>>

/** Thrown where a request is read and makes no sense; answered as `invalid_request`. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest'
  readonly code = 'invalid_request'
  readonly field: string

  constructor(field: string, rule: string) {
    super(`${field}: ${rule}`)
    this.field = field
  }
}

export const problemType = 'application/problem+json; charset=utf-8'

export function problemBody(details: ProblemDetails): ProblemBody {
  const { status, title } = errorRows[details.code]
  return { type: `urn:holdfast:error:${details.code}`, title, status, ...details }
}

/** Answers with a problem as of `index` in the log. */
export function sendProblem(
  door: Door,
  reply: FastifyReply,
  details: ProblemDetails,
  index = appliedIndex(door),
): void {
  const body = problemBody(details)
  const { retryAfterS } = errorRows[details.code]
  stamp(door, reply, index)
  if (retryAfterS !== undefined) reply.header('retry-after', String(retryAfterS))
  if (details.allow !== undefined) reply.header('allow', details.allow.join(', '))
  reply.code(body.status).type(problemType).send(body)
}

/** Why this node does not serve, in words. */
export function whyNotReady({ node }: Door): string {
  if (node.replica === null) return 'the cluster is not founded yet: every member must have been started once'
  const readiness = node.replica.readiness()
  return readiness.ready ? 'no leader took it in time' : readiness.reason
}
