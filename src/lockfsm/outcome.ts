// What became of a command. An outcome is addressed to the origin of a command and never matched by request or session
// id: a node answers its client only with what was said to the very attempt that the client is waiting on.
import type { LockName, RequestId, Sequence, SessionId, Token } from '../ids.ts'
import type { Origin } from './command.ts'

export interface Outcome {
  readonly to: Origin
  readonly result: Result
}

/**
 * Every applied command gets exactly one outcome in its own entry. Only for an acquire can that be `queued`, and then
 * exactly one more follows, in the same entry or a later one: granted, stillWaiting, detached or a refusal; none if the
 * attempt is withdrawn before.
 */
export type Result =
  | Done
  | SessionOpened
  | SessionsRenewed
  | Queued
  | Granted
  | StillWaiting
  | Detached
  | Released
  | GrantRenewed
  | RequestCancelled
  | Refused

/** nodeStarted, nodeLost, withdraw, closeSession: nothing to say beyond that they were applied. */
export interface Done {
  readonly kind: 'done'
}

export interface SessionOpened {
  readonly kind: 'sessionOpened'
  readonly session: SessionId
  readonly ttlMs: number
  readonly validForMs: number
  /** True when an earlier attempt of the same request opened it. */
  readonly repeated: boolean
}

export interface SessionsRenewed {
  readonly kind: 'sessionsRenewed'
  /** In the order of the command's renewals. */
  readonly renewals: readonly SessionRenewed[]
}

export type SessionRenewed =
  | { readonly session: SessionId; readonly ttlMs: number; readonly validForMs: number }
  | { readonly session: SessionId; readonly refusal: 'session_ended' | 'session_unknown' }

/** The request waits; its answer comes later. */
export interface Queued {
  readonly kind: 'queued'
}

export interface Granted {
  readonly kind: 'granted'
  readonly lock: LockName
  readonly token: Token
  readonly session: SessionId | null
  readonly requestId: RequestId
  readonly mode: 'exclusive'
  readonly sequence: Sequence
  /** Of the session, or of the grant itself. */
  readonly ttlMs: number
  /**
   * What keeps the grant alive does not end by itself before this many milliseconds after the sending of the attempt
   * this answers (S5): the deadline less the time of the entry that carried the attempt, less clock rates.
   */
  readonly validForMs: number
}

/** The attempt's `pollMs` is over, or it was taken out of its request, which has a session and keeps its place. */
export interface StillWaiting {
  readonly kind: 'stillWaiting'
  readonly lock: LockName
  readonly session: SessionId
  readonly requestId: RequestId
  readonly sequence: Sequence
  /** From 1, the next to be granted. */
  readonly position: number
  readonly queueLength: number
}

/** The attempt was taken out of a request without a session: what becomes of the request is not for this attempt. */
export interface Detached {
  readonly kind: 'detached'
  readonly requestId: RequestId
}

export interface Released {
  readonly kind: 'released'
  readonly lock: LockName
  readonly token: Token
}

export interface GrantRenewed {
  readonly kind: 'grantRenewed'
  readonly lock: LockName
  readonly token: Token
  readonly ttlMs: number
  readonly validForMs: number
}

export interface RequestCancelled {
  readonly kind: 'requestCancelled'
  readonly state: 'withdrawn' | 'released' | 'none'
}

/** How a grant came to its end. */
export type EndedBy = 'released' | 'expired' | 'session_closed' | 'unclaimed' | 'unknown'

/** Nothing was done. `code` is the API's error code, except `too_old`, which the node answers as `no_leader`. */
export type Refused = { readonly kind: 'refused' } & Refusal

export type Refusal =
  | { readonly code: 'session_unknown' | 'session_ended'; readonly session: SessionId | null }
  | {
      readonly code: 'lock_held' | 'wait_timeout'
      readonly requestId: RequestId
      readonly holders: readonly HolderView[]
      readonly queueLength: number
    }
  | {
      readonly code: 'already_released'
      readonly requestId: RequestId
      readonly token: Token
      readonly endedBy: EndedBy
    }
  | { readonly code: 'request_cancelled'; readonly requestId: RequestId }
  | { readonly code: 'request_mismatch'; readonly requestId: RequestId; readonly field: string }
  | { readonly code: 'held_by_session'; readonly session: SessionId }
  | { readonly code: 'token_stale'; readonly token: Token; readonly endedBy: EndedBy }
  | { readonly code: 'quota_exceeded'; readonly limit: string; readonly max: number }
  | { readonly code: 'too_old' }

/** A holder as shown to others. Durations in milliseconds of cluster time; `metadata` is JSON text. */
export interface HolderView {
  readonly session: SessionId | null
  readonly owner: string | null
  readonly mode: 'exclusive'
  readonly token: Token
  readonly sequence: Sequence
  readonly heldMs: number
  readonly expiresInMs: number
  readonly metadata: string | null
}
