// Pure reads of the table for the HTTP API. Nothing is changed, so nothing past due is ended here; but a session or a
// grant past due is shown as ended, because that is what every command and every resource that asks must count on.
// Durations are milliseconds of cluster time as of the last entry applied.
import type { LockName, RequestId, Sequence, SessionId, Token } from '../ids.ts'
import { holdersOf, placeInLine, tokenOf } from './answers.ts'
import { isNameBefore, orderedName } from './byte-order.ts'
import { isRequestOver } from './due.ts'
import { recall } from './ending.ts'
import type { EndedBy, HolderView } from './outcome.ts'
import { grantsInOrder, liveSession, waitsInOrder } from './sessions.ts'
import { sortedFrom } from './sorted.ts'
import { requestsOf } from './state.ts'
import type { Lock, LockState, Request, Session } from './state.ts'

export interface LockView {
  readonly lock: LockName
  readonly holders: readonly HolderView[]
  /** Waiters past due whose turn to leave has not come are counted. */
  readonly queueLength: number
  /** The first hundred. */
  readonly queue: readonly WaiterView[]
}

export interface WaiterView {
  readonly sequence: Sequence
  readonly position: number
  readonly session: SessionId | null
  readonly requestId: RequestId
  readonly owner: string | null
  readonly mode: 'exclusive'
  readonly waitedMs: number
}

interface SessionFacts {
  readonly session: SessionId
  readonly name: string | null
  readonly ttlMs: number
  readonly expiresInMs: number
  /** JSON text. */
  readonly metadata: string | null
}

/** In a listing: a page of sessions may not cost as much as all that they hold. */
export interface SessionSummary extends SessionFacts {
  /** How many requests hold or wait. */
  readonly requests: number
}

export interface SessionView extends SessionFacts {
  /** In the order of their tokens. */
  readonly holds: readonly { readonly lock: LockName; readonly token: Token; readonly mode: 'exclusive' }[]
  /** In the order of their sequence. */
  readonly waits: readonly {
    readonly lock: LockName
    readonly sequence: Sequence
    readonly position: number
    readonly requestId: RequestId
  }[]
}

export type RequestView =
  | {
      readonly state: 'waiting'
      readonly session: SessionId | null
      readonly sequence: Sequence
      readonly position: number
      readonly queueLength: number
    }
  | {
      readonly state: 'granted'
      readonly session: SessionId | null
      readonly sequence: Sequence
      readonly token: Token
    }
  /** `token` and `endedBy` are null for one that was never granted: withdrawn, or refused before it came. */
  | {
      readonly state: 'ended'
      readonly session: SessionId | null
      readonly token: Token | null
      readonly endedBy: EndedBy | null
    }

export interface LockSummary {
  readonly lock: LockName
  readonly holders: readonly HolderView[]
  readonly queueLength: number
}

const waitersShown = 100

/** A lock that nobody holds looks free, not missing. */
export function viewLock(state: LockState, name: LockName): LockView {
  const lock = state.locks.get(name)
  if (lock === undefined) return { lock: name, holders: [], queueLength: 0, queue: [] }
  const queue = lock.queue.slice(0, waitersShown).map((wait, index) => ({
    sequence: wait.sequence,
    position: index + 1,
    session: wait.session?.id ?? null,
    requestId: wait.id,
    owner: wait.owner,
    mode: 'exclusive' as const,
    waitedMs: state.time - wait.since,
  }))
  return { lock: name, holders: holdersOf(state, lock), queueLength: lock.queue.length, queue }
}

export function viewSession(state: LockState, id: SessionId): SessionView | 'unknown' | 'ended' {
  const session = liveSession(state, id)
  if (session === 'session_unknown') return 'unknown'
  return session === 'session_ended' ? 'ended' : sessionView(state, session)
}

/**
 * null = not found: never heard of, forgotten, for another lock (as far as that is kept: `recall`), or of a session that
 * is not there (any more).
 */
export function viewRequest(
  state: LockState,
  { lock, session: id, requestId }: { lock: LockName; session: SessionId | null; requestId: RequestId },
): RequestView | null {
  const session = id === null ? null : liveSession(state, id)
  if (typeof session === 'string') return null
  const request = requestsOf(state, session).get(requestId)
  if (request !== undefined && !isRequestOver(request, state.time)) {
    return request.lock.name === lock ? requestView(request) : null
  }
  const key = { session: session?.id ?? null, requestId }
  const memory = recall(state, key, lock)
  if (memory === null || memory === 'otherLock') return null
  const { token, how } = memory
  return { state: 'ended', session: key.session, token, endedBy: token === null ? null : how }
}

/** For a resource that wants to know whether a token is still a holder's. */
export function checkToken(
  state: LockState,
  { lock: name, token }: { lock: LockName; token: Token },
): { valid: boolean; holders: readonly HolderView[] } {
  const lock = state.locks.get(name)
  const holders = lock === undefined ? [] : holdersOf(state, lock)
  return { valid: holders.some((holder) => holder.token === token), holders }
}

/** The held or awaited locks in byte order of their names; `next` is the `after` of the next page, null on the last. */
export function listLocks(
  state: LockState,
  { prefix, after, limit }: { prefix: string; after: LockName | null; limit: number },
): { locks: readonly LockSummary[]; next: LockName | null } {
  const locks: LockSummary[] = []
  for (const lock of sortedFrom(state.locksByName, isBeforePage(prefix, after))) {
    if (!lock.name.startsWith(prefix)) break
    const holders = holdersOf(state, lock)
    if (holders.length === 0 && lock.queue.length === 0) continue
    if (locks.length >= limit) return { locks, next: locks.at(-1)?.lock ?? after }
    locks.push({ lock: lock.name, holders, queueLength: lock.queue.length })
  }
  return { locks, next: null }
}

/** The living sessions in the order of their opening; `next` is the `after` of the next page, null on the last. */
export function listSessions(
  state: LockState,
  { after, limit }: { after: Sequence | null; limit: number },
): { sessions: readonly SessionSummary[]; next: Sequence | null } {
  const sessions: SessionSummary[] = []
  let last = after
  for (const session of sortedFrom(state.sessionsBySequence, ({ sequence }) => after !== null && sequence <= after)) {
    if (typeof liveSession(state, session.id) === 'string') continue
    if (sessions.length >= limit) return { sessions, next: last }
    sessions.push({ ...factsOf(state, session), requests: session.requests.size })
    last = session.sequence
  }
  return { sessions, next: null }
}

/** For metrics. Records past due are counted until their turn. */
export function counts(state: LockState): {
  readonly sessions: number
  readonly held: number
  readonly waiting: number
  readonly requests: number
  readonly remembered: number
  readonly endedTokens: number
} {
  return {
    sessions: state.sessions.size,
    held: state.held,
    waiting: state.waiting,
    requests: state.held + state.waiting,
    remembered: state.remembered.count,
    endedTokens: state.endedTokens.byToken.size,
  }
}

function sessionView(state: LockState, session: Session): SessionView {
  const requests = [...session.requests.values()]
  return {
    ...factsOf(state, session),
    holds: grantsInOrder(requests).map((grant) => ({
      lock: grant.lock.name,
      token: tokenOf(grant),
      mode: 'exclusive',
    })),
    waits: waitsInOrder(requests).map((wait) => ({
      lock: wait.lock.name,
      sequence: wait.sequence,
      position: placeInLine(wait.lock, wait) + 1,
      requestId: wait.id,
    })),
  }
}

function factsOf(state: LockState, { id, name, ttlMs, deadline, metadata }: Session): SessionFacts {
  return { session: id, name, ttlMs, expiresInMs: deadline - state.time, metadata }
}

function requestView(request: Request): RequestView {
  const { lock, sequence, token } = request
  const session = request.session?.id ?? null
  if (token !== null) return { state: 'granted', session, sequence, token }
  return {
    state: 'waiting',
    session,
    sequence,
    position: placeInLine(lock, request) + 1,
    queueLength: lock.queue.length,
  }
}

/** Both conditions hold for a beginning of the order only, so their union does. */
function isBeforePage(prefix: string, after: LockName | null): (lock: Lock) => boolean {
  const first = orderedName(prefix)
  const passed = after === null ? null : orderedName(after)
  return (lock) => isNameBefore(lock, first) || (passed !== null && !isNameBefore(passed, lock))
}
