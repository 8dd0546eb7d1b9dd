// What is done to a grant by its token: release, and renewal of a TTL of its own. Only the exact token of the present
// holder does anything (B116); any other is stale, and the answer says why if that is still known.
import type { LockName, Token } from '../ids.ts'
import { durationMs } from './admission.ts'
import { refused, validForMs } from './answers.ts'
import type { Step } from './answers.ts'
import { changeRequest } from './changes.ts'
import type { Release, RenewGrant } from './command.ts'
import { scheduleRequest } from './due.ts'
import { whyEnded } from './ended-tokens.ts'
import { endGrant } from './ending.ts'
import type { EndedBy, Refused, Result } from './outcome.ts'
import { serve, touchLock } from './queue.ts'
import { wasReleased } from './remembered.ts'
import { later } from './state.ts'
import type { LockState, Request } from './state.ts'

export function release(step: Step, { lock, token, session }: Release): Result {
  const { state } = step
  const grant = heldBy(step, lock, token)
  if (grant !== null) {
    // Somebody who names another session is not the holder, however he came by the token.
    if (session !== null && session !== grant.session?.id)
      return refused({ code: 'token_stale', token, endedBy: 'unknown' })
    endGrant(state, grant, 'released')
    serve(step, grant.lock)
    return { kind: 'released', lock, token }
  }
  if (wasReleased(state.remembered, lock, token)) return { kind: 'released', lock, token }
  return stale(state, lock, token)
}

export function renewGrant(step: Step, { lock, token, ttlMs }: RenewGrant): Result {
  const { state } = step
  const grant = heldBy(step, lock, token)
  if (grant === null) return stale(state, lock, token)
  if (grant.session !== null) return refused({ code: 'held_by_session', session: grant.session.id })
  const newTtlMs = ttlMs === null ? (grant.ttlMs ?? 0) : durationMs(ttlMs)
  const renewed = later(state, newTtlMs)
  // Never to an earlier moment: somebody may count on the deadline as it is.
  const deadline = grant.deadline === null || renewed > grant.deadline ? renewed : grant.deadline
  const change = changeRequest(state, grant)
  change.ttlMs = newTtlMs
  change.deadline = deadline
  // Who renews knows the token and counts on the answer (S5): from now on only the TTL ends the grant.
  change.claimed = true
  change.giveBackAt = null
  scheduleRequest(state, grant)
  return {
    kind: 'grantRenewed',
    lock,
    token,
    ttlMs: newTtlMs,
    validForMs: validForMs({ deadline, carriedAt: state.time }),
  }
}

/** The grant if it is the lock's present one. */
function heldBy(step: Step, lock: LockName, token: Token): Request | null {
  const holder = touchLock(step, lock)?.holder ?? null
  return holder?.token === token ? holder : null
}

function stale(state: LockState, lock: LockName, token: Token): Refused {
  return refused({ code: 'token_stale', token, endedBy: howEnded(state, lock, token) })
}

export function howEnded(state: LockState, lock: LockName, token: Token): EndedBy {
  if (wasReleased(state.remembered, lock, token)) return 'released'
  return whyEnded(state.endedTokens, lock, token) ?? 'unknown'
}
