// The transitions between roles (Figure 4). Whatever a role keeps lives in its record, so leaving a role forgets it;
// what must outlive the role (term, vote, log, commit index) is not in it.
import { asIndex, asTerm } from '../ids.ts'
import type { NodeId, Term } from '../ids.ts'
import { startClock } from './cluster-time.ts'
import { persistHardState, send } from './durability.ts'
import type { Effect } from './effect.ts'
import { createProgress } from './progress.ts'
import { appendOwn } from './propose.ts'
import { createReads, refuseReads } from './reads.ts'
import { createRounds } from './rounds.ts'
import { drawBetween } from './state.ts'
import type { Follower, Leader, RaftState } from './state.ts'

export function drawElectionTimeout(state: RaftState): number {
  return drawBetween(state.random, state.options.electionTimeoutMinMs, state.options.electionTimeoutMaxMs)
}

/** How long a poll, or a refused campaign, waits before the next: short while the leader is known to be gone (H33). */
export function drawRetryPause(state: RaftState, hurryUntil: number): number {
  return state.now < hurryUntil ? drawBetween(state.random, 50, 100) : drawElectionTimeout(state)
}

/** Enters a later term with no vote given yet; its leader is not known (§5.1). */
export function enterTerm(state: RaftState, term: Term, effects: Effect[]): void {
  const { role } = state
  if (role.kind === 'leader') refuseReads(state, role.reads, effects)
  state.currentTerm = term
  state.votedFor = null
  state.leaderOfTerm = null
  state.roundHeard = -1
  persistHardState(state, effects)
  // To learn of a term is no reason to wait longer for a leader.
  state.role = followerOf(null, role.kind === 'leader' ? state.now + drawElectionTimeout(state) : role.electionDeadline)
}

/** Steps down without a later term, as a leader without a quorum does; the vote of the term stays (B06). */
export function stepDown(state: RaftState, leader: Leader, effects: Effect[]): void {
  refuseReads(state, leader.reads, effects)
  state.role = followerOf(null, state.now + drawElectionTimeout(state))
}

/** Follows the leader of the current term. */
export function becomeFollower(state: RaftState, leader: NodeId): Follower {
  const follower = followerOf(leader, state.now + drawElectionTimeout(state))
  follower.leaderHeardAt = state.now
  state.leaderOfTerm = leader
  state.role = follower
  return follower
}

/** Gives the candidate that has our vote, or who sent a snapshot, a whole timeout to lead; an own poll is over. */
export function awaitLeader(state: RaftState): void {
  state.role = followerOf(null, state.now + drawElectionTimeout(state))
}

function followerOf(leader: NodeId | null, electionDeadline: number): Follower {
  return {
    kind: 'follower',
    leader,
    leaderHeardAt: -Infinity,
    electionDeadline,
    hurryUntil: -Infinity,
    verifiedIndex: asIndex(0),
    acknowledgedIndex: asIndex(0),
    leaderCommit: asIndex(0),
  }
}

/** Asks whether an election could be won, without disturbing anybody (thesis §9.6). Changes neither term nor vote. */
export function becomePreCandidate(state: RaftState, hurryUntil: number): number {
  const electionDeadline = state.now + drawRetryPause(state, hurryUntil)
  const poll = ++state.poll
  state.role = { kind: 'preCandidate', poll, grantedBy: new Set([state.self]), electionDeadline, hurryUntil }
  return poll
}

/** Begins a term of its own with a vote for itself, which counts when `voteIo` is durable. */
export function becomeCandidate(state: RaftState, hurryUntil: number, effects: Effect[]): void {
  state.currentTerm = asTerm(state.currentTerm + 1)
  state.votedFor = state.self
  state.leaderOfTerm = null
  state.roundHeard = -1
  const voteIo = persistHardState(state, effects)
  const electionDeadline = state.now + drawElectionTimeout(state)
  state.role = { kind: 'candidate', voteIo, grantedBy: new Set(), electionDeadline, hurryUntil }
}

/** Leads, beginning with a no-op: only an entry of the own term can commit what earlier terms left (§5.4.2, §8). */
export function becomeLeader(state: RaftState, effects: Effect[]): void {
  const others = state.members.filter((member) => member !== state.self)
  const leader: Leader = {
    kind: 'leader',
    termStart: asIndex(state.log.lastIndex + 1),
    progress: new Map(others.map((member) => [member, createProgress(state.log.lastIndex, state.now)])),
    clock: startClock(state.log.lastTime, state.now),
    rounds: createRounds(),
    reads: createReads(),
    transfer: null,
    heartbeatDueAt: state.now,
    nextOfferAt: -Infinity,
    uncommittedBytes: 0,
  }
  state.leaderOfTerm = state.self
  state.role = leader
  appendOwn(state, leader, { payload: new Uint8Array(0), note: null }, effects)
}

/** Sends the same message to every other member. */
export function broadcast(state: RaftState, effects: Effect[], message: Parameters<typeof send>[3]): void {
  for (const member of state.members) if (member !== state.self) send(state, effects, member, message)
}
