// Linearizable reads without a log write (thesis §6.4): note the commit index, prove by a heartbeat round that began
// afterwards that we still lead, and let the asker answer once it has applied that index. Many reads share a round;
// while one is under way the next gathers. No leases: no clock is trusted for this.
import type { Index, NodeId } from '../ids.ts'
import { hasCommittedInTerm } from './commit.ts'
import { send } from './durability.ts'
import type { Effect } from './effect.ts'
import type { ReadIndex, ReadIndexResponse } from './message.ts'
import { reachedByMajority } from './quorum.ts'
import type { Leader, RaftState } from './state.ts'

export interface LeaderReads {
  /** Not yet given to a round. */
  readonly waiting: ReadRequest[]
  /** Given to a round that began after they came; at most one such round is unconfirmed. */
  confirming: { readonly round: number; readonly index: Index; readonly requests: readonly ReadRequest[] } | null
}

export interface ReadRequest {
  /** The member that asks, ourselves included. */
  readonly from: NodeId
  readonly id: number
}

export function createReads(): LeaderReads {
  return { waiting: [], confirming: null }
}

/** A read of our own: asks the leader, or joins the reads of the leader that we are. */
export function read(state: RaftState, id: number, effects: Effect[]): void {
  const { role } = state
  if (role.kind === 'leader') {
    role.reads.waiting.push({ from: state.self, id })
  } else if (role.kind === 'follower' && role.leader !== null) {
    send(state, effects, role.leader, { kind: 'readIndex', term: state.currentTerm, id })
  } else {
    effects.push({ kind: 'refuseRead', id })
  }
}

/** Another member's read. */
export function onReadIndex(state: RaftState, from: NodeId, message: ReadIndex, effects: Effect[]): void {
  if (state.role.kind === 'leader') {
    state.role.reads.waiting.push({ from, id: message.id })
  } else {
    send(state, effects, from, { kind: 'readIndexResponse', term: state.currentTerm, id: message.id, index: null })
  }
}

export function onReadIndexResponse(message: ReadIndexResponse, effects: Effect[]): void {
  if (message.index === null) effects.push({ kind: 'refuseRead', id: message.id })
  else effects.push({ kind: 'readReady', id: message.id, index: message.index })
}

/** Whether reads wait for a round to begin; they may only once the leader knows what is committed (B65). */
export function readsNeedRound(state: RaftState, leader: Leader): boolean {
  return leader.reads.confirming === null && leader.reads.waiting.length > 0 && hasCommittedInTerm(state, leader)
}

/** Gives the waiting reads to the round that has just begun. */
export function assignReads(state: RaftState, leader: Leader): void {
  const requests = leader.reads.waiting.splice(0)
  leader.reads.confirming = { round: leader.rounds.current, index: state.commitIndex, requests }
}

/** Answers the reads whose round a majority has answered, ourselves included. */
export function confirmReads(state: RaftState, leader: Leader, effects: Effect[]): void {
  const { confirming } = leader.reads
  if (confirming === null) return
  const answered = [leader.rounds.current]
  for (const progress of leader.progress.values()) answered.push(progress.roundAnswered)
  if (reachedByMajority(answered) < confirming.round) return
  leader.reads.confirming = null
  for (const { from, id } of confirming.requests) {
    if (from === state.self) effects.push({ kind: 'readReady', id, index: confirming.index })
    else {
      const { currentTerm: term } = state
      send(state, effects, from, { kind: 'readIndexResponse', term, id, index: confirming.index })
    }
  }
}

/** We lead no longer: own reads are refused, other members notice by themselves. */
export function refuseReads(state: RaftState, reads: LeaderReads, effects: Effect[]): void {
  for (const request of [...(reads.confirming?.requests ?? []), ...reads.waiting]) {
    if (request.from === state.self) effects.push({ kind: 'refuseRead', id: request.id })
  }
}
