// Handing leadership over (thesis §3.10). On request: new proposals are refused until the target has everything and has
// been told to campaign, or an election timeout has passed. On a slow own disk (DESIGN 3) leadership is only *offered*:
// we go on leading, because all disks may be slow and somebody must lead (B62, H35).
import type { Index, NodeId } from '../ids.ts'
import { send, writeUnderWayMs } from './durability.ts'
import { campaign, slowWriteMs } from './election.ts'
import type { Effect } from './effect.ts'
import type { TimeoutNow } from './message.ts'
import type { Leader, RaftState } from './state.ts'

/** A leader whose own write has been under way for so long offers leadership. */
export const offerAfterMs = 3000

export interface Transfer {
  readonly to: NodeId
  readonly deadline: number
  told: boolean
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
  } else if (role.transfer !== null && role.transfer.to !== target) {
    effects.push({ kind: 'refuseTransfer', reason: 'alreadyTransferring' })
  } else if (target === state.self) {
    // It leads already.
    effects.push({ kind: 'roleChanged', role: 'leader', term: state.currentTerm, leader: state.self })
  } else if (role.transfer === null) {
    role.transfer = { to: target, deadline: state.now + state.options.electionTimeoutMaxMs, told: false }
    tellWhenUpToDate(state, role, effects)
  }
}

/** To be called when an acknowledgement has come: the target may have everything now. */
export function tellWhenUpToDate(state: RaftState, leader: Leader, effects: Effect[]): void {
  const { transfer } = leader
  if (transfer === null || transfer.told) return
  if (leader.progress.get(transfer.to)?.matchIndex !== state.log.lastIndex) return
  transfer.told = true
  tell(state, transfer.to, state.log.lastIndex, effects)
}

/** Time has passed for a leader: gives up a transfer that was not taken, offers leadership when its disk hangs. */
export function tickTransfer(state: RaftState, leader: Leader, effects: Effect[]): void {
  if (leader.transfer !== null && state.now >= leader.transfer.deadline) {
    leader.transfer = null
    effects.push({ kind: 'refuseTransfer', reason: 'timedOut' })
  }
  if (writeUnderWayMs(state) < offerAfterMs || state.now < leader.nextOfferAt) return
  leader.nextOfferAt = state.now + state.options.electionTimeoutMaxMs
  const target = mostUpToDate(state, leader)
  const matchIndex = target === null ? 0 : (leader.progress.get(target)?.matchIndex ?? 0)
  // One that lacks committed entries could not win.
  if (target !== null && matchIndex >= state.commitIndex) tell(state, target, state.commitIndex, effects)
}

/** The leader tells us to campaign at once, without a poll. A log that lacks something, or a slow disk, does not (B56). */
export function onTimeoutNow(state: RaftState, from: NodeId, message: TimeoutNow, effects: Effect[]): void {
  const { role } = state
  if (role.kind !== 'follower' || role.leader !== from) return
  if (state.log.lastIndex < message.lastLogIndex || writeUnderWayMs(state) >= slowWriteMs) return
  campaign(state, true, effects)
}

function tell(state: RaftState, to: NodeId, lastLogIndex: Index, effects: Effect[]): void {
  send(state, effects, to, { kind: 'timeoutNow', term: state.currentTerm, lastLogIndex })
}

/** Among members that were in contact within an election timeout, the one with the longest durable log. */
function mostUpToDate(state: RaftState, leader: Leader): NodeId | null {
  let best: { member: NodeId; matchIndex: Index } | null = null
  for (const [member, { matchIndex, contactAt }] of leader.progress) {
    if (state.now - contactAt > state.options.electionTimeoutMaxMs) continue
    if (best === null || matchIndex > best.matchIndex) best = { member, matchIndex }
  }
  return best?.member ?? null
}
