// What the core asks to be kept on disk: log entries and the hard state (Figure 2, "persistent state on all servers").
import type { ClusterTime, Incarnation, Index, NodeId, Term } from '../ids.ts'

export interface Entry {
  readonly index: Index
  readonly term: Term
  /** Cluster time stamped by the leader that made the entry; never less than the entry before. */
  readonly time: ClusterTime
  /** Opaque here. Empty in the no-op of a new leader and in entries that only move time. */
  readonly payload: Uint8Array
  /** Absent in nearly all. */
  readonly note?: EntryNote
}

/** What an entry says to the members themselves, beside its payload. */
export type EntryNote = CheckpointMark | MemberReplaced

/** Every member makes a checkpoint of its state when it has applied this entry. */
export interface CheckpointMark {
  readonly kind: 'checkpoint'
}

/** From here on the member is whoever has this disk: what its earlier disks promised counts no more. */
export interface MemberReplaced {
  readonly kind: 'memberReplaced'
  readonly member: NodeId
  readonly incarnation: Incarnation
}

/** The place before the first entry of a log: all 0 for one that begins at the beginning. */
export interface LogStart {
  readonly index: Index
  readonly term: Term
  readonly time: ClusterTime
}

/** A checkpoint as the core sees it: the state that the entry at `index` left behind. */
export interface SnapshotMeta extends LogStart {
  /** Whose disks count after that entry. */
  readonly incarnations: ReadonlyMap<NodeId, Incarnation>
}

export interface HardState {
  readonly currentTerm: Term
  readonly votedFor: NodeId | null
}
