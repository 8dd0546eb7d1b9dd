// State to records and back. Everything that `apply` reads is in the records and nothing else, so that equal states
// have equal records; indexes are rebuilt. Records may come back in any order: whatever has an order takes it from
// numbers inside the records, and a state loaded from them goes on exactly like the one they were taken from (H25).
// Shapes are plain and stable: checkpoints and the digest are made of them.
import { assert, unreachable } from '../assert.ts'
import type { ClusterTime, LockName, NodeId, RequestId, Run, Sequence, SessionId, Token } from '../ids.ts'
import type { Origin } from './command.ts'
import { scheduleRequest } from './due.ts'
import { keepEndedToken } from './ended-tokens.ts'
import type { EndedToken } from './ended-tokens.ts'
import { createLock, enqueue } from './queue.ts'
import { rememberOpening, rememberReleased, rememberRequest, unflatten } from './remembered.ts'
import type { Memory } from './remembered.ts'
import { enterSession, sessionIdOf } from './sessions.ts'
import { createState, requestsOf } from './state.ts'
import type { Attempt, Limits, LockState, Request, Session } from './state.ts'

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

export function* toRecords(state: LockState): Generator<StateRecord> {
  const { time, nextSequence, nextToken, nextEnding } = state
  yield { kind: 'counters', time, nextSequence, nextToken, nextEnding }
  for (const [node, { run, number }] of state.runs) yield { kind: 'nodeRun', node, run, number }
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

/** The records of one state, in any order. */
export function fromRecords(records: Iterable<StateRecord>, limits: Limits): LockState {
  const state = createState(limits)
  const requests: RequestRecord[] = []
  const endedTokens: EndedTokenRecord[] = []
  let hasCounters = false
  for (const record of records) {
    if (record.kind === 'request') requests.push(record)
    else if (record.kind === 'endedToken') endedTokens.push(record)
    else loadRecord(state, record)
    hasCounters ||= record.kind === 'counters'
  }
  assert(hasCounters, 'the counters are among the records of a state')
  // Requests need their sessions, and both lists an order; the rest does not care.
  for (const record of requests.sort((a, b) => a.sequence - b.sequence)) loadRequest(state, record)
  for (const { kind: _, ...ended } of endedTokens.sort((a, b) => a.ordinal - b.ordinal)) {
    keepEndedToken(state.endedTokens, ended, limits.endedTokensMax)
  }
  return state
}

function loadRecord(state: LockState, record: Exclude<StateRecord, RequestRecord | EndedTokenRecord>): void {
  switch (record.kind) {
    case 'counters':
      state.time = record.time
      state.nextSequence = record.nextSequence
      state.nextToken = record.nextToken
      state.nextEnding = record.nextEnding
      return
    case 'nodeRun':
      state.runs.set(record.node, { run: record.run, number: record.number })
      return
    case 'session':
      loadSession(state, record)
      return
    case 'rememberedRequest': {
      const { bucket, session, requestId } = record
      rememberRequest(state.remembered, bucket, { session, requestId }, memoryOf(record))
      return
    }
    case 'rememberedOpening':
      rememberOpening(state.remembered, record.bucket, record.requestId, record.session)
      return
    case 'releasedToken':
      rememberReleased(state.remembered, record.bucket, record.token, record.lock)
      return
    default:
      unreachable(record)
  }
}

// The fields of the two stand in the order in which `apply` makes them, so that loaded and made records have one shape.

function loadSession(state: LockState, record: SessionRecord): void {
  enterSession(state, {
    kind: 'session',
    id: sessionIdOf(record.sequence),
    sequence: record.sequence,
    requestId: record.requestId,
    openedTtlMs: record.openedTtlMs,
    ttlMs: record.ttlMs,
    deadline: record.deadline,
    name: record.name,
    metadata: record.metadata,
    attempts: record.attempts,
    giveBackAt: record.giveBackAt,
    claimed: record.claimed,
    requests: new Map(),
    heapPosition: null,
  })
}

function loadRequest(state: LockState, record: RequestRecord): void {
  const session = record.session === null ? null : state.sessions.get(record.session)
  assert(session !== undefined, 'the session of a request is among the records')
  const request: Request = {
    kind: 'request',
    id: record.requestId,
    lock: state.locks.get(record.lock) ?? createLock(state, record.lock),
    session,
    sequence: record.sequence,
    owner: record.owner,
    metadata: record.metadata,
    askedTtlMs: record.askedTtlMs,
    ttlMs: record.ttlMs,
    attempts: record.attempts,
    token: record.token,
    since: record.since,
    deadline: record.deadline,
    giveBackAt: record.giveBackAt,
    claimed: record.claimed,
    heapPosition: null,
  }
  requestsOf(state, session).set(request.id, request)
  if (request.token === null) {
    enqueue(state, request)
  } else {
    assert(request.lock.holder === null, 'a lock has one holder')
    request.lock.holder = request
    state.held += 1
  }
  scheduleRequest(state, request)
}

function memoryOf({ how, token }: RememberedRequestRecord): Memory {
  if (how === 'withdrawn' || how === 'refused') return { how, token: null }
  assert(token !== null, 'what was granted had a token')
  return { how, token }
}
