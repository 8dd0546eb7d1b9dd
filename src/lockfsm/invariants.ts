// What is true of every state between two entries. It reads everything, so it is for tests and the simulator; `apply`
// asserts on its way what is cheap to know. Indexes are compared with the records that they are made from.
import { assert } from '../assert.ts'
import { placeInLine } from './answers.ts'
import { isRequestOver, requestDue, sessionEnd } from './due.ts'
import { bucketNumber } from './remembered.ts'
import type { Sorted } from './sorted.ts'
import type { Attempt, Lock, LockState, Request, Session } from './state.ts'

/** Throws AssertionFailure when a state is none that `apply` can have left. */
export function checkState(state: LockState): void {
  const requests = allRequests(state)
  checkNumbers(state, requests)
  for (const session of state.sessions.values()) checkSession(state, session)
  for (const request of requests) checkRequest(state, request)
  for (const [name, lock] of state.locks) {
    assert(lock.name === name, 'a lock is found by its name')
    checkLock(state, lock)
  }
  checkCounts(state, requests)
  checkIndex(state.locksByName, state.locks)
  checkIndex(state.sessionsBySequence, state.sessions)
  checkDeadlines(state, requests)
  checkRemembered(state)
  checkEndedTokens(state)
  checkChanges(state, [...state.sessions.values(), ...requests])
}

function allRequests(state: LockState): readonly Request[] {
  const requests: Request[] = []
  for (const [id, request] of state.sessionless) {
    assert(request.session === null && request.id === id, 'a request without session is found by its id')
    requests.push(request)
  }
  for (const session of state.sessions.values()) {
    for (const [id, request] of session.requests) {
      assert(request.session === session && request.id === id, 'a request of a session is found there by its id')
      requests.push(request)
    }
  }
  return requests
}

/** S2: no token and no sequence number is given twice, and the counters are above all that were given. */
function checkNumbers(state: LockState, requests: readonly Request[]): void {
  const sequences = [...state.sessions.values(), ...requests].map(({ sequence }) => sequence)
  assert(new Set(sequences).size === sequences.length, 'a sequence number is given once')
  assert(
    sequences.every((sequence) => sequence >= 1 && sequence < state.nextSequence),
    'sequence numbers lie below the counter',
  )
  const tokens = requests.flatMap(({ token }) => (token === null ? [] : [token]))
  const ended = [
    ...state.endedTokens.byToken.keys(),
    ...state.remembered.buckets.flatMap(({ released }) => [...released.keys()]),
  ]
  const given = [...tokens, ...ended]
  assert(new Set(given).size === given.length, 'a token is given once, and its grant ends once')
  assert(
    given.every((token) => token >= 1 && token < state.nextToken),
    'tokens lie below the counter',
  )
}

function checkSession(state: LockState, session: Session): void {
  assert(state.sessions.get(session.id) === session, 'a session is found by its id')
  assert(session.id === `s-${session.sequence}`, 'the id of a session is made of its sequence')
  assert(state.openings.get(session.requestId) === session, 'a living session is found by the request that opened it')
  const isUnattended = session.attempts.length === 0 && !session.claimed
  assert((session.giveBackAt !== null) === isUnattended, 'a session is given back exactly when nobody can know its id')
  assert(session.attempts.length <= state.limits.attemptsMax, 'attempts are limited')
  assert(session.requests.size <= state.limits.perSessionMax, 'requests of a session are limited')
}

function checkRequest(state: LockState, request: Request): void {
  const { lock, session, token, attempts } = request
  assert(state.locks.get(lock.name) === lock, 'the lock of a request exists')
  if (token === null) placeInLine(lock, request)
  else assert(lock.holder === request, 'a request with a token holds its lock')
  assert((request.askedTtlMs === null) === (session !== null), 'a TTL of its own has exactly who has no session')
  assert((request.ttlMs === null) === (session !== null), 'a TTL of its own has exactly who has no session')
  assert(
    (request.deadline === null) === (token !== null && session !== null),
    'only a grant of a session has no deadline',
  )
  assert(attempts.length <= state.limits.attemptsMax, 'attempts are limited')
  const mayStay = request.claimed || (token === null && session !== null)
  const isUnattended = attempts.length === 0 && !mayStay
  assert(
    (request.giveBackAt !== null) === isUnattended,
    'a request is given back exactly when it must be attended and is not',
  )
  for (const attempt of attempts) checkAttempt(state, request, attempt)
  assert(
    new Set(attempts.map(({ node, run, number }) => `${node} ${run} ${number}`)).size === attempts.length,
    'an attempt joins once',
  )
}

function checkAttempt(state: LockState, request: Request, attempt: Attempt): void {
  const known = state.runs.get(attempt.node)
  assert(known !== undefined && attempt.run <= known.run, 'a node whose attempt stands has been seen in its run')
  assert(attempt.run < known.run || attempt.number <= known.number, 'the number of an attempt has been applied')
  if (request.token === null) assert(attempt.run === known.run, 'what waits is attended by the present run of a node')
  assert(attempt.carriedAt <= state.time, 'an attempt was carried by an entry of the past')
}

/** S1 for exclusive locks, L2 for their queues. */
function checkLock(state: LockState, { holder, queue }: Lock): void {
  assert(holder !== null || queue.length > 0, 'a lock that nobody holds or awaits takes no memory')
  assert(holder === null || holder.token !== null, 'a holder has a token')
  queue.forEach((wait, index) => {
    const before = queue[index - 1]
    assert(wait.token === null, 'who waits has no token')
    assert(
      before === undefined || before.sequence < wait.sequence,
      'a queue stands in the order of its sequence numbers',
    )
  })
  const next = queue[0]
  const isServed = holder !== null || next === undefined || isRequestOver(next, state.time)
  assert(isServed, 'a free lock has nobody in line, unless past due and not yet ended')
}

function checkCounts(state: LockState, requests: readonly Request[]): void {
  const { limits } = state
  const held = requests.filter(({ token }) => token !== null).length
  const locks = [...state.locks.values()]
  assert(state.held === held && state.waiting === requests.length - held, 'held and waiting are counted')
  assert(locks.filter(({ holder }) => holder !== null).length === held, 'every holder is a living request')
  assert(locks.reduce((sum, { queue }) => sum + queue.length, 0) === state.waiting, 'every waiter is a living request')
  assert(
    locks.every(({ queue }) => queue.length <= limits.waitersPerLockMax),
    'waiters are limited',
  )
  assert(state.sessions.size === state.openings.size, 'every opening is that of a living session')
  assert(state.sessions.size <= limits.sessionsMax, 'sessions are limited')
  assert(state.sessionless.size <= limits.sessionlessMax, 'requests without session are limited')
}

function checkIndex<Item>(index: Sorted<Item>, items: Pick<ReadonlyMap<unknown, Item>, 'size' | 'values'>): void {
  assert(
    index.chunks.every(({ length }) => length > 0),
    'no chunk is empty',
  )
  const sorted = index.chunks.flat()
  const listed = new Set([...sorted, ...index.unsorted])
  assert(listed.size === sorted.length + index.unsorted.size, 'an index lists a record once')
  assert(
    listed.size === items.size && [...items.values()].every((item) => listed.has(item)),
    'an index lists every record',
  )
  sorted.forEach((item, place) => {
    const before = sorted[place - 1]
    assert(before === undefined || index.isBefore(before, item), 'an index is in order')
  })
}

function checkDeadlines(state: LockState, requests: readonly Request[]): void {
  const { items, times } = state.deadlines
  assert(items.length === times.length, 'every item of the heap has a time')
  items.forEach((item, position) => {
    assert(item.heapPosition === position, 'an item knows its place in the heap')
    const parent = Math.floor((position - 1) / 2)
    const parentTime = times[parent]
    const parentItem = items[parent]
    const time = times[position]
    if (parentTime === undefined || parentItem === undefined || time === undefined) return
    const isInOrder = parentTime < time || (parentTime === time && parentItem.sequence < item.sequence)
    assert(isInOrder, 'a parent in the heap is due before its children')
  })
  const timeOf = (item: Session | Request): number | null =>
    item.heapPosition === null ? null : (times[item.heapPosition] ?? null)
  for (const session of state.sessions.values())
    assert(timeOf(session) === sessionEnd(session), 'a session is due when it ends')
  for (const request of requests)
    assert(timeOf(request) === requestDue(request), 'a request is due when something happens to it')
  const scheduled = requests.filter(({ heapPosition }) => heapPosition !== null).length
  assert(items.length === state.sessions.size + scheduled, 'nothing that has ended is in the heap')
}

function checkRemembered(state: LockState): void {
  const { buckets, count } = state.remembered
  let counted = 0
  buckets.forEach((bucket, index) => {
    const before = buckets[index - 1]
    assert(before === undefined || before.number < bucket.number, 'buckets ascend')
    const age = bucketNumber(state.time) - bucket.number
    assert(age >= 0 && age < 7, 'what is remembered is no older than 70 s')
    for (const id of bucket.sessionless.keys()) assert(!state.sessionless.has(id), 'a living request has not ended')
    for (const id of bucket.openings.keys()) assert(!state.openings.has(id), 'a living session has not ended')
    let unreleased = bucket.openings.size
    for (const memories of [bucket.sessionless, ...bucket.bySession.values()]) {
      for (const memory of memories.values())
        if (typeof memory !== 'number') unreleased += 1
        else assert(bucket.released.has(memory), 'a released request is remembered with its token')
    }
    assert(bucket.count === bucket.released.size + unreleased, 'a bucket counts the ended requests in it')
    counted += bucket.count
    for (const [id, memories] of bucket.bySession) {
      const session = state.sessions.get(id)
      assert(session !== undefined, 'what is remembered of a session goes with it')
      for (const requestId of memories.keys())
        assert(!session.requests.has(requestId), 'a living request has not ended')
    }
  })
  assert(count === counted, 'what is remembered is counted')
}

function checkEndedTokens(state: LockState): void {
  const ended = state.endedTokens
  const { byToken, order, first } = ended
  const kept = order.slice(first)
  assert(
    ended.forgotten.every(({ ordinal }) => ordinal < ended.cutOrdinal),
    'what was never in a cut is forgotten without a trace',
  )
  assert(kept.length === byToken.size && kept.length <= state.limits.endedTokensMax, 'ended tokens are limited')
  kept.forEach((token, index) => {
    const before = kept[index - 1]
    assert(byToken.get(token.token) === token, 'an ended token is found by itself')
    assert(before === undefined || before.ordinal < token.ordinal, 'ended tokens stand in the order of their ends')
    assert(token.ordinal < state.nextEnding, 'ordinals lie below the counter')
    assert(state.time - token.endedAt < 3_600_000, 'ended tokens are kept for an hour')
  })
}

/** That every change is noted cannot be seen in a state; of births and ends it can. */
function checkChanges({ changes }: LockState, living: readonly (Session | Request)[]): void {
  const { changed, ended, reading, bornFrom } = changes
  const alive = new Set(living)
  changed.forEach((item, place) => {
    assert(item.changedPlace === place, 'a changed record knows its place')
    assert(alive.has(item), 'what is noted as changed lives')
  })
  for (const item of living) {
    const isNew = item.sequence >= bornFrom
    assert(!isNew || changed[item.changedPlace] === item, 'what was born since the last cut has changed')
  }
  for (const item of ended) assert(!alive.has(item) && item.sequence < bornFrom, 'what has ended was in the last cut')
  assert(new Set(ended).size === ended.length, 'a record ends once')
  reading?.waiting.forEach((item, place) => {
    if (item === null) return
    assert(item.changedPlace === place && item.sequence < bornFrom, 'what waits in a cut has not changed since')
  })
  let memories = changes.memories.length
  for (const noted of changes.memoriesOf.values()) memories += noted.length
  for (const { memories: gone } of changes.forgotten) memories += gone.requests.size
  assert(changes.memoryCount === memories, 'noted memories are counted')
}
