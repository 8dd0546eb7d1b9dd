// The life of a request as its commands see it: acquire makes it or finds what became of it, cancel (`DELETE`) ends it
// and makes sure that no late copy brings it back.
import { asClusterTime } from '../ids.ts'
import { durationMs, isTooOld } from './admission.ts'
import { granted, leftWaiting, notGranted, quotaExceeded, refused } from './answers.ts'
import type { Step } from './answers.ts'
import { attemptOf, join, watchUnattended } from './attempts.ts'
import { changeRequest, noteBirth } from './changes.ts'
import type { Acquire, CancelRequest, Origin } from './command.ts'
import { grantEnding, isRequestOver } from './due.ts'
import { endGrant, endWait, keyOf, recall, remember } from './ending.ts'
import type { Refused, RequestCancelled, Result } from './outcome.ts'
import { createLock, endOverdueWait, enqueue, hold, serve, touchLock } from './queue.ts'
import type { Memory, RequestKey } from './remembered.ts'
import { claimSession, liveSession } from './sessions.ts'
import { later, requestsOf, takeSequence } from './state.ts'
import type { Attempt, Lock, LockState, Request, Session } from './state.ts'

export function acquire(step: Step, origin: Origin, command: Acquire): Result {
  const { state } = step
  if (isTooOld(state, command.takenInAt)) return refused({ code: 'too_old' })
  const session = command.session === null ? null : liveSession(state, command.session)
  if (typeof session === 'string') return refused({ code: session, session: command.session })
  if (session !== null) claimSession(state, session)

  const attempt = attemptOf(state, origin, durationMs(session === null ? command.waitMs : command.pollMs))
  const request = livingRequest(step, session, command)
  if (request !== null) return repeatAcquire(step, request, command, attempt)
  const memory = recall(state, keyIn(session, command), command.lock)
  if (memory === 'otherLock') return otherLock(command)
  if (memory !== null) return refusedAsEnded(command, memory)
  return newRequest(step, session, command, attempt)
}

/** The request is known and lives: the call joins it and hears what it can be told at once. */
function repeatAcquire(step: Step, request: Request, command: Acquire, attempt: Attempt): Result {
  const { state } = step
  const field = mismatch(request, command)
  if (field !== null) return refused({ code: 'request_mismatch', requestId: request.id, field })
  const { attemptsMax } = state.limits
  if (request.attempts.length >= attemptsMax) return quotaExceeded('attempts', attemptsMax)
  // It may be its turn, because the holder is past due.
  if (request.token === null) touchLock(step, command.lock)
  if (request.token !== null) {
    join(state, request, attempt)
    return granted(request, attempt.carriedAt)
  }
  const deadline = later(state, durationMs(command.waitMs))
  if (request.deadline === null || deadline > request.deadline) changeRequest(state, request).deadline = deadline
  return joinWaiting(state, request, attempt)
}

/** A call that does not wait leaves as soon as it has come; even so somebody attended at that moment. */
function joinWaiting(state: LockState, request: Request, attempt: Attempt): Result {
  if (attempt.pollUntil > state.time) {
    join(state, request, attempt)
    return { kind: 'queued' }
  }
  changeRequest(state, request).giveBackAt = null
  watchUnattended(state, request)
  return leftWaiting(request)
}

/** The content of a request is its lock, its session (its name space) and the TTL of its own; there is one mode yet. */
function mismatch(request: Request, command: Acquire): string | null {
  if (request.lock.name !== command.lock) return 'lock'
  return request.askedTtlMs === ownTtl(command) ? null : 'ttlMs'
}

function ownTtl(command: Acquire): number | null {
  return command.session === null ? durationMs(command.ttlMs ?? 0) : null
}

function refusedAsEnded({ requestId }: Acquire, memory: Memory): Refused {
  if (memory.token === null) return refused({ code: 'request_cancelled', requestId })
  return refused({ code: 'already_released', requestId, token: memory.token, endedBy: memory.how })
}

/** A sequence number is taken only by a request that comes to hold or to wait. */
function newRequest(step: Step, session: Session | null, command: Acquire, attempt: Attempt): Result {
  const { state } = step
  const lock = touchLock(step, command.lock)
  const waitMs = durationMs(command.waitMs)
  if (lock !== null && waitMs === 0) return notGranted(state, 'lock_held', lock, command.requestId)
  const overQuota = quotaOf(state, session, lock)
  if (overQuota !== null) return overQuota

  const ttlMs = ownTtl(command)
  const request: Request = {
    kind: 'request',
    id: command.requestId,
    lock: lock ?? createLock(state, command.lock),
    session,
    sequence: takeSequence(state),
    owner: command.owner ?? session?.name ?? null,
    metadata: command.metadata,
    askedTtlMs: ttlMs,
    ttlMs,
    attempts: lock === null ? [attempt] : [],
    token: null,
    since: state.time,
    deadline: asClusterTime(state.time + waitMs),
    giveBackAt: null,
    claimed: false,
    heapPosition: null,
    digested: 0,
    changedPlace: 0,
  }
  requestsOf(state, session).set(request.id, request)
  noteBirth(state, request)
  if (lock !== null) {
    enqueue(state, request)
    return joinWaiting(state, request, attempt)
  }
  hold(state, request)
  return granted(request, attempt.carriedAt)
}

function quotaOf(state: LockState, session: Session | null, lock: Lock | null): Refused | null {
  const { rememberedMax, perSessionMax, sessionlessMax, waitersPerLockMax } = state.limits
  if (state.remembered.count >= rememberedMax) return quotaExceeded('remembered', rememberedMax)
  if (session !== null && session.requests.size >= perSessionMax) return quotaExceeded('perSession', perSessionMax)
  if (session === null && state.sessionless.size >= sessionlessMax) return quotaExceeded('sessionless', sessionlessMax)
  if (lock !== null && lock.queue.length >= waitersPerLockMax) return quotaExceeded('waitersPerLock', waitersPerLockMax)
  return null
}

export function cancelRequest(step: Step, command: CancelRequest): Result {
  const { state } = step
  const session = command.session === null ? null : liveSession(state, command.session)
  if (session === 'session_unknown') return refused({ code: session, session: command.session })
  // With its session everything ended, and the session's id refuses late copies.
  if (session === 'session_ended') return cancelled('none')
  const request = livingRequest(step, session, command)
  if (request !== null) return cancelLiving(step, request, command)
  const key = keyIn(session, command)
  const memory = recall(state, key, command.lock)
  if (memory === 'otherLock') return otherLock(command)
  if (memory !== null) return cancelled(memory.how === 'withdrawn' || memory.how === 'released' ? memory.how : 'none')
  const { rememberedMax } = state.limits
  if (state.remembered.count >= rememberedMax) return quotaExceeded('remembered', rememberedMax)
  remember(state, key, { how: 'refused', token: null })
  return cancelled('none')
}

function cancelLiving(step: Step, request: Request, command: CancelRequest): Result {
  const { lock, token } = request
  if (lock.name !== command.lock) return otherLock(command)
  if (token !== null) {
    endGrant(step.state, request, 'released')
    serve(step, lock)
    return cancelled('released')
  }
  endWait(step, request, 'request_cancelled')
  remember(step.state, keyOf(request), { how: 'withdrawn', token: null })
  touchLock(step, lock.name)
  return cancelled('withdrawn')
}

function otherLock({ requestId }: Acquire | CancelRequest): Refused {
  return refused({ code: 'request_mismatch', requestId, field: 'lock' })
}

function cancelled(state: RequestCancelled['state']): RequestCancelled {
  return { kind: 'requestCancelled', state }
}

/** The request if it lives; one past due ends now, before its turn, and is then a request that has ended. */
function livingRequest(step: Step, session: Session | null, { requestId }: Acquire | CancelRequest): Request | null {
  const { state } = step
  const request = requestsOf(state, session).get(requestId)
  if (request === undefined) return null
  if (!isRequestOver(request, state.time)) return request
  if (request.token === null) endOverdueWait(step, request)
  else endGrant(state, request, grantEnding(request, state.time))
  serve(step, request.lock)
  return null
}

function keyIn(session: Session | null, { requestId }: Acquire | CancelRequest): RequestKey {
  return { session: session?.id ?? null, requestId }
}
