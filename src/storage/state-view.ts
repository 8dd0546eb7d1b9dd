// Reading one generation of the `state/` database from its first record to its last, as it was when the reading began,
// whatever is written meanwhile: each record verified by its checksum, the void ones left out. In chunks of a few
// milliseconds, each in a turn of the event loop of its own; the iterator stands between them.
import { assert } from '../assert.ts'
import { judgeDatabaseError, judgeStateError } from './damage.ts'
import type { Database } from './level-folder.ts'
import { decodeRecordValue, innerKey, keysOf } from './state-record.ts'
import type { Checkpoint, RecordBytes, RecordRules, StateView } from './state-store.ts'

const chunkRecords = 1000
const chunkBytes = 256 * 1024

/** What the database held at one moment; LevelDB keeps it until the last who reads it has let go. */
export class SharedSnapshot {
  readonly snapshot: ReturnType<Database['snapshot']>
  #users = 1

  constructor(database: Database) {
    this.snapshot = database.snapshot()
  }

  share(): this {
    this.#users++
    return this
  }

  release(): void {
    this.#users--
    if (this.#users === 0) void this.snapshot.close()
  }
}

export interface ViewSource {
  readonly folder: string
  readonly database: Database
  readonly rules: RecordRules
  /** Released by the view when it is closed. null: of this moment. */
  readonly snapshot: SharedSnapshot | null
}

export class LevelStateView implements StateView {
  readonly checkpoint: Checkpoint
  readonly #folder: string
  readonly #iterator: ReturnType<typeof iterate>
  readonly #snapshot: SharedSnapshot | null
  readonly #voidKeys: ReturnType<RecordRules['voidKeys']>
  #ahead: Promise<[Buffer, Buffer][]> | null = null
  #pending: readonly RecordBytes[] = []
  #isAtEnd = false
  #reading: Promise<void> | null = null
  #isClosed = false

  constructor(generation: number, checkpoint: Checkpoint, { folder, database, rules, snapshot }: ViewSource) {
    this.checkpoint = checkpoint
    this.#folder = folder
    this.#voidKeys = rules.voidKeys(checkpoint.oldestBucket)
    this.#snapshot = snapshot
    this.#iterator = iterate(database, generation, snapshot)
  }

  read(bytesMax: number, done: (error: Error | null, records: readonly RecordBytes[], isLast: boolean) => void): void {
    assert(this.#reading === null && !this.#isClosed, 'a view is read by one at a time, and not behind its end')
    this.#reading = this.next(bytesMax).then(
      (records) => {
        this.#reading = null
        process.nextTick(done, null, records, this.#isAtEnd && this.#pending.length === 0)
      },
      (error: unknown) => {
        this.#reading = null
        process.nextTick(done, error instanceof Error ? error : new Error(String(error)), [], true)
      },
    )
  }

  close(): void {
    void this.closed()
  }

  /** As `close`; resolves when it is. */
  async closed(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#reading
    await this.#iterator.close()
    this.#snapshot?.release()
  }

  /** As `read`, for one that waits: none when none is left. Throws DamagedStateError. */
  async next(bytesMax: number): Promise<readonly RecordBytes[]> {
    try {
      while (this.#pending.length === 0 && !this.#isAtEnd) {
        const chunk = await (this.#ahead ?? this.#iterator.nextv(chunkRecords))
        // The database reads the next chunk while this one is worked on.
        this.#ahead = chunk.length === 0 ? null : this.#iterator.nextv(chunkRecords)
        this.#ahead?.catch(() => {})
        this.#isAtEnd = chunk.length === 0
        this.#pending = this.#verified(chunk)
      }
    } catch (error) {
      throw judgeStateError(judgeDatabaseError(this.#folder, error))
    }
    const count = countWithin(this.#pending, bytesMax)
    const records = this.#pending.slice(0, count)
    this.#pending = this.#pending.slice(count)
    return records
  }

  #verified(chunk: readonly (readonly [Buffer, Buffer])[]): RecordBytes[] {
    const records: RecordBytes[] = []
    for (const [storedKey, stored] of chunk) {
      const key = innerKey(storedKey)
      // A void record may be damaged as well as not.
      if (this.#voidKeys.some(({ gte, lt }) => key.compare(gte) >= 0 && key.compare(lt) < 0)) continue
      records.push({ key, value: decodeRecordValue(this.#folder, storedKey, stored) })
    }
    return records
  }
}

function iterate(database: Database, generation: number, shared: SharedSnapshot | null) {
  const reading = {
    fillCache: false,
    highWaterMarkBytes: chunkBytes,
    ...(shared === null ? {} : { snapshot: shared.snapshot }),
  }
  return database.iterator({ ...keysOf(generation), ...reading })
}

/** How many of the first records have no more than so many bytes: one at least, if there is one. */
function countWithin(records: readonly RecordBytes[], bytesMax: number): number {
  let bytes = 0
  for (const [count, { key, value }] of records.entries()) {
    bytes += key.length + value.length
    if (count > 0 && bytes > bytesMax) return count
  }
  return records.length
}
