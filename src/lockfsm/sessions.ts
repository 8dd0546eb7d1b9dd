// Opening, renewing and ending sessions. A session is nothing but the liveness of its requests: when it ends, its waits
// leave and its grants end in one step.
import type { Sequence, SessionId } from '../ids.ts'
import { asSessionId } from '../ids.ts'
import { quotaExceeded, refused, validForMs } from './answers.ts'
import type { Step } from './answers.ts'
import { changeSession, noteBirth, noteEnd, noteForgotten } from './changes.ts'
import type { OpenSession, Origin, SessionRenewal } from './command.ts'
import { unschedule } from './deadlines.ts'
import { isSessionOver, scheduleSession } from './due.ts'
import { endGrant, endWait, rememberSession } from './ending.ts'
import { durationMs, isTooOld } from './admission.ts'
import type { Result, SessionOpened, SessionRenewed } from './outcome.ts'
import { serveAll } from './queue.ts'
import { forgetSession, recallOpening } from './remembered.ts'
import { insertSorted, removeSorted } from './sorted.ts'
import { later, takeSequence } from './state.ts'
import type { Lock, LockState, Request, Session } from './state.ts'

export function openSession(state: LockState, origin: Origin, command: OpenSession): Result {
  if (isTooOld(state, command.takenInAt)) return refused({ code: 'too_old' })
  const ttlMs = durationMs(command.ttlMs)
  const open = state.openings.get(command.requestId)
  if (open !== undefined) return repeatOpening(state, origin, open, ttlMs)
  const ended = recallOpening(state.remembered, command.requestId)
  if (ended !== null) return refused({ code: 'session_ended', session: ended })
  const { rememberedMax, sessionsMax } = state.limits
  if (state.remembered.count >= rememberedMax) return quotaExceeded('remembered', rememberedMax)
  if (state.sessions.size >= sessionsMax) return quotaExceeded('sessions', sessionsMax)

  const sequence = takeSequence(state)
  const session: Session = {
    kind: 'session',
    id: sessionIdOf(sequence),
    sequence,
    requestId: command.requestId,
    openedTtlMs: ttlMs,
    ttlMs,
    deadline: later(state, ttlMs),
    name: command.name,
    metadata: command.metadata,
    attempts: [origin],
    giveBackAt: null,
    claimed: false,
    requests: new Map(),
    heapPosition: null,
    digested: 0,
    changedPlace: 0,
  }
  enterSession(state, session)
  noteBirth(state, session)
  return opened(state, session, { repeated: false })
}

function repeatOpening(state: LockState, origin: Origin, session: Session, ttlMs: number): Result {
  if (isSessionOver(session, state.time)) return refused({ code: 'session_ended', session: session.id })
  if (ttlMs !== session.openedTtlMs) {
    return refused({ code: 'request_mismatch', requestId: session.requestId, field: 'ttlMs' })
  }
  const { attemptsMax } = state.limits
  if (session.attempts.length >= attemptsMax) return quotaExceeded('attempts', attemptsMax)
  const change = changeSession(state, session)
  change.attempts = [...session.attempts, origin]
  change.giveBackAt = null
  scheduleSession(state, session)
  return opened(state, session, { repeated: true })
}

function opened(state: LockState, session: Session, { repeated }: { repeated: boolean }): SessionOpened {
  return {
    kind: 'sessionOpened',
    session: session.id,
    ttlMs: session.ttlMs,
    validForMs: validForMs({ deadline: session.deadline, carriedAt: state.time }),
    repeated,
  }
}

export function sessionIdOf(sequence: Sequence): SessionId {
  return asSessionId(`s-${sequence}`)
}

/** Puts a session into every index. */
export function enterSession(state: LockState, session: Session): void {
  state.sessions.set(session.id, session)
  state.openings.set(session.requestId, session)
  insertSorted(state.sessionsBySequence, session)
  scheduleSession(state, session)
}

export function renewSession(state: LockState, { session: id, ttlMs }: SessionRenewal): SessionRenewed {
  const session = liveSession(state, id)
  if (typeof session === 'string') return { session: id, refusal: session }
  const change = changeSession(state, session)
  if (ttlMs !== null) change.ttlMs = durationMs(ttlMs)
  const renewed = later(state, session.ttlMs)
  // Never to an earlier moment: somebody may count on the deadline as it is.
  if (renewed > session.deadline) change.deadline = renewed
  claimSession(state, session)
  scheduleSession(state, session)
  return {
    session: id,
    ttlMs: session.ttlMs,
    validForMs: validForMs({ deadline: session.deadline, carriedAt: state.time }),
  }
}

/**
 * Who names a session in a call that is answered with a `validForMs` knows its id and counts on the answer (S5): from
 * now on the session ends by its deadline only, whatever attempts are withdrawn.
 */
export function claimSession(state: LockState, session: Session): void {
  if (session.claimed) return
  const change = changeSession(state, session)
  change.claimed = true
  change.giveBackAt = null
  scheduleSession(state, session)
}

export function closeSession(step: Step, id: SessionId): void {
  const session = liveSession(step.state, id)
  if (typeof session === 'string') return
  const touched = new Set<Lock>()
  for (const grant of takeApart(step, session, touched)) {
    endGrant(step.state, grant, 'session_closed')
    touched.add(grant.lock)
  }
  serveAll(step, touched)
}

/**
 * The session itself ends, and its waits leave, in the order of their sequence; their locks are added to `touched`.
 * Returns its grants, in the order of their tokens, for the caller to end.
 */
export function takeApart(step: Step, session: Session, touched: Set<Lock>): readonly Request[] {
  const { state } = step
  state.sessions.delete(session.id)
  state.openings.delete(session.requestId)
  removeSorted(state.sessionsBySequence, session)
  unschedule(state.deadlines, session)
  noteEnd(state, session)
  noteForgotten(state, session.id, forgetSession(state.remembered, session.id))
  rememberSession(state, session)

  const requests = [...session.requests.values()]
  session.requests.clear()
  for (const wait of waitsInOrder(requests)) {
    endWait(step, wait, 'session_ended')
    touched.add(wait.lock)
  }
  return grantsInOrder(requests)
}

export function waitsInOrder(requests: Iterable<Request>): readonly Request[] {
  return [...requests].filter((request) => request.token === null).sort((a, b) => a.sequence - b.sequence)
}

export function grantsInOrder(requests: Iterable<Request>): readonly Request[] {
  return [...requests].filter((request) => request.token !== null).sort((a, b) => (a.token ?? 0) - (b.token ?? 0))
}

/**
 * The session, or why there is none: the opening sequence is in the id, so that one below the counter without a record
 * has ended and any other never was; no memory is needed to tell.
 */
export function liveSession(state: LockState, id: SessionId): Session | 'session_ended' | 'session_unknown' {
  const session = state.sessions.get(id)
  if (session !== undefined) return isSessionOver(session, state.time) ? 'session_ended' : session
  const isWellFormed = /^s-[1-9][0-9]{0,15}$/.test(id)
  return isWellFormed && Number(id.slice(2)) < state.nextSequence ? 'session_ended' : 'session_unknown'
}
