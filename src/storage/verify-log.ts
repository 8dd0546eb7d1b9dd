// Reads the whole `log/` database once, when it is opened, and verifies it: checksums, no index missing, terms and times
// that never decrease, the chain, and a hard state that agrees with the last entry and with the other single records.
// Keeps the spans of terms and the notes, not the entries. The reading comes in chunks, each in a turn of the event loop of
// its own. What is left of entries before the start is not looked at: they were trimmed, and are being deleted.
import { asClusterTime, asIndex, asTerm, type Index } from '../ids.ts'
import type { TermSpan } from '../raft/log.ts'
import { damaged, judgeDatabaseError } from './damage.ts'
import { entryIndex, entryKey, hardStateKey, metaKey, peersKey } from './keys.ts'
import type { Database } from './level-folder.ts'
import { LogBytes } from './log-bytes.ts'
import { chainStart, crcOf, decodeHardState, type StoredHardState } from './log-record.ts'
import type { NotedEntry, StoredLog } from './log-store.ts'
import { decodeMeta, decodePeers } from './meta-record.ts'
import { chunkBytes, chunkEntries, followEntry, type Tip } from './read-log.ts'
import type { EncodedRecords, SingleRecords } from './single-records.ts'

export interface VerifiedLog {
  readonly records: SingleRecords
  readonly tip: Tip
  readonly spans: readonly TermSpan[]
  readonly notes: readonly NotedEntry[]
  readonly bytes: LogBytes
}

/** Throws DamagedError. `firstOfNew` is where the log begins as long as no meta record says so. */
export async function verifyLog(folder: string, database: Database, firstOfNew: Index): Promise<VerifiedLog> {
  const encoded = await readSingleRecords(folder, database)
  const stored = encoded.meta === null ? null : decodeMeta(folder, encoded.meta)
  const peers = encoded.peers === null ? [] : decodePeers(folder, encoded.peers)
  const start = stored === null ? startOfNew(firstOfNew) : stored.start
  const hardState = encoded.hardState === null ? emptyHardState(start) : decodeHardState(folder, encoded.hardState)
  const contents = await readEntries(folder, database, start)
  if (stored === null && (encoded.hardState !== null || contents.tip.index > start.index)) {
    throw damaged(folder, 'there are entries or a hard state, but no meta record')
  }
  checkAgreement(folder, encoded, hardState, contents.tip)
  const { currentTerm, votedFor, batches } = hardState
  const [meta, installing] = stored === null ? [null, null] : [stored.meta, stored.installing]
  const records = { meta, start, installing, peers, hardState: { currentTerm, votedFor }, batches, encoded }
  return { records, ...contents }
}

/** The hard state is in every batch, and says what else was there when that batch was written. */
function checkAgreement(folder: string, values: EncodedRecords, hardState: StoredHardState, tip: Tip): void {
  if (values.meta !== null && values.hardState === null)
    throw damaged(folder, 'there is a meta record, but no hard state')
  if (hardState.metaCrc !== crcOf(values.meta)) {
    throw damaged(folder, 'the meta record is not the one that was written last')
  }
  if (hardState.peersCrc !== crcOf(values.peers)) {
    throw damaged(folder, 'the record of the peers is not the one that was written last')
  }
  if (hardState.lastIndex !== tip.index || hardState.chain !== tip.chain) {
    throw damaged(
      folder,
      `the log ends at ${tip.index} in another way than the hard state says, which ends it at ${hardState.lastIndex}`,
    )
  }
  if (hardState.currentTerm < tip.term) {
    throw damaged(folder, `the current term ${hardState.currentTerm} is below that of the last entry, ${tip.term}`)
  }
}

export function toStoredLog({ records, tip, spans, notes }: VerifiedLog): StoredLog {
  const { meta, hardState, start, installing, peers } = records
  return {
    meta,
    hardState,
    start: { index: start.index, term: start.term, time: start.time },
    firstIndex: asIndex(start.index + 1),
    lastIndex: tip.index,
    lastTime: tip.time,
    spans,
    notes,
    installing,
    peers,
  }
}

function emptyHardState({ index, chain }: Tip): StoredHardState {
  return { currentTerm: asTerm(0), votedFor: null, lastIndex: index, chain, batches: 0, metaCrc: 0, peersCrc: 0 }
}

function startOfNew(firstIndex: Index): Tip {
  return { index: asIndex(firstIndex - 1), term: asTerm(0), time: asClusterTime(0), chain: chainStart }
}

/** Iterators, never `get`, which trusts the tables' filters: a damaged one hides records without an error. */
async function readSingleRecords(folder: string, database: Database): Promise<EncodedRecords> {
  const found: Record<keyof EncodedRecords, Buffer | null> = { hardState: null, meta: null, peers: null }
  const iterator = database.iterator({ gt: entryKey(asIndex(Number.MAX_SAFE_INTEGER)), fillCache: false })
  try {
    for await (const [key, value] of iterator) {
      if (key.equals(hardStateKey)) found.hardState = value
      else if (key.equals(metaKey)) found.meta = value
      else if (key.equals(peersKey)) found.peers = value
      else throw unknownKey(folder, key)
    }
    const [stray] = await database.keys({ lt: entryKey(asIndex(0)), limit: 1, fillCache: false }).all()
    if (stray !== undefined) throw unknownKey(folder, stray)
    return found
  } catch (error) {
    throw judgeDatabaseError(folder, error)
  }
}

type LogContents = Pick<VerifiedLog, 'tip' | 'spans' | 'notes' | 'bytes'>

async function readEntries(folder: string, database: Database, start: Tip): Promise<LogContents> {
  const spans: TermSpan[] = []
  const notes: NotedEntry[] = []
  const bytes = new LogBytes()
  let tip = start
  const iterator = database.iterator({
    gt: entryKey(start.index),
    lte: entryKey(asIndex(Number.MAX_SAFE_INTEGER)),
    fillCache: false,
    highWaterMarkBytes: chunkBytes,
  })
  try {
    for (;;) {
      const chunk = await iterator.nextv(chunkEntries)
      if (chunk.length === 0) return { tip, spans, notes, bytes }
      for (const [key, value] of chunk) {
        const index = entryIndex(key)
        if (index === null) throw unknownKey(folder, key)
        const next = followEntry(folder, tip, index, value)
        if (spans.length === 0 || next.tip.term !== tip.term) spans.push({ term: next.tip.term, firstIndex: index })
        if (next.entry.note !== undefined) notes.push({ index, note: next.entry.note })
        bytes.add(index, next.entry.payload.length)
        tip = next.tip
      }
    }
  } catch (error) {
    throw judgeDatabaseError(folder, error)
  } finally {
    await iterator.close()
  }
}

function unknownKey(folder: string, key: Buffer): Error {
  return damaged(folder, `it holds a record that is none of ours, under the key ${key.toString('hex')}`)
}
