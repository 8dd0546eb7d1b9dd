// Handing leadership over (thesis §3.10): new proposals are refused until the target has everything, has been told to
// campaign and has taken over, or time is up. With a slow own disk (DESIGN 3) leadership is *offered* in the same way, for a
// moment and only if a majority has better ones: all may be slow, and somebody must lead (B62, H35).
import type { Index, NodeId } from '../ids.ts'
import { send, writeUnderWayMs } from './durability.ts'
import { campaign, mayCampaign, slowWriteMs } from './election.ts'
import type { Effect } from './effect.ts'
import type { TimeoutNow } from './message.ts'
import type { Leader, RaftState } from './state.ts'

/** A leader whose own write has been under way for so long offers leadership, and again after as long. */
export const offerAfterMs = 3000

export interface Transfer {
  readonly to: NodeId
  /** False: offered because of our slow disk. */
  readonly isAsked: boolean
  /** When it is given up. */
  deadline: number
  isTold: boolean
}

/** Begins a transfer to `to`, or to the member with the longest durable log. */
export function transferLeadership(state: RaftState, to: NodeId | null, effects: Effect[]): void {
  const { role } = state
  if (role.kind !== 'leader') {
    effects.push({ kind: 'refuseTransfer', reason: 'notLeader' })
    return
  }
  const target = to ?? mostUpToDate(state, role)
  if (target === null || !state.members.includes(target)) {
    effects.push({ kind: 'refuseTransfer', reason: 'unknownMember' })
  } else if (role.transfer !== null && role.transfer.isAsked && role.transfer.to !== target) {
    effects.push({ kind: 'refuseTransfer', reason: 'alreadyTransferring' })
  } else if (target === state.self) {
    // It leads already.
    effects.push({ kind: 'roleChanged', role: 'leader', term: state.currentTerm, leader: state.self })
  } else if (role.transfer === null || !role.transfer.isAsked) {
    const deadline = state.now + state.options.electionTimeoutMaxMs
    role.transfer = { to: target, isAsked: true, deadline, isTold: false }
    tellWhenUpToDate(state, role, effects)
  }
}

/** To be called when an acknowledgement has come: the target may have everything now. */
export function tellWhenUpToDate(state: RaftState, leader: Leader, effects: Effect[]): void {
  const { transfer } = leader
  const { lastIndex } = state.log
  if (transfer === null || transfer.isTold || leader.progress.get(transfer.to)?.countedIndex !== lastIndex) return
  transfer.isTold = true
  if (!transfer.isAsked) transfer.deadline = state.now + state.options.electionTimeoutMaxMs
  send(state, effects, transfer.to, { kind: 'timeoutNow', term: state.currentTerm, lastLogIndex: lastIndex })
}

/** Time has passed for a leader: gives up a transfer that was not taken, offers leadership while its disk hangs. */
export function tickTransfer(state: RaftState, leader: Leader, effects: Effect[]): void {
  const { transfer } = leader
  const isSlow = writeUnderWayMs(state) >= offerAfterMs
  if (transfer !== null && state.now >= transfer.deadline) {
    if (transfer.isAsked) effects.push({ kind: 'refuseTransfer', reason: 'timedOut' })
    leader.transfer = null
  } else if (transfer !== null && !transfer.isAsked && !transfer.isTold && !isSlow) {
    leader.transfer = null
  }
  if (leader.transfer === null && isSlow && state.now >= leader.nextOfferAt) offer(state, leader, effects)
}

/**
 * Offers leadership to the best follower, if entries are committed without our disk: then there are enough better ones to
 * elect it. Proposals wait as for any transfer, because entries that the others got meanwhile would cost it their votes;
 * but not for long, as it may be slow by now.
 */
function offer(state: RaftState, leader: Leader, effects: Effect[]): void {
  const to = mostUpToDate(state, leader)
  if (to === null || state.commitIndex <= state.durability.durableIndex) return
  leader.nextOfferAt = state.now + offerAfterMs
  leader.transfer = { to, isAsked: false, deadline: state.now + 2 * state.options.heartbeatMs, isTold: false }
  tellWhenUpToDate(state, leader, effects)
}

/** The leader tells us to campaign at once, without a poll. A log that lacks something, or a slow disk, does not (B56). */
export function onTimeoutNow(state: RaftState, from: NodeId, message: TimeoutNow, effects: Effect[]): void {
  const { role } = state
  if (role.kind !== 'follower' || role.leader !== from) return
  if (!mayCampaign(state)) return
  if (state.log.lastIndex < message.lastLogIndex || writeUnderWayMs(state) >= slowWriteMs) return
  campaign(state, true, effects)
}

/** Among members that were in contact within an election timeout, the one with the longest durable log. */
function mostUpToDate(state: RaftState, leader: Leader): NodeId | null {
  let best: { member: NodeId; countedIndex: Index } | null = null
  for (const [member, { countedIndex, contactAt }] of leader.progress) {
    if (state.now - contactAt > state.options.electionTimeoutMaxMs) continue
    if (best === null || countedIndex > best.countedIndex) best = { member, countedIndex }
  }
  return best?.member ?? null
}
