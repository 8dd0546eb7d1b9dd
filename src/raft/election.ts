// Who leads (§5.2, §5.4.1): polls for pre-votes, campaigns and votes, both sides of each conversation, and the rules that
// keep a leader in place while a majority hears it: pre-vote, check-quorum and stickiness (thesis §6.2, §9.6, §4.2.3).
import { assert } from '../assert.ts'
import { asTerm } from '../ids.ts'
import type { Index, NodeId, Term } from '../ids.ts'
import { persistHardState, send, writeUnderWayMs } from './durability.ts'
import type { Effect } from './effect.ts'
import { lastTerm } from './log.ts'
import { counts, isCounted } from './members.ts'
import type { PreVote, PreVoteResponse, RequestVote, RequestVoteResponse, Sender } from './message.ts'
import { majority, reachedByMajority } from './quorum.ts'
import {
  awaitLeader,
  becomeCandidate,
  becomeLeader,
  becomePreCandidate,
  broadcast,
  drawElectionTimeout,
  drawRetryPause,
  stepDown,
} from './roles.ts'
import { drawBetween } from './state.ts'
import type { Leader, RaftState } from './state.ts'

/** With a write under way for so long a node neither campaigns nor takes an offered leadership. */
export const slowWriteMs = 1000

/** Time has passed for one who does not lead. */
export function tickElection(state: RaftState, effects: Effect[]): void {
  const { role } = state
  if (role.kind === 'leader' || state.now < role.electionDeadline) return
  // Whether somebody leads is not for us to say.
  const mayNot = !mayCampaign(state)
  const isUnsent = role.kind === 'candidate' && !role.grantedBy.has(state.self)
  if (mayNot || isUnsent || writeUnderWayMs(state) >= slowWriteMs) {
    // Its requests have not even left, or its log could not follow its promises. It listens on.
    state.role = { ...role, electionDeadline: state.now + drawElectionTimeout(state) }
    return
  }
  startPoll(state, role.hurryUntil, effects)
}

/** Whether we may ask for votes: as one who counts, with a state to lead with. */
export function mayCampaign(state: RaftState): boolean {
  return isCounted(state) && state.canServe
}

/** The leader's process is gone for certain: no reason to be sticky, or to wait for the timeout (DESIGN 3). */
export function onPeerGone(state: RaftState, peer: NodeId): void {
  const { role } = state
  if (role.kind !== 'follower' || role.leader !== peer) return
  role.leader = null
  role.leaderHeardAt = -Infinity
  role.hurryUntil = role.electionDeadline
  // Members learn it within milliseconds of each other; the draw keeps them from splitting the vote.
  role.electionDeadline = Math.min(role.electionDeadline, state.now + drawBetween(state.random, 10, 50))
}

/** Asks for pre-votes; asks again soon while the leader is known to be gone, because others may learn it later (H33). */
function startPoll(state: RaftState, hurryUntil: number, effects: Effect[]): void {
  const poll = becomePreCandidate(state, hurryUntil)
  broadcast(state, effects, {
    kind: 'preVote',
    term: nextTerm(state),
    poll,
    lastLogIndex: state.log.lastIndex,
    lastLogTerm: lastTerm(state.log),
  })
  countPreVotes(state, effects)
}

/** Begins an election. The request leaves when our vote and, with it, every entry before are on disk (B01, B10). */
export function campaign(state: RaftState, transfer: boolean, effects: Effect[]): void {
  becomeCandidate(state, state.role.kind === 'leader' ? -Infinity : state.role.hurryUntil, effects)
  broadcast(state, effects, {
    kind: 'requestVote',
    term: state.currentTerm,
    lastLogIndex: state.log.lastIndex,
    lastLogTerm: lastTerm(state.log),
    transfer,
  })
}

/** Granting changes nothing here: no term, no vote, no timer (B07, B46). */
export function onPreVote(state: RaftState, sender: Sender, message: PreVote, effects: Effect[]): void {
  const { from } = sender
  const isNeeded = message.term > state.currentTerm && !hearsLeader(state)
  const granted = isNeeded && mayVoteFor(state, sender) && isUpToDate(state, message)
  const term = granted ? message.term : state.currentTerm
  send(state, effects, from, { kind: 'preVoteResponse', term, poll: message.poll, granted })
}

export function onPreVoteResponse(
  state: RaftState,
  { from, as }: Sender,
  message: PreVoteResponse,
  effects: Effect[],
): void {
  const { role } = state
  if (role.kind !== 'preCandidate' || !message.granted || !counts(state, from, as)) return
  // An answer to an earlier poll, or to one of an earlier term, says nothing about now (B45).
  if (message.poll !== role.poll || message.term !== nextTerm(state)) return
  role.grantedBy.add(from)
  countPreVotes(state, effects)
}

/** A request of the current term; later terms were entered before, unless we are sticky. */
export function onRequestVote(state: RaftState, sender: Sender, message: RequestVote, effects: Effect[]): void {
  const { from } = sender
  const isFree = state.votedFor === null && state.leaderOfTerm === null
  const granted = (state.votedFor === from || isFree) && mayVoteFor(state, sender) && isUpToDate(state, message)
  if (granted && state.votedFor === null) {
    state.votedFor = from
    persistHardState(state, effects)
    awaitLeader(state)
  }
  send(state, effects, from, { kind: 'requestVoteResponse', term: state.currentTerm, granted })
}

export function onRequestVoteResponse(
  state: RaftState,
  { from, as }: Sender,
  message: RequestVoteResponse,
  effects: Effect[],
): void {
  const { role } = state
  if (role.kind !== 'candidate' || !counts(state, from, as)) return
  if (message.granted) {
    role.grantedBy.add(from)
    countVotes(state, effects)
  } else {
    // Somebody else campaigns, or knows more. With the leader gone there is no reason to wait for the timeout.
    role.electionDeadline = Math.min(role.electionDeadline, state.now + drawRetryPause(state, role.hurryUntil))
  }
}

/** A write completed: perhaps it was the one with our vote for ourselves. */
export function onVoteStored(state: RaftState, effects: Effect[]): void {
  const { role } = state
  if (role.kind !== 'candidate' || state.durability.doneIo < role.voteIo || role.grantedBy.has(state.self)) return
  role.grantedBy.add(state.self)
  // The requests leave now: only from here on can it be asked how long the answers take.
  role.electionDeadline = state.now + drawElectionTimeout(state)
  countVotes(state, effects)
}

/** Stickiness: whether a leader is heard, so that nobody needs another. A leader hears itself. */
export function hearsLeader(state: RaftState): boolean {
  const { role } = state
  if (role.kind === 'leader') return true
  if (role.kind !== 'follower' || role.leader === null) return false
  return state.now - role.leaderHeardAt < state.options.electionTimeoutMinMs
}

/** Check-quorum: a leader that no majority has followed for an election timeout steps down (thesis §6.2). */
export function checkQuorum(state: RaftState, leader: Leader, effects: Effect[]): void {
  const contacts = [state.now]
  for (const progress of leader.progress.values()) contacts.push(progress.contactAt)
  if (state.now - reachedByMajority(contacts) <= state.options.electionTimeoutMaxMs) return
  stepDown(state, leader, effects)
}

/**
 * Forgotten votes would be given twice, so only a disk in force votes (H28). It may vote for any that counts for itself:
 * which one that is, a voter may not have heard yet, and the log says. Who was replaced unawares lacks the entry that a
 * majority has, and cannot win.
 */
function mayVoteFor(state: RaftState, { as }: Sender): boolean {
  return isCounted(state) && as !== null
}

/** §5.4.1: the log with the later last term, or of equal terms the longer one, is more up to date. */
function isUpToDate(state: RaftState, theirs: { lastLogIndex: Index; lastLogTerm: Term }): boolean {
  const ours = lastTerm(state.log)
  if (theirs.lastLogTerm !== ours) return theirs.lastLogTerm > ours
  return theirs.lastLogIndex >= state.log.lastIndex
}

function countPreVotes(state: RaftState, effects: Effect[]): void {
  const { role } = state
  assert(role.kind === 'preCandidate', 'only a pre-candidate counts pre-votes')
  if (role.grantedBy.size >= majority(state.members.length)) campaign(state, false, effects)
}

function countVotes(state: RaftState, effects: Effect[]): void {
  const { role } = state
  assert(role.kind === 'candidate', 'only a candidate counts votes')
  if (role.grantedBy.size >= majority(state.members.length)) becomeLeader(state, effects)
}

function nextTerm(state: RaftState): Term {
  return asTerm(state.currentTerm + 1)
}
