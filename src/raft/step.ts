// The door of the core: one input in, effects out. Here stand the rules that are common to all roles: time first, then
// the term of a message against ours (§5.1), then the chapter that the input belongs to. `step` is synchronous and total:
// a message that makes no sense is dropped; only a contradiction of the protocol itself (two leaders in a term, a
// committed entry that differs) throws, because going on would make it worse.
import { unreachable } from '../assert.ts'
import { asIndex, asTerm } from '../ids.ts'
import { stepClock } from './cluster-time.ts'
import { entriesToApplyLoaded } from './commit.ts'
import { send, writeCompleted } from './durability.ts'
import type { Effect } from './effect.ts'
import {
  checkQuorum,
  hearsLeader,
  onPeerGone,
  onPreVote,
  onPreVoteResponse,
  onRequestVote,
  onRequestVoteResponse,
  onVoteStored,
  tickElection,
} from './election.ts'
import type { EntriesLoaded, Input, Received } from './input.ts'
import { checkTransition, summarize } from './invariants.ts'
import type { Message, Sender } from './message.ts'
import { propose } from './propose.ts'
import { onReadIndex, onReadIndexResponse, read } from './reads.ts'
import {
  entriesToSendLoaded,
  onAppendAccepted,
  onAppendEntries,
  onCommitAwaited,
  onAppendRejected,
  onEntriesStored,
  onPeerConnected,
  replicate,
} from './replication.ts'
import { onCountedStored, replaceMember, storeThatWeCount } from './replacement.ts'
import { enterTerm } from './roles.ts'
import { onSnapshotEnded, onSnapshotReceived, trimLog } from './snapshot.ts'
import type { RaftState } from './state.ts'
import { onTimeoutNow, tickTransfer, transferLeadership } from './transfer.ts'

/** Takes one input in and returns what must be done, in order. Changes `state`, which nobody else may. */
export function step(state: RaftState, input: Input): readonly Effect[] {
  const effects: Effect[] = []
  const before = summarize(state)
  state.now = Math.max(state.now, input.now)
  if (state.role.kind === 'leader') {
    // Whether we still lead is judged before a stamp is made, at the same instant (DESIGN 4).
    checkQuorum(state, state.role, effects)
    if (state.role.kind === 'leader') stepClock(state.role.clock, state.now)
  }
  take(state, input, effects)
  storeThatWeCount(state, effects)
  const after = summarize(state)
  if (after.role !== before.role || after.term !== before.term || after.leader !== before.leader) {
    effects.push({ kind: 'roleChanged', role: after.role, term: after.term, leader: after.leader })
  }
  checkTransition(before, after)
  return effects
}

/** When the core wants a tick at the latest, even if nothing arrives. */
export function wakeAt({ role }: RaftState): number {
  if (role.kind !== 'leader') return role.electionDeadline
  return Math.min(role.heartbeatDueAt, role.transfer?.deadline ?? Infinity)
}

function take(state: RaftState, input: Input, effects: Effect[]): void {
  switch (input.kind) {
    case 'tick':
      return onTick(state, effects)
    case 'message':
      return onMessage(state, input, effects)
    case 'propose':
      return propose(state, input, effects)
    case 'read':
      return read(state, input.id, effects)
    case 'commitAwaited':
      return onCommitAwaited(state, input.by, input.index)
    case 'persisted':
      writeCompleted(state, input.io)
      onVoteStored(state, effects)
      return onEntriesStored(state, effects)
    case 'peerConnected':
      return onPeerConnected(state, input.peer, input.restarted)
    case 'peerGone':
      return onPeerGone(state, input.peer)
    case 'entriesLoaded':
      return onEntriesLoaded(state, input, effects)
    case 'transferLeadership':
      return transferLeadership(state, input.to, effects)
    case 'trimLog':
      return trimLog(state, input.upTo, effects)
    case 'snapshotReceived':
      return onSnapshotReceived(state, input, effects)
    case 'snapshotEnded':
      return onSnapshotEnded(state, input.to, input.index)
    case 'replaceMember':
      return replaceMember(state, input, effects)
    case 'countedStored':
      return onCountedStored(state)
    default:
      return unreachable(input)
  }
}

function onTick(state: RaftState, effects: Effect[]): void {
  tickElection(state, effects)
  if (state.role.kind === 'leader') tickTransfer(state, state.role, effects)
  if (state.role.kind === 'leader') replicate(state, state.role, effects)
}

function onEntriesLoaded(state: RaftState, input: EntriesLoaded, effects: Effect[]): void {
  // An installed snapshot has made void what was being read.
  if (!state.loads.delete(input.load)) return
  if (input.load === state.applyLoad) entriesToApplyLoaded(state, input.entries, effects)
  else entriesToSendLoaded(state, input.load, input.entries, effects)
}

function onMessage(state: RaftState, { from, as, message }: Received, effects: Effect[]): void {
  if (!state.members.includes(from) || from === state.self || !isSound(message)) return
  const sender = { from, as }
  if (message.term > state.currentTerm && entersTerm(state, sender, message)) enterTerm(state, message.term, effects)
  if (message.term < state.currentTerm) return onOldTerm(state, sender, message, effects)
  receive(state, sender, message, effects)
}

/** §5.1: whether a message of a later term takes us there. */
function entersTerm(state: RaftState, { as }: Sender, message: Message): boolean {
  switch (message.kind) {
    case 'preVote':
      return false
    case 'preVoteResponse':
      // A grant speaks of the term we asked about; a refusal tells us of one that has begun (B47).
      return !message.granted
    case 'requestVote':
      // Who hears a leader does not let a rejoining or half-connected member depose it (thesis §4.2.3).
      return (message.transfer || !hearsLeader(state)) && as !== null
    default:
      return true
  }
}

/** Requests of a past term are answered, so that their sender learns the current one (§5.1, B43); the rest is void. */
function onOldTerm(state: RaftState, { from }: Sender, message: Message, effects: Effect[]): void {
  const { currentTerm: term } = state
  switch (message.kind) {
    case 'preVote':
      return send(state, effects, from, { kind: 'preVoteResponse', term, poll: message.poll, granted: false })
    case 'requestVote':
      return send(state, effects, from, { kind: 'requestVoteResponse', term, granted: false })
    case 'appendEntries':
      return send(state, effects, from, {
        kind: 'appendRejected',
        term,
        round: message.round,
        rejectedIndex: message.prevLogIndex,
        hintIndex: asIndex(0),
        hintTerm: asTerm(0),
      })
    case 'readIndex':
      return send(state, effects, from, { kind: 'readIndexResponse', term, id: message.id, index: null })
    default:
      return
  }
}

/** A message of the current term, or one about a later term that did not take us there. */
function receive(state: RaftState, sender: Sender, message: Message, effects: Effect[]): void {
  const { from } = sender
  switch (message.kind) {
    case 'preVote':
      return onPreVote(state, sender, message, effects)
    case 'preVoteResponse':
      return onPreVoteResponse(state, sender, message, effects)
    case 'requestVote':
      // Still of a later term: we are sticky, or it does not count, and we stay silent.
      return message.term === state.currentTerm ? onRequestVote(state, sender, message, effects) : undefined
    case 'requestVoteResponse':
      return onRequestVoteResponse(state, sender, message, effects)
    case 'appendEntries':
      return onAppendEntries(state, from, message, effects)
    case 'appendAccepted':
      return onAppendAccepted(state, sender, message, effects)
    case 'appendRejected':
      return onAppendRejected(state, sender, message, effects)
    case 'timeoutNow':
      return onTimeoutNow(state, from, message, effects)
    case 'readIndex':
      return onReadIndex(state, from, message, effects)
    case 'readIndexResponse':
      return onReadIndexResponse(message, effects)
    default:
      return unreachable(message)
  }
}

/** Whether what a message says can be true at all: entries follow each other, terms and times do not decrease. */
function isSound(message: Message): boolean {
  if (message.kind !== 'appendEntries') return true
  let index = message.prevLogIndex
  let term = message.prevLogTerm
  let time = 0
  for (const entry of message.entries) {
    if (entry.index !== index + 1 || entry.term < term || entry.term > message.term || entry.time < time) return false
    ;({ index, term, time } = entry)
  }
  return true
}
