// What nodes tell each other. `term` is the sender's current term, except in PreVote and its grant, where it is the
// term that the sender would campaign in (thesis §9.6).
import type { Incarnation, Index, NodeId, Term } from '../ids.ts'
import type { Entry } from './entry.ts'

export type Message =
  | PreVote
  | PreVoteResponse
  | RequestVote
  | RequestVoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | TimeoutNow
  | ReadIndex
  | ReadIndexResponse

/** As whom a member speaks that counts, as it knows. */
export interface Standing {
  readonly disk: Incarnation
  /** Its log up to here is committed and says so. */
  readonly since: Index
}

export interface PreVote {
  readonly kind: 'preVote'
  readonly term: Term
  /** Which poll of the sender this is: an answer to an earlier one must not count. */
  readonly poll: number
  readonly lastLogIndex: Index
  readonly lastLogTerm: Term
}

export interface PreVoteResponse {
  readonly kind: 'preVoteResponse'
  /** The term asked for when granted, else the current term of the node that refuses. */
  readonly term: Term
  readonly poll: number
  readonly granted: boolean
}

export interface RequestVote {
  readonly kind: 'requestVote'
  readonly term: Term
  readonly lastLogIndex: Index
  readonly lastLogTerm: Term
  /** The leader asked for this campaign: stickiness does not apply (thesis §3.10). */
  readonly transfer: boolean
}

export interface RequestVoteResponse {
  readonly kind: 'requestVoteResponse'
  readonly term: Term
  readonly granted: boolean
}

export interface AppendEntries {
  readonly kind: 'appendEntries'
  readonly term: Term
  readonly prevLogIndex: Index
  readonly prevLogTerm: Term
  readonly entries: readonly Entry[]
  readonly leaderCommit: Index
  /** Number of the leader's last heartbeat round; the answer repeats it (thesis §6.4). */
  readonly round: number
}

export type AppendEntriesResponse = AppendAccepted | AppendRejected

export interface AppendAccepted {
  readonly kind: 'appendAccepted'
  readonly term: Term
  readonly round: number
  /** Up to here the sender's *durable* log is the leader's. */
  readonly matchIndex: Index
}

export interface AppendRejected {
  readonly kind: 'appendRejected'
  readonly term: Term
  readonly round: number
  /** The `prevLogIndex` that did not match, so that an answer to an older probe is recognised. */
  readonly rejectedIndex: Index
  /** The sender's last entry, at or below `rejectedIndex`, that could match: its term is not above `prevLogTerm`. */
  readonly hintIndex: Index
  readonly hintTerm: Term
}

/** Campaign now (thesis §3.10). Ignored by a node whose log does not reach `lastLogIndex`. */
export interface TimeoutNow {
  readonly kind: 'timeoutNow'
  readonly term: Term
  readonly lastLogIndex: Index
}

/** A follower asks for a read index. `id` is unique over all runs of the sender. */
export interface ReadIndex {
  readonly kind: 'readIndex'
  readonly term: Term
  readonly id: number
}

export interface ReadIndexResponse {
  readonly kind: 'readIndexResponse'
  readonly term: Term
  readonly id: number
  /** null: this node does not lead (any more), ask again. */
  readonly index: Index | null
}

export type MessageKind = Message['kind']

/** Who says something, and as which of its disks: null while it does not count (members.ts). */
export interface Sender {
  readonly from: NodeId
  readonly as: Standing | null
}

/** Whom a message is from or to is known from the connection that carries it. */
export interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
}
