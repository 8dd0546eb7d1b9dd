// A disk in memory for the simulator and for unit tests: both ports of storage, and the faults of a disk. What is durable
// and what was only written are kept apart; a crash keeps of the latter any prefix, each write whole or not at all, as
// LevelDB does.
//
// Everything is driven from outside: time passes when the owner runs what it was given to `schedule`, chance comes from
// its `random`. There is no promise on the way of a write or a read. Payloads are copied when they are written, so that a
// caller who uses its buffer again does no harm here that a real disk would not do.
import { assert } from '../../src/assert.ts'
import { asClusterTime, asIndex, asTerm, type Index } from '../../src/ids.ts'
import type { Entry, HardState } from '../../src/raft/entry.ts'
import { assertEntryFollows, assertHardStateFollows, type LastEntry } from '../../src/storage/batch-rules.ts'
import type { FoundingRecord, FoundingStore } from '../../src/storage/founding-store.ts'
import type { TermSpan } from '../../src/raft/log.ts'
import type { LogBatch, LogMeta, LogStore, StoredLog } from '../../src/storage/log-store.ts'

export interface MemoryDiskOptions {
  /** Runs `run` once, `delayMs` from now, never before it returns. */
  readonly schedule: (delayMs: number, run: () => void) => void
  /** From 0 to below 1. */
  readonly random: () => number
  /** How long a write with its sync takes: drawn evenly from this range. */
  readonly writeMs?: readonly [least: number, most: number]
  readonly readMs?: readonly [least: number, most: number]
  /** Where the log of this disk begins. */
  readonly firstIndex?: Index
}

/** What would be found after a power cut at this moment. Live: it changes with the disk. */
export interface DurableDisk {
  readonly meta: LogMeta | null
  readonly hardState: HardState
  readonly firstIndex: Index
  /** `firstIndex - 1` when there is no entry. */
  readonly lastIndex: Index
  readonly founding: FoundingRecord | null
  entryAt(index: Index): Entry | null
}

interface UnsyncedWrite {
  readonly makeDurable: () => void
}

export class MemoryDisk {
  readonly #options: Required<MemoryDiskOptions>
  readonly #image: DiskImage
  /** In the order in which they were begun. */
  #unsynced: UnsyncedWrite[] = []
  /** Counts the crashes: what was scheduled before one never happens. */
  #life = 0
  #isStalled = false
  #held: (() => void)[] = []
  #nextFailure: Error | null = null
  #openLog: MemoryLogStore | null = null

  constructor(options: MemoryDiskOptions) {
    this.#options = { writeMs: [0, 0], readMs: [0, 0], firstIndex: asIndex(1), ...options }
    this.#image = new DiskImage(this.#options.firstIndex)
  }

  openLog(): LogStore {
    assert(this.#openLog === null || this.#openLog.isReleased, 'the log of this disk is open already')
    this.#openLog = new MemoryLogStore(this.#image, this.#deviceOf(this.#options))
    return this.#openLog
  }

  openFounding(): FoundingStore {
    return new MemoryFoundingStore(this.#image, this.#deviceOf(this.#options))
  }

  durable(): DurableDisk {
    return this.#image
  }

  /** From now on nothing completes until `resume`, also if the process crashes meanwhile. */
  stall(): void {
    this.#isStalled = true
  }

  resume(): void {
    this.#isStalled = false
    for (const run of this.#held.splice(0)) this.#afterDelay([0, 0], run)
  }

  /** The next write to complete fails with `error`; whether it reached the disk shows after a crash. */
  failNextWrite(error: Error): void {
    this.#nextFailure = error
  }

  /**
   * The process is gone, or the power. Of the writes that were not confirmed a prefix, chosen by chance, is on the disk.
   * No callback of before comes any more. Then the stores can be opened again.
   */
  crash(): void {
    this.#life++
    this.#openLog = null
    this.#held = []
    this.#nextFailure = null
    const kept = Math.floor(this.#options.random() * (this.#unsynced.length + 1))
    for (const write of this.#unsynced.splice(0).slice(0, kept)) write.makeDurable()
  }

  #deviceOf({ writeMs, readMs }: Required<MemoryDiskOptions>): Device {
    return {
      read: (run) => this.#afterDelay(readMs, run),
      write: (makeDurable, done) => {
        const write = { makeDurable }
        this.#unsynced.push(write)
        this.#afterDelay(writeMs, () => this.#completeWrite(write, done))
      },
    }
  }

  #completeWrite(write: UnsyncedWrite, done: (error: Error | null) => void): void {
    const failure = this.#nextFailure
    this.#nextFailure = null
    if (failure === null) {
      this.#unsynced = this.#unsynced.filter((other) => other !== write)
      write.makeDurable()
    }
    done(failure)
  }

  #afterDelay([least, most]: readonly [number, number], run: () => void): void {
    const life = this.#life
    const delayMs = least === most ? least : least + this.#options.random() * (most - least)
    this.#options.schedule(delayMs, () => {
      if (life !== this.#life) return
      if (this.#isStalled) this.#held.push(run)
      else run()
    })
  }
}

/** How a store reaches the disk: the disk decides when, and whether at all, what it is given happens. */
interface Device {
  read(run: () => void): void
  write(makeDurable: () => void, done: (error: Error | null) => void): void
}

class DiskImage implements DurableDisk {
  meta: LogMeta | null = null
  hardState: HardState = { currentTerm: asTerm(0), votedFor: null }
  founding: FoundingRecord | null = null
  readonly firstIndex: Index
  readonly #entries: Entry[] = []

  constructor(firstIndex: Index) {
    this.firstIndex = firstIndex
  }

  get lastIndex(): Index {
    return asIndex(this.firstIndex + this.#entries.length - 1)
  }

  entryAt(index: Index): Entry | null {
    return this.#entries[index - this.firstIndex] ?? null
  }

  /** The entry at `index`, or the place before the first. */
  lastEntryAt(index: Index): LastEntry {
    return this.entryAt(index) ?? { index, term: asTerm(0), time: asClusterTime(0) }
  }

  apply(batch: LogBatch): void {
    if (batch.truncateFrom !== null)
      this.#entries.length = Math.min(this.#entries.length, batch.truncateFrom - this.firstIndex)
    for (const entry of batch.entries) this.#entries.push(entry)
    this.hardState = batch.hardState ?? this.hardState
    this.meta = batch.meta ?? this.meta
  }

  toStored(): StoredLog {
    const { meta, hardState, firstIndex, lastIndex } = this
    const spans: TermSpan[] = []
    for (const { term, index } of this.#entries)
      if (spans.at(-1)?.term !== term) spans.push({ term, firstIndex: index })
    return {
      meta,
      hardState,
      start: this.lastEntryAt(asIndex(firstIndex - 1)),
      firstIndex,
      lastIndex,
      lastTime: this.lastEntryAt(lastIndex).time,
      spans,
      notes: [],
      installing: null,
      peers: [],
    }
  }
}

class MemoryLogStore implements LogStore {
  readonly stored: StoredLog
  readonly bytes = 0
  /** Closed, and no write in flight any more. */
  isReleased = false
  readonly #image: DiskImage
  readonly #device: Device
  #isClosed = false
  #isWriting = false
  #failure: Error | null = null
  /** Entries up to here stay whatever becomes of the write in flight. */
  #readableIndex: Index
  #afterWrite: (() => void)[] = []

  constructor(image: DiskImage, device: Device) {
    this.#image = image
    this.#device = device
    this.stored = image.toStored()
    this.#readableIndex = image.lastIndex
  }

  write(batch: LogBatch, done: (error: Error | null) => void): void {
    assert(!this.#isClosed, 'a write to a log store that was closed')
    assert(!this.#isWriting, 'a second write while one is in flight')
    const failure = this.#failure
    if (failure !== null) {
      this.#device.read(() => done(failure))
      return
    }
    this.#check(batch)
    const { truncateFrom } = batch
    if (truncateFrom !== null) this.#readableIndex = asIndex(Math.min(this.#readableIndex, truncateFrom - 1))
    const entries = batch.entries.map((entry) => ({ ...entry, payload: Uint8Array.from(entry.payload) }))
    this.#isWriting = true
    this.#device.write(
      () => this.#image.apply({ ...batch, entries }),
      (error) => {
        this.#isWriting = false
        this.#failure = error
        if (error === null) this.#readableIndex = this.#image.lastIndex
        done(error)
        for (const run of this.#afterWrite.splice(0)) run()
      },
    )
  }

  read(
    range: { from: Index; to: Index; bytesMax: number },
    done: (error: Error | null, entries: readonly Entry[]) => void,
  ): void {
    assert(!this.#isClosed, 'a read from a log store that was closed')
    const failure = this.#failure
    if (failure !== null) {
      this.#device.read(() => done(failure, []))
      return
    }
    const { from, to, bytesMax } = range
    assert(
      this.#image.firstIndex <= from && from <= to,
      `a read of entries ${from} to ${to} of a log from ${this.#image.firstIndex}`,
    )
    assert(to <= this.#readableIndex, `a read up to entry ${to} while only ${this.#readableIndex} is durable`)
    const found: Entry[] = []
    let payloadBytes = 0
    for (let index = from; index <= to; index = asIndex(index + 1)) {
      const entry = this.#image.entryAt(index)
      assert(entry !== null, `entry ${index} is in the image`)
      payloadBytes += entry.payload.length
      if (found.length > 0 && payloadBytes > bytesMax) break
      found.push(entry)
    }
    this.#device.read(() => done(null, found))
  }

  chainAt(_: Index, done: (error: Error | null, chain: string) => void): void {
    this.#device.read(() => done(null, ''))
  }

  close(): Promise<void> {
    this.#isClosed = true
    return new Promise((resolve) => {
      const release = (): void => {
        this.isReleased = true
        resolve()
      }
      if (this.#isWriting) this.#afterWrite.push(release)
      else release()
    })
  }

  #check(batch: LogBatch): void {
    const { firstIndex, lastIndex, hardState } = this.#image
    const { truncateFrom } = batch
    assert(
      truncateFrom === null || truncateFrom >= firstIndex,
      `a truncation from ${truncateFrom}, before the log begins`,
    )
    let last = this.#image.lastEntryAt(
      truncateFrom === null ? lastIndex : asIndex(Math.min(lastIndex, truncateFrom - 1)),
    )
    for (const entry of batch.entries) {
      assertEntryFollows(last, entry)
      last = entry
    }
    assertHardStateFollows(hardState, batch.hardState ?? hardState, last.term)
    assert(batch.meta !== null || this.#image.meta !== null, 'the first write must say whose disk this is')
  }
}

class MemoryFoundingStore implements FoundingStore {
  readonly #image: DiskImage
  readonly #device: Device
  #isWriting = false

  constructor(image: DiskImage, device: Device) {
    this.#image = image
    this.#device = device
  }

  read(): FoundingRecord | null {
    return this.#image.founding
  }

  write(record: FoundingRecord, done: (error: Error | null) => void): void {
    assert(!this.#isWriting && this.read() === null, 'a cluster is founded once')
    this.#isWriting = true
    this.#device.write(() => {
      this.#image.founding = record
    }, done)
  }
}
