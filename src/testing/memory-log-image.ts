// What is durable of the log on the memory disk. Every batch that became durable can be taken back, newest first, as by a
// disk that lost its tail; entries and single records can be damaged, which is found out when the log is opened or read,
// as by a checksum.
import { assert } from '../assert.ts'
import { asClusterTime, asIndex, asTerm, type Index } from '../ids.ts'
import type { Entry, HardState } from '../raft/entry.ts'
import type { TermSpan } from '../raft/log.ts'
import { damaged } from '../storage/damage.ts'
import { chainOf, chainStart, encodeEntry } from '../storage/log-record.ts'
import type { Installing, LogBatch, LogMeta, NotedEntry, PeerWitness, StoredLog } from '../storage/log-store.ts'
import type { Tip } from '../storage/read-log.ts'

/** What is said of a disk in messages. */
export const logName = 'the log of the memory disk'

interface Row {
  readonly entry: Entry
  readonly tip: Tip
  isDamaged: boolean
}

interface LogRecords {
  readonly meta: LogMeta | null
  readonly hardState: HardState
  readonly start: Tip
  readonly installing: Installing | null
  readonly peers: readonly PeerWitness[]
}

const batchesRemembered = 64

export class LogImage {
  #records: LogRecords
  readonly #rows: Row[] = []
  /** A single record has a wrong checksum; the hard state is written with every batch. */
  #isHardStateDamaged = false
  #isMetaDamaged = false
  readonly #undo: (() => void)[] = []
  /** Payload bytes, about as a real store counts them. */
  bytes = 0

  constructor(firstIndex: Index) {
    const start = { index: asIndex(firstIndex - 1), term: asTerm(0), time: asClusterTime(0), chain: chainStart }
    const hardState = { currentTerm: asTerm(0), votedFor: null }
    this.#records = { meta: null, hardState, start, installing: null, peers: [] }
  }

  get records(): LogRecords {
    return this.#records
  }

  get firstIndex(): Index {
    return asIndex(this.#records.start.index + 1)
  }

  get lastIndex(): Index {
    return asIndex(this.#records.start.index + this.#rows.length)
  }

  entryAt(index: Index): Entry | null {
    return this.#rowAt(index)?.entry ?? null
  }

  /** The end of a log that ends with `index`, which may be the start; null when it is not in the log. */
  tipAt(index: Index): Tip | null {
    const { start } = this.#records
    return index === start.index ? start : (this.#rowAt(index)?.tip ?? null)
  }

  /** One batch, durable from now on. It was checked when it was written. */
  apply(batch: LogBatch): void {
    const records = this.#records
    const undo: (() => void)[] = []
    const splice = (at: number, count: number, rows: readonly Row[]): void => {
      const removed = this.#replace(at, count, rows)
      undo.unshift(() => this.#replace(at, rows.length, removed))
    }
    let start = records.start
    const { truncateFrom, installed, trimTo } = batch
    if (truncateFrom !== null && truncateFrom <= this.lastIndex) splice(truncateFrom - start.index - 1, Infinity, [])
    if (installed !== null) {
      splice(0, installed.keepsTail ? installed.start.index - start.index : Infinity, [])
      const { index, term, time, chain } = installed.start
      start = { index, term, time, chain }
    }
    splice(this.#rows.length, 0, rowsOf(batch.entries, this.#rows.at(-1)?.tip ?? start))
    if (trimTo !== null) {
      const tip = this.#rows[trimTo - start.index - 1]?.tip
      assert(tip !== undefined, () => `entry ${trimTo} is in the log that is trimmed to it`)
      splice(0, trimTo - start.index, [])
      start = tip
    }
    this.#records = {
      meta: batch.meta ?? records.meta,
      hardState: batch.hardState ?? records.hardState,
      start,
      installing: installed === null ? (batch.installing === undefined ? records.installing : batch.installing) : null,
      peers: batch.peers ?? records.peers,
    }
    this.#isHardStateDamaged = false
    if (batch.meta !== null) this.#isMetaDamaged = false
    this.#undo.push(() => {
      for (const step of undo) step()
      this.#records = records
    })
    if (this.#undo.length > batchesRemembered) this.#undo.shift()
  }

  /** Takes back the newest batches, as far as they are remembered; returns how many. */
  loseTail(batches: number): number {
    const lost = this.#undo.splice(Math.max(0, this.#undo.length - batches)).reverse()
    for (const takeBack of lost) takeBack()
    return lost.length
  }

  /** Returns whether there was such a thing to damage. */
  damage(what: 'hardState' | 'meta' | Index): boolean {
    const { meta } = this.#records
    if (typeof what === 'number') {
      const row = this.#rowAt(what)
      if (row !== null) row.isDamaged = true
      return row !== null
    }
    if (meta === null) return false
    if (what === 'meta') this.#isMetaDamaged = true
    else this.#isHardStateDamaged = true
    return true
  }

  /** Throws DamagedError. */
  verify(): void {
    if (this.#isHardStateDamaged) throw damaged(logName, 'the hard state has a wrong checksum')
    if (this.#isMetaDamaged) throw damaged(logName, 'the meta record has a wrong checksum')
    const row = this.#rows.find(({ isDamaged }) => isDamaged)
    if (row !== undefined) throw damaged(logName, `entry ${row.entry.index} has a wrong checksum`)
  }

  isDamagedAt(index: Index): boolean {
    return this.#rowAt(index)?.isDamaged ?? false
  }

  toStored(): StoredLog {
    const { meta, hardState, start, installing, peers } = this.#records
    const spans: TermSpan[] = []
    const notes: NotedEntry[] = []
    for (const { entry } of this.#rows) {
      const { term, index, note } = entry
      if (spans.at(-1)?.term !== term) spans.push({ term, firstIndex: index })
      if (note !== undefined) notes.push({ index, note })
    }
    return {
      meta,
      hardState,
      start: { index: start.index, term: start.term, time: start.time },
      firstIndex: this.firstIndex,
      lastIndex: this.lastIndex,
      lastTime: (this.#rows.at(-1)?.tip ?? start).time,
      spans,
      notes,
      installing,
      peers,
    }
  }

  #rowAt(index: Index): Row | null {
    return this.#rows[index - this.firstIndex] ?? null
  }

  /** As `splice`, which takes its items as arguments and therefore not all too many at once. */
  #replace(at: number, count: number, rows: readonly Row[]): readonly Row[] {
    const removed = this.#rows.splice(at, count)
    if (at === this.#rows.length) for (const row of rows) this.#rows.push(row)
    else this.#rows.splice(at, 0, ...rows)
    this.bytes += bytesOf(rows) - bytesOf(removed)
    return removed
  }
}

function bytesOf(rows: readonly Row[]): number {
  return rows.reduce((sum, { entry }) => sum + entry.payload.length + 64, 0)
}

function rowsOf(entries: readonly Entry[], before: Tip): Row[] {
  let tip = before
  return entries.map((entry) => {
    const { index, term, time } = entry
    tip = { index, term, time, chain: chainOf(encodeEntry({ entry, chainBefore: tip.chain })) }
    return { entry, tip, isDamaged: false }
  })
}
