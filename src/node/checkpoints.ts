// Checkpoints of this node's lock table (DESIGN 6). The changed records are cut at the marked entry, encoded in slices of a
// few milliseconds between turns, and written as one synced batch when the log is durable up to that entry: a state ahead
// of its log would look like a damaged disk (H30). A mark that comes while one is under way passes.
import { tallyChange } from '../codec/digest.ts'
import type { Tally } from '../codec/digest.ts'
import { encodeRecord, keyOf } from '../codec/record.ts'
import type { Incarnation, Index } from '../ids.ts'
import type { RecordChange } from '../lockfsm/changes.ts'
import { cutChanges } from '../lockfsm/cut.ts'
import type { Cut } from '../lockfsm/cut.ts'
import type { LockState } from '../lockfsm/state.ts'
import type { LogStart } from '../raft/entry.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { Checkpoint, CheckpointWriter, StateStore } from '../storage/state-store.ts'
import type { Host } from './host.ts'

/** A slice ends when it has taken so long, looked at after so many records. */
const sliceMs = 2
const sliceRecords = 64
/** In a slice at most: where time stands still, as in a simulation, a checkpoint must have an inside nevertheless. */
const sliceRecordsMax = 1024

export interface CheckpointsParts {
  readonly host: Host
  readonly log: LogStore
  readonly state: StateStore
  readonly lock: LockState
  /** Up to where the log is on disk. */
  durableIndex(): Index
  /** A checkpoint is on disk. */
  made(checkpoint: Checkpoint): void
  failed(error: Error): void
}

interface Making {
  readonly at: LogStart
  readonly incarnations: Checkpoint['incarnations']
  readonly cut: Cut
  readonly writer: CheckpointWriter
  phase: 'encoding' | 'waitingForLog' | 'writing'
}

export class Checkpoints {
  readonly #parts: CheckpointsParts
  #tally: Tally
  #making: Making | null = null
  #afterWriting: (() => void) | null = null
  /** The state on the disk is not yet the one in memory. */
  #isReplacing = false
  /** Since the start, and how long the last took from mark to disk, for metrics. */
  made = 0
  lastMs = 0
  #beganAt = 0
  #stopped = false

  /** `tally` is that of the state as it was loaded. */
  constructor(parts: CheckpointsParts, tally: Tally) {
    this.#parts = parts
    this.#tally = tally
  }

  get isBusy(): boolean {
    return this.#making !== null
  }

  /** The entry at `at` asks for a checkpoint and has just been applied, and none behind it. */
  marked(at: LogStart, incarnations: ReadonlyMap<string, Incarnation>): void {
    if (this.#making !== null || this.#isReplacing || this.#stopped) return
    const { host, lock, state } = this.#parts
    this.#beganAt = host.now()
    this.#making = {
      at,
      incarnations: Object.fromEntries(incarnations),
      cut: cutChanges(lock),
      writer: state.begin(),
      phase: 'encoding',
    }
    this.#encodeLater(this.#making)
  }

  /** More of the log is durable: perhaps what the checkpoint waits for. */
  logDurable(): void {
    if (this.#making?.phase === 'waitingForLog') this.#writeWhenDurable(this.#making)
  }

  /**
   * The lock table was replaced by a snapshot: what was under way is void. `then`: nothing is being written any more. Marks
   * pass until `settled`, for a checkpoint on top of the state before would be one of neither.
   */
  replaced(tally: Tally, then: () => void): void {
    const making = this.#making
    this.#isReplacing = true
    this.#tally = tally
    if (making?.phase === 'writing') {
      this.#afterWriting = then
      return
    }
    making?.writer.abandon()
    this.#making = null
    then()
  }

  /** The snapshot is the state on the disk, too. */
  settled(): void {
    this.#isReplacing = false
  }

  /** The disks are about to be closed: whatever is under way is not continued. */
  stop(): void {
    if (this.#making?.phase !== 'writing') this.#making?.writer.abandon()
    this.#making = null
    this.#stopped = true
  }

  #encodeLater(making: Making): void {
    this.#parts.host.defer(() => {
      if (this.#making === making) this.#encode(making)
    })
  }

  #encode(making: Making): void {
    const { host } = this.#parts
    const until = host.now() + sliceMs
    let records = 0
    do {
      const changes = making.cut.take(sliceRecords)
      if (changes.length === 0) return this.#writeWhenDurable(making)
      for (const change of changes) this.#put(making.writer, change)
      records += changes.length
    } while (host.now() < until && records < sliceRecordsMax)
    this.#encodeLater(making)
  }

  #put(writer: CheckpointWriter, change: RecordChange): void {
    const bytes = change.kind === 'put' ? encodeRecord(change.record) : null
    tallyChange(this.#tally, change, bytes)
    if (bytes !== null) writer.put(bytes)
    // Of dropped buckets the store hears by the oldest that is left.
    else if (change.kind === 'remove') writer.delete(keyOf(change.record))
  }

  #writeWhenDurable(making: Making): void {
    making.phase = 'waitingForLog'
    if (this.#parts.durableIndex() < making.at.index) return
    making.phase = 'writing'
    // As it is now: a snapshot may take the place of the state before the log has answered.
    const { digest, records } = this.#tally
    this.#parts.log.chainAt(making.at.index, (error, chain) => {
      if (this.#making !== making) return
      if (error !== null) return this.#parts.failed(error)
      const { at, incarnations, cut, writer } = making
      const checkpoint = { ...at, chain, digest, records, oldestBucket: cut.oldestBucket, incarnations }
      writer.commit(checkpoint, (failure) => this.#written(checkpoint, failure))
    })
  }

  #written(checkpoint: Checkpoint, error: Error | null): void {
    if (this.#stopped) return
    if (error !== null) return this.#parts.failed(error)
    this.#making = null
    this.made++
    this.lastMs = this.#parts.host.now() - this.#beganAt
    const then = this.#afterWriting
    this.#afterWriting = null
    if (then !== null) return then()
    this.#parts.made(checkpoint)
  }
}
