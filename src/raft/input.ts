// What can happen to the core. Every input carries `now`, monotonic milliseconds of the caller's clock, read after
// whatever the input reports had been received (DESIGN 4: a stamp must not be older than what it covers).
import type { Index, Io, NodeId } from '../ids.ts'
import type { Entry } from './entry.ts'
import type { Message } from './message.ts'

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
  readonly message: Message
}

/** Appends one entry, or is answered with `refuse`. */
export interface Propose {
  readonly kind: 'propose'
  readonly payload: Uint8Array
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

/** Answers the `loadEntries` effect of that number: durable entries from its `from` on, at least one. */
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
