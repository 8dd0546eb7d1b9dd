// What the core asks to be kept on disk: log entries and the hard state (Figure 2, "persistent state on all servers").
import type { ClusterTime, Index, NodeId, Term } from '../ids.ts'

export interface Entry {
  readonly index: Index
  readonly term: Term
  /** Cluster time stamped by the leader that made the entry; never less than the entry before. */
  readonly time: ClusterTime
  /** Opaque here. Empty in the no-op of a new leader and in entries that only move time. */
  readonly payload: Uint8Array
}

export interface HardState {
  readonly currentTerm: Term
  readonly votedFor: NodeId | null
}
