// What can be asked of the lock table. A command is made at the node whose client asked, numbered there, and carried
// unchanged to every replica's `apply`; anything a replica must agree on is therefore in it, and no clock is.
import type { ClusterTime, LockName, NodeId, RequestId, Run, SessionId, Token } from '../ids.ts'

/**
 * Which command this is: the `number`-th of that run of that node. Numbers start at 1 and only grow within a run;
 * `apply` ignores a command of an older run, or one whose number is not above the last applied one of its run. The
 * origin of an acquire or of the opening of a session is also the name of the *attempt* it makes.
 */
export interface Origin {
  readonly node: NodeId
  readonly run: Run
  readonly number: number
}

export interface NumberedCommand {
  readonly origin: Origin
  readonly command: Command
}

export type Command =
  | NodeStarted
  | NodeLost
  | OpenSession
  | RenewSessions
  | CloseSession
  | Acquire
  | Release
  | RenewGrant
  | CancelRequest
  | Withdraw

/** First command of a run: attempts made by earlier runs of the node have nobody to answer any more. */
export interface NodeStarted {
  readonly kind: 'nodeStarted'
}

/**
 * Written by the leader's node when `node`, last seen in `run`, has been out of reach for 10 s. It may be applied much
 * later, when `node` is back, so it speaks only of the attempts that were known when it was made.
 */
export interface NodeLost {
  readonly kind: 'nodeLost'
  readonly node: NodeId
  readonly run: Run
  /** Number of the last command of `run` that had been applied by then. */
  readonly number: number
}

export interface OpenSession {
  readonly kind: 'openSession'
  readonly requestId: RequestId
  readonly ttlMs: number
  readonly name: string | null
  /** JSON text, at most 4 KiB. */
  readonly metadata: string | null
  /** Cluster time that the node had applied when the command first left it: refused when more than 20 s old. */
  readonly takenInAt: ClusterTime
}

/** Renewals that had arrived at one node before the command was sent. */
export interface RenewSessions {
  readonly kind: 'renewSessions'
  readonly renewals: readonly SessionRenewal[]
}

export interface SessionRenewal {
  readonly session: SessionId
  /** The TTL from now on; null keeps the session's. */
  readonly ttlMs: number | null
}

export interface CloseSession {
  readonly kind: 'closeSession'
  readonly session: SessionId
}

export interface Acquire {
  readonly kind: 'acquire'
  readonly lock: LockName
  readonly session: SessionId | null
  readonly requestId: RequestId
  readonly mode: 'exclusive'
  /** TTL of the grant itself, which starts at the grant; null exactly when `session` is given. */
  readonly ttlMs: number | null
  /** How long the request may stay in the queue, counted from this entry's time; 0 = try. */
  readonly waitMs: number
  /** How long this attempt may wait for its answer, counted from this entry's time. */
  readonly pollMs: number
  readonly owner: string | null
  /** JSON text, at most 4 KiB. */
  readonly metadata: string | null
  /** As in OpenSession. */
  readonly takenInAt: ClusterTime
}

export interface Release {
  readonly kind: 'release'
  readonly lock: LockName
  readonly token: Token
  /** When given, must be the session of the grant. */
  readonly session: SessionId | null
}

/** Renews a grant that has a TTL of its own. */
export interface RenewGrant {
  readonly kind: 'renewGrant'
  readonly lock: LockName
  readonly token: Token
  readonly ttlMs: number | null
}

/** `DELETE` of a request: afterwards it holds and awaits nothing, and late copies of it are refused. */
export interface CancelRequest {
  readonly kind: 'cancelRequest'
  readonly lock: LockName
  readonly session: SessionId | null
  readonly requestId: RequestId
}

/**
 * Takes attempts of the sending node's own run out of their requests: their clients were not and will not be
 * answered with a grant. Sent only after the node saw the attempt applied.
 */
export interface Withdraw {
  readonly kind: 'withdraw'
  readonly attempts: readonly WithdrawnAttempt[]
}

export interface WithdrawnAttempt {
  /** Whether the attempt was to acquire a lock or to open a session: their request ids are separate name spaces. */
  readonly of: 'acquire' | 'openSession'
  readonly session: SessionId | null
  readonly requestId: RequestId
  /** Number of the command that made the attempt, in the run that sends this. */
  readonly number: number
}
