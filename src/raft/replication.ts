// AppendEntries and its answer (§5.3): what the leader sends, what a follower does with it, and how the two find the
// place where their logs agree.
//
// A follower acknowledges only what its disk has, once per completed write, and answers a new heartbeat round at once with
// what is durable by then: a slow disk delays commits but never looks like a lost connection. News of a commit, which comes
// in an append without entries in a round already answered, needs no answer.
import { assert } from '../assert.ts'
import { asIndex } from '../ids.ts'
import type { Index, NodeId, Term } from '../ids.ts'
import { advanceCommit, commitUpTo } from './commit.ts'
import { persistEntries, send } from './durability.ts'
import type { Effect } from './effect.ts'
import type { Entry } from './entry.ts'
import {
  append,
  entryBytes,
  lastIndexNotAbove,
  loadUpTo,
  replaceFrom,
  termAt,
  windowFirst,
  windowSlice,
} from './log.ts'
import { counts } from './members.ts'
import type { AppendAccepted, AppendEntries, AppendRejected, Sender } from './message.ts'
import { acknowledged, appendSent, hasRoom, probeFrom } from './progress.ts'
import type { Progress } from './progress.ts'
import { assignReads, confirmReads, readsNeedRound } from './reads.ts'
import { becomeFollower, drawElectionTimeout } from './roles.ts'
import { beginRound, roundStartedAt } from './rounds.ts'
import { sendSnapshotIfNeeded } from './snapshot.ts'
import type { Follower, Leader, RaftState } from './state.ts'
import { tellWhenUpToDate } from './transfer.ts'

// ---- the leader's side

/** Sends every member what is due: new entries, news of the commit index, the round of a heartbeat or of reads. */
export function replicate(state: RaftState, leader: Leader, effects: Effect[]): void {
  const heartbeat = state.now >= leader.heartbeatDueAt
  const readRound = readsNeedRound(state, leader)
  if (heartbeat || readRound) {
    beginRound(leader.rounds, state.now, 2 * state.options.electionTimeoutMaxMs)
    leader.heartbeatDueAt = state.now + state.options.heartbeatMs
    if (readRound) assignReads(state, leader)
    // Alone in a cluster, we are the majority.
    confirmReads(state, leader, effects)
  }
  for (const [member, progress] of leader.progress) {
    // A lost probe is repeated with the next heartbeat, not sooner.
    if (heartbeat) progress.probe = null
    sendSnapshotIfNeeded(state, { member, progress }, effects)
    sendEntries(state, leader, { member, progress }, effects)
    if (progress.roundSent < leader.rounds.current || progress.commitSent < newsFor(state, progress)) {
      sendAppend(state, leader, { member, progress, entries: [] }, effects)
    }
  }
}

/** The commit index of which the member must hear now. */
function newsFor({ options, commitIndex }: RaftState, { commitAwaited }: Progress): Index {
  return options.commitNews === 'always' ? commitIndex : asIndex(Math.min(commitIndex, commitAwaited))
}

/** Somebody at that member waits for the entry at `index`. */
export function onCommitAwaited(state: RaftState, by: NodeId, index: Index): void {
  const progress = state.role.kind === 'leader' ? state.role.progress.get(by) : undefined
  if (progress !== undefined) progress.commitAwaited = asIndex(Math.max(progress.commitAwaited, index))
}

/** The member's durable log is ours up to `matchIndex`. */
export function onAppendAccepted(
  state: RaftState,
  { from, as }: Sender,
  message: AppendAccepted,
  effects: Effect[],
): void {
  if (state.role.kind !== 'leader') return
  const leader = state.role
  const progress = leader.progress.get(from)
  if (progress === undefined || message.matchIndex > state.log.lastIndex) return
  acknowledged(progress, message.matchIndex)
  // One who does not count is sent what it lacks, and that is all.
  if (!counts(state, from, as)) return
  noteContact(leader, progress, message.round)
  progress.countedIndex = asIndex(Math.max(progress.countedIndex, message.matchIndex))
  advanceCommit(state, leader, effects)
  confirmReads(state, leader, effects)
  tellWhenUpToDate(state, leader, effects)
}

/** The logs differ at `rejectedIndex`, or the member has nothing there: go back, a whole term at a time. */
export function onAppendRejected(
  state: RaftState,
  { from, as }: Sender,
  message: AppendRejected,
  effects: Effect[],
): void {
  if (state.role.kind !== 'leader') return
  const leader = state.role
  const progress = leader.progress.get(from)
  if (progress === undefined) return
  if (counts(state, from, as)) noteContact(leader, progress, message.round)
  confirmReads(state, leader, effects)
  if (progress.mode === 'snapshot') return
  // Only the newest probe's rejection says something new; one at or below the match is older than the match (B31, B32).
  const isCurrent =
    progress.mode === 'probe'
      ? message.rejectedIndex === progress.nextIndex - 1
      : message.rejectedIndex > progress.matchIndex && message.rejectedIndex < progress.nextIndex
  if (!isCurrent) return
  const agreed = lastIndexNotAbove(state.log, message.hintIndex, message.hintTerm)
  // Where they agree is perhaps gone from our log: then it is sent a snapshot with the next tick.
  probeFrom(progress, asIndex(Math.max(progress.matchIndex, agreed?.index ?? 0) + 1))
}

/** Our link to `peer` is new. */
export function onPeerConnected(state: RaftState, peer: NodeId, restarted: boolean): void {
  if (state.role.kind !== 'leader') return
  const progress = state.role.progress.get(peer)
  if (progress === undefined) return
  if (restarted) {
    progress.matchIndex = asIndex(0)
    progress.countedIndex = asIndex(0)
  }
  // What it has is most likely what it had; a rejection corrects us. If that is before our log, it may have got a snapshot.
  const isKnown = !restarted && progress.matchIndex >= state.log.start.index
  probeFrom(progress, asIndex((isKnown ? progress.matchIndex : state.log.lastIndex) + 1))
}

/** Entries that a member lacks have been read from disk. */
export function entriesToSendLoaded(
  state: RaftState,
  load: number,
  entries: readonly Entry[],
  effects: Effect[],
): void {
  if (state.role.kind !== 'leader') return
  for (const [member, progress] of state.role.progress) {
    if (progress.load !== load) continue
    progress.load = null
    if (entries[0]?.index === progress.nextIndex) sendAppend(state, state.role, { member, progress, entries }, effects)
  }
}

function noteContact(leader: Leader, progress: Progress, round: number): void {
  if (round <= progress.roundAnswered || round > leader.rounds.current) return
  progress.roundAnswered = round
  progress.contactAt = Math.max(progress.contactAt, roundStartedAt(leader.rounds, round))
}

interface Recipient {
  readonly member: NodeId
  readonly progress: Progress
}

function sendEntries(state: RaftState, leader: Leader, { member, progress }: Recipient, effects: Effect[]): void {
  while (progress.nextIndex <= state.log.lastIndex && hasRoom(progress, state.options)) {
    const inMemoryFrom = windowFirst(state.log)
    const bytesMax = state.options.appendBytesMax
    if (progress.nextIndex < inMemoryFrom) {
      progress.load = state.nextLoad++
      state.loads.set(progress.load, progress.nextIndex)
      const to = loadUpTo(progress.nextIndex, asIndex(inMemoryFrom - 1))
      effects.push({ kind: 'loadEntries', load: progress.load, from: progress.nextIndex, to, bytesMax })
      return
    }
    const entries = windowSlice(state.log, { from: progress.nextIndex, to: state.log.lastIndex, bytesMax })
    sendAppend(state, leader, { member, progress, entries }, effects)
  }
}

function sendAppend(
  state: RaftState,
  leader: Leader,
  append: Recipient & { readonly entries: readonly Entry[] },
  effects: Effect[],
): void {
  const { member, progress, entries } = append
  const prevLogIndex = progress.mode === 'snapshot' ? knownPlace(state, progress) : asIndex(progress.nextIndex - 1)
  const prevLogTerm = termAt(state.log, prevLogIndex)
  assert(prevLogTerm !== null, () => `entry ${prevLogIndex} before an append is not in the log`)
  send(state, effects, member, {
    kind: 'appendEntries',
    term: state.currentTerm,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit: state.commitIndex,
    round: leader.rounds.current,
  })
  progress.roundSent = leader.rounds.current
  progress.commitSent = state.commitIndex
  let bytes = 0
  for (const entry of entries) bytes += entryBytes(entry)
  appendSent(progress, { lastIndex: asIndex(prevLogIndex + entries.length), bytes })
}

/** Where a heartbeat to one who waits for a snapshot may say that the logs agree: nobody denies the beginning. */
function knownPlace({ log }: RaftState, { matchIndex }: Progress): Index {
  return matchIndex >= log.start.index ? matchIndex : asIndex(0)
}

// ---- the follower's side

/** An append of the current term. */
export function onAppendEntries(state: RaftState, from: NodeId, message: AppendEntries, effects: Effect[]): void {
  const isNewRound = message.round > state.roundHeard
  const follower = follow(state, from, message.round)
  if (follower === null) return
  follower.leaderCommit = asIndex(Math.max(follower.leaderCommit, message.leaderCommit))
  if (!holds(state, message.prevLogIndex, message.prevLogTerm)) {
    // The start of our log is committed, so the leader has it or knows more.
    const hint = lastIndexNotAbove(state.log, message.prevLogIndex, message.prevLogTerm) ?? state.log.start
    const { currentTerm: term, roundHeard: round } = state
    send(state, effects, from, {
      kind: 'appendRejected',
      term,
      round,
      rejectedIndex: message.prevLogIndex,
      hintIndex: hint.index,
      hintTerm: hint.term,
    })
    return
  }
  keepEntries(state, message.entries, effects)
  // Not the end of our log: behind what the leader sent there may be entries of another term (B20, B30).
  // But at least up to the start of our log: what is committed here, the leader has.
  const verified = asIndex(Math.max(message.prevLogIndex + message.entries.length, state.log.start.index))
  follower.verifiedIndex = asIndex(Math.max(follower.verifiedIndex, verified))
  commitUpTo(state, asIndex(Math.min(follower.leaderCommit, follower.verifiedIndex)), effects)
  // A round is answered at once, whatever it carries and however slow our disk is (H35). Entries that are stored already
  // come again because our answer was lost. Everything else is acknowledged when it is written.
  const isRepeated = message.entries.length > 0 && state.durability.durableIndex >= verified
  if (isNewRound || isRepeated || durableMatch(state, follower) > follower.acknowledgedIndex) {
    acknowledge(state, follower, from, effects)
  }
}

/** A write completed: tells the leader of the current term what has become durable of its log. */
export function onEntriesStored(state: RaftState, effects: Effect[]): void {
  const { role } = state
  if (role.kind === 'leader') {
    advanceCommit(state, role, effects)
  } else if (role.kind === 'follower' && role.leader !== null) {
    if (durableMatch(state, role) > role.acknowledgedIndex) acknowledge(state, role, role.leader, effects)
  }
}

function acknowledge(state: RaftState, follower: Follower, leader: NodeId, effects: Effect[]): void {
  const { currentTerm: term, roundHeard: round } = state
  follower.acknowledgedIndex = durableMatch(state, follower)
  send(state, effects, leader, { kind: 'appendAccepted', term, round, matchIndex: follower.acknowledgedIndex })
}

function durableMatch(state: RaftState, follower: Follower): Index {
  return asIndex(Math.min(follower.verifiedIndex, state.durability.durableIndex))
}

/** Whose append this is leads the current term. Returns our role as its follower, or null for a replay to ignore. */
function follow(state: RaftState, from: NodeId, round: number): Follower | null {
  const { role, currentTerm, leaderOfTerm } = state
  assert(
    leaderOfTerm === null || leaderOfTerm === from,
    () => `two leaders in term ${currentTerm}: ${from} and ${leaderOfTerm}`,
  )
  const isNews = round > state.roundHeard
  if (role.kind !== 'follower' || role.leader === null) {
    // An old round does not bring back a leader that we know to be gone.
    if (!isNews) return null
    state.roundHeard = round
    return becomeFollower(state, from)
  }
  if (isNews) {
    state.roundHeard = round
    role.leaderHeardAt = state.now
    role.electionDeadline = state.now + drawElectionTimeout(state)
  }
  return role
}

/** §5.3: whether our log holds this entry. What is committed here, every later leader has (§5.4.3). */
function holds(state: RaftState, index: Index, term: Term): boolean {
  const ours = termAt(state.log, index)
  if (index > state.commitIndex) return ours === term
  assert(ours === null || ours === term, () => `committed entry ${index} differs from the leader's`)
  return true
}

/** Adds the entries that we lack. Only one that differs makes us drop ours from there on (B25, B26). */
function keepEntries(state: RaftState, entries: readonly Entry[], effects: Effect[]): void {
  const { log } = state
  const lacking = entries.findIndex(({ index, term }) => !holds(state, index, term))
  if (lacking < 0) return
  const fresh = lacking === 0 ? entries : entries.slice(lacking)
  const replaced = (fresh[0]?.index ?? Infinity) <= log.lastIndex
  if (replaced) replaceFrom(log, fresh)
  else append(log, fresh)
  persistEntries(state, effects, { entries: fresh, replaced })
}
