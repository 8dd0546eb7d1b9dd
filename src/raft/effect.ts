// What the shell must do. Effects of one step are carried out in their order; the shell may gather them over a turn.
//
// Durability is data: a `send` names the write it must wait for. The shell keeps writes in order, may merge those that
// wait into one, and reports completion by `persisted`; a failed write stops the process (DESIGN 3).
import type { Incarnation, Index, Io, NodeId, Term } from '../ids.ts'
import type { Entry, HardState, SnapshotMeta } from './entry.ts'
import type { Message, Standing } from './message.ts'

export type Effect =
  | Persist
  | Send
  | Apply
  | ReadReady
  | RefuseProposal
  | RefuseRead
  | RefuseTransfer
  | LoadEntries
  | RoleChanged
  | SendSnapshot
  | InstallSnapshot
  | IgnoreSnapshot
  | StoreCounted
  | RefuseReplacement

/** One atomic write: first the truncation, then the entries; `io` ids only grow. */
export interface Persist {
  readonly kind: 'persist'
  readonly io: Io
  readonly hardState: HardState | null
  readonly truncateFrom: Index | null
  /** Always up to the end of the log as it is now. */
  readonly entries: readonly Entry[]
  /** The log begins behind this entry, which is durable, from now on. */
  readonly trimTo: Index | null
}

export interface Send {
  readonly kind: 'send'
  readonly to: NodeId
  /** As whom we say it: null while we do not count. */
  readonly as: Standing | null
  readonly message: Message
  /** Not before this write is durable; null: at once. */
  readonly after: Io | null
}

/** Committed entries, each handed out once, in order, without gaps. */
export interface Apply {
  readonly kind: 'apply'
  readonly entries: readonly Entry[]
}

/** The read may be answered from any state that has applied `index`. */
export interface ReadReady {
  readonly kind: 'readReady'
  readonly id: number
  readonly index: Index
}

/** The proposal of this very step was not appended and never will be. */
export interface RefuseProposal {
  readonly kind: 'refuseProposal'
  readonly reason: 'notLeader' | 'transferring' | 'overloaded'
}

/** No leader answers for this read: ask again when there is one. */
export interface RefuseRead {
  readonly kind: 'refuseRead'
  readonly id: number
}

export interface RefuseTransfer {
  readonly kind: 'refuseTransfer'
  readonly reason: 'notLeader' | 'unknownMember' | 'alreadyTransferring' | 'timedOut'
}

/** Read durable entries from disk, `from..to` or a shorter prefix of about `bytesMax`, and answer with `entriesLoaded`. */
export interface LoadEntries {
  readonly kind: 'loadEntries'
  readonly load: number
  readonly from: Index
  readonly to: Index
  readonly bytesMax: number
}

/** Role, term or leader are others than before this step; also answers a transfer to one who leads already. */
export interface RoleChanged {
  readonly kind: 'roleChanged'
  readonly role: 'follower' | 'preCandidate' | 'candidate' | 'leader'
  readonly term: Term
  readonly leader: NodeId | null
}

/** `to` needs what our log has no more. Any sending to it that goes on is void; `snapshotEnded` says how this one ended. */
export interface SendSnapshot {
  readonly kind: 'sendSnapshot'
  readonly to: NodeId
}

/**
 * The snapshot takes the place of our state, now, and of our log up to its index with the write `io`: one in the order of
 * all writes, and nothing of it before those that were asked for earlier.
 */
export interface InstallSnapshot {
  readonly kind: 'installSnapshot'
  readonly io: Io
  readonly snapshot: SnapshotMeta
  /** The log holds the entry at its index: those behind it stay. Otherwise the whole log goes. */
  readonly keepsTail: boolean
}

/** It would tell us nothing new, or we lead. */
export interface IgnoreSnapshot {
  readonly kind: 'ignoreSnapshot'
  readonly snapshot: SnapshotMeta
}

/** Our disk is in force, as we have on it and know to be committed: store that, and answer with `countedStored`. */
export interface StoreCounted {
  readonly kind: 'storeCounted'
  readonly incarnation: Incarnation
  /** The entry that says so, or one behind it. */
  readonly by: Index
}

/** The replacement asked for in this very step was not appended and never will be. */
export interface RefuseReplacement {
  readonly kind: 'refuseReplacement'
  readonly member: NodeId
  readonly incarnation: Incarnation
  readonly reason: 'notLeader' | 'transferring' | 'unknownMember' | 'takingOver' | 'underWay' | 'inForce'
}
