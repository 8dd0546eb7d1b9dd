// LogStore on LevelDB: the database `log/` of a node (DESIGN 6). One synced, chained batch per write holds the entries, the
// deletes of a truncated tail, the hard state and the meta record, so that truncate-and-append, term and vote are atomic.
// A write behind the tail reads nothing; only a truncation reads the entry that becomes the last.
//
// What is on the disk is verified when it is opened and again when it is read. After a write that failed nothing is known
// of the disk any more: every later call fails, and the process is expected to stop.
import { resolve } from 'node:path'
import { assert } from '../assert.ts'
import { asIndex, type Index } from '../ids.ts'
import type { Entry } from '../raft/entry.ts'
import { assertEntryFollows, assertInstalls, assertKeepsTail, assertTrims } from './batch-rules.ts'
import { entryKey } from './keys.ts'
import {
  type Batch,
  claimFolder,
  createDatabase,
  type Database,
  NewFiles,
  openDatabase,
  releaseFolder,
} from './level-folder.ts'
import { LogBytes } from './log-bytes.ts'
import { chainOf, encodeEntry } from './log-record.ts'
import type { ChainHash, LogBatch, LogStore, StoredLog } from './log-store.ts'
import { type EntryRange, readEntries, type Tip } from './read-log.ts'
import { nextRecords, putRecords, type SingleRecords } from './single-records.ts'
import { toStoredLog, type VerifiedLog, verifyLog } from './verify-log.ts'
import { checkAgainstWitness, emptyWitness, readWitness, writeWitness } from './witness.ts'

export interface LevelLogOptions {
  readonly writeBufferBytes: number
  /** Where the log of a new database begins. */
  readonly firstIndex: Index
}

const defaults: LevelLogOptions = { writeBufferBytes: 32 * 1024 * 1024, firstIndex: asIndex(1) }

/**
 * Opens the log in `folder`, which is created, with what is missing above it, if it does not exist. Throws DamagedError,
 * LockedError when another process has it, FormatVersionError.
 */
export async function openLevelLogStore(folder: string, options: Partial<LevelLogOptions> = {}): Promise<LogStore> {
  const path = resolve(folder)
  const { writeBufferBytes, firstIndex } = { ...defaults, ...options }
  claimFolder(path)
  try {
    await createDatabase(path, (newFolder) => writeWitness(newFolder, emptyWitness))
    const seen = await readWitness(path)
    const database = await openDatabase(path, { writeBufferBytes })
    try {
      const verified = await verifyLog(path, database, firstIndex)
      const { batches, encoded } = verified.records
      const found = { batches, record: encoded.hardState }
      checkAgainstWitness(path, found, seen)
      if (batches > seen.batches) await writeWitness(path, found)
      return new LevelLogStore(path, await NewFiles.watch(path), database, verified)
    } catch (error) {
      await database.close()
      throw error
    }
  } catch (error) {
    releaseFolder(path)
    throw error
  }
}

class LevelLogStore implements LogStore {
  readonly stored: StoredLog
  readonly #folder: string
  readonly #newFiles: NewFiles
  readonly #database: Database
  /** What the disk holds when no write is in flight. */
  #tip: Tip
  #records: SingleRecords
  #bytes: LogBytes
  /** Batches that the witness on the disk has seen. */
  readonly #witnessedBatches: number
  /** Entries up to here are durable and stay so whatever becomes of the write in flight. */
  #readableIndex: Index
  #writing: Promise<void> | null = null
  readonly #reading = new Set<Promise<void>>()
  /** What was trimmed is deleted up to here; nothing is known of what was before the opening. */
  #clearedTo = asIndex(0)
  #clearing: Promise<void> | null = null
  #failure: Error | null = null
  #closing: Promise<void> | null = null

  constructor(folder: string, newFiles: NewFiles, database: Database, verified: VerifiedLog) {
    this.stored = toStoredLog(verified)
    this.#folder = folder
    this.#newFiles = newFiles
    this.#database = database
    this.#tip = verified.tip
    this.#records = verified.records
    this.#bytes = verified.bytes
    this.#witnessedBatches = verified.records.batches
    this.#readableIndex = verified.tip.index
    this.#clearTrimmed()
  }

  get bytes(): number {
    return this.#bytes.total
  }

  write(batch: LogBatch, done: (error: Error | null) => void): void {
    assert(this.#closing === null, 'a write to a log store that was closed')
    assert(this.#writing === null, 'a second write while one is in flight')
    if (this.#failure !== null) {
      process.nextTick(done, this.#failure)
      return
    }
    const { truncateFrom, installed } = batch
    const { start } = this.#records
    if (truncateFrom !== null) {
      assert(truncateFrom > start.index, () => `a truncation from ${truncateFrom}, before the log begins`)
      this.#readableIndex = asIndex(Math.min(this.#readableIndex, truncateFrom - 1))
    }
    if (installed?.keepsTail === false) {
      this.#readableIndex = asIndex(Math.min(this.#readableIndex, installed.start.index))
    }
    // nextTick takes `done` out of the promise: what it throws is then an uncaught exception like any other.
    this.#writing = this.#commit(batch).then(
      () => {
        this.#writing = null
        this.#readableIndex = this.#tip.index
        this.#clearTrimmed()
        process.nextTick(done, null)
      },
      (error: unknown) => {
        this.#writing = null
        this.#failure = asError(error)
        process.nextTick(done, this.#failure)
      },
    )
  }

  read(range: EntryRange, done: (error: Error | null, entries: readonly Entry[]) => void): void {
    assert(this.#closing === null, 'a read from a log store that was closed')
    if (this.#failure !== null) {
      process.nextTick(done, this.#failure, [])
      return
    }
    const { from, to } = range
    const { start } = this.#records
    assert(
      start.index < from && from <= to,
      () => `a read of entries ${from} to ${to} of a log from ${start.index + 1}`,
    )
    assert(to <= this.#readableIndex, () => `a read up to entry ${to} while only ${this.#readableIndex} is durable`)
    this.#track(
      readEntries(this.#folder, this.#database, range).then(
        (found) =>
          process.nextTick(
            done,
            null,
            found.map(({ entry }) => entry),
          ),
        (error: unknown) => process.nextTick(done, asError(error), []),
      ),
    )
  }

  chainAt(index: Index, done: (error: Error | null, chain: ChainHash) => void): void {
    assert(this.#closing === null, 'a read from a log store that was closed')
    if (this.#failure !== null) {
      process.nextTick(done, this.#failure, '')
      return
    }
    const { start } = this.#records
    assert(start.index <= index, () => `the hash of entry ${index} of a log from ${start.index + 1}`)
    assert(
      index <= this.#readableIndex || index === start.index,
      () => `the hash of entry ${index}, which is not durable`,
    )
    this.#track(
      this.#tipAt(index).then(
        ({ chain }) => process.nextTick(done, null, chain),
        (error: unknown) => process.nextTick(done, asError(error), ''),
      ),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #track(reading: Promise<void>): void {
    this.#reading.add(reading)
    void reading.finally(() => this.#reading.delete(reading))
  }

  /**
   * Encodes all entries and hands them over before it returns, unless it truncates or installs: then it reads first where
   * the log goes on.
   */
  async #commit(batch: LogBatch): Promise<void> {
    const before = this.#tip
    const isPlain = batch.truncateFrom === null && batch.installed === null
    const kept = isPlain ? { start: this.#records.start, end: before } : await this.#keptBy(batch)
    const chained = this.#database.batch()
    const tip = this.#putEntries(chained, kept.end, batch.entries)
    for (let index = tip.index + 1; index <= before.index; index++) chained.del(entryKey(asIndex(index)))
    const start = batch.trimTo === null ? kept.start : await this.#trimmed(batch.trimTo, kept)
    const records = nextRecords(this.#records, batch, { start, tip })
    putRecords(chained, this.#records.encoded, records.encoded)
    this.#tip = tip
    await chained.write({ sync: true })
    await this.#newFiles.sync()
    this.#records = records
  }

  /** What a truncation and an install leave of the log. */
  async #keptBy({ truncateFrom, installed }: LogBatch): Promise<{ start: Tip; end: Tip }> {
    const { start, installing } = this.#records
    let end = this.#tip
    if (truncateFrom !== null && truncateFrom <= end.index) {
      end = await this.#tipAt(asIndex(truncateFrom - 1))
      this.#bytes.truncateFrom(truncateFrom)
    }
    if (installed === null) return { start, end }
    assertInstalls(installing, installed, start.index)
    if (!installed.keepsTail) {
      this.#bytes = new LogBytes()
      return { start: installed.start, end: installed.start }
    }
    assert(
      installed.start.index <= end.index,
      () => `a tail is kept behind ${installed.start.index}, the log ends before`,
    )
    assertKeepsTail(installed.start, await this.#tipAt(installed.start.index))
    this.#bytes.trimTo(installed.start.index)
    return { start: installed.start, end }
  }

  async #trimmed(trimTo: Index, kept: { start: Tip; end: Tip }): Promise<Tip> {
    assertTrims(trimTo, { after: kept.start.index, upTo: kept.end.index })
    this.#bytes.trimTo(trimTo)
    return await this.#tipAt(trimTo)
  }

  /** Where the log ends that ends with `index`, as it is on the disk. */
  async #tipAt(index: Index): Promise<Tip> {
    if (index === this.#records.start.index) return this.#records.start
    const [last] = await readEntries(this.#folder, this.#database, { from: index, to: index, bytesMax: 0 })
    assert(last !== undefined, 'a read gives at least one entry')
    return last.tip
  }

  /** Returns where the log ends then. */
  #putEntries(chained: Batch, before: Tip, entries: readonly Entry[]): Tip {
    let tip = before
    for (const entry of entries) {
      assertEntryFollows(tip, entry)
      const value = encodeEntry({ entry, chainBefore: tip.chain })
      chained.put(entryKey(entry.index), value)
      this.#bytes.add(entry.index, entry.payload.length)
      tip = { index: entry.index, term: entry.term, time: entry.time, chain: chainOf(value) }
    }
    return tip
  }

  /**
   * Deletes the entries before the start, beside everything else and without a sync: what comes back after a crash is
   * ignored, and deleted when the log is opened. After a deletion that failed the database is not written to any more.
   */
  #clearTrimmed(): void {
    const { index } = this.#records.start
    if (this.#clearing !== null || this.#clearedTo === index) return
    this.#clearing = this.#database.clear({ gt: entryKey(this.#clearedTo), lte: entryKey(index) }).then(
      () => {
        this.#clearedTo = index
        this.#clearing = null
        if (this.#closing === null) this.#clearTrimmed()
      },
      (error: unknown) => {
        this.#failure ??= asError(error)
      },
    )
  }

  async #finish(): Promise<void> {
    await this.#writing
    await Promise.all(this.#reading)
    await this.#clearing
    try {
      // While the lock is still held. After a failed write nobody knows what the disk holds.
      const { batches, encoded } = this.#records
      const isNews = this.#failure === null && batches > this.#witnessedBatches
      if (isNews) await writeWitness(this.#folder, { batches, record: encoded.hardState })
    } finally {
      await this.#newFiles.close()
      await this.#database.close()
      releaseFolder(this.#folder)
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
