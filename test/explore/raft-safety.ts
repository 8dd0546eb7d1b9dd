// The promises that only several members together can break (RAFT 2: 1-11, 15, 17), against all that was said and
// committed on the way to a world. `checkState` of the core covers what one member can see alone.
import { assert } from '../../src/assert.ts'
import { asIndex } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Apply } from '../../src/raft/effect.ts'
import type { Message } from '../../src/raft/message.ts'
import { majority } from '../../src/raft/quorum.ts'
import { agreeUpTo, logOf, memberIds } from './raft-world.ts'
import type { Member, Past } from './raft-world.ts'
import type { Entry } from '../../src/raft/entry.ts'

/** After `member` took a step. Returns what has become of the past. */
export function checkMember(past: Past, members: readonly Member[], member: Member): Past {
  const { state, disk } = member
  const log = logOf(member)
  const durable = agreeUpTo(log, disk.entries, state.durability.durableIndex)
  assert(durable, `${state.self} believes too much durable`)
  checkLogMatching(members, member, log)
  return checkCommit(state.role.kind === 'leader' ? checkLeader(past, member, log) : past, members, member)
}

/** Where two logs have an entry of the same term and index, they are equal up to there (§5.3). */
function checkLogMatching(members: readonly Member[], member: Member, log: readonly Entry[]): void {
  for (const other of members) {
    for (const theirs of [other.disk.entries, other === member ? [] : logOf(other)]) {
      let at = Math.min(log.length, theirs.length)
      while (at > 0 && log[at - 1]?.term !== theirs[at - 1]?.term) at--
      assert(agreeUpTo(log, theirs, at), `log matching: two logs differ at or before ${at}`)
    }
  }
}

function checkLeader(past: Past, { state }: Member, log: readonly Entry[]): Past {
  const { self, currentTerm } = state
  const known = past.leaders[currentTerm - 1] ?? null
  assert(known === null || known === self, `election safety: ${known} and ${self} lead term ${currentTerm}`)
  if (known !== null) return past
  // A candidate of an earlier term may still win when a later leader has already committed more.
  const before = past.committedIn.findLastIndex((term) => term < currentTerm) + 1
  const holds = agreeUpTo(log, past.committed, before)
  assert(holds, `leader completeness: ${self} leads term ${currentTerm} without committed entry ${before}`)
  return { ...past, leaders: past.leaders.with(currentTerm - 1, self) }
}

/** State machine safety; and what a leader commits is of its own term and durable on a majority (§5.4.2). */
function checkCommit(past: Past, members: readonly Member[], { state, ...member }: Member): Past {
  const { self, commitIndex, currentTerm } = state
  const log = logOf({ state, ...member })
  const known = Math.min(commitIndex, past.committed.length)
  assert(agreeUpTo(log, past.committed, known), `state machine safety: ${self} commits another entry up to ${known}`)
  if (commitIndex <= past.committed.length) return past
  assert(state.role.kind === 'leader', `${self} commits ${commitIndex} before any leader does`)
  assert(log[commitIndex - 1]?.term === currentTerm, 'a leader commits by counting only entries of its own term')
  const durableOn = members.filter(({ disk }) => agreeUpTo(log, disk.entries, commitIndex)).length
  assert(durableOn >= majority(members.length), `committed on quorum: ${commitIndex} is durable on ${durableOn} only`)
  const fresh = log.slice(past.committed.length, commitIndex)
  return {
    ...past,
    committed: [...past.committed, ...fresh],
    committedIn: [...past.committedIn, ...fresh.map(() => currentTerm)],
  }
}

/** After a disk has changed: what was ever committed stays on a majority of disks, and leaders are right about them. */
export function checkDisks(past: Past, members: readonly Member[]): void {
  const { length } = past.committed
  const durableOn = members.filter(({ disk }) => agreeUpTo(past.committed, disk.entries, length)).length
  assert(durableOn >= majority(members.length), `committed entry ${length} is durable on ${durableOn} disks only`)
}

/** What a leader believes a member to have is on that disk, until the disk hears of a later term. */
export function checkBeliefs(members: readonly Member[]): void {
  for (const leader of members) {
    const { role, currentTerm, self } = leader.state
    if (role.kind !== 'leader') continue
    for (const { state, disk } of members) {
      const match = role.progress.get(state.self)?.matchIndex ?? asIndex(0)
      const isRight = disk.term > currentTerm || agreeUpTo(logOf(leader), disk.entries, match)
      assert(isRight, `${self} believes that ${state.self} has ${match}`)
    }
  }
}

/** A message leaves now: what it promises is on the disk, and no vote contradicts an earlier one (RAFT 2.10, 2.11). */
export function checkSent(
  past: Past,
  from: number,
  to: number,
  { disk, message }: Pick<Member, 'disk'> & { message: Message },
): Past {
  const [sender, receiver] = [memberIds[from], memberIds[to]]
  assert(disk.term >= message.term, `${sender} speaks in term ${message.term}, its disk knows ${disk.term}`)
  if (message.kind === 'appendAccepted' && message.term === disk.term) {
    const isThere = disk.entries.length >= message.matchIndex
    assert(isThere, `${sender} acknowledges ${message.matchIndex}, its disk ends at ${disk.entries.length}`)
  }
  if (message.kind === 'requestVote') {
    const isThere = disk.term > message.term || disk.entries.length >= message.lastLogIndex
    assert(isThere, `${sender} campaigns with ${message.lastLogIndex}, its disk ends at ${disk.entries.length}`)
    return checkVote(past, from, { disk, term: message.term, voted: sender ?? null })
  }
  if (message.kind !== 'requestVoteResponse' || !message.granted) return past
  return checkVote(past, from, { disk, term: message.term, voted: receiver ?? null })
}

function checkVote(past: Past, from: number, vote: { disk: Member['disk']; term: number; voted: NodeId | null }): Past {
  const { disk, term, voted } = vote
  const sender = memberIds[from]
  const isStored = disk.term > term || disk.votedFor === voted
  assert(isStored, `${sender} votes for ${voted} in term ${term} before its disk knows`)
  const own = past.votes[from] ?? []
  const before = own[term - 1] ?? null
  assert(before === null || before === voted, `${sender} votes in term ${term} for ${before} and for ${voted}`)
  return before === voted ? past : { ...past, votes: past.votes.with(from, own.with(term - 1, voted)) }
}

/** What is applied is what the log holds, and is committed. */
export function checkApply(member: Member, { entries }: Apply): void {
  const log = logOf(member)
  for (const entry of entries) {
    const own = log[entry.index - 1]
    const isOwn = own?.term === entry.term && own.payload[0] === entry.payload[0]
    assert(isOwn && entry.index <= member.state.commitIndex, `what is applied at ${entry.index} is committed here`)
  }
}
