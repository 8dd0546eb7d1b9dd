// Reads the whole `log/` database once, when it is opened, and verifies it: checksums, no index missing, terms and times
// that never decrease, the chain, and a hard state that agrees with the last entry. Keeps the spans of terms, not the
// entries. The reading comes in chunks, each in a turn of the event loop of its own.
import { asClusterTime, asIndex, asTerm, type Index } from '../ids.ts'
import type { TermSpan } from '../raft/log.ts'
import { damaged, judgeDatabaseError } from './damage.ts'
import { entryIndex, entryKey, hardStateKey, metaKey } from './keys.ts'
import type { Database } from './level-folder.ts'
import { chainStart, decodeHardState, type StoredHardState } from './log-record.ts'
import type { ChainHash, StoredLog } from './log-store.ts'
import { decodeMeta, type StoredMeta } from './meta-record.ts'
import { chunkBytes, chunkEntries, followEntry, type Tip } from './read-log.ts'
import type { Witness } from './witness.ts'

export interface VerifiedLog {
  /** The place before the first entry. */
  readonly start: Tip
  readonly meta: StoredMeta | null
  readonly hardState: StoredHardState
  readonly tip: Tip
  readonly spans: readonly TermSpan[]
  readonly witness: Witness
}

/** Throws DamagedError. `firstOfNew` is where the log begins as long as no meta record says so. */
export async function verifyLog(folder: string, database: Database, firstOfNew: Index): Promise<VerifiedLog> {
  const values = await readSingleRecords(folder, database)
  const meta = values.meta === null ? null : decodeMeta(folder, values.meta)
  const firstIndex = meta === null ? firstOfNew : meta.firstIndex
  const start = startOfChain(firstIndex, meta === null ? chainStart : meta.chainBefore)
  const hardState = values.hardState === null ? emptyHardState(start) : decodeHardState(folder, values.hardState)
  const { tip, spans } = await readEntries(folder, database, start)

  if (meta === null && (values.hardState !== null || tip.index >= firstIndex)) {
    throw damaged(folder, 'there are entries or a hard state, but no meta record')
  }
  if (meta !== null && values.hardState === null) throw damaged(folder, 'there is a meta record, but no hard state')
  if (hardState.lastIndex !== tip.index || hardState.chain !== tip.chain) {
    throw damaged(
      folder,
      `the log ends at ${tip.index} in another way than the hard state says, which ends it at ${hardState.lastIndex}`,
    )
  }
  if (hardState.currentTerm < tip.term) {
    throw damaged(folder, `the current term ${hardState.currentTerm} is below that of the last entry, ${tip.term}`)
  }
  const witness = { batches: hardState.batches, hardState: values.hardState, meta: values.meta }
  return { start, meta, hardState, tip, spans, witness }
}

export function toStoredLog({ start, meta, hardState, tip, spans }: VerifiedLog): StoredLog {
  return {
    meta: meta === null ? null : meta.meta,
    hardState: { currentTerm: hardState.currentTerm, votedFor: hardState.votedFor },
    start: { index: start.index, term: start.term, time: start.time },
    firstIndex: asIndex(start.index + 1),
    lastIndex: tip.index,
    lastTime: tip.time,
    spans,
    notes: [],
    installing: null,
    peers: [],
  }
}

function emptyHardState(start: Tip): StoredHardState {
  return { currentTerm: asTerm(0), votedFor: null, lastIndex: start.index, chain: start.chain, batches: 0 }
}

function startOfChain(firstIndex: Index, chainBefore: ChainHash): Tip {
  return { index: asIndex(firstIndex - 1), term: asTerm(0), time: asClusterTime(0), chain: chainBefore }
}

/** Iterators, never `get`, which trusts the tables' filters: a damaged one hides records without an error. */
async function readSingleRecords(
  folder: string,
  database: Database,
): Promise<Record<'hardState' | 'meta', Buffer | null>> {
  const found: Record<'hardState' | 'meta', Buffer | null> = { hardState: null, meta: null }
  const iterator = database.iterator({ gt: entryKey(asIndex(Number.MAX_SAFE_INTEGER)), fillCache: false })
  try {
    for await (const [key, value] of iterator) {
      if (key.equals(hardStateKey)) found.hardState = value
      else if (key.equals(metaKey)) found.meta = value
      else throw unknownKey(folder, key)
    }
    return found
  } catch (error) {
    throw judgeDatabaseError(folder, error)
  }
}

async function readEntries(folder: string, database: Database, start: Tip): Promise<{ tip: Tip; spans: TermSpan[] }> {
  const spans: TermSpan[] = []
  let tip = start
  const iterator = database.iterator({
    lte: entryKey(asIndex(Number.MAX_SAFE_INTEGER)),
    fillCache: false,
    highWaterMarkBytes: chunkBytes,
  })
  try {
    for (;;) {
      const chunk = await iterator.nextv(chunkEntries)
      if (chunk.length === 0) return { tip, spans }
      for (const [key, value] of chunk) {
        const index = entryIndex(key)
        if (index === null) throw unknownKey(folder, key)
        const next = followEntry(folder, tip, index, value).tip
        if (spans.length === 0 || next.term !== tip.term) spans.push({ term: next.term, firstIndex: index })
        tip = next
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
