// A backup of a running node: the records of its last checkpoint, out of a view that stays as it is, and behind them the
// log up to an entry that was committed when it began. It is pulled piece by piece by whoever sends it away, so a slow
// reader costs no memory; meanwhile the log must be kept from `holdsLogFrom` on. There is one at a time, and one that is
// not pulled for a minute is given up: it would keep the log for ever.
//
// It runs beside the turns of the loop and never within one: it reads what is durable and changes nothing.
import { assert, unreachable } from '../assert.ts'
import { asIndex } from '../ids.ts'
import type { Index } from '../ids.ts'
import { BackupEncoder } from '../storage/backup-format.ts'
import type { FoundingRecord } from '../storage/founding-store.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { StateStore, StateView } from '../storage/state-store.ts'
import type { Host, Timer } from './host.ts'

export interface BackupParts {
  readonly host: Host
  readonly founding: FoundingRecord
  readonly store: Pick<LogStore, 'read' | 'chainAt'>
  readonly state: Pick<StateStore, 'openView'>
  /** What can be read from the log now: it begins behind `start`, and ends, on this disk, with `durable`. */
  log(): { readonly start: Index; readonly durable: Index }
}

/** Called once: with the next bytes, with null behind the last, or with an error, after which the backup is closed. */
export type PieceRead = (error: Error | null, piece: Uint8Array | null) => void

const closed = new Error('the backup was closed before its end')

const pieceBytes = 256 * 1024
const idleMs = 60_000
/** A follower may commit an entry before its own disk has it. */
const durablePauseMs = 20

export class Backups {
  readonly #parts: BackupParts
  #current: Backup | null = null

  constructor(parts: BackupParts) {
    this.#parts = parts
  }

  /** Begins a backup up to `to`, which is committed; says why not when there can be none now. */
  begin(to: Index): Backup | 'busy' | 'stateMissing' {
    if (this.#current !== null) return 'busy'
    const view = this.#parts.state.openView()
    if (view === null && this.#parts.log().start > 0) return 'stateMissing'
    const backup: Backup = new Backup(this.#parts, { view, to, closed: () => (this.#current = null) })
    this.#current = backup
    return backup
  }

  /** The first entry that is still to be read; null when nothing is. The log must not be trimmed up to it. */
  get holdsLogFrom(): Index | null {
    return this.#current?.next ?? null
  }

  /** To be called before the stores are closed. */
  stop(): void {
    this.#current?.close()
  }
}

export class Backup {
  /** Everything committed up to this entry is in it. */
  readonly to: Index
  readonly #parts: BackupParts
  readonly #closed: () => void
  readonly #encoder = new BackupEncoder()
  #view: StateView | null
  #step: 'header' | 'records' | 'entries' | 'end' | 'read' | 'closed' = 'header'
  #reading: PieceRead | null = null
  #timer: Timer | null = null
  /** The entry that is read next; once all are, the last, whose hash is still asked for. */
  #next: Index

  constructor(parts: BackupParts, { view, to, closed }: { view: StateView | null; to: Index; closed: () => void }) {
    const from = view?.checkpoint.index ?? 0
    this.to = asIndex(Math.max(from, to))
    this.#parts = parts
    this.#view = view
    this.#closed = closed
    this.#next = asIndex(Math.min(this.to, from + 1))
    this.#awaitPull()
  }

  get next(): Index {
    return this.#next
  }

  /** Reads the next piece; one at a time. */
  read(done: PieceRead): void {
    assert(this.#reading === null, 'pieces of a backup are read one after the other')
    this.#reading = done
    if (this.#step === 'closed') return this.#give(closed, null)
    this.#timer?.cancel()
    this.#readOn()
  }

  /** Nobody wants the rest, or there will be none. */
  close(): void {
    if (this.#step === 'closed') return
    this.#step = 'closed'
    this.#timer?.cancel()
    this.#view?.close()
    this.#closed()
    this.#give(closed, null)
  }

  #readOn(): void {
    switch (this.#step) {
      case 'header':
        return this.#readHeader()
      case 'records':
        return this.#readRecords()
      case 'entries':
        return this.#readEntries()
      case 'end':
        return this.#readEnd()
      case 'read':
        this.#give(null, null)
        return this.close()
      case 'closed':
        return
      default:
        return unreachable(this.#step)
    }
  }

  #readHeader(): void {
    const checkpoint = this.#view?.checkpoint ?? null
    this.#step = checkpoint === null ? 'entries' : 'records'
    this.#give(null, this.#encoder.open({ ...this.#parts.founding, checkpoint }))
  }

  #readRecords(): void {
    this.#view?.read(pieceBytes, (error, records, isLast) => {
      if (this.#step === 'closed') return
      if (error !== null) return this.#fail(error)
      if (isLast) {
        this.#view?.close()
        this.#view = null
        this.#step = 'entries'
      }
      this.#give(null, this.#encoder.records(records))
    })
  }

  #readEntries(): void {
    const { start, durable } = this.#parts.log()
    const from = asIndex(this.#encoder.index + 1)
    if (from > this.to) {
      this.#step = 'end'
      return this.#readOn()
    }
    if (start >= from) return this.#fail(new Error('the log gave way to a snapshot: begin the backup again'))
    if (durable < from) {
      this.#timer = this.#parts.host.setTimer(durablePauseMs, () => this.#readOn())
      return
    }
    const to = asIndex(Math.min(this.to, durable))
    this.#parts.store.read({ from, to, bytesMax: pieceBytes }, (error, entries) => {
      if (this.#step === 'closed') return
      if (error !== null) return this.#readFailed(error, from)
      const piece = this.#encoder.entries(entries)
      this.#next = asIndex(Math.min(this.to, this.#encoder.index + 1))
      this.#give(null, piece)
    })
  }

  /** What was read and what the log says of itself must be one chain, or the disk gave us something else. */
  #readEnd(): void {
    const { index, chain } = this.#encoder
    this.#parts.store.chainAt(index, (error, expected) => {
      if (this.#step === 'closed') return
      if (error !== null) return this.#readFailed(error, index)
      if (chain !== expected)
        return this.#damaged(new Error(`entry ${index} ends another chain than the entries before it`))
      this.#step = 'read'
      this.#give(null, this.#encoder.close())
    })
  }

  #readFailed(error: Error, from: Index): void {
    // A snapshot that was installed meanwhile takes entries away, and nothing is damaged.
    if (this.#parts.log().start >= from) this.#fail(error)
    else this.#damaged(error)
  }

  #damaged(error: Error): void {
    this.#fail(error)
    const advice = 'The disk holds something else than what was written: wipe it and let the node rejoin as a new one.'
    this.#parts.host.fatal({ code: 'damaged', message: `reading the log for a backup: ${error.message}`, advice })
  }

  #fail(error: Error): void {
    this.#give(error, null)
    this.close()
  }

  #give(error: Error | null, piece: Uint8Array | null): void {
    const done = this.#reading
    this.#reading = null
    if (this.#step !== 'closed') this.#awaitPull()
    done?.(error, piece)
  }

  #awaitPull(): void {
    this.#timer = this.#parts.host.setTimer(idleMs, () => this.close())
  }
}
