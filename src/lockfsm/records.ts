// What a state is made of, as records. Everything that `apply` reads is in them and nothing else, so that equal states
// have equal records; `load.ts` makes a state of them again. Shapes are plain and stable: checkpoints, snapshots and the
// digest are made of them.
import type { ClusterTime, LockName, NodeId, RequestId, Run, Sequence, SessionId, Token } from '../ids.ts'
import type { Origin } from './command.ts'
import type { EndedToken } from './ended-tokens.ts'
import { unflatten } from './remembered.ts'
import type { Memory } from './remembered.ts'
import type { Attempt, LockState, NodeRun, Request, Session } from './state.ts'

export type StateRecord =
  | CountersRecord
  | NodeRunRecord
  | SessionRecord
  | RequestRecord
  | RememberedRequestRecord
  | RememberedOpeningRecord
  | ReleasedTokenRecord
  | EndedTokenRecord

export interface CountersRecord {
  readonly kind: 'counters'
  readonly time: ClusterTime
  readonly nextSequence: Sequence
  readonly nextToken: Token
  readonly nextEnding: number
}

export interface NodeRunRecord {
  readonly kind: 'nodeRun'
  readonly node: NodeId
  readonly run: Run
  readonly number: number
}

/** Its id is `s-` and the sequence. */
export interface SessionRecord {
  readonly kind: 'session'
  readonly sequence: Sequence
  readonly requestId: RequestId
  readonly openedTtlMs: number
  readonly ttlMs: number
  readonly deadline: ClusterTime
  readonly name: string | null
  readonly metadata: string | null
  readonly attempts: readonly Origin[]
  readonly giveBackAt: ClusterTime | null
  readonly claimed: boolean
}

export interface RequestRecord {
  readonly kind: 'request'
  readonly sequence: Sequence
  readonly requestId: RequestId
  readonly lock: LockName
  readonly session: SessionId | null
  readonly owner: string | null
  readonly metadata: string | null
  readonly askedTtlMs: number | null
  readonly ttlMs: number | null
  readonly attempts: readonly Attempt[]
  /** null while it waits. */
  readonly token: Token | null
  readonly since: ClusterTime
  readonly deadline: ClusterTime | null
  readonly giveBackAt: ClusterTime | null
  readonly claimed: boolean
}

/** An ended request, found by its id. */
export interface RememberedRequestRecord {
  readonly kind: 'rememberedRequest'
  readonly bucket: number
  readonly session: SessionId | null
  readonly requestId: RequestId
  readonly how: Memory['how']
  readonly token: Token | null
}

/** The opening of a session that has ended. */
export interface RememberedOpeningRecord {
  readonly kind: 'rememberedOpening'
  readonly bucket: number
  readonly requestId: RequestId
  readonly session: SessionId
}

/** A token that ended by release, found by itself, also when its session is gone. */
export interface ReleasedTokenRecord {
  readonly kind: 'releasedToken'
  readonly bucket: number
  readonly token: Token
  readonly lock: LockName
}

/** A token that ended otherwise. */
export interface EndedTokenRecord extends EndedToken {
  readonly kind: 'endedToken'
}

/** Records of ended things that are forgotten by whole buckets. */
export type MemoryRecord = RememberedRequestRecord | RememberedOpeningRecord | ReleasedTokenRecord

/** Which record it is: no two of a state have the same name, and no name is ever given to another. */
export type RecordName =
  | Pick<CountersRecord, 'kind'>
  | Pick<NodeRunRecord, 'kind' | 'node'>
  | Pick<SessionRecord, 'kind' | 'sequence'>
  | Pick<RequestRecord, 'kind' | 'sequence'>
  | Pick<RememberedRequestRecord, 'kind' | 'bucket' | 'session' | 'requestId'>
  | Pick<RememberedOpeningRecord, 'kind' | 'bucket' | 'requestId'>
  | Pick<ReleasedTokenRecord, 'kind' | 'bucket' | 'token'>
  | Pick<EndedTokenRecord, 'kind' | 'ordinal'>

export function* toRecords(state: LockState): Generator<StateRecord> {
  yield countersRecord(state)
  for (const [node, run] of state.runs) yield nodeRunRecord(node, run)
  for (const session of state.sessions.values()) {
    yield sessionRecord(session)
    for (const request of session.requests.values()) yield requestRecord(request)
  }
  for (const request of state.sessionless.values()) yield requestRecord(request)
  yield* rememberedRecords(state)
  for (const ended of state.endedTokens.byToken.values()) yield { kind: 'endedToken', ...ended }
}

function* rememberedRecords(state: LockState): Generator<StateRecord> {
  for (const { number: bucket, sessionless, bySession, openings, released } of state.remembered.buckets) {
    for (const [session, requests] of [[null, sessionless] as const, ...bySession]) {
      for (const [requestId, memory] of requests) {
        const { how, token } = unflatten(memory)
        yield { kind: 'rememberedRequest', bucket, session, requestId, how, token }
      }
    }
    for (const [requestId, session] of openings) yield { kind: 'rememberedOpening', bucket, requestId, session }
    for (const [token, lock] of released) yield { kind: 'releasedToken', bucket, token, lock }
  }
}

export function countersRecord({ time, nextSequence, nextToken, nextEnding }: LockState): CountersRecord {
  return { kind: 'counters', time, nextSequence, nextToken, nextEnding }
}

export function nodeRunRecord(node: NodeId, { run, number }: NodeRun): NodeRunRecord {
  return { kind: 'nodeRun', node, run, number }
}

export function livingRecord(item: Session | Request): SessionRecord | RequestRecord {
  return item.kind === 'session' ? sessionRecord(item) : requestRecord(item)
}

function sessionRecord(session: Session): SessionRecord {
  const { kind, sequence, requestId, openedTtlMs, ttlMs, deadline, name, metadata, attempts, giveBackAt, claimed } =
    session
  return { kind, sequence, requestId, openedTtlMs, ttlMs, deadline, name, metadata, attempts, giveBackAt, claimed }
}

function requestRecord(request: Request): RequestRecord {
  return {
    kind: 'request',
    sequence: request.sequence,
    requestId: request.id,
    lock: request.lock.name,
    session: request.session?.id ?? null,
    owner: request.owner,
    metadata: request.metadata,
    askedTtlMs: request.askedTtlMs,
    ttlMs: request.ttlMs,
    attempts: request.attempts,
    token: request.token,
    since: request.since,
    deadline: request.deadline,
    giveBackAt: request.giveBackAt,
    claimed: request.claimed,
  }
}
