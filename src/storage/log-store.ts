// The port to the disk that keeps the Raft log. The node has one write in flight at most; a write is one atomic,
// synced batch. Whatever fails stops the process: nothing here is retried or repaired (DESIGN 6).
import type { ClusterTime, Incarnation, Index, NodeId, Run, Term } from '../ids.ts'
import type { Entry, EntryNote, HardState, LogStart } from '../raft/entry.ts'
import type { TermSpan } from '../raft/log.ts'

/** Names a whole log up to one entry: SHA-256 over that entry and the hash before it, cut to 16 bytes, in hexadecimal. */
export type ChainHash = string

/** Who this disk belongs to; kept beside the log so that neither is found without the other. */
export interface LogMeta {
  readonly node: NodeId
  readonly incarnation: Incarnation
  /** The last run that was announced to anybody: stored before its first message. */
  readonly run: Run
  /** True once every member is known to have stored the founding record. */
  readonly founded: boolean
  /**
   * The entry by which this incarnation votes and is counted; 0 on a disk of the founding, null on one that came in place
   * of another until it has learned that this is committed.
   */
  readonly counted: Index | null
}

/** What this disk knows of a peer's, so that a peer that lost what it confirmed is found out (DESIGN 6). */
export interface PeerWitness {
  readonly node: NodeId
  readonly incarnation: Incarnation
  /** The highest that was seen. */
  readonly run: Run
  /** The newest acknowledgement: its run `ackRun` had on its disk the log of `ackTerm` up to `ackIndex`. All 0: none. */
  readonly ackTerm: Term
  readonly ackIndex: Index
  readonly ackRun: Run
}

/** A snapshot that is being installed, as marked in the log before its records are written under their generation. */
export interface Installing {
  readonly index: Index
  readonly term: Term
  readonly time: ClusterTime
  readonly chain: ChainHash
  readonly generation: number
}

export interface NotedEntry {
  readonly index: Index
  readonly note: EntryNote
}

/** What was found, verified, when the store was opened. */
export interface StoredLog {
  /** null only in an empty store. */
  readonly meta: LogMeta | null
  readonly hardState: HardState
  readonly start: LogStart
  /** `start.index + 1`. */
  readonly firstIndex: Index
  /** `start.index` when there is no entry. */
  readonly lastIndex: Index
  /** Time of the last entry; that of the start without one. */
  readonly lastTime: ClusterTime
  readonly spans: readonly TermSpan[]
  /** Of all entries in the log that have one, ascending. */
  readonly notes: readonly NotedEntry[]
  readonly installing: Installing | null
  readonly peers: readonly PeerWitness[]
}

/** The log as a snapshot leaves it. */
export interface Installed {
  /** The place that the log begins behind from now on: that of the mark. */
  readonly start: Installing
  /** The log holds the entry (index, term) of the start, and keeps what is behind it; else all of it is dropped. */
  readonly keepsTail: boolean
}

/**
 * One atomic write: first the truncation, then what an install leaves, then the entries, then the trim, with the other
 * records beside them.
 */
export interface LogBatch {
  readonly meta: LogMeta | null
  readonly hardState: HardState | null
  /** Entries from this index on are dropped. */
  readonly truncateFrom: Index | null
  /** Contiguous; the first follows what is left after the truncation or the install. */
  readonly entries: readonly Entry[]
  /**
   * The log begins behind this entry from now on, which must be durable before this write: a checkpoint covers it. What
   * is before it cannot be read any more, and is deleted in the background.
   */
  readonly trimTo: Index | null
  /** Absent: as it was; null: cleared. */
  readonly installing?: Installing | null
  /** The second of the two writes of an install; clears the mark. */
  readonly installed: Installed | null
  /** All of them, when one has changed. */
  readonly peers: readonly PeerWitness[] | null
}

export interface LogStore {
  readonly stored: StoredLog
  /** Payloads of the entries in the log and what is kept with them, about. */
  readonly bytes: number
  /** Calls `done` once, later: null when the batch is durable. At most one write may be in flight. */
  write(batch: LogBatch, done: (error: Error | null) => void): void
  /**
   * Reads entries `from..to`, both included, that are durable; stops early, after at least one, when their payloads
   * pass `bytesMax`. Calls `done` once, later. A damaged or missing entry is a DamagedError.
   */
  read(
    range: { from: Index; to: Index; bytesMax: number },
    done: (error: Error | null, entries: readonly Entry[]) => void,
  ): void
  /** The hash of a durable entry, or of the start. Calls `done` once, later; the hash is empty with an error. */
  chainAt(index: Index, done: (error: Error | null, chain: ChainHash) => void): void
  /** Waits for the write in flight, then frees the folder. */
  close(): Promise<void>
}

/** The disk contradicts itself: the process must neither vote nor serve. The message says what to do. */
export class DamagedError extends Error {
  override readonly name: string = 'DamagedError'
  readonly code = 'damaged'
  /** What was found and where, without the advice. */
  readonly finding: string

  constructor({ finding, advice }: { finding: string; advice: string }, options?: ErrorOptions) {
    super(`${finding}. ${advice}`, options)
    this.finding = finding
  }
}
