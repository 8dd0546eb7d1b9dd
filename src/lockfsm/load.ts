// Records to a state, in slices, so that a node with a million of them goes on hearing its peers meanwhile. They may
// come in any order: whatever has an order takes it from numbers inside the records, indexes are rebuilt, and the state
// goes on exactly like the one that the records were taken from (H25). Cheapest is the order of their keys on the disk,
// in which sessions come before their requests and queues in their own order. Nothing of what is loaded has changed.
import { assert, unreachable } from '../assert.ts'
import { beginAnew } from './cut.ts'
import { scheduleRequest } from './due.ts'
import { keepEndedToken } from './ended-tokens.ts'
import { createLock, enqueue } from './queue.ts'
import { rememberOpening, rememberReleased, rememberRequest } from './remembered.ts'
import type { Memory } from './remembered.ts'
import type {
  EndedTokenRecord,
  MemoryRecord,
  RememberedRequestRecord,
  RequestRecord,
  SessionRecord,
  StateRecord,
} from './records.ts'
import { enterSession, sessionIdOf } from './sessions.ts'
import { createState, requestsOf } from './state.ts'
import type { Limits, Lock, LockState, Request, Session } from './state.ts'

/** A state that is being loaded; nothing may be done with it before it is finished. */
export interface Loading {
  readonly state: LockState
  /** Remembered records of earlier buckets are void. */
  readonly oldestBucket: number
  hasCounters: boolean
  /** Requests that came before their sessions. */
  readonly early: { readonly record: RequestRecord; readonly digested: number }[]
  /** Locks to whose queues requests came out of turn. */
  readonly disordered: Set<Lock>
  readonly endedTokens: EndedTokenRecord[]
}

const recordsPerStep = 500

export function beginLoading(limits: Limits, oldestBucket: number): Loading {
  return {
    state: createState(limits),
    oldestBucket,
    hasCounters: false,
    early: [],
    disordered: new Set(),
    endedTokens: [],
  }
}

/** `digested` is what the checkpoint counts for the record; its owner keeps that. */
export function loadRecord(loading: Loading, record: StateRecord, digested: number): void {
  const { state } = loading
  switch (record.kind) {
    case 'counters':
      state.time = record.time
      state.nextSequence = record.nextSequence
      state.nextToken = record.nextToken
      state.nextEnding = record.nextEnding
      state.changes.counters.digested = digested
      loading.hasCounters = true
      return
    case 'nodeRun':
      state.runs.set(record.node, { run: record.run, number: record.number, digested })
      return
    case 'session':
      loadSession(state, record, digested)
      return
    case 'request': {
      const session = sessionOf(state, record)
      if (session === undefined) loading.early.push({ record, digested })
      else loadRequest(loading, record, { session, digested })
      return
    }
    case 'rememberedRequest':
    case 'rememberedOpening':
    case 'releasedToken':
      if (record.bucket >= loading.oldestBucket) loadMemory(state, record)
      return
    case 'endedToken':
      loading.endedTokens.push(record)
      return
    default:
      unreachable(record)
  }
}

/** To be called when all records were given. Every step takes about a millisecond; the last has the state. */
export function* finishLoading(loading: Loading): Generator<undefined, LockState> {
  const { state, early, endedTokens, disordered } = loading
  assert(loading.hasCounters, 'the counters are among the records of a state')
  beginAnew(state)
  for (const [index, { record, digested }] of early.entries()) {
    const session = sessionOf(state, record)
    assert(session !== undefined, 'the session of a request is among the records')
    loadRequest(loading, record, { session, digested })
    if (index % recordsPerStep === 0) yield
  }
  for (const { queue } of disordered) {
    queue.sort((a, b) => a.sequence - b.sequence)
    yield
  }
  endedTokens.sort((a, b) => a.ordinal - b.ordinal)
  for (const [index, { kind: _, ...ended }] of endedTokens.entries()) {
    keepEndedToken(state.endedTokens, ended, state.limits.endedTokensMax)
    if (index % recordsPerStep === 0) yield
  }
  return state
}

/** The records of one state, in any order, at once. */
export function fromRecords(records: Iterable<StateRecord>, limits: Limits): LockState {
  const loading = beginLoading(limits, 0)
  for (const record of records) loadRecord(loading, record, 0)
  const steps = finishLoading(loading)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
// The fields of the two stand in the order in which `apply` makes them, so that loaded and made records have one shape.

function loadSession(state: LockState, record: SessionRecord, digested: number): void {
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
    digested,
    changedPlace: 0,
  })
}

/** Null for a request without one; undefined as long as it has not come. */
function sessionOf(state: LockState, { session }: RequestRecord): Session | null | undefined {
  return session === null ? null : state.sessions.get(session)
}

function loadRequest(
  { state, disordered }: Loading,
  record: RequestRecord,
  { session, digested }: { session: Session | null; digested: number },
): void {
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
    digested,
    changedPlace: 0,
  }
  requestsOf(state, session).set(request.id, request)
  if (request.token === null) {
    const last = request.lock.queue.at(-1)
    if (last !== undefined && last.sequence > request.sequence) disordered.add(request.lock)
    enqueue(state, request)
  } else {
    assert(request.lock.holder === null, 'a lock has one holder')
    request.lock.holder = request
    state.held += 1
  }
  scheduleRequest(state, request)
}

function loadMemory({ remembered }: LockState, record: MemoryRecord): void {
  const { bucket } = record
  switch (record.kind) {
    case 'rememberedRequest':
      rememberRequest(remembered, bucket, { session: record.session, requestId: record.requestId }, memoryOf(record))
      return
    case 'rememberedOpening':
      rememberOpening(remembered, bucket, record.requestId, record.session)
      return
    case 'releasedToken':
      rememberReleased(remembered, bucket, record.token, record.lock)
      return
    default:
      unreachable(record)
  }
}

function memoryOf({ how, token }: RememberedRequestRecord): Memory {
  if (how === 'withdrawn' || how === 'refused') return { how, token: null }
  assert(token !== null, 'what was granted had a token')
  return { how, token }
}
