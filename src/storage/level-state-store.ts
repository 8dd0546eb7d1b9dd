// StateStore on LevelDB: the database `state/` of a node (DESIGN 6). A checkpoint is one synced, chained batch: the records
// that changed, and the one record that says which generation is current and what its checkpoint is. The records of a
// snapshot are put beside those of the current generation, each chunk synced, so that the flip, which writes that one
// record, is behind all of them on the disk.
//
// Everything that it finds damaged is a DamagedStateError: the log is not concerned. After a write that failed nothing is
// known of the disk any more: every later call fails, and the process is expected to stop.
import { rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { assert } from '../assert.ts'
import { damaged, judgeDatabaseError, judgeStateError } from './damage.ts'
import { syncFolder } from './durable-file.ts'
import {
  type Batch,
  claimFolder,
  createDatabase,
  type Database,
  exists,
  NewFiles,
  openDatabase,
  releaseFolder,
} from './level-folder.ts'
import { loadRecords } from './load-records.ts'
import {
  currentKey,
  decodeCurrent,
  encodeCurrent,
  encodeRecordValue,
  generationOf,
  keysOf,
  recordKey,
  recordKeys,
  type StoredCurrent,
} from './state-record.ts'
import type {
  Checkpoint,
  CheckpointWriter,
  InstallVerdict,
  RecordBytes,
  RecordRules,
  StateInstall,
  StateStore,
  StateView,
  StoredState,
} from './state-store.ts'
import { LevelStateView, SharedSnapshot } from './state-view.ts'
import { checkAgainstWitness, emptyWitness, readWitness, writeWitness } from './witness.ts'

export interface LevelStateOptions {
  readonly rules: RecordRules
  readonly writeBufferBytes?: number
}

const writeBufferBytesDefault = 32 * 1024 * 1024
/** What one turn of the event loop verifies of a snapshot that was received. */
const chunkBytes = 256 * 1024
const digestModulus = 2 ** 48

/**
 * Opens the state in `folder`, which is created, with what is missing above it, if it does not exist. Throws
 * DamagedStateError, LockedError when somebody has it, FormatVersionError.
 */
export async function openLevelStateStore(folder: string, options: LevelStateOptions): Promise<StateStore> {
  const path = resolve(folder)
  const { rules, writeBufferBytes = writeBufferBytesDefault } = options
  claimFolder(path)
  try {
    await createDatabase(path, (newFolder) => writeWitness(newFolder, emptyWitness))
    const seen = await readWitness(path)
    const database = await openDatabase(path, { writeBufferBytes })
    try {
      const opened = await readOpened(path, database)
      const found = { batches: opened.current.batches, record: opened.encoded }
      checkAgainstWitness(path, found, seen)
      if (found.batches > seen.batches) await writeWitness(path, found)
      return new LevelStateStore({ folder: path, database, rules }, await NewFiles.watch(path), opened)
    } catch (error) {
      await database.close()
      throw error
    }
  } catch (error) {
    releaseFolder(path)
    throw judgeStateError(error)
  }
}

/** Deletes a state that is damaged, or that is not the one to go on with. What a crash leaves is none, or all of it. */
export async function wipeState(folder: string): Promise<void> {
  const path = resolve(folder)
  claimFolder(path)
  try {
    const unwanted = `${path}.wiped`
    await rm(unwanted, { recursive: true, force: true })
    if (!(await exists(path))) return
    await rename(path, unwanted)
    await syncFolder(dirname(path))
    await rm(unwanted, { recursive: true, force: true })
  } finally {
    releaseFolder(path)
  }
}

interface Opened {
  readonly current: StoredCurrent
  /** The record as found; null when there was none. */
  readonly encoded: Buffer | null
  /** The highest generation of which there is a record. */
  readonly lastGeneration: number
}

/** Iterators, never `get`, which trusts the tables' filters: a damaged one hides records without an error. */
async function readOpened(folder: string, database: Database): Promise<Opened> {
  try {
    let encoded: Buffer | null = null
    for (const range of [{ lt: recordKeys.gte }, { gte: recordKeys.lt }]) {
      for await (const [key, value] of database.iterator({ ...range, fillCache: false })) {
        if (!key.equals(currentKey))
          throw damaged(folder, `it holds a record that is none of ours: ${key.toString('hex')}`)
        encoded = value
      }
    }
    const current = encoded === null ? { batches: 0, generation: 0, checkpoint: null } : decodeCurrent(folder, encoded)
    const [lastKey] = await database.keys({ ...recordKeys, reverse: true, limit: 1, fillCache: false }).all()
    const lastGeneration = lastKey === undefined ? 0 : generationOf(lastKey)
    if (lastGeneration === null) throw damaged(folder, 'it holds a record without a generation')
    return { current, encoded, lastGeneration: Math.max(current.generation, lastGeneration) }
  } catch (error) {
    throw judgeDatabaseError(folder, error)
  }
}

class LevelStateStore implements StateStore {
  readonly #source: { readonly folder: string; readonly database: Database; readonly rules: RecordRules }
  readonly #newFiles: NewFiles
  #current: StoredCurrent
  #encoded: Buffer | null
  readonly #witnessedBatches: number
  #lastGeneration: number
  /** A checkpoint is being gathered or written. */
  #isGathering = false
  #isInstalling = false
  /** What views see while a new checkpoint or a flip is being written: nothing of it. */
  #before: SharedSnapshot | null = null
  /** Everything that goes on. */
  readonly #working = new Set<Promise<void>>()
  #failure: Error | null = null
  #closing: Promise<void> | null = null

  constructor(source: { folder: string; database: Database; rules: RecordRules }, newFiles: NewFiles, opened: Opened) {
    this.#source = source
    this.#newFiles = newFiles
    this.#current = opened.current
    this.#encoded = opened.encoded
    this.#witnessedBatches = opened.current.batches
    this.#lastGeneration = opened.lastGeneration
    this.#clear({ gte: recordKeys.gte, lt: keysOf(opened.current.generation).gte })
    this.#clear({ gte: keysOf(opened.current.generation).lt, lt: recordKeys.lt })
    this.#clearVoid(opened.current)
  }

  get stored(): StoredState {
    const { generation, checkpoint } = this.#current
    return { generation, checkpoint }
  }

  get nextGeneration(): number {
    return this.#lastGeneration + 1
  }

  load(take: (records: readonly RecordBytes[]) => void, done: (error: Error | null) => void): void {
    const view = this.openView()
    if (view === null) process.nextTick(done, this.#failure)
    else loadRecords(this.#source.folder, view, take, done)
  }

  begin(): CheckpointWriter {
    assert(this.#closing === null && !this.#isGathering, 'one checkpoint is gathered at a time')
    this.#isGathering = true
    const { generation } = this.#current
    const chained = this.#source.database.batch()
    return {
      put: (record) => putRecord(chained, generation, record),
      delete: (key) => void chained.del(recordKey(generation, key)),
      commit: (checkpoint, done) => {
        assert(generation === this.#current.generation, 'the generation changed under a checkpoint')
        const oldestBefore = this.#current.checkpoint?.oldestBucket ?? 0
        const write = (): Promise<void> => this.#makeCurrent(chained, { generation, checkpoint })
        this.#work(write, done, () => {
          this.#isGathering = false
          const hasVoid = checkpoint.oldestBucket > oldestBefore
          if (hasVoid && this.#failure === null) this.#clearVoid(this.#current)
        })
      },
      abandon: () => {
        this.#isGathering = false
        void chained.close()
      },
    }
  }

  openView(): StateView | null {
    assert(this.#closing === null, 'a view of a state store that was closed')
    const { generation, checkpoint } = this.#current
    return checkpoint === null ? null : this.#openView(generation, checkpoint, this.#before?.share() ?? null)
  }

  install(generation: number): StateInstall {
    assert(generation === this.nextGeneration, () => `generation ${generation} instead of ${this.nextGeneration}`)
    assert(this.#closing === null && !this.#isInstalling, 'one install at a time')
    this.#isInstalling = true
    this.#lastGeneration = generation
    let sound: Checkpoint | null = null
    return {
      generation,
      put: (records, done) => {
        const chained = this.#source.database.batch()
        for (const record of records) putRecord(chained, generation, record)
        this.#work(() => this.#writeSynced(chained), done)
      },
      finish: (checkpoint, done) => {
        let verdict: InstallVerdict = 'mismatch'
        const verify = async (): Promise<void> => {
          verdict = await this.#verify(generation, checkpoint)
          if (verdict === 'sound') sound = checkpoint
        }
        this.#work(verify, (error) => done(error, verdict))
      },
      flip: (done) => {
        assert(sound !== null && !this.#isGathering, 'a flip to what was not found sound')
        const replaced = this.#current.generation
        const flipped = { generation, checkpoint: sound }
        this.#work(
          () => this.#makeCurrent(this.#source.database.batch(), flipped),
          done,
          () => {
            this.#isInstalling = false
            if (this.#failure === null) this.#clear(keysOf(replaced))
          },
        )
      },
      discard: (done) => {
        sound = null
        this.#isInstalling = false
        this.#clear(keysOf(generation))
        this.#work(() => Promise.resolve(), done)
      },
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #openView(generation: number, checkpoint: Checkpoint, snapshot: SharedSnapshot | null): LevelStateView {
    return new LevelStateView(generation, checkpoint, { ...this.#source, snapshot })
  }

  /** Does what is a write, unless one has failed; then `after`, then tells `done`, which is called in a turn of its own. */
  #work(run: () => Promise<void>, done: (error: Error | null) => void, after: () => void = () => {}): void {
    assert(this.#closing === null, 'a write to a state store that was closed')
    if (this.#failure !== null) {
      process.nextTick(done, this.#failure)
      return
    }
    const working = run()
      .catch((error: unknown) => {
        this.#failure ??= asError(error)
      })
      .then(() => {
        this.#working.delete(working)
        after()
        process.nextTick(done, this.#failure)
      })
    this.#working.add(working)
  }

  /** Writes the batch together with what is current from then on. */
  async #makeCurrent(chained: Batch, stored: StoredState): Promise<void> {
    assert(this.#before === null, 'a checkpoint is written while a snapshot becomes current')
    const current = { ...stored, batches: this.#current.batches + 1 }
    const encoded = encodeCurrent(current)
    chained.put(currentKey, encoded)
    const before = new SharedSnapshot(this.#source.database)
    this.#before = before
    await this.#writeSynced(chained)
    this.#current = current
    this.#encoded = encoded
    this.#before = null
    before.release()
  }

  async #writeSynced(chained: Batch): Promise<void> {
    await chained.write({ sync: true })
    await this.#newFiles.sync()
  }

  /** Reads back what was put under a generation. */
  async #verify(generation: number, checkpoint: Checkpoint): Promise<InstallVerdict> {
    const { hashRecord } = this.#source.rules
    const view = this.#openView(generation, checkpoint, null)
    let count = 0
    let sum = 0
    try {
      for (;;) {
        const records = await view.next(chunkBytes)
        if (records.length === 0) break
        count += records.length
        for (const record of records) sum = (sum + hashRecord(record)) % digestModulus
      }
    } finally {
      await view.closed()
    }
    return count === checkpoint.records && sum === checkpoint.digest ? 'sound' : 'mismatch'
  }

  /** Deletes what nobody reads any more, without a sync: what comes back after a crash is deleted at the next opening. */
  #clear(range: { readonly gte: Buffer; readonly lt: Buffer }): void {
    const clearing = this.#source.database
      .clear(range)
      .catch((error: unknown) => {
        this.#failure ??= asError(error)
      })
      .then(() => {
        this.#working.delete(clearing)
      })
    this.#working.add(clearing)
  }

  #clearVoid({ generation, checkpoint }: StoredState): void {
    if (checkpoint === null) return
    for (const range of this.#source.rules.voidKeys(checkpoint.oldestBucket)) this.#clear(keysOf(generation, range))
  }

  async #finish(): Promise<void> {
    await Promise.all(this.#working)
    try {
      // While the lock is still held. After a failed write nobody knows what the disk holds.
      const { batches } = this.#current
      const isNews = this.#failure === null && batches > this.#witnessedBatches
      if (isNews) await writeWitness(this.#source.folder, { batches, record: this.#encoded })
    } finally {
      await this.#newFiles.close()
      await this.#source.database.close()
      releaseFolder(this.#source.folder)
    }
  }
}

function putRecord(chained: Batch, generation: number, { key, value }: RecordBytes): void {
  const storedKey = recordKey(generation, key)
  chained.put(storedKey, encodeRecordValue(storedKey, value))
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
