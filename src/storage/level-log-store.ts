// LogStore on LevelDB: the database `log/` of a node (DESIGN 6). One synced, chained batch per write holds the entries, the
// deletes of a truncated tail, the hard state and the meta record, so that truncate-and-append, term and vote are atomic.
// A write behind the tail reads nothing; only a truncation reads the entry that becomes the last.
//
// What is on the disk is verified when it is opened and again when it is read. After a write that failed nothing is known
// of the disk any more: every later call fails, and the process is expected to stop.
import { statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { assert } from '../assert.ts'
import { asIndex, type Index } from '../ids.ts'
import type { Entry, HardState } from '../raft/entry.ts'
import { assertEntryFollows, assertHardStateFollows } from './batch-rules.ts'
import { entryKey, hardStateKey, metaKey } from './keys.ts'
import { claimFolder, createDatabase, type Database, openDatabase, releaseFolder } from './level-folder.ts'
import { chainOf, encodeEntry, encodeHardState } from './log-record.ts'
import type { LogBatch, LogStore, StoredLog } from './log-store.ts'
import { encodeMeta } from './meta-record.ts'
import { type EntryRange, readEntries, type Tip } from './read-log.ts'
import { toStoredLog, type VerifiedLog, verifyLog } from './verify-log.ts'
import { checkAgainstWitness, emptyWitness, readWitness, type Witness, writeWitness } from './witness.ts'

type Batch = ReturnType<Database['batch']>

export interface LevelLogOptions {
  readonly writeBufferBytes: number
  /** Where the log of a new database begins. */
  readonly firstIndex: Index
}

const defaults: LevelLogOptions = { writeBufferBytes: 32 * 1024 * 1024, firstIndex: asIndex(1) }

/**
 * Opens the log in `folder`, which is created, with what is missing above it, if it does not exist. Throws DamagedError,
 * LockedError when another process has it, NewerFormatError.
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
      checkAgainstWitness(path, verified.witness, seen)
      if (verified.witness.batches > seen.batches) await writeWitness(path, verified.witness)
      return new LevelLogStore(path, await open(path, 'r'), database, verified)
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
  readonly bytes = 0
  readonly #folder: string
  readonly #folderHandle: FileHandle
  readonly #database: Database
  /** The place before the first entry. */
  readonly #start: Tip
  /** What the disk holds when no write is in flight. */
  #tip: Tip
  #hardState: HardState
  /** The records written last, and how many batches there were. */
  #witness: Witness
  /** Batches that the witness on the disk has seen. */
  readonly #witnessedBatches: number
  /** Entries up to here are durable and stay so whatever becomes of the write in flight. */
  #readableIndex: Index
  #folderChangedMs: number
  #writing: Promise<void> | null = null
  readonly #reading = new Set<Promise<void>>()
  #failure: Error | null = null
  #closing: Promise<void> | null = null

  constructor(folder: string, folderHandle: FileHandle, database: Database, verified: VerifiedLog) {
    this.stored = toStoredLog(verified)
    this.#folder = folder
    this.#folderHandle = folderHandle
    this.#database = database
    this.#start = verified.start
    this.#tip = verified.tip
    this.#hardState = this.stored.hardState
    this.#witness = verified.witness
    this.#witnessedBatches = verified.witness.batches
    this.#readableIndex = verified.tip.index
    this.#folderChangedMs = statSync(folder).mtimeMs
  }

  write(batch: LogBatch, done: (error: Error | null) => void): void {
    assert(this.#closing === null, 'a write to a log store that was closed')
    assert(this.#writing === null, 'a second write while one is in flight')
    if (this.#failure !== null) {
      process.nextTick(done, this.#failure)
      return
    }
    const { truncateFrom } = batch
    if (truncateFrom !== null) {
      assert(truncateFrom > this.#start.index, `a truncation from ${truncateFrom}, before the log begins`)
      this.#readableIndex = asIndex(Math.min(this.#readableIndex, truncateFrom - 1))
    }
    // nextTick takes `done` out of the promise: what it throws is then an uncaught exception like any other.
    this.#writing = this.#commit(batch).then(
      () => {
        this.#writing = null
        this.#readableIndex = this.#tip.index
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
    assert(
      this.#start.index < from && from <= to,
      `a read of entries ${from} to ${to} of a log from ${this.#start.index + 1}`,
    )
    assert(to <= this.#readableIndex, `a read up to entry ${to} while only ${this.#readableIndex} is durable`)
    const reading = readEntries(this.#folder, this.#database, range).then(
      (found) =>
        process.nextTick(
          done,
          null,
          found.map(({ entry }) => entry),
        ),
      (error: unknown) => process.nextTick(done, asError(error), []),
    )
    this.#reading.add(reading)
    void reading.finally(() => this.#reading.delete(reading))
  }

  chainAt(index: Index, done: (error: Error | null, chain: string) => void): void {
    void this.#tipAt(index).then(({ chain }) => process.nextTick(done, null, chain))
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Encodes and hands over the whole batch before it returns, unless it truncates. */
  async #commit(batch: LogBatch): Promise<void> {
    const { truncateFrom } = batch
    const isTruncating = truncateFrom !== null && truncateFrom <= this.#tip.index
    const before = isTruncating ? await this.#tipAt(asIndex(truncateFrom - 1)) : this.#tip
    const chained = this.#database.batch()
    const tip = putEntries(chained, before, batch.entries)
    for (let index = tip.index + 1; index <= this.#tip.index; index++) chained.del(entryKey(asIndex(index)))
    this.#putSingleRecords(chained, batch, tip)
    this.#tip = tip
    await chained.write({ sync: true })
    await this.#syncNewFiles()
  }

  /** Where the log ends that ends with `index`. */
  async #tipAt(index: Index): Promise<Tip> {
    if (index === this.#start.index) return this.#start
    const [last] = await readEntries(this.#folder, this.#database, { from: index, to: index, bytesMax: 0 })
    assert(last !== undefined, 'a read gives at least one entry')
    return last.tip
  }

  #putSingleRecords(chained: Batch, batch: LogBatch, tip: Tip): void {
    const hardState = batch.hardState ?? this.#hardState
    assertHardStateFollows(this.#hardState, hardState, tip.term)
    assert(batch.meta !== null || this.#witness.meta !== null, 'the first write must say whose disk this is')

    const batches = this.#witness.batches + 1
    const hardStateValue = encodeHardState({ ...hardState, lastIndex: tip.index, chain: tip.chain, batches })
    chained.put(hardStateKey, hardStateValue)
    let metaValue = this.#witness.meta
    if (batch.meta !== null) {
      metaValue = encodeMeta({
        meta: batch.meta,
        firstIndex: asIndex(this.#start.index + 1),
        chainBefore: this.#start.chain,
      })
      chained.put(metaKey, metaValue)
    }
    this.#hardState = hardState
    this.#witness = { batches, hardState: hardStateValue, meta: metaValue }
  }

  /**
   * LevelDB goes on to a new log file every `writeBufferBytes` and syncs what it writes there, but not the name of the
   * file. A changed folder is the sign; looking at it costs two microseconds.
   */
  async #syncNewFiles(): Promise<void> {
    const changedMs = statSync(this.#folder).mtimeMs
    if (changedMs === this.#folderChangedMs) return
    await this.#folderHandle.sync()
    this.#folderChangedMs = changedMs
  }

  async #finish(): Promise<void> {
    await this.#writing
    await Promise.all(this.#reading)
    try {
      // While the lock is still held. After a failed write nobody knows what the disk holds.
      const isNews = this.#failure === null && this.#witness.batches > this.#witnessedBatches
      if (isNews) await writeWitness(this.#folder, this.#witness)
    } finally {
      await this.#folderHandle.close()
      await this.#database.close()
      releaseFolder(this.#folder)
    }
  }
}

/** Returns where the log ends then. */
function putEntries(chained: Batch, before: Tip, entries: readonly Entry[]): Tip {
  let tip = before
  for (const entry of entries) {
    assertEntryFollows(tip, entry)
    const value = encodeEntry({ entry, chainBefore: tip.chain })
    chained.put(entryKey(entry.index), value)
    tip = { index: entry.index, term: entry.term, time: entry.time, chain: chainOf(value) }
  }
  return tip
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
