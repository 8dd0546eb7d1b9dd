// A cut: what has changed between the last one and this moment, to be read out in slices while `apply` goes on. It
// tells every record as it was at the cut and none of what came after it: what a checkpoint writes is the state after
// one entry of the log. There is one cut at a time; what changes meanwhile belongs to the next.
import { assert } from '../assert.ts'
import type { Changes, Reading, RecordChange } from './changes.ts'
import { cutEndedTokens } from './ended-tokens.ts'
import type { EndedTokensCut } from './ended-tokens.ts'
import { countersRecord, livingRecord, nodeRunRecord } from './records.ts'
import type { EndedTokenRecord, RememberedRequestRecord } from './records.ts'
import { bucketNumbers, oldestBucketAt, unflatten } from './remembered.ts'
import type { LockState } from './state.ts'

export interface Cut {
  /** Remembered records of earlier buckets are void: there is nothing of them in the state. */
  readonly oldestBucket: number
  /** The next changes, at most `count` of them; none when all were taken. No two are of the same record. */
  take(count: number): readonly RecordChange[]
}

/** What there is to tell at the cut, besides the records that wait in `reading`. */
interface Noted extends Pick<Changes, 'ended' | 'memories' | 'memoriesOf' | 'forgotten' | 'buckets'> {
  readonly always: readonly RecordChange[]
  readonly endedTokens: EndedTokensCut
  readonly oldestBucket: number
}

/** The changes since the last cut, or since the state was made or loaded. Counters and node runs are in every cut. */
export function cutChanges(state: LockState): Cut {
  const { changes } = state
  assert(changes.reading === null, 'a cut is taken whole before the next is made')
  const { changed, ended, memories, memoriesOf, forgotten, buckets } = changes
  const noted: Noted = {
    always: [...ownedByState(state)],
    ended,
    memories,
    memoriesOf,
    forgotten,
    buckets,
    endedTokens: cutEndedTokens(state.endedTokens, state.nextEnding),
    oldestBucket: oldestBucketAt(state.time),
  }
  const reading: Reading = { waiting: changed, captured: [] }
  beginAnew(state)
  changes.reading = reading

  const source = changesOf(noted, reading)
  const take = (count: number): readonly RecordChange[] => {
    const taken: RecordChange[] = []
    while (taken.length < count) {
      const next = source.next()
      if (next.done === true) {
        if (changes.reading === reading) changes.reading = null
        break
      }
      taken.push(next.value)
    }
    return taken
  }
  return { oldestBucket: noted.oldestBucket, take }
}

/** About how many changes a cut made now would tell. */
export function changedCount({ changes, endedTokens, nextEnding }: LockState): number {
  const tokens = nextEnding - endedTokens.cutOrdinal + endedTokens.forgotten.length
  return changes.changed.length + changes.ended.length + changes.memoryCount + tokens
}

/** The state is one that a checkpoint has, as it is now. */
export function beginAnew(state: LockState): void {
  const { changes } = state
  changes.bornFrom = state.nextSequence
  changes.changed = []
  changes.ended = []
  changes.memories = []
  changes.memoriesOf = new Map()
  changes.forgotten = []
  changes.memoryCount = 0
  changes.buckets = bucketNumbers(state.remembered)
  cutEndedTokens(state.endedTokens, state.nextEnding)
}

function* ownedByState(state: LockState): Generator<RecordChange> {
  yield { kind: 'put', record: countersRecord(state), owner: state.changes.counters }
  for (const [node, run] of state.runs) yield { kind: 'put', record: nodeRunRecord(node, run), owner: run }
}

function* changesOf(noted: Noted, { waiting, captured }: Reading): Generator<RecordChange> {
  yield* noted.always
  for (const [place, item] of waiting.entries()) {
    if (item === null) continue
    waiting[place] = null
    yield { kind: 'put', record: livingRecord(item), owner: item }
  }
  // Nothing waits any more, so this list is complete.
  yield* captured
  for (const item of noted.ended) {
    yield { kind: 'remove', record: { kind: item.kind, sequence: item.sequence }, owner: item, was: null }
  }
  yield* memoryChanges(noted)
  for (const token of noted.endedTokens.kept) {
    yield { kind: 'put', record: { kind: 'endedToken', ...token }, owner: null }
  }
  for (const token of noted.endedTokens.forgotten) {
    const was: EndedTokenRecord = { kind: 'endedToken', ...token }
    yield { kind: 'remove', record: was, owner: null, was }
  }
}

/** Of what lies in dropped buckets nothing is told but that they were dropped. */
function* memoryChanges(noted: Noted): Generator<RecordChange> {
  const { memories, memoriesOf, buckets, oldestBucket } = noted
  for (const bucket of buckets) if (bucket < oldestBucket) yield { kind: 'dropBucket', bucket }
  for (const list of [memories, ...memoriesOf.values()]) {
    for (const record of list) if (record.bucket >= oldestBucket) yield { kind: 'put', record, owner: null }
  }
  for (const { memories: forgotten, isNew } of noted.forgotten) {
    const { session, bucket, requests } = forgotten
    if (bucket < oldestBucket) continue
    for (const [requestId, memory] of requests) {
      if (isNew.has(requestId)) continue
      const { how, token } = unflatten(memory)
      const was: RememberedRequestRecord = { kind: 'rememberedRequest', bucket, session, requestId, how, token }
      yield { kind: 'remove', record: was, owner: null, was }
    }
  }
}
