// The state of one member: Figure 2's state, and what each role adds to it. One plain mutable record with one owner; all
// behaviour is in the chapters beside this file, and `step` is the only door.
import { asIndex } from '../ids.ts'
import type { Incarnation, Index, Io, NodeId, Term } from '../ids.ts'
import type { LeaderClock } from './cluster-time.ts'
import { createDurability } from './durability.ts'
import type { Durability } from './durability.ts'
import type { HardState } from './entry.ts'
import { createLog } from './log.ts'
import type { Log, StoredLog } from './log.ts'
import type { Progress } from './progress.ts'
import type { LeaderReads } from './reads.ts'
import type { Rounds } from './rounds.ts'
import type { Transfer } from './transfer.ts'

/** Every limit of the core; times in milliseconds. */
export interface RaftOptions {
  readonly heartbeatMs: number
  readonly electionTimeoutMinMs: number
  readonly electionTimeoutMaxMs: number
  /** Payload bytes of one AppendEntries, unless a single entry is larger. */
  readonly appendBytesMax: number
  /** Messages and bytes sent to one peer and not acknowledged. */
  readonly inflightMessagesMax: number
  readonly inflightBytesMax: number
  /** Bytes of the leader's own entries that are not committed; and what exempt proposals may add. */
  readonly uncommittedBytesMax: number
  readonly uncommittedReserveBytes: number
  /** Bodies of applied and durable entries kept in memory for followers. */
  readonly windowBytesMax: number
  /**
   * When members hear of a commit by an append of its own: always, or only when `commitAwaited` says that they wait for
   * it; otherwise with the next entries or heartbeat.
   */
  readonly commitNews: 'always' | 'awaited'
}

export const defaultRaftOptions: RaftOptions = {
  heartbeatMs: 75,
  electionTimeoutMinMs: 500,
  electionTimeoutMaxMs: 1000,
  appendBytesMax: 1024 * 1024,
  inflightMessagesMax: 256,
  inflightBytesMax: 8 * 1024 * 1024,
  uncommittedBytesMax: 16 * 1024 * 1024,
  uncommittedReserveBytes: 4 * 1024 * 1024,
  windowBytesMax: 8 * 1024 * 1024,
  commitNews: 'awaited',
}

export interface RaftState {
  readonly self: NodeId
  /** All members, self included, ascending. */
  readonly members: readonly NodeId[]
  readonly options: RaftOptions
  /** Of our own disk. */
  readonly incarnation: Incarnation
  /** The entry by which our disk counts, as is stored on it; 0: it founded the cluster; null: it does not know (members.ts). */
  countedBy: Index | null
  /** What is being stored of that. */
  countedByStoring: Index | null
  /** Whose disks are in force where no entry of the log says it (members.ts). */
  incarnations: ReadonlyMap<NodeId, Incarnation>
  /** False: the records of our state are lost, so we neither apply nor campaign until a snapshot is installed. */
  canServe: boolean
  /** Seeded generator of numbers in [0, 1), for election timeouts only. */
  readonly random: () => number
  /** `now` of the newest input. */
  now: number

  currentTerm: Term
  votedFor: NodeId | null
  /** Who leads or has led `currentTerm`, if we know: a role forgets its leader, a term never has another (B41). */
  leaderOfTerm: NodeId | null
  readonly log: Log
  readonly durability: Durability

  commitIndex: Index
  /** The last entry handed out by an `apply` effect. */
  appliedIndex: Index
  /** The `loadEntries` under way for entries to apply; null when there is none. */
  applyLoad: number | null
  nextLoad: number
  /** The `loadEntries` that are not answered: from which entry on they read. */
  readonly loads: Map<number, Index>
  /** Number of the newest own poll for pre-votes. */
  poll: number
  /** Newest heartbeat round heard of in `currentTerm`: a replay of an older one proves nothing (B54). */
  roundHeard: number
  role: Role
}

export type Role = Follower | PreCandidate | Candidate | Leader

export interface Follower {
  readonly kind: 'follower'
  /** null: not known in this term, or known to be gone. */
  leader: NodeId | null
  /** When the newest heartbeat round of `leader` arrived. */
  leaderHeardAt: number
  /** When to ask for pre-votes. */
  electionDeadline: number
  /** While the leader is known to be gone: until when polls follow each other quickly. */
  hurryUntil: number
  /** Our log is the leader's up to here, durable or not. */
  verifiedIndex: Index
  /** What the leader was last told of the durable part of that. */
  acknowledgedIndex: Index
  /** Greatest commit index the leader spoke of, which may be ahead of our log. */
  leaderCommit: Index
}

export interface PreCandidate {
  readonly kind: 'preCandidate'
  readonly poll: number
  readonly grantedBy: Set<NodeId>
  readonly electionDeadline: number
  readonly hurryUntil: number
}

export interface Candidate {
  readonly kind: 'candidate'
  /** The own vote counts when this write is durable. */
  readonly voteIo: Io
  readonly grantedBy: Set<NodeId>
  electionDeadline: number
  readonly hurryUntil: number
}

export interface Leader {
  readonly kind: 'leader'
  /** Index of the no-op that began the term. */
  readonly termStart: Index
  /** Of every other member. */
  readonly progress: Map<NodeId, Progress>
  readonly clock: LeaderClock
  readonly rounds: Rounds
  readonly reads: LeaderReads
  transfer: Transfer | null
  heartbeatDueAt: number
  /** When leadership may next be offered because of a slow disk. */
  nextOfferAt: number
  /** Bytes of entries of this term that are not committed. */
  uncommittedBytes: number
}

export interface RaftSetup {
  readonly self: NodeId
  readonly members: readonly NodeId[]
  readonly options: RaftOptions
  readonly random: () => number
  readonly now: number
  readonly stored: StoredLog & { readonly hardState: HardState }
  /** Index of the checkpoint that is loaded: in the log, or where that starts. 0 without one. */
  readonly applied: Index
  /** In force there, as the checkpoint says, or else the founding. */
  readonly incarnations: ReadonlyMap<NodeId, Incarnation>
  /** Of our disk, and by which entry it knows that it counts. */
  readonly incarnation: Incarnation
  readonly counted: Index | null
  readonly canServe: boolean
}

/** The state of a member that starts with what is on its disk. */
export function createRaft(setup: RaftSetup): RaftState {
  const { stored, options, applied } = setup
  return {
    self: setup.self,
    members: [...setup.members].sort(),
    options,
    incarnation: setup.incarnation,
    countedBy: setup.counted,
    countedByStoring: null,
    incarnations: setup.incarnations,
    canServe: setup.canServe,
    random: setup.random,
    now: setup.now,
    currentTerm: stored.hardState.currentTerm,
    votedFor: stored.hardState.votedFor,
    leaderOfTerm: null,
    log: createLog(stored),
    durability: createDurability(stored.lastIndex),
    commitIndex: applied,
    appliedIndex: applied,
    applyLoad: null,
    nextLoad: 1,
    loads: new Map(),
    poll: 0,
    roundHeard: -1,
    role: {
      kind: 'follower',
      leader: null,
      leaderHeardAt: -Infinity,
      electionDeadline:
        setup.now + drawBetween(setup.random, options.electionTimeoutMinMs, options.electionTimeoutMaxMs),
      hurryUntil: -Infinity,
      verifiedIndex: asIndex(0),
      acknowledgedIndex: asIndex(0),
      leaderCommit: asIndex(0),
    },
  }
}

/** A time between two limits, drawn anew for every use so that the timers of members drift apart (§5.2). */
export function drawBetween(random: () => number, minMs: number, maxMs: number): number {
  return minMs + random() * (maxMs - minMs)
}
