// The port to the disk that keeps the Raft log. The node has one write in flight at most; a write is one atomic,
// synced batch. Whatever fails stops the process: nothing here is retried or repaired (DESIGN 6).
import type { ClusterTime, Incarnation, Index, NodeId, Run } from '../ids.ts'
import type { Entry, HardState } from '../raft/entry.ts'
import type { TermSpan } from '../raft/log.ts'

/** Who this disk belongs to; kept beside the log so that neither is found without the other. */
export interface LogMeta {
  readonly node: NodeId
  readonly incarnation: Incarnation
  /** The last run that was announced to anybody: stored before its first message. */
  readonly run: Run
  /** True once every member is known to have stored the founding record. */
  readonly founded: boolean
}

/** What was found, verified, when the store was opened. */
export interface StoredLog {
  /** null only in an empty store. */
  readonly meta: LogMeta | null
  readonly hardState: HardState
  readonly firstIndex: Index
  /** `firstIndex - 1` when there is no entry. */
  readonly lastIndex: Index
  /** Time of the last entry; 0 without one. */
  readonly lastTime: ClusterTime
  readonly spans: readonly TermSpan[]
}

/** One atomic write: first the truncation, then the entries, with the hard state and the meta beside them. */
export interface LogBatch {
  readonly meta: LogMeta | null
  readonly hardState: HardState | null
  /** Entries from this index on are dropped. */
  readonly truncateFrom: Index | null
  /** Contiguous; the first follows what is left after the truncation. */
  readonly entries: readonly Entry[]
}

export interface LogStore {
  readonly stored: StoredLog
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
  /** Waits for the write in flight, then frees the folder. */
  close(): Promise<void>
}

/** The disk contradicts itself: the process must neither vote nor serve. The message says what to do. */
export class DamagedError extends Error {
  override readonly name = 'DamagedError'
  readonly code = 'damaged'
}
