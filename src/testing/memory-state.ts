// The checkpoints on the memory disk: what is durable of them, and the port over it. As on LevelDB a record stands under its
// generation, void records stay until the next opening, and so do generations that nobody needs any more.
import { assert } from '../assert.ts'
import { asDigest } from '../ids.ts'
import { damagedState } from '../storage/damage.ts'
import { loadRecords } from '../storage/load-records.ts'
import type {
  Checkpoint,
  CheckpointWriter,
  InstallVerdict,
  KeyRange,
  RecordBytes,
  RecordRules,
  StateInstall,
  StateStore,
  StateView,
  StoredState,
} from '../storage/state-store.ts'
import type { Device } from './memory-device.ts'

const stateName = 'the state of the memory disk'
const batchesRemembered = 64

interface Row {
  readonly record: RecordBytes
  isDamaged: boolean
}

/** By key; its bytes as Latin letters, whose order is that of the bytes. */
type Rows = Map<string, Row>

export class StateImage {
  stored: StoredState = { generation: 0, checkpoint: null }
  isCheckpointDamaged = false
  readonly #generations = new Map<number, Rows>()
  readonly #undo: (() => void)[] = []

  /** The highest generation of which there is a trace. */
  get lastGeneration(): number {
    return Math.max(this.stored.generation, ...this.#generations.keys())
  }

  rowsOf(generation: number): Rows {
    const known = this.#generations.get(generation)
    if (known !== undefined) return known
    const rows: Rows = new Map()
    this.#generations.set(generation, rows)
    return rows
  }

  /** One batch: null deletes a record. */
  apply(generation: number, changes: ReadonlyMap<string, RecordBytes | null>, stored: StoredState | null): void {
    const rows = this.rowsOf(generation)
    const before = new Map([...changes.keys()].map((key) => [key, rows.get(key)]))
    const storedBefore = this.stored
    for (const [key, record] of changes) {
      if (record === null) rows.delete(key)
      else rows.set(key, { record, isDamaged: false })
    }
    if (stored !== null) {
      this.stored = stored
      this.isCheckpointDamaged = false
    }
    this.#undo.push(() => {
      for (const [key, row] of before) {
        if (row === undefined) rows.delete(key)
        else rows.set(key, row)
      }
      this.stored = storedBefore
    })
    if (this.#undo.length > batchesRemembered) this.#undo.shift()
  }

  /** Takes back the newest batches, as far as they are remembered; returns how many. */
  loseTail(batches: number): number {
    const lost = this.#undo.splice(Math.max(0, this.#undo.length - batches)).reverse()
    for (const takeBack of lost) takeBack()
    return lost.length
  }

  /** The record in that place among those of the current generation; returns whether there is one. */
  damageRecord(place: number): boolean {
    const row = [...this.rowsOf(this.stored.generation).values()][place]
    if (row !== undefined) row.isDamaged = true
    return row !== undefined
  }

  /** What an opening deletes. */
  clean(rules: RecordRules): void {
    for (const generation of this.#generations.keys()) {
      if (generation !== this.stored.generation) this.#generations.delete(generation)
    }
    const rows = this.rowsOf(this.stored.generation)
    for (const key of rows.keys()) if (isVoid(key, this.stored.checkpoint, rules)) rows.delete(key)
  }
}

export class MemoryStateStore implements StateStore {
  /** Closed, and no write in flight any more. */
  isReleased = false
  readonly #image: StateImage
  readonly #device: Device
  readonly #rules: RecordRules
  #stored: StoredState
  #lastGeneration: number
  #isClosed = false
  #isGathering = false
  #isInstalling = false
  #writes = 0
  #afterWrites: (() => void)[] = []
  #failure: Error | null = null

  /** Throws DamagedStateError. */
  constructor(image: StateImage, device: Device, rules: RecordRules) {
    if (image.isCheckpointDamaged) throw damagedState(stateName, 'the checkpoint has a wrong checksum')
    this.#image = image
    this.#device = device
    this.#rules = rules
    this.#stored = image.stored
    this.#lastGeneration = image.lastGeneration
    image.clean(rules)
  }

  get stored(): StoredState {
    return this.#stored
  }

  get nextGeneration(): number {
    return this.#lastGeneration + 1
  }

  load(take: (records: readonly RecordBytes[]) => void, done: (error: Error | null) => void): void {
    const view = this.openView()
    if (view === null) {
      this.#device.read(() => done(null))
      return
    }
    loadRecords(stateName, view, take, done)
  }

  begin(): CheckpointWriter {
    assert(!this.#isClosed && !this.#isGathering, 'one checkpoint is gathered at a time')
    this.#isGathering = true
    const { generation } = this.#stored
    const changes = new Map<string, RecordBytes | null>()
    return {
      put: (record) => void changes.set(textOf(record.key), copyOf(record)),
      delete: (key) => void changes.set(textOf(key), null),
      commit: (checkpoint, done) => {
        assert(generation === this.#stored.generation, 'the generation changed under a checkpoint')
        const stored = { generation, checkpoint }
        this.#write(
          () => this.#image.apply(generation, changes, stored),
          (error) => {
            this.#isGathering = false
            if (error === null) this.#stored = stored
            done(error)
          },
        )
      },
      abandon: () => {
        this.#isGathering = false
      },
    }
  }

  openView(): StateView | null {
    assert(!this.#isClosed, 'a view of a state store that was closed')
    const { generation, checkpoint } = this.#stored
    if (checkpoint === null) return null
    const rows = this.#rowsOf(generation, checkpoint)
    let next = 0
    return {
      checkpoint,
      read: (bytesMax, done) => {
        const chunk: Row[] = []
        for (let bytes = 0; next < rows.length; next++) {
          const row = rows[next]
          assert(row !== undefined, 'the place is within the rows')
          bytes += row.record.key.length + row.record.value.length
          if (chunk.length > 0 && bytes > bytesMax) break
          chunk.push(row)
        }
        const isLast = next === rows.length
        const error = this.#failure ?? damageIn(chunk)
        this.#device.read(() => done(error, error === null ? chunk.map(({ record }) => record) : [], isLast))
      },
      close: () => {},
    }
  }

  install(generation: number): StateInstall {
    assert(generation === this.nextGeneration, () => `generation ${generation} instead of ${this.nextGeneration}`)
    assert(!this.#isClosed && !this.#isInstalling, 'one install at a time')
    this.#isInstalling = true
    this.#lastGeneration = generation
    let sound: Checkpoint | null = null
    return {
      generation,
      put: (records, done) => {
        const changes = new Map(records.map((record) => [textOf(record.key), copyOf(record)]))
        this.#write(() => this.#image.apply(generation, changes, null), done)
      },
      finish: (checkpoint, done) => {
        const rows = this.#rowsOf(generation, checkpoint)
        const error = this.#failure ?? damageIn(rows)
        const verdict = this.#judge(rows, checkpoint)
        if (verdict === 'sound') sound = checkpoint
        this.#device.read(() => done(error, verdict))
      },
      flip: (done) => {
        assert(sound !== null && !this.#isGathering, 'a flip to what was not found sound')
        const stored = { generation, checkpoint: sound }
        this.#write(
          () => this.#image.apply(generation, new Map(), stored),
          (error) => {
            this.#isInstalling = false
            if (error === null) this.#stored = stored
            done(error)
          },
        )
      },
      discard: (done) => {
        sound = null
        this.#isInstalling = false
        this.#device.read(() => done(this.#failure))
      },
    }
  }

  close(): Promise<void> {
    this.#isClosed = true
    return new Promise((resolve) => {
      const release = (): void => {
        this.isReleased = true
        resolve()
      }
      if (this.#writes > 0) this.#afterWrites.push(release)
      else release()
    })
  }

  #write(makeDurable: () => void, done: (error: Error | null) => void): void {
    assert(!this.#isClosed, 'a write to a state store that was closed')
    const failure = this.#failure
    if (failure !== null) {
      this.#device.read(() => done(failure))
      return
    }
    this.#writes++
    this.#device.write(makeDurable, (error) => {
      this.#writes--
      this.#failure ??= error
      done(error)
      if (this.#writes === 0) for (const run of this.#afterWrites.splice(0)) run()
    })
  }

  /** In the order of their keys, without the void ones, fixed from now on. */
  #rowsOf(generation: number, checkpoint: Checkpoint): Row[] {
    return [...this.#image.rowsOf(generation)]
      .filter(([key]) => !isVoid(key, checkpoint, this.#rules))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, row]) => row)
  }

  #judge(rows: readonly Row[], checkpoint: Checkpoint): InstallVerdict {
    const sum = rows.reduce((sum, { record }) => (sum + this.#rules.hashRecord(record)) % 2 ** 48, 0)
    return rows.length === checkpoint.records && asDigest(sum) === checkpoint.digest ? 'sound' : 'mismatch'
  }
}

function damageIn(rows: readonly Row[]): Error | null {
  return rows.some(({ isDamaged }) => isDamaged) ? damagedState(stateName, 'a record has a wrong checksum') : null
}

function isVoid(key: string, checkpoint: Checkpoint | null, rules: RecordRules): boolean {
  if (checkpoint === null) return true
  return rules.voidKeys(checkpoint.oldestBucket).some((range) => isWithin(key, range))
}

function isWithin(key: string, { gte, lt }: KeyRange): boolean {
  return textOf(gte) <= key && key < textOf(lt)
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1')
}

function copyOf({ key, value }: RecordBytes): RecordBytes {
  return { key: new Uint8Array(key), value: new Uint8Array(value) }
}
