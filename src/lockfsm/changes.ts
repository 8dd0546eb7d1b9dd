// What has changed since the last cut, so that a checkpoint costs as much as changes and not as much as there is.
// Sessions and requests are noted on a list before their first change, at their birth and at their end; `changeSession`
// and `changeRequest` are the only ways to write to a field that a record carries, because to everybody else these
// fields are readonly. What was born and has ended between two cuts leaves nothing behind: most requests do. What never
// changes (remembered requests, ended tokens) is noted when it is made and, if it was in a cut, when it is forgotten.
// `cut.ts` reads all of that out.
import type { RequestId, Sequence, SessionId } from '../ids.ts'
import { livingRecord } from './records.ts'
import type { MemoryRecord, RecordName, RememberedRequestRecord, StateRecord } from './records.ts'
import type { ForgottenMemories } from './remembered.ts'
import type { LockState, MutableRequest, MutableSession, Request, Session } from './state.ts'

/** Whose record changes in the course of time; to the checkpoint that writes it, where to keep what it counted. */
export interface RecordOwner {
  /** What the last checkpoint counted for the record; 0: no checkpoint has it. */
  digested: number
}

/** A session or a request. */
export interface Tracked extends RecordOwner {
  readonly sequence: Sequence
  /** Index in the list of changed records, or in the one that is being read out, if it stands there at all. */
  changedPlace: number
}

export type RecordChange =
  /** The owner is null for records that never change. */
  | { readonly kind: 'put'; readonly record: StateRecord; readonly owner: RecordOwner | null }
  /** Of a record without an owner `was` says what it was, so that what was counted for it can be computed again. */
  | {
      readonly kind: 'remove'
      readonly record: RecordName
      readonly owner: RecordOwner | null
      readonly was: StateRecord | null
    }
  /** With all records that are left in it; those that went one by one before are not told any more. */
  | { readonly kind: 'dropBucket'; readonly bucket: number }

export interface Changes {
  /** Sessions and requests below were there at the last cut. */
  bornFrom: Sequence
  readonly counters: RecordOwner
  /** Living, each at its `changedPlace`. */
  changed: (Session | Request)[]
  /** Ended ones that were there at the last cut. */
  ended: (Session | Request)[]
  /** Remembered since the last cut, unless of a session. */
  memories: MemoryRecord[]
  /** Remembered since the last cut, of sessions that live: they are forgotten with them. */
  memoriesOf: Map<SessionId, RememberedRequestRecord[]>
  /** Forgotten with their sessions. */
  forgotten: { readonly memories: ForgottenMemories; readonly isNew: ReadonlySet<RequestId> }[]
  /** How many records the three above hold. */
  memoryCount: number
  /** Numbers of the buckets that there were at the last cut. */
  buckets: readonly number[]
  /** What the cut that is being read out still has to say; null when none is. */
  reading: Reading | null
}

export interface Reading {
  /** As `changed` was at the cut; null are those that are told or captured. */
  readonly waiting: (Session | Request | null)[]
  /** Records that changed while they waited, as they were at the cut. */
  readonly captured: RecordChange[]
}

export function createChanges(bornFrom: Sequence): Changes {
  return {
    bornFrom,
    counters: { digested: 0 },
    changed: [],
    ended: [],
    memories: [],
    memoriesOf: new Map(),
    forgotten: [],
    memoryCount: 0,
    buckets: [],
    reading: null,
  }
}

/** The session's fields for writing. To be called before every change of them, not once for several entries. */
export function changeSession(state: LockState, session: Session): MutableSession {
  noteChange(state.changes, session)
  return session
}

/** The request's fields for writing, as with a session's. */
export function changeRequest(state: LockState, request: Request): MutableRequest {
  noteChange(state.changes, request)
  return request
}

/** A session or a request has been made. */
export function noteBirth({ changes }: LockState, item: Session | Request): void {
  item.changedPlace = changes.changed.length
  changes.changed.push(item)
}

/**
 * A session or a request has ended: it will never change again. Where it waits to be read out it may therefore stay, and
 * a cut made before its end tells it as it was.
 */
export function noteEnd({ changes }: LockState, item: Session | Request): void {
  const { changed } = changes
  if (changed[item.changedPlace] === item) {
    const last = changed.pop()
    if (last !== undefined && last !== item) {
      changed[item.changedPlace] = last
      last.changedPlace = item.changedPlace
    }
  }
  if (item.sequence < changes.bornFrom) changes.ended.push(item)
}

/** Something is remembered from now on. */
export function noteMemory({ changes }: LockState, record: MemoryRecord): void {
  changes.memoryCount += 1
  if (record.kind !== 'rememberedRequest' || record.session === null) {
    changes.memories.push(record)
    return
  }
  const ofSession = changes.memoriesOf.get(record.session)
  if (ofSession === undefined) changes.memoriesOf.set(record.session, [record])
  else ofSession.push(record)
}

/** What was remembered of the session's requests has gone with it. */
export function noteForgotten({ changes }: LockState, session: SessionId, all: readonly ForgottenMemories[]): void {
  const noted = changes.memoriesOf.get(session) ?? []
  changes.memoriesOf.delete(session)
  changes.memoryCount -= noted.length
  const isNew = new Set(noted.map(({ requestId }) => requestId))
  for (const memories of all) {
    changes.forgotten.push({ memories, isNew })
    changes.memoryCount += memories.requests.size
  }
}

function noteChange(changes: Changes, item: Session | Request): void {
  if (changes.changed[item.changedPlace] === item) return
  capture(changes, item)
  item.changedPlace = changes.changed.length
  changes.changed.push(item)
}

/** A record that waits to be read out is read now, before it is another. */
function capture({ reading }: Changes, item: Session | Request): void {
  if (reading === null || reading.waiting[item.changedPlace] !== item) return
  reading.waiting[item.changedPlace] = null
  reading.captured.push({ kind: 'put', record: livingRecord(item), owner: item })
}
