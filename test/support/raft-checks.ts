// What only several members together, or a member and its disk, can break (RAFT 2: 1-11, 13-15, 17; DESIGN 3, 4, 6).
// The world calls these after every step and at every sending; `checkState` of the core covers what one member can see
// alone. All comparisons are against the history of the whole run, not against what happens to be true now.
import { assert } from '../../src/assert.ts'
import { asIndex } from '../../src/ids.ts'
import type { ClusterTime, Incarnation, Index, NodeId, Term } from '../../src/ids.ts'
import type { Apply, Persist, ReadReady } from '../../src/raft/effect.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { Message, Standing } from '../../src/raft/message.ts'
import { lastTerm } from '../../src/raft/log.ts'
import { inForce } from '../../src/raft/members.ts'
import { majority } from '../../src/raft/quorum.ts'
import type { RaftState } from '../../src/raft/state.ts'
import type { Disk } from './raft-disk.ts'
import { firstDiskOf } from './raft-founding.ts'
import { emptyPrefix, imageTermAt, payloadText, prefixAt } from './raft-log-image.ts'
import type { LogImage, PrefixNames } from './raft-log-image.ts'

export interface History {
  readonly names: PrefixNames
  /** Who led each term. */
  readonly leaderOf: Map<Term, NodeId>
  /** Whom each disk of a member voted for in each term, as it *said*. */
  readonly votes: Map<string, NodeId>
  /** The prefix that ends with the entry of that term and index. */
  readonly prefixOf: Map<string, number>
  /** Prefix committed at each index, from 1, and the term of the leader that committed it. */
  readonly committed: number[]
  readonly committedIn: Term[]
  /** The entries of that prefix, as a log that nobody trims. */
  readonly committedLog: LogImage
  /** Real time when the entry at the end of a prefix was made. */
  readonly madeAt: Map<number, number>
  /** How many entries were committed anywhere when a read was asked for. */
  readonly readsAt: Map<number, number>
  /** Cluster time at the beginning of the run. */
  readonly startTime: number
}

/** The part of a member that the checks look at. */
export interface Observed {
  readonly id: NodeId
  readonly state: RaftState
  /** What its log is in memory, and what its disk has. */
  readonly log: LogImage
  readonly disk: Disk
  /** Our own reckoning of how far a leader's cluster time may have come; null for one who does not lead. */
  reckoned: Reckoning | null
}

interface Reckoning {
  readonly term: Term
  time: number
  at: number
  /** Time of the last committed entry of its own term. */
  committed: number | null
}

export function createHistory(names: PrefixNames, startTime: ClusterTime | 0): History {
  const committed: number[] = []
  return {
    names,
    leaderOf: new Map(),
    votes: new Map(),
    prefixOf: new Map(),
    committed,
    committedIn: [],
    committedLog: { entries: [], prefixes: committed, start: asIndex(0) },
    madeAt: new Map(),
    readsAt: new Map(),
    startTime,
  }
}

/** Log Matching, for an entry that has just been put into somebody's log or was found there at the beginning. */
export function checkLogMatching(history: History, log: LogImage, entry: Entry): void {
  const place = `${entry.term}/${entry.index}`
  const prefix = prefixAt(log, entry.index)
  assert(prefix !== null, `entry ${place} is in the log`)
  const known = history.prefixOf.get(place)
  assert(known === undefined || known === prefix, `log matching: two logs differ at or before ${place}`)
  history.prefixOf.set(place, prefix)
}

/** Before a step at the member's time `now`: leaders' time passes, by at most 200 ms a step. */
export function reckonTime(member: Observed, now: number): void {
  const { reckoned } = member
  if (reckoned === null) return
  reckoned.time += Math.min(200, Math.max(0, now - reckoned.at))
  reckoned.at = now
}

/** A write that a step asked for, already in `member.log`. `at` is real time. */
export function checkPersist(history: History, member: Observed, write: Persist, at: number): void {
  const { state } = member
  const leads = state.role.kind === 'leader'
  assert(!leads || write.truncateFrom === null, `${member.id} leads term ${state.currentTerm} and drops entries`)
  for (const entry of write.entries) {
    checkLogMatching(history, member.log, entry)
    assert(entry.time >= (member.log.entries[entry.index - 2]?.time ?? 0), 'cluster time never runs backwards')
    if (leads) checkStamp(history, member, entry, at)
  }
}

/** S5 and H5, for an entry that a leader has just made. */
function checkStamp(history: History, member: Observed, entry: Entry, at: number): void {
  const { state, log } = member
  const before = log.entries[entry.index - 2]
  const timeBefore = before?.time ?? 0
  member.reckoned = member.reckoned?.term === state.currentTerm ? member.reckoned : beginReckoning(state, timeBefore)
  const { time, committed } = member.reckoned
  assert(entry.time <= Math.max(timeBefore, time), 'cluster time moves by at most 200 ms a step')
  assert(
    entry.time <= Math.max(timeBefore, (committed ?? -Infinity) + 2000),
    'cluster time stops 2 s after the last commit',
  )
  assert(entry.time <= history.startTime + at, 'cluster time never passes real time')
  const madeBefore = before === undefined ? 0 : (history.madeAt.get(prefixAt(log, before.index) ?? emptyPrefix) ?? 0)
  // The floor of a stamp may give the next one up to a millisecond more.
  assert(entry.time - timeBefore <= at - madeBefore + 1, 'cluster time never runs faster than real time')
  history.madeAt.set(prefixAt(log, entry.index) ?? emptyPrefix, at)
}

function beginReckoning(state: RaftState, time: number): Reckoning {
  return { term: state.currentTerm, time, at: state.now, committed: null }
}

/** After every step. */
export function checkMember(history: History, member: Observed, all: readonly Observed[], commitBefore: Index): void {
  const { state, log } = member
  assert(log.start === state.log.start.index, 'every trim is written')
  assert(log.entries.length === state.log.lastIndex, 'every change of the log is written')
  assert(imageTermAt(log, state.log.lastIndex) === lastTerm(state.log), 'the terms kept in memory are those of the log')
  assert((log.entries.at(-1)?.time ?? 0) === state.log.lastTime, 'the time kept in memory is that of the log')
  // RAFT 2.17: what the member believes to be durable is on its disk, entry by entry.
  const durable = prefixAt(log, state.durability.durableIndex)
  assert(durable === prefixAt(member.disk.log, state.durability.durableIndex), `${member.id} believes too much durable`)
  if (state.role.kind === 'leader') checkLeader(history, member)
  else member.reckoned = null
  if (state.commitIndex > commitBefore) checkCommit(history, member, all)
}

function checkLeader(history: History, member: Observed): void {
  const { state } = member
  const known = history.leaderOf.get(state.currentTerm)
  assert(
    known === undefined || known === member.id,
    `election safety: ${known} and ${member.id} lead term ${state.currentTerm}`,
  )
  if (known !== undefined) return
  history.leaderOf.set(state.currentTerm, member.id)
  // A candidate of an earlier term may still win when a later leader has already committed more.
  const committed = asIndex(history.committedIn.findLastIndex((term) => term < state.currentTerm) + 1)
  const same = prefixAt(member.log, committed) === (history.committed[committed - 1] ?? emptyPrefix)
  assert(same, `leader completeness: ${member.id} leads term ${state.currentTerm} without committed entry ${committed}`)
}

function checkCommit(history: History, member: Observed, all: readonly Observed[]): void {
  const { state, log } = member
  const known = asIndex(Math.min(state.commitIndex, history.committed.length))
  const same = known === 0 || prefixAt(log, known) === history.committed[known - 1]
  assert(same, `state machine safety: ${member.id} commits another entry at or before ${known}`)
  if (state.role.kind === 'leader') {
    const last = log.entries[state.commitIndex - 1]
    assert(last?.term === state.currentTerm, 'a leader commits by counting only entries of its own term')
    if (member.reckoned !== null) member.reckoned.committed = last.time
  }
  if (state.commitIndex <= history.committed.length) return
  assert(state.role.kind === 'leader', `${member.id} commits ${state.commitIndex} before any leader does`)
  const prefix = prefixAt(log, state.commitIndex)
  // H28: on disks that are in force, and know it. One may have been lost since it said so.
  const durableOn = all.filter(({ id, disk }) => {
    const counted = inForce(state, id)
    const naming = namingIn(log, id)
    if (disk.incarnation === counted)
      return knowsThatItCounts(disk, naming) && prefixAt(disk.log, state.commitIndex) === prefix
    const former = disk.lost.find(({ incarnation }) => incarnation === counted)
    return former !== undefined && knowsThatItCounts(former, naming) && former.everDurable.has(prefix ?? 0)
  }).length
  assert(durableOn >= majority(all.length), `committed on quorum: ${state.commitIndex} is durable on ${durableOn} only`)
  history.committedLog.entries.push(...log.entries.slice(history.committed.length, state.commitIndex))
  for (const name of log.prefixes.slice(history.committed.length, state.commitIndex)) {
    history.committed.push(name)
    history.committedIn.push(state.currentTerm)
  }
}

/** The newest entry of a log that says which disk `member` has; 0: none. */
function namingIn({ entries }: LogImage, member: NodeId): Index {
  const naming = entries.findLast(({ note }) => note?.kind === 'memberReplaced' && note.member === member)
  return naming?.index ?? asIndex(0)
}

/** The disk that it says. */
function namedIn(log: LogImage, member: NodeId): Incarnation {
  const note = log.entries[namingIn(log, member) - 1]?.note
  return note?.kind === 'memberReplaced' ? note.incarnation : firstDiskOf(member)
}

/** By that entry, or one behind it. What its log starts behind is committed, and needs no word of its own. */
function knowsThatItCounts({ counted, log }: Pick<Disk, 'counted' | 'log'>, naming: Index): boolean {
  return counted !== null && (counted >= naming || log.start >= naming)
}

/** What a leader believes a peer to have is on the peer's disk, until that hears of a later term (RAFT 2.15). */
export function checkMatch(leader: Observed, peer: NodeId, disk: Disk): void {
  const { currentTerm, role } = leader.state
  if (role.kind !== 'leader' || disk.hardState.currentTerm > currentTerm) return
  const progress = role.progress.get(peer)
  // What it says of a disk that was wiped is corrected when that is met again; what counts is of the one in force.
  const isSame = disk.incarnation === inForce(leader.state, peer)
  const match = (disk.lost.length === 0 ? progress?.matchIndex : isSame ? progress?.countedIndex : null) ?? asIndex(0)
  assert(prefixAt(disk.log, match) === prefixAt(leader.log, match), `${leader.id} believes that ${peer} has ${match}`)
}

/** After a write that dropped entries: what was ever committed is durable on a majority of the disks that count (RAFT 2.6). */
export function checkStillDurable(history: History, members: readonly Pick<Observed, 'id' | 'disk'>[]): void {
  const committed = asIndex(history.committed.length)
  const prefix = history.committed.at(-1) ?? emptyPrefix
  // A wiped disk had it perhaps; before it counts again, it has it.
  const durableOn = members.filter(({ id, disk }) => {
    const counts =
      disk.incarnation === namedIn(history.committedLog, id) &&
      knowsThatItCounts(disk, namingIn(history.committedLog, id))
    return !counts || prefixAt(disk.log, committed) === prefix
  }).length
  assert(durableOn >= majority(members.length), `committed entry ${committed} is durable on ${durableOn} disks only`)
}

export function checkApply(member: Observed, effect: Apply, applied: number): void {
  let next = applied + 1
  for (const entry of effect.entries) {
    assert(entry.index === next++, 'entries are applied once, in order, without gaps')
    const own = member.log.entries[entry.index - 1]
    const same = own?.term === entry.term && own.time === entry.time && payloadText(own) === payloadText(entry)
    assert(same, `what is applied at ${entry.index} is what the log holds`)
  }
  assert(next - 1 <= member.state.commitIndex, 'only committed entries are applied')
}

/** Linearizable: whatever was committed anywhere when the read was asked for is seen by it. */
export function checkRead(history: History, effect: ReadReady): void {
  const atLeast = history.readsAt.get(effect.id)
  assert(atLeast !== undefined, `read ${effect.id} was asked for`)
  assert(
    effect.index >= atLeast,
    `stale read ${effect.id}: at ${effect.index}, ${atLeast} were committed when it began`,
  )
}

/** The prefix that a message promises to be on the sender's disk, taken when the message is made; null if it promises none. */
export function promisedPrefix(log: LogImage, message: Message): number | null {
  if (message.kind !== 'appendAccepted' && message.kind !== 'requestVote') return null
  const index = message.kind === 'appendAccepted' ? message.matchIndex : message.lastLogIndex
  const prefix = prefixAt(log, index)
  assert(prefix !== null, `${message.kind} promises entry ${index} of a log that ends at ${log.entries.length}`)
  return prefix
}

/** A message leaves now: what it promises must be on disk, and no vote may contradict an earlier one (RAFT 2.10, 2.11). */
export function checkSent(
  history: History,
  disk: Disk,
  sent: { from: NodeId; to: NodeId; as: Standing | null; message: Message; promised: number | null },
): void {
  const { from, as, message, promised } = sent
  assert(
    as === null || (as.disk === disk.incarnation && knowsThatItCounts(disk, namingIn(disk.log, from))),
    `${from} speaks as ${as?.disk}, but is ${disk.incarnation}`,
  )
  const { currentTerm, votedFor } = disk.hardState
  // A pre-vote speaks of the term after its sender's own; a grant of one of any later term, so it says nothing here.
  const isGrant = message.kind === 'preVoteResponse' && message.granted
  const spokenIn = isGrant ? 0 : message.kind === 'preVote' ? message.term - 1 : message.term
  assert(currentTerm >= spokenIn, `${from} speaks in term ${spokenIn}, its disk knows ${currentTerm}`)
  assert(
    promised === null || promised === emptyPrefix || disk.everDurable.has(promised),
    `${from} promises what its disk lacks`,
  )
  if (message.kind === 'appendAccepted' && message.term === currentTerm) {
    assert(prefixAt(disk.log, message.matchIndex) === promised, `${from} acknowledges what its disk has no longer`)
  }
  const voted =
    message.kind === 'requestVote' ? from : message.kind === 'requestVoteResponse' && message.granted ? sent.to : null
  if (voted === null) return
  assert(as !== null, `${from} does not count and votes for ${voted}`)
  const isStored = currentTerm > message.term || votedFor === voted
  assert(isStored, `${from} votes for ${voted} in term ${message.term} before its disk knows`)
  const place = `${as.disk} in ${message.term}`
  const before = history.votes.get(place)
  assert(before === undefined || before === voted, `${place} votes for ${before} and for ${voted}`)
  history.votes.set(place, voted)
}
