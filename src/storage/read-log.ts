// Entries out of the `log/` database, each verified by its checksum and by what it must follow. Iterators only, never
// `get`: that trusts the filters in LevelDB's tables, and a damaged filter hides a record without an error.
import { asIndex, type ClusterTime, type Index, type Term } from '../ids.ts'
import type { Entry } from '../raft/entry.ts'
import { damaged, judgeDatabaseError } from './damage.ts'
import { entryIndex, entryKey } from './keys.ts'
import type { Database } from './level-folder.ts'
import { chainOf, decodeEntry } from './log-record.ts'
import type { ChainHash } from './log-store.ts'

/** The end of a log: what the next entry must follow. */
export interface Tip {
  readonly index: Index
  readonly term: Term
  readonly time: ClusterTime
  readonly chain: ChainHash
}

export interface FollowedEntry {
  readonly entry: Entry
  /** The end of a log that ends with this entry. */
  readonly tip: Tip
}

/** What one turn of the event loop reads: a few milliseconds of hashing. A single larger entry comes by itself. */
export const chunkBytes = 256 * 1024
export const chunkEntries = 400

/** Decodes the entry of `index`; throws DamagedError unless it follows `before`, which null leaves unchecked. */
export function followEntry(folder: string, before: Tip | null, index: Index, value: Buffer): FollowedEntry {
  const { entry, chainBefore } = decodeEntry(folder, index, value)
  if (before !== null) {
    if (index !== before.index + 1) throw damaged(folder, `after entry ${before.index} comes ${index}`)
    if (chainBefore !== before.chain) throw damaged(folder, `entry ${index} does not follow on the entry before it`)
    if (entry.term < before.term) throw damaged(folder, `entry ${index} has term ${entry.term} after ${before.term}`)
    if (entry.time < before.time) throw damaged(folder, `entry ${index} has time ${entry.time} after ${before.time}`)
  }
  return { entry, tip: { index, term: entry.term, time: entry.time, chain: chainOf(value) } }
}

export interface EntryRange {
  readonly from: Index
  readonly to: Index
  readonly bytesMax: number
}

/**
 * Reads entries `from..to`, at least one, and no more than `bytesMax` of payload beyond that. What the range holds is
 * fixed when the call returns, whatever is written later. Throws DamagedError when an entry is missing.
 */
export async function readEntries(folder: string, database: Database, range: EntryRange): Promise<FollowedEntry[]> {
  const { from, to, bytesMax } = range
  const found: FollowedEntry[] = []
  let payloadBytes = 0
  const iterator = database.iterator({
    gte: entryKey(from),
    lte: entryKey(to),
    fillCache: false,
    highWaterMarkBytes: Math.min(bytesMax, chunkBytes),
  })
  try {
    for (;;) {
      const chunk = await iterator.nextv(chunkEntries)
      if (chunk.length === 0) throw damaged(folder, `entry ${from + found.length} is missing`)
      for (const [key, value] of chunk) {
        const expected = asIndex(from + found.length)
        if (entryIndex(key) !== expected) throw damaged(folder, `entry ${expected} is missing`)
        const next = followEntry(folder, found.at(-1)?.tip ?? null, expected, value)
        payloadBytes += next.entry.payload.length
        if (found.length > 0 && payloadBytes > bytesMax) return found
        found.push(next)
        if (expected === to) return found
      }
    }
  } catch (error) {
    throw judgeDatabaseError(folder, error)
  } finally {
    await iterator.close()
  }
}
