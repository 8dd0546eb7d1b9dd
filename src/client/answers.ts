// The answers of the API as the client reads them: checked against the types of http/api.ts, and problems turned into
// errors. What each code of a problem means for a call that could be repeated stands in one table.
import type { Static } from 'typebox'
import type * as api from '../http/api.ts'
import type { ErrorCode as ApiErrorCode } from '../http/errors.ts'
import { HoldfastError } from './errors.ts'
import type { ExchangeAnswer } from './exchange.ts'
import { isCount, isFlag, isRecord, isText, listOf, oneOf, orNull, shapeOf } from './shapes.ts'
import type { Check } from './shapes.ts'

const isMode = oneOf(['exclusive'])
const isEnding = oneOf(['released', 'expired', 'session_closed', 'unclaimed', 'unknown'])

const isHolder = shapeOf({
  session: orNull(isText),
  owner: orNull(isText),
  mode: isMode,
  token: isCount,
  sequence: isCount,
  heldMs: isCount,
  expiresInMs: isCount,
  metadata: orNull(isRecord),
})
const areHolders = listOf(isHolder)

export const isGranted: Check<Static<typeof api.Granted>> = shapeOf({
  lock: isText,
  token: isCount,
  session: orNull(isText),
  requestId: isText,
  mode: isMode,
  sequence: isCount,
  ttlMs: isCount,
  validForMs: isCount,
})
export const isStillWaiting: Check<Static<typeof api.StillWaiting>> = shapeOf({
  lock: isText,
  session: isText,
  requestId: isText,
  sequence: isCount,
  position: isCount,
  queueLength: isCount,
})
export const isGrantRenewed: Check<Static<typeof api.GrantRenewed>> = shapeOf({
  lock: isText,
  token: isCount,
  ttlMs: isCount,
  validForMs: isCount,
})
export const isReleased: Check<{ lock: string; token: number }> = shapeOf({ lock: isText, token: isCount })
export const isSessionOpened: Check<Static<typeof api.SessionOpened>> = shapeOf({
  session: isText,
  ttlMs: isCount,
  validForMs: isCount,
})
export const isRequestCancelled: Check<Static<typeof api.RequestCancelled>> = shapeOf({
  state: oneOf(['withdrawn', 'released', 'none']),
})
/** With these very values: an answer that was meant for somebody else is none. */
export function about<Value extends object>(check: Check<Value>, facts: Partial<Value>): Check<Value> {
  const expected = Object.entries(facts)
  return (value): value is Value => {
    if (!check(value) || !isRecord(value)) return false
    for (const [name, fact] of expected) if (value[name] !== fact) return false
    return true
  }
}

/** What 204 says. */
export const isNothing = (value: unknown): value is null => value === null
/** For calls whose answers are passed on as they are. */
export const isAnything = (_value: unknown): _value is unknown => true

export const isLockView: Check<Static<typeof api.LockView>> = shapeOf({
  lock: isText,
  holders: areHolders,
  queueLength: isCount,
  queue: listOf(
    shapeOf({
      sequence: isCount,
      position: isCount,
      session: orNull(isText),
      requestId: isText,
      owner: orNull(isText),
      mode: isMode,
      waitedMs: isCount,
    }),
  ),
})
export const isLocksView: Check<Static<typeof api.LocksView>> = shapeOf({
  locks: listOf(shapeOf({ lock: isText, holders: areHolders, queueLength: isCount })),
  cursor: orNull(isText),
})
export const isRequestView: Check<Static<typeof api.RequestView>> = shapeOf(
  { state: oneOf(['waiting', 'granted', 'ended']) },
  {
    session: orNull(isText),
    sequence: isCount,
    position: isCount,
    queueLength: isCount,
    token: orNull(isCount),
    endedBy: orNull(isEnding),
  },
)

const sessionFacts = {
  session: isText,
  name: orNull(isText),
  ttlMs: isCount,
  expiresInMs: isCount,
  metadata: orNull(isRecord),
}
export const isSessionView: Check<Static<typeof api.SessionView>> = shapeOf({
  ...sessionFacts,
  holds: listOf(shapeOf({ lock: isText, token: isCount, mode: isMode })),
  waits: listOf(shapeOf({ lock: isText, sequence: isCount, position: isCount, requestId: isText })),
})
export const isSessionsView: Check<Static<typeof api.SessionsView>> = shapeOf({
  sessions: listOf(shapeOf({ ...sessionFacts, requests: isCount })),
  cursor: orNull(isText),
})

export const isClusterView: Check<Static<typeof api.ClusterView>> = shapeOf({
  clusterId: orNull(isText),
  self: isText,
  leader: orNull(isText),
  term: isCount,
  members: listOf(
    shapeOf({
      id: isText,
      httpUrl: orNull(isText),
      peerUrl: isText,
      role: oneOf(['leader', 'follower', 'candidate', 'unknown']),
      incarnation: orNull(isText),
      reachable: isFlag,
      matchIndex: orNull(isCount),
    }),
  ),
  commitIndex: isCount,
  appliedIndex: isCount,
  clusterTimeMs: isCount,
  log: shapeOf({ firstIndex: isCount, lastIndex: isCount, bytes: isCount }),
  digest: orNull(shapeOf({ index: isCount, value: isText, agreeing: listOf(isText), differences: isCount })),
})

/**
 * What a problem means for its call:
 * - `final`: nothing was done, and the same call has no better chance;
 * - `notDone`: nothing was done, and the same call may be taken soon, or elsewhere;
 * - `unknown`: it may have been done, and a repetition tells;
 * - `broken`: it may have been done, and a repetition would not tell.
 */
export type Meaning = 'final' | 'notDone' | 'unknown' | 'broken'

const meanings: Readonly<Record<ApiErrorCode, Meaning>> = {
  invalid_request: 'final',
  session_unknown: 'final',
  not_found: 'final',
  method_not_allowed: 'final',
  already_released: 'final',
  request_cancelled: 'final',
  held_by_session: 'final',
  session_ended: 'final',
  token_stale: 'final',
  too_large: 'final',
  unsupported_media_type: 'final',
  request_mismatch: 'final',
  lock_held: 'final',
  wait_timeout: 'final',
  quota_exceeded: 'final',
  replacement_under_way: 'final',
  internal: 'broken',
  no_leader: 'notDone',
  overloaded: 'notDone',
  disk_low: 'notDone',
  outcome_unknown: 'unknown',
}

function isApiCode(value: unknown): value is ApiErrorCode {
  return typeof value === 'string' && Object.hasOwn(meanings, value)
}

const isProblem = shapeOf(
  { code: isApiCode, detail: isText },
  {
    field: isText,
    requestId: isText,
    session: orNull(isText),
    token: isCount,
    endedBy: isEnding,
    holders: areHolders,
    queueLength: isCount,
    limit: isText,
    max: isCount,
  },
)

export interface Refusal {
  readonly meaning: Meaning
  readonly error: HoldfastError
}

/** Null when no node answers that. */
export function refusalIn({ status, body }: ExchangeAnswer): Refusal | null {
  if (status < 400 || !isProblem(body)) return null
  const { code, detail, session, field, requestId, token, endedBy, holders, queueLength, limit, max } = body
  const said = { field, requestId, token, endedBy, holders, queueLength, limit, max, session: session ?? undefined }
  const details = { status, ...withoutUndefined(said) }
  return { meaning: meanings[code], error: new HoldfastError(code, `${code}: ${detail}`, { details }) }
}

type Said<Of> = { [Name in keyof Of]?: Exclude<Of[Name], undefined> }

function withoutUndefined<Of extends object>(value: Of): Said<Of> {
  const said: Said<Of> = {}
  for (const name in value) {
    const one = value[name]
    if (isSaid(one)) said[name] = one
  }
  return said
}

function isSaid<Value>(value: Value): value is Exclude<Value, undefined> {
  return value !== undefined
}
