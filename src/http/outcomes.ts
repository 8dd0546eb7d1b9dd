// From what became of a command to what its client is told. Outcomes have the shape of answers already: what a schema
// does not name is left out when it is written.
import type { FastifyReply } from 'fastify'
import { unreachable } from '../assert.ts'
import type { RequestId, SessionId } from '../ids.ts'
import type { Refused, Result, SessionsRenewed } from '../lockfsm/outcome.ts'
import { stamp } from './door.ts'
import type { Door } from './door.ts'
import { sendProblem } from './problem.ts'
import type { ProblemDetails } from './problem.ts'
import { shownHolders } from './shown.ts'

export type FinalResult = Exclude<Result, { kind: 'queued' }>

/** What was said, for metrics: `ok`, `waiting`, or the code of the problem. */
export type Said = ProblemDetails['code'] | 'ok' | 'waiting'

export function sendResult(door: Door, reply: FastifyReply, result: FinalResult, index: number): Said {
  switch (result.kind) {
    case 'granted':
    case 'grantRenewed':
    case 'requestCancelled':
      return send(door, reply, 200, result, index)
    case 'released':
      return send(door, reply, 200, { lock: result.lock, token: result.token, released: true }, index)
    case 'sessionOpened':
      return send(door, reply, result.repeated ? 200 : 201, result, index)
    case 'stillWaiting':
      send(door, reply, 202, result, index)
      return 'waiting'
    case 'done':
      return send(door, reply, 204, undefined, index)
    case 'sessionsRenewed':
      return sendRenewals(door, reply, result, index)
    case 'detached':
      return say(door, reply, unknownOutcome(result.requestId), index)
    case 'refused':
      return say(door, reply, refusalOf(result), index)
    default:
      return unreachable(result)
  }
}

function send(door: Door, reply: FastifyReply, status: number, body: unknown, index: number): 'ok' {
  stamp(door, reply, index)
  reply.code(status).send(body)
  return 'ok'
}

function say(door: Door, reply: FastifyReply, problem: ProblemDetails, index: number): Said {
  sendProblem(door, reply, problem, index)
  return problem.code
}

/** For the call that renews one session: its own renewal is the first. */
export function sendRenewal(door: Door, reply: FastifyReply, result: FinalResult, index: number): Said {
  const renewal = result.kind === 'sessionsRenewed' ? result.renewals[0] : undefined
  if (renewal === undefined) return sendResult(door, reply, result, index)
  if ('refusal' in renewal) {
    return say(door, reply, refusalOf({ kind: 'refused', code: renewal.refusal, session: renewal.session }), index)
  }
  return send(door, reply, 200, renewal, index)
}

function sendRenewals(door: Door, reply: FastifyReply, { renewals }: SessionsRenewed, index: number): Said {
  const renewed = renewals.filter((renewal) => !('refusal' in renewal))
  const gone = renewals.filter((renewal) => 'refusal' in renewal).map(({ session }) => session)
  return send(door, reply, 200, { renewed, gone }, index)
}

/** The change may have been made; `requestId` when repeating it with that id tells. */
export function unknownOutcome(requestId: RequestId | null): ProblemDetails {
  const detail = 'this node cannot find out what became of it; repeat the call, at any node'
  return requestId === null ? { code: 'outcome_unknown', detail } : { code: 'outcome_unknown', detail, requestId }
}

export function noSession(code: 'session_unknown' | 'session_ended', session: SessionId | null): ProblemDetails {
  const detail = code === 'session_ended' ? `session ${session} has ended` : `there is no session ${session}`
  return { code, detail, session }
}

function refusalOf(refusal: Refused): ProblemDetails {
  switch (refusal.code) {
    case 'session_unknown':
    case 'session_ended':
      return noSession(refusal.code, refusal.session)
    case 'lock_held':
    case 'wait_timeout': {
      const { code, requestId, queueLength } = refusal
      const detail =
        code === 'lock_held' ? 'somebody holds the lock, or is next' : 'the wait is over, nothing is awaited any more'
      return { code, detail, requestId, holders: shownHolders(refusal.holders), queueLength }
    }
    case 'already_released': {
      const { code, requestId, token, endedBy } = refusal
      return { code, detail: `granted as ${token}, which has ended: ${endedBy}`, requestId, token, endedBy }
    }
    case 'request_cancelled':
      return { code: refusal.code, detail: 'a DELETE withdrew this request', requestId: refusal.requestId }
    case 'request_mismatch': {
      const { code, requestId, field } = refusal
      return { code, detail: `request ${requestId} was made with another ${field}`, requestId, field }
    }
    case 'held_by_session':
      return { code: refusal.code, detail: `renew session ${refusal.session}`, session: refusal.session }
    case 'token_stale': {
      const { code, token, endedBy } = refusal
      const detail = `token ${token} is not, or no longer, that of a holder of this lock and session: ${endedBy}`
      return { code, detail, token, endedBy }
    }
    case 'quota_exceeded': {
      const { code, limit, max } = refusal
      return { code, detail: `the limit ${limit} of ${max} is reached`, limit, max }
    }
    case 'too_old':
      return { code: 'no_leader', detail: 'it was too long under way: nothing was done' }
    default:
      return unreachable(refusal)
  }
}
