// A node as a backup sees it: a lock table that goes on, its log with a chain, checkpoints, a trimmed start. Reads are
// answered when the test says so.
import { encodeCommand } from '../../src/codec/command.ts'
import { encodeRecord, hashRecord } from '../../src/codec/record.ts'
import { asClusterTime, asDigest, asIndex, asTerm } from '../../src/ids.ts'
import type { Index } from '../../src/ids.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import type { NumberedCommand } from '../../src/lockfsm/command.ts'
import type { Outcome } from '../../src/lockfsm/outcome.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import type { FirstCounters, LockState } from '../../src/lockfsm/state.ts'
import { Backups } from '../../src/node/backup.ts'
import type { Backup } from '../../src/node/backup.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { FoundingRecord } from '../../src/storage/founding-store.ts'
import { chainOf, chainStart, encodeEntry } from '../../src/storage/log-record.ts'
import { DamagedError } from '../../src/storage/log-store.ts'
import type { ChainHash } from '../../src/storage/log-store.ts'
import type { Checkpoint, RecordBytes, StateView } from '../../src/storage/state-store.ts'
import { ManualHost } from './manual-host.ts'

export class RecordedNode {
  readonly host = new ManualHost()
  readonly state: LockState
  readonly backups: Backups
  /** From index 1, also those that were trimmed. */
  readonly entries: Entry[] = []
  /** Entries up to here can be read. */
  start = asIndex(0)
  durable = asIndex(0)
  openViews = 0
  /** What the log gives instead of what it holds. */
  falsify: (entry: Entry) => Entry = (entry) => entry
  readonly #chains: ChainHash[] = [chainStart]
  #checkpoint: { readonly checkpoint: Checkpoint; readonly records: readonly RecordBytes[] } | null = null

  constructor(founding: FoundingRecord, first?: FirstCounters) {
    this.state = createState(defaultLimits, first)
    this.backups = new Backups({
      host: this.host,
      founding,
      store: {
        read: ({ from, to, bytesMax }, done) => this.#read(from, to, bytesMax, done),
        chainAt: (index, done) => this.host.defer(() => done(null, this.#chains[index] ?? '')),
      },
      state: { openView: () => this.#openView() },
      log: () => ({ start: this.start, durable: this.durable }),
    })
  }

  get lastIndex(): Index {
    return asIndex(this.entries.length)
  }

  append(time: number, commands: readonly NumberedCommand[], isDurable = true): readonly Outcome[] {
    const payload = Buffer.concat(commands.map(encodeCommand))
    const entry: Entry = { index: asIndex(this.lastIndex + 1), term: asTerm(1), time: asClusterTime(time), payload }
    this.#chains.push(chainOf(encodeEntry({ entry, chainBefore: this.#chains[this.lastIndex] ?? '' })))
    this.entries.push(entry)
    if (isDurable) this.durable = this.lastIndex
    return apply(this.state, { time: asClusterTime(time), commands })
  }

  checkpoint(): void {
    const records = [...toRecords(this.state)].map(encodeRecord)
    const digest = records.reduce((sum, record) => (sum + hashRecord(record)) % 2 ** 48, 0)
    const { lastIndex } = this
    const checkpoint: Checkpoint = {
      index: lastIndex,
      term: asTerm(lastIndex === 0 ? 0 : 1),
      time: this.state.time,
      chain: this.#chains[lastIndex] ?? '',
      digest: asDigest(digest),
      records: records.length,
      oldestBucket: 0,
      incarnations: {},
    }
    this.#checkpoint = { checkpoint, records }
  }

  /** Drops of the log what the last checkpoint covers and no backup needs. */
  trim(): void {
    const covered = this.#checkpoint?.checkpoint.index ?? 0
    const held = this.backups.holdsLogFrom ?? Infinity
    this.start = asIndex(Math.max(this.start, Math.min(covered, held - 1)))
  }

  /** The next piece, whatever has to happen for it; null behind the last. */
  pull(backup: Backup): Buffer | null {
    const told: { error: Error | null; piece: Uint8Array | null }[] = []
    backup.read((error, piece) => told.push({ error, piece }))
    this.host.settle()
    const [said] = told
    if (said === undefined) throw new Error('nothing was said')
    if (said.error !== null) throw said.error
    return said.piece === null ? null : Buffer.from(said.piece)
  }

  /** All of it. */
  pullWhole(backup: Backup): Buffer {
    const pieces: Buffer[] = []
    for (let piece = this.pull(backup); piece !== null; piece = this.pull(backup)) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  begin(to = this.lastIndex): Backup {
    const backup = this.backups.begin(to)
    if (typeof backup === 'string') throw new Error(backup)
    return backup
  }

  #read(
    from: Index,
    to: Index,
    bytesMax: number,
    done: (error: Error | null, entries: readonly Entry[]) => void,
  ): void {
    if (from <= this.start || to > this.durable) throw new Error(`a read of ${from}..${to}`)
    const found: Entry[] = []
    let bytes = 0
    for (const entry of this.entries.slice(from - 1, to)) {
      bytes += entry.payload.length
      if (found.length > 0 && bytes > bytesMax) break
      found.push(this.falsify(entry))
    }
    this.host.defer(() => {
      // A log that was replaced meanwhile.
      if (from <= this.start) done(new DamagedError(gone, {}), [])
      else done(null, found)
    })
  }

  #openView(): StateView | null {
    if (this.#checkpoint === null) return null
    const { checkpoint, records } = this.#checkpoint
    this.openViews++
    let [at, isOpen] = [0, true]
    return {
      checkpoint,
      read: (bytesMax, done) => {
        if (!isOpen) throw new Error('a read of a closed view')
        const end = Math.min(records.length, at + Math.max(1, Math.floor(bytesMax / 100_000)))
        const taken = records.slice(at, end)
        at = end
        this.host.defer(() => done(null, taken, end === records.length))
      },
      close: () => {
        if (!isOpen) throw new Error('a view is closed once')
        isOpen = false
        this.openViews--
      },
    }
  }
}

const gone = { finding: 'an entry is missing', advice: '' }
