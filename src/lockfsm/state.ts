// The records of the lock table and the limits on them. One owner changes them, `apply`; views and records read them.
// What stands under "Derived" follows from the other fields and is rebuilt on load: nothing may be decided by it that
// the records do not decide.
import type { ClusterTime, LockName, NodeId, RequestId, Run, Sequence, SessionId, Token } from '../ids.ts'
import { asClusterTime, asSequence, asToken } from '../ids.ts'
import { isNameBefore } from './byte-order.ts'
import type { OrderedName } from './byte-order.ts'
import { createChanges } from './changes.ts'
import type { Changes, RecordOwner, Tracked } from './changes.ts'
import { createDeadlines } from './deadlines.ts'
import type { Deadlines, Timed } from './deadlines.ts'
import { createEndedTokens } from './ended-tokens.ts'
import type { EndedTokens } from './ended-tokens.ts'
import type { Origin } from './command.ts'
import { createRemembered } from './remembered.ts'
import type { Remembered } from './remembered.ts'
import { ShardedMap } from './sharded-map.ts'
import { createSorted } from './sorted.ts'
import type { Sorted } from './sorted.ts'

/** Replicated configuration: every replica must have the same. A refusal names the limit without its `Max`. */
export interface Limits {
  readonly sessionsMax: number
  /** Requests of one session: what it holds and awaits. */
  readonly perSessionMax: number
  readonly waitersPerLockMax: number
  /** Requests without a session, holding or waiting. */
  readonly sessionlessMax: number
  /** Attempts of one request, or of the opening of one session, that have not been taken out. */
  readonly attemptsMax: number
  readonly rememberedMax: number
  readonly endedTokensMax: number
}

export const defaultLimits: Limits = {
  sessionsMax: 1_000_000,
  perSessionMax: 200_000,
  waitersPerLockMax: 20_000,
  sessionlessMax: 1_000_000,
  attemptsMax: 8,
  rememberedMax: 500_000,
  endedTokensMax: 100_000,
}

export interface LockState {
  readonly limits: Limits
  /** Time of the last entry applied. */
  time: ClusterTime
  nextSequence: Sequence
  nextToken: Token
  /** Ordinal of the next grant that ends otherwise than by release. */
  nextEnding: number
  readonly runs: Map<NodeId, NodeRun>
  readonly sessions: ShardedMap<SessionId, Session>
  /** The living requests that have no session. */
  readonly sessionless: ShardedMap<RequestId, Request>
  readonly remembered: Remembered
  readonly endedTokens: EndedTokens

  // Derived.
  /** Living sessions by the request id that opened them. */
  readonly openings: ShardedMap<RequestId, Session>
  /** Only those that are held or awaited. */
  readonly locks: ShardedMap<LockName, Lock>
  readonly locksByName: Sorted<Lock>
  readonly sessionsBySequence: Sorted<Session>
  readonly deadlines: Deadlines<Session | Request>
  held: number
  waiting: number

  /** For checkpoints; `apply` writes it and never reads it. */
  readonly changes: Changes
}

/** The newest run seen of a node, and the number of its last applied command. */
export interface NodeRun extends RecordOwner {
  run: Run
  number: number
}

export interface Session extends Timed, Tracked, Readonly<MutableSession> {
  readonly kind: 'session'
  readonly id: SessionId
  /** Of its opening. */
  readonly sequence: Sequence
  /** Of its opening; with the TTL asked for then, a repeat is recognised. */
  readonly requestId: RequestId
  readonly openedTtlMs: number
  readonly name: string | null
  readonly metadata: string | null
  /** Derived: its living requests. */
  readonly requests: Map<RequestId, Request>
}

/** What changes of a session: `changeSession` hands it out for writing. */
export interface MutableSession {
  ttlMs: number
  deadline: ClusterTime
  /** Attempts to open it that were not withdrawn. Replaced, never changed. */
  attempts: readonly Origin[]
  /** When it ends because nobody is known to have learned its id; null while somebody may have. */
  giveBackAt: ClusterTime | null
  /** A renewal or an acquire has named it: its id is known, whatever becomes of the attempts. */
  claimed: boolean
}

/** Waits while `token` is null, then holds; when it has ended there is no such record any more. */
export interface Request extends Timed, Tracked, Readonly<MutableRequest> {
  readonly kind: 'request'
  readonly id: RequestId
  readonly lock: Lock
  readonly session: Session | null
  readonly sequence: Sequence
  readonly owner: string | null
  readonly metadata: string | null
  /** TTL of the grant itself as the first attempt asked for it; null with a session. */
  readonly askedTtlMs: number | null
}

/** What changes of a request: `changeRequest` hands it out for writing. */
export interface MutableRequest {
  /** TTL of the grant itself as it is now; null with a session. */
  ttlMs: number | null
  /** In the order of their arrival, at most `attemptsMax`. Replaced, never changed. */
  attempts: readonly Attempt[]
  token: Token | null
  /** When it came to wait or, once it holds, to hold. */
  since: ClusterTime
  /** End of the wait, or of a grant with a TTL of its own; null for a grant that lives as long as its session. */
  deadline: ClusterTime | null
  /** When it is given back because nobody attends it; null while somebody does or nobody needs to. */
  giveBackAt: ClusterTime | null
  /** Its grant was renewed by token: the token is known, whatever becomes of the attempts. */
  claimed: boolean
}

/** One call for a request. Its origin tells it apart from the other calls for the same request (H10, H11). */
export interface Attempt extends Origin {
  /** Time of the entry that carried it; `validForMs` counts from here. */
  readonly carriedAt: ClusterTime
  /** Until when it waits for its answer; without meaning once the request holds. */
  readonly pollUntil: ClusterTime
}

/** There is one as long as somebody holds or awaits the lock. Modes beyond `exclusive` will have several holders. */
export interface Lock extends OrderedName {
  readonly name: LockName
  holder: Request | null
  /** Ascending by sequence: the first is next. */
  queue: Request[]
}

/** The queue of every lock that nobody has awaited yet: most never get one of their own. */
export const noQueue: Request[] = []
Object.freeze(noQueue)

/** Where to begin to count. */
export interface FirstCounters {
  readonly token: Token
  readonly sequence: Sequence
}

const fromOne: FirstCounters = { token: asToken(1), sequence: asSequence(1) }

export function createState(limits: Limits, first = fromOne): LockState {
  return {
    limits,
    time: asClusterTime(0),
    nextSequence: first.sequence,
    nextToken: first.token,
    nextEnding: 1,
    runs: new Map(),
    sessions: new ShardedMap(),
    sessionless: new ShardedMap(),
    remembered: createRemembered(),
    endedTokens: createEndedTokens(),
    openings: new ShardedMap(),
    locks: new ShardedMap(),
    locksByName: createSorted<Lock>(isNameBefore),
    sessionsBySequence: createSorted<Session>((a, b) => a.sequence < b.sequence),
    deadlines: createDeadlines(),
    held: 0,
    waiting: 0,
    changes: createChanges(asSequence(1)),
  }
}

/** The living requests of a session, or those without one. */
export function requestsOf(
  state: LockState,
  session: Session | null,
): Map<RequestId, Request> | ShardedMap<RequestId, Request> {
  return session === null ? state.sessionless : session.requests
}

export function takeSequence(state: LockState): Sequence {
  const sequence = state.nextSequence
  state.nextSequence = asSequence(sequence + 1)
  return sequence
}

export function takeToken(state: LockState): Token {
  const token = state.nextToken
  state.nextToken = asToken(token + 1)
  return token
}

/** `milliseconds` after now. */
export function later(state: LockState, milliseconds: number): ClusterTime {
  return asClusterTime(state.time + milliseconds)
}
