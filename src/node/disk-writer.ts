// Writes what the core asks to be kept: one write in flight, everything that queued up meanwhile in the next (group
// commit). What was said to wait for a write is released, in order, when that write is durable. A failed write ends the
// process: what the page cache says afterwards is not to be trusted (DESIGN 6).
import { assert } from '../assert.ts'
import type { Index, Io } from '../ids.ts'
import type { Persist } from '../raft/effect.ts'
import type { Entry, HardState } from '../raft/entry.ts'
import type { LogBatch, LogMeta, LogStore } from '../storage/log-store.ts'

export interface DiskEvents {
  /** Every write up to `io` is durable. */
  durable(io: Io): void
  failed(error: Error): void
}

export class DiskWriter {
  readonly #store: LogStore
  readonly #events: DiskEvents
  #queue: Persist[] = []
  #meta: { readonly meta: LogMeta; readonly stored: () => void } | null = null
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

  /** Writes the meta record with the next write, begins it, and says when it is stored. */
  storeMeta(meta: LogMeta, stored: () => void): void {
    assert(this.#meta === null, 'one meta record is written at a time')
    this.#meta = { meta, stored }
    this.start()
  }

  /** From now on no write begins, and none is reported: what was promised does not depend on what is queued. */
  stop(): void {
    this.#stopped = true
  }

  /** Begins to write what is queued, unless a write is in flight. */
  start(): void {
    if (this.#stopped || this.#writing || (this.#queue.length === 0 && this.#meta === null)) return
    const writes = this.#queue
    const meta = this.#meta
    this.#queue = []
    this.#meta = null
    this.#writing = true
    this.writes++
    this.#store.write({ ...mergeWrites(writes), meta: meta?.meta ?? null }, (error) => {
      if (error !== null) {
        this.#events.failed(error)
        return
      }
      this.#writing = false
      if (this.#stopped) return
      meta?.stored()
      const last = writes.at(-1)
      if (last !== undefined) this.#events.durable(last.io)
      this.start()
    })
  }
}

/** One batch with the effect of all `writes` in their order: a tail that is replaced within it is never written. */
export function mergeWrites(writes: readonly Persist[]): Omit<LogBatch, 'meta'> {
  let hardState: HardState | null = null
  let truncateFrom: Index | null = null
  let entries: Entry[] = []
  for (const write of writes) {
    hardState = write.hardState ?? hardState
    if (write.truncateFrom !== null) {
      const kept = entries.filter((entry) => entry.index < (write.truncateFrom ?? 0))
      // With nothing kept of this batch the truncation reaches what is on disk already.
      if (kept.length === 0) truncateFrom = smaller(truncateFrom, write.truncateFrom)
      entries = kept
    }
    entries.push(...write.entries)
  }
  return { hardState, truncateFrom, entries, trimTo: null, installed: null, peers: null }
}

function smaller(a: Index | null, b: Index): Index {
  return a === null || b < a ? b : a
}
