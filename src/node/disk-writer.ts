// Writes what the core asks to be kept: one write in flight, everything that queued up meanwhile in the next (group
// commit). What was said to wait for a write is released, in order, when that write is durable. An installed snapshot is a
// write of its own: what was asked for before it is on disk before its first step, and nothing behind it before its last.
// A failed write ends the process: what the page cache says afterwards is not to be trusted (DESIGN 6).
import { assert } from '../assert.ts'
import { asIndex } from '../ids.ts'
import type { Index, Io } from '../ids.ts'
import type { Persist } from '../raft/effect.ts'
import type { Entry, HardState } from '../raft/entry.ts'
import type { Installed, Installing, LogBatch, LogMeta, LogStore, PeerWitness } from '../storage/log-store.ts'

export interface DiskEvents {
  /** Every write up to `io` is durable. */
  durable(io: Io): void
  failed(error: Error): void
}

/** What goes with the next write, beside what the core asks for. */
export interface OwnRecords {
  readonly meta?: LogMeta
  readonly installing?: Installing | null
}

/** A snapshot that takes the place of the log up to it. */
export interface InstallWrite {
  readonly kind: 'install'
  /** null: the core does not wait for it. */
  readonly io: Io | null
  readonly installed: Installed
  /** To be done before the log is changed: makes the records of the snapshot the current ones. */
  prepare(done: (error: Error | null) => void): void
  /** Comes before `durable` of the same write. */
  durable(): void
}

type Write = Persist | InstallWrite

export class DiskWriter {
  readonly #store: LogStore
  readonly #events: DiskEvents
  #queue: Write[] = []
  #records: OwnRecords = {}
  #stored: (() => void)[] = []
  /** Gives what is to be kept of the peers, if there is news; set while there is a replica. */
  takePeers: () => readonly PeerWitness[] | null = () => null
  #writing = false
  #stopped = false
  /** Writes begun since the start, for metrics. */
  writes = 0

  constructor(store: LogStore, events: DiskEvents) {
    this.#store = store
    this.#events = events
  }

  /** Whether a write is in flight. */
  get busy(): boolean {
    return this.#writing
  }

  /** Queues a write of the core; it begins with the next `start`. */
  persist(write: Persist): void {
    this.#queue.push(write)
  }

  install(write: Omit<InstallWrite, 'kind'>): void {
    this.#queue.push({ ...write, kind: 'install' })
  }

  /** Writes these records with the next write, begins it, and says when they are stored. */
  store(records: OwnRecords, stored: () => void): void {
    this.#records = { ...this.#records, ...records }
    this.#stored.push(stored)
    this.start()
  }

  /** From now on no write begins, and none is reported: what was promised does not depend on what is queued. */
  stop(): void {
    this.#stopped = true
  }

  /** Begins to write what is queued, unless a write is in flight. */
  start(): void {
    if (this.#stopped || this.#writing || (this.#queue.length === 0 && this.#stored.length === 0)) return
    const first = this.#queue[0]
    if (first?.kind === 'install') {
      this.#queue.shift()
      this.#install(first)
      return
    }
    const writes: Persist[] = []
    for (const write of this.#queue) {
      if (write.kind === 'install') break
      writes.push(write)
    }
    this.#queue = this.#queue.slice(writes.length)
    const { hardState, truncateFrom, entries, trimTo } = mergeWrites(writes)
    const lastIo = writes.at(-1)?.io ?? null
    this.#write({ hardState, truncateFrom, entries, trimTo, installed: null }, () => {
      if (lastIo !== null) this.#events.durable(lastIo)
    })
  }

  #install(write: InstallWrite): void {
    this.#writing = true
    write.prepare((error) => {
      if (error !== null) return this.#events.failed(error)
      this.#writing = false
      if (this.#stopped) return
      const nothing = { hardState: null, truncateFrom: null, entries: [], trimTo: null }
      this.#write({ ...nothing, installed: write.installed }, () => {
        write.durable()
        if (write.io !== null) this.#events.durable(write.io)
      })
    })
  }

  #write(batch: Omit<LogBatch, 'meta' | 'peers' | 'installing'>, durable: () => void): void {
    const { meta = null, installing } = this.#records
    const stored = this.#stored
    this.#records = {}
    this.#stored = []
    this.#writing = true
    this.writes++
    const { hardState, truncateFrom, entries, trimTo, installed } = batch
    const whole: LogBatch = { meta, hardState, truncateFrom, entries, trimTo, installed, peers: this.takePeers() }
    this.#store.write(installing === undefined ? whole : { ...whole, installing }, (error) => {
      if (error !== null) {
        this.#events.failed(error)
        return
      }
      this.#writing = false
      if (this.#stopped) return
      for (const say of stored) say()
      durable()
      this.start()
    })
  }
}

/** One batch with the effect of all `writes` in their order: a tail that is replaced within it is never written. */
export function mergeWrites(
  writes: readonly Persist[],
): Pick<LogBatch, 'hardState' | 'truncateFrom' | 'entries' | 'trimTo'> {
  let hardState: HardState | null = null
  let truncateFrom: Index | null = null
  let trimTo: Index | null = null
  let entries: Entry[] = []
  for (const write of writes) {
    hardState = write.hardState ?? hardState
    if (write.trimTo !== null) trimTo = asIndex(Math.max(trimTo ?? 0, write.trimTo))
    if (write.truncateFrom !== null) {
      const kept = entries.filter((entry) => entry.index < (write.truncateFrom ?? 0))
      // With nothing kept of this batch the truncation reaches what is on disk already.
      if (kept.length === 0) truncateFrom = smaller(truncateFrom, write.truncateFrom)
      entries = kept
    }
    entries.push(...write.entries)
  }
  assert(trimTo === null || truncateFrom === null || trimTo < truncateFrom, 'what is trimmed is committed')
  return { hardState, truncateFrom, entries, trimTo }
}

function smaller(a: Index | null, b: Index): Index {
  return a === null || b < a ? b : a
}
