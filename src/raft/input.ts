// What can happen to the core. Every input carries `now`, monotonic milliseconds of the caller's clock, read after
// whatever the input reports had been received (DESIGN 4: a stamp must not be older than what it covers).
import type { Incarnation, Index, Io, NodeId, Term } from '../ids.ts'
import type { CheckpointMark, Entry, SnapshotMeta } from './entry.ts'
import type { Message, Standing } from './message.ts'

export type Input = { readonly now: number } & (
  | Tick
  | Received
  | Propose
  | Read
  | CommitAwaited
  | Persisted
  | PeerConnected
  | PeerGone
  | EntriesLoaded
  | TransferLeadership
  | TrimLog
  | SnapshotReceived
  | SnapshotEnded
  | ReplaceMember
  | CountedStored
)

/**
 * The turn is over: everything that had arrived has been given as inputs. Acts on deadlines, then sends what the whole
 * turn made due, so that one append carries what many inputs caused. Comes at least every 50 ms.
 */
export interface Tick {
  readonly kind: 'tick'
}

export interface Received {
  readonly kind: 'message'
  readonly from: NodeId
  /** As whom the sender speaks: null while it does not count. */
  readonly as: Standing | null
  readonly message: Message
}

/** Appends one entry, or is answered with `refuse`. */
export interface Propose {
  readonly kind: 'propose'
  readonly payload: Uint8Array
  readonly note: CheckpointMark | null
  /** May use the reserve that ordinary proposals may not touch (DESIGN 3: renewals, releases, expiry, ...). */
  readonly exempt: boolean
}

/**
 * Asks for a linearizable read; `id` is unique over all runs of this node. Answered by `readReady` or `refuseRead`; when the
 * leader that was asked is lost, perhaps not at all, and when its answer is repeated, twice.
 */
export interface Read {
  readonly kind: 'read'
  readonly id: number
}

/** Somebody at the member `by` waits for the entry at `index`: it must hear of the commit at once. */
export interface CommitAwaited {
  readonly kind: 'commitAwaited'
  readonly by: NodeId
  readonly index: Index
}

/** The write `io`, and with it every one before it, is durable. */
export interface Persisted {
  readonly kind: 'persisted'
  readonly io: Io
}

/** Our link to `peer` is new: what was sent over an older one may be lost. */
export interface PeerConnected {
  readonly kind: 'peerConnected'
  readonly peer: NodeId
  /** Its process or its disk is another one than before: nothing that it acknowledged counts. */
  readonly restarted: boolean
}

/** The process of `peer` that we knew is certainly gone (it refused a connection, or a later run answered). */
export interface PeerGone {
  readonly kind: 'peerGone'
  readonly peer: NodeId
}

/**
 * Answers the `loadEntries` effect of that number: durable entries from its `from` on, at least one. A read that fails
 * although `state.loads` knows it no more is no damage: an installed snapshot has taken the place of what it read.
 */
export interface EntriesLoaded {
  readonly kind: 'entriesLoaded'
  readonly load: number
  readonly entries: readonly Entry[]
}

/** Hands leadership to `to`, or to the member that is most up to date. Answered by `roleChanged` or `refuse`. */
export interface TransferLeadership {
  readonly kind: 'transferLeadership'
  readonly to: NodeId | null
}

/** A durable checkpoint covers the log up to `upTo`; nobody needs it whom the shell wants to spare a snapshot. */
export interface TrimLog {
  readonly kind: 'trimLog'
  readonly upTo: Index
}

/** The records of a snapshot are on our disk, verified, beside the ones in use. Answered by `installSnapshot` or `ignoreSnapshot`. */
export interface SnapshotReceived {
  readonly kind: 'snapshotReceived'
  readonly snapshot: SnapshotMeta
  /** Current term of its sender when it began to send: what it holds was committed by then. */
  readonly senderTerm: Term
}

/** What `sendSnapshot` asked for is over: `to` has installed a snapshot up to `index`, or none. */
export interface SnapshotEnded {
  readonly kind: 'snapshotEnded'
  readonly to: NodeId
  readonly index: Index | null
}

/** `member` has the disk `incarnation` from now on: an operator's word. Refused with `refuseReplacement`. */
export interface ReplaceMember {
  readonly kind: 'replaceMember'
  readonly member: NodeId
  readonly incarnation: Incarnation
}

/** Answers `storeCounted`: that we count is on our disk. */
export interface CountedStored {
  readonly kind: 'countedStored'
}
