// When a session or a request comes to its end by itself, and whether it has. What is past its deadline counts as
// ended for every command and every grant, even while its record waits for its turn behind the bound of an entry
// (DESIGN 4): whoever reads a record that may be past due asks here first.
import type { ClusterTime } from '../ids.ts'
import { schedule, unschedule } from './deadlines.ts'
import type { EndedToken } from './ended-tokens.ts'
import type { LockState, Request, Session } from './state.ts'

export function isSessionOver(session: Session, time: ClusterTime): boolean {
  return sessionEnd(session) <= time
}

/** How a session that is over has ended. */
export function sessionEnding(session: Session, time: ClusterTime): EndedToken['endedBy'] {
  return session.deadline <= time ? 'expired' : 'unclaimed'
}

/** Whether the request is past its own deadline or its session's. */
export function isRequestOver(request: Request, time: ClusterTime): boolean {
  if (request.session !== null && isSessionOver(request.session, time)) return true
  const end = requestEnd(request)
  return end !== null && end <= time
}

/** How a grant that is over has ended. */
export function grantEnding(grant: Request, time: ClusterTime): EndedToken['endedBy'] {
  if (grant.session !== null && isSessionOver(grant.session, time)) return sessionEnding(grant.session, time)
  return grant.deadline !== null && grant.deadline <= time ? 'expired' : 'unclaimed'
}

/** To be called after every change of a session's deadlines. */
export function scheduleSession(state: LockState, session: Session): void {
  schedule(state.deadlines, session, sessionEnd(session))
}

/** To be called after every change of a request's deadlines or attempts. */
export function scheduleRequest(state: LockState, request: Request): void {
  const due = requestDue(request)
  if (due === null) unschedule(state.deadlines, request)
  else schedule(state.deadlines, request, due)
}

/** When something happens to the session by itself. */
export function sessionEnd(session: Session): ClusterTime {
  const { deadline, giveBackAt } = session
  return giveBackAt !== null && giveBackAt < deadline ? giveBackAt : deadline
}

/** When something happens to the request by itself, if only that an attempt leaves; null = its session decides. */
export function requestDue(request: Request): ClusterTime | null {
  let due = requestEnd(request)
  if (request.token === null) for (const attempt of request.attempts) due = earlier(due, attempt.pollUntil)
  return due
}

function requestEnd(request: Request): ClusterTime | null {
  return earlier(request.deadline, request.giveBackAt)
}

function earlier(a: ClusterTime | null, b: ClusterTime | null): ClusterTime | null {
  if (a === null) return b
  return b === null || a <= b ? a : b
}
