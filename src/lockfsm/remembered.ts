// What is remembered of ended requests for 60 to 70 s of cluster time, so that a repeat learns what became of its
// request and a late copy does nothing (H15). Memory lies in buckets of 10 s, which are dropped whole: forgetting costs
// nothing per record. Records are numbers and strings in Maps and no objects, because at full rate half a million
// of them are alive. A session's records are found through the session and go with it; that a token was released is
// remembered apart from the session, so that a repeated release is answered alike after the session was closed.
import { AssertionFailure } from '../assert.ts'
import { asToken } from '../ids.ts'
import type { ClusterTime, LockName, RequestId, SessionId, Token } from '../ids.ts'
import { allBuckets, bucketsKnowing, clearBucket, createFilter, isAmong, noteId } from './recall-filter.ts'
import type { RecallFilter } from './recall-filter.ts'

/** How a request ended. Refused: a `DELETE` named it before it came; withdrawn: a `DELETE` took it out of the queue. */
export type Memory =
  | { readonly how: 'released' | 'expired' | 'session_closed' | 'unclaimed'; readonly token: Token }
  | { readonly how: 'withdrawn' | 'refused'; readonly token: null }

/** A memory in flat form: of a release, by far the most frequent, the token; else the word, then the token if any. */
export type FlatMemory = Token | string

export interface Remembered {
  /** Ended requests of which anything is remembered; what the limit bounds. */
  count: number
  /** Ascending by number. */
  readonly buckets: Bucket[]
  /** Derived; null while so little is remembered that it would not pay. */
  filter: RecallFilter | null
}

/** What ended in the 10 s of cluster time that begin at `number` * 10 s. */
export interface Bucket {
  readonly number: number
  /** Ended requests: those in `released` and those in the other maps that were not released. */
  count: number
  readonly sessionless: Map<RequestId, FlatMemory>
  readonly bySession: Map<SessionId, Map<RequestId, FlatMemory>>
  readonly openings: Map<RequestId, SessionId>
  readonly released: Map<Token, LockName>
}

/** Which request: its id, and its session when it has one. */
export interface RequestKey {
  readonly session: SessionId | null
  readonly requestId: RequestId
}

/** What was remembered in one bucket of the requests of a session that has ended. */
export interface ForgottenMemories {
  readonly session: SessionId
  readonly bucket: number
  readonly requests: ReadonlyMap<RequestId, FlatMemory>
}

const bucketMs = 10_000
/** The bucket of the current time and six full ones: what is dropped is more than 60 s old. */
const bucketsKept = 7
/** Maps this small stay in the caches. */
const unfilteredMax = 5_000

export function createRemembered(): Remembered {
  return { count: 0, buckets: [], filter: null }
}

export function bucketNumber(time: ClusterTime): number {
  return Math.floor(time / bucketMs)
}

/** The first bucket that is not dropped at `time`. */
export function oldestBucketAt(time: ClusterTime): number {
  return Math.max(0, bucketNumber(time) - bucketsKept + 1)
}

export function bucketNumbers({ buckets }: Remembered): readonly number[] {
  return buckets.map(({ number }) => number)
}

export function rememberRequest(remembered: Remembered, bucket: number, key: RequestKey, memory: Memory): void {
  const target = bucketNumbered(remembered, bucket)
  if (key.session === null) target.sessionless.set(key.requestId, flatten(memory))
  else {
    const ofSession = target.bySession.get(key.session)
    if (ofSession !== undefined) ofSession.set(key.requestId, flatten(memory))
    else target.bySession.set(key.session, new Map([[key.requestId, flatten(memory)]]))
  }
  if (remembered.filter !== null) noteId(remembered.filter, key.requestId, bucket)
  // A released request is counted with its token, which stays when the session goes.
  if (memory.how !== 'released') addCount(remembered, target, 1)
}

export function rememberReleased(remembered: Remembered, bucket: number, token: Token, lock: LockName): void {
  const target = bucketNumbered(remembered, bucket)
  target.released.set(token, lock)
  addCount(remembered, target, 1)
}

export function rememberOpening(
  remembered: Remembered,
  bucket: number,
  requestId: RequestId,
  session: SessionId,
): void {
  const target = bucketNumbered(remembered, bucket)
  target.openings.set(requestId, session)
  addCount(remembered, target, 1)
}

export function recallRequest(remembered: Remembered, key: RequestKey): Memory | null {
  const { filter, buckets } = remembered
  const bits = filter === null ? allBuckets : bucketsKnowing(filter, key.requestId)
  for (const bucket of buckets) {
    if (!isAmong(bits, bucket.number)) continue
    const requests = key.session === null ? bucket.sessionless : bucket.bySession.get(key.session)
    const memory = requests?.get(key.requestId)
    if (memory !== undefined) return unflatten(memory)
  }
  return null
}

/** The ended session that a request id had opened. */
export function recallOpening(remembered: Remembered, requestId: RequestId): SessionId | null {
  for (const bucket of remembered.buckets) {
    const session = bucket.openings.get(requestId)
    if (session !== undefined) return session
  }
  return null
}

/** Whether `token` was given for `lock` and ended by release. */
export function wasReleased(remembered: Remembered, lock: LockName, token: Token): boolean {
  return lockOfReleased(remembered, token) === lock
}

/** The lock that `token` was given for, when it ended by release and that is remembered. */
export function lockOfReleased(remembered: Remembered, token: Token): LockName | null {
  for (const bucket of remembered.buckets) {
    const lock = bucket.released.get(token)
    if (lock !== undefined) return lock
  }
  return null
}

/** The session has ended: its requests cannot be asked for any more. Returns what is forgotten. */
export function forgetSession(remembered: Remembered, session: SessionId): readonly ForgottenMemories[] {
  const forgotten: ForgottenMemories[] = []
  for (const bucket of remembered.buckets) {
    const requests = bucket.bySession.get(session)
    if (requests === undefined) continue
    bucket.bySession.delete(session)
    let released = 0
    for (const memory of requests.values()) if (typeof memory === 'number') released += 1
    addCount(remembered, bucket, released - requests.size)
    forgotten.push({ session, bucket: bucket.number, requests })
  }
  return forgotten
}

/** Drops every bucket in which all is more than 60 s old. */
export function forgetOld(remembered: Remembered, time: ClusterTime): void {
  const oldestKept = oldestBucketAt(time)
  for (;;) {
    const oldest = remembered.buckets[0]
    if (oldest === undefined || oldest.number >= oldestKept) return
    remembered.buckets.shift()
    remembered.count -= oldest.count
    if (remembered.filter !== null) clearBucket(remembered.filter, oldest.number)
  }
}

function addCount(remembered: Remembered, bucket: Bucket, change: number): void {
  bucket.count += change
  remembered.count += change
  if (remembered.count > unfilteredMax) remembered.filter ??= filterOf(remembered.buckets)
}

function filterOf(buckets: readonly Bucket[]): RecallFilter {
  const filter = createFilter()
  for (const { number, sessionless, bySession } of buckets) {
    for (const requests of [sessionless, ...bySession.values()]) {
      for (const requestId of requests.keys()) noteId(filter, requestId, number)
    }
  }
  return filter
}

/** Nearly always the last; a load from records meets them in any order. */
function bucketNumbered(remembered: Remembered, number: number): Bucket {
  const { buckets } = remembered
  const newest = buckets.at(-1)
  if (newest?.number === number) return newest
  const place = buckets.findLastIndex((bucket) => bucket.number <= number)
  const found = buckets[place]
  if (found?.number === number) return found
  const bucket: Bucket = {
    number,
    count: 0,
    sessionless: new Map(),
    bySession: new Map(),
    openings: new Map(),
    released: new Map(),
  }
  buckets.splice(place + 1, 0, bucket)
  return bucket
}

function flatten(memory: Memory): FlatMemory {
  if (memory.how === 'released') return memory.token
  return memory.token === null ? memory.how : `${memory.how} ${memory.token}`
}

export function unflatten(memory: FlatMemory): Memory {
  if (typeof memory === 'number') return { how: 'released', token: memory }
  const [how, token] = memory.split(' ')
  switch (how) {
    case 'withdrawn':
    case 'refused':
      return { how, token: null }
    case 'expired':
    case 'session_closed':
    case 'unclaimed':
      return { how, token: asToken(Number(token)) }
    default:
      throw new AssertionFailure(`a memory says how the request ended: ${memory}`)
  }
}
