// How a wait and a grant end: what is taken out of which record, what is said, what is remembered, and what is recalled
// of it. The lock is left as it then is; the caller serves its queue when everything that ends together has ended (H6).
import type { LockName } from '../ids.ts'
import { noteEnd, noteMemory } from './changes.ts'
import { unschedule } from './deadlines.ts'
import { keepEndedToken } from './ended-tokens.ts'
import { placeInLine, notGranted, refused, say, tokenOf } from './answers.ts'
import type { Step } from './answers.ts'
import type { Refused } from './outcome.ts'
import {
  bucketNumber,
  lockOfReleased,
  recallRequest,
  rememberOpening,
  rememberReleased,
  rememberRequest,
} from './remembered.ts'
import type { Memory, RequestKey } from './remembered.ts'
import { requestsOf } from './state.ts'
import type { LockState, Request, Session } from './state.ts'

/** The wait leaves its queue and each of its attempts is refused. Nothing is remembered here. */
export function endWait(step: Step, wait: Request, code: 'wait_timeout' | 'session_ended' | 'request_cancelled'): void {
  const { state } = step
  leaveQueue(state, wait)
  unschedule(state.deadlines, wait)
  requestsOf(state, wait.session).delete(wait.id)
  noteEnd(state, wait)
  if (wait.attempts.length === 0) return
  const result = refusalOf(state, wait, code)
  for (const attempt of wait.attempts) say(step, attempt, result)
}

/** The grant ends. What became of its request is remembered unless the session has been taken apart. */
export function endGrant(
  state: LockState,
  grant: Request,
  endedBy: 'released' | 'expired' | 'session_closed' | 'unclaimed',
): void {
  const token = tokenOf(grant)
  const lock = grant.lock
  lock.holder = null
  state.held -= 1
  unschedule(state.deadlines, grant)
  noteEnd(state, grant)
  if (endedBy === 'released') {
    const bucket = bucketNumber(state.time)
    rememberReleased(state.remembered, bucket, token, lock.name)
    noteMemory(state, { kind: 'releasedToken', bucket, token, lock: lock.name })
  } else {
    const ended = { token, lock: lock.name, endedBy, endedAt: state.time, ordinal: state.nextEnding }
    state.nextEnding += 1
    keepEndedToken(state.endedTokens, ended, state.limits.endedTokensMax)
  }
  if (requestsOf(state, grant.session).delete(grant.id)) remember(state, keyOf(grant), { how: endedBy, token })
}

export function remember(state: LockState, key: RequestKey, memory: Memory): void {
  const bucket = bucketNumber(state.time)
  rememberRequest(state.remembered, bucket, key, memory)
  const { session, requestId } = key
  noteMemory(state, { kind: 'rememberedRequest', bucket, session, requestId, how: memory.how, token: memory.token })
}

/** The session has ended, and its opening is remembered. */
export function rememberSession(state: LockState, { id, requestId }: Session): void {
  const bucket = bucketNumber(state.time)
  rememberOpening(state.remembered, bucket, requestId, id)
  noteMemory(state, { kind: 'rememberedOpening', bucket, requestId, session: id })
}

/**
 * What is remembered of an ended request, asked for under `lock`. 'otherLock' when it was for another one: that is known
 * of one that held, as long as its token is kept, and not of one that never did.
 */
export function recall(state: LockState, key: RequestKey, lock: LockName): Memory | 'otherLock' | null {
  const { remembered, endedTokens } = state
  const memory = recallRequest(remembered, key)
  if (memory === null || memory.token === null) return memory
  const { how, token } = memory
  const grantedFor =
    how === 'released' ? lockOfReleased(remembered, token) : (endedTokens.byToken.get(token)?.lock ?? null)
  return grantedFor === null || grantedFor === lock ? memory : 'otherLock'
}

/** Takes a waiting request out of the line. */
export function leaveQueue(state: LockState, wait: Request): void {
  const { queue } = wait.lock
  const place = placeInLine(wait.lock, wait)
  // The first, nearly always: `shift` moves the beginning of a long list, `splice` all the rest of it.
  if (place === 0) queue.shift()
  else queue.splice(place, 1)
  state.waiting -= 1
}

export function keyOf(request: Request): RequestKey {
  return { session: request.session?.id ?? null, requestId: request.id }
}

function refusalOf(
  state: LockState,
  wait: Request,
  code: 'wait_timeout' | 'session_ended' | 'request_cancelled',
): Refused {
  switch (code) {
    case 'wait_timeout':
      return notGranted(state, code, wait.lock, wait.id)
    case 'session_ended':
      return refused({ code, session: wait.session?.id ?? null })
    case 'request_cancelled':
      return refused({ code, requestId: wait.id })
  }
}
