// What is true of every state of one member, and of every step it takes (RAFT 2: 2, 8, 9, 12, 13, 15). `checkTransition`
// is cheap and runs in production; `checkState` walks the records and runs in tests and in the simulator after every
// step. What only several members together can break (one leader a term, equal logs) is checked by the simulator.
import { assert } from '../assert.ts'
import type { Index, NodeId, Term } from '../ids.ts'
import { entryBytes, lastTerm, termAt, windowFirst } from './log.ts'
import type { Log } from './log.ts'
import { isCounted } from './members.ts'
import type { Follower, Leader, RaftState, Role } from './state.ts'

/** The fields whose change from one step to the next is restricted. */
export interface Summary {
  readonly term: Term
  readonly votedFor: NodeId | null
  readonly leaderOfTerm: NodeId | null
  readonly role: Role['kind']
  readonly leader: NodeId | null
  readonly commitIndex: Index
  readonly appliedIndex: Index
  readonly lastIndex: Index
  readonly startIndex: Index
  /** Whether it may ask for votes. */
  readonly isElector: boolean
}

export function summarize(state: RaftState): Summary {
  const { role } = state
  const leader = role.kind === 'leader' ? state.self : role.kind === 'follower' ? role.leader : null
  return {
    term: state.currentTerm,
    votedFor: state.votedFor,
    leaderOfTerm: state.leaderOfTerm,
    role: role.kind,
    leader,
    commitIndex: state.commitIndex,
    appliedIndex: state.appliedIndex,
    lastIndex: state.log.lastIndex,
    startIndex: state.log.start.index,
    isElector: isCounted(state) && state.canServe,
  }
}

export function checkTransition(before: Summary, after: Summary): void {
  assert(after.term >= before.term, 'the term never decreases')
  assert(after.commitIndex >= before.commitIndex, 'the commit index never decreases')
  assert(after.appliedIndex >= before.appliedIndex, 'the applied index never decreases')
  assert(after.appliedIndex <= after.commitIndex, 'only committed entries are applied')
  assert(after.commitIndex <= after.lastIndex, 'only entries of the log are committed')
  assert(after.lastIndex >= before.commitIndex, 'committed entries are never dropped')
  assert(after.startIndex >= before.startIndex, 'what was trimmed does not come back')
  assert(after.startIndex <= after.appliedIndex, 'only what is applied is trimmed')
  assert(after.role === 'follower' || after.isElector, 'only who counts, and can lead, asks for votes')
  if (after.term !== before.term) return
  assert(before.votedFor === null || after.votedFor === before.votedFor, 'a vote is given once in a term')
  assert(before.leaderOfTerm === null || after.leaderOfTerm === before.leaderOfTerm, 'one leader in a term')
  if (before.role === 'leader') {
    assert(after.role === 'leader' || after.role === 'follower', 'a leader campaigns only in a later term')
    assert(after.lastIndex >= before.lastIndex, 'a leader never drops entries of its own log')
  } else if (after.role === 'leader') {
    assert(before.role === 'candidate', 'only a candidate becomes leader')
  }
}

export function checkState(state: RaftState): void {
  checkBesideLog(state)
  checkLog(state.log)
}

/** All of `checkState` but what the log is by itself, which takes longest and changes least. */
export function checkBesideLog(state: RaftState): void {
  const { log, durability } = state
  assert(state.appliedIndex <= state.commitIndex, 'only committed entries are applied')
  assert(state.commitIndex <= log.lastIndex, 'only entries of the log are committed')
  assert(durability.durableIndex <= log.lastIndex, 'only entries of the log are durable')
  assert(lastTerm(log) <= state.currentTerm, 'no entry is of a term that has not begun')
  assert(windowFirst(log) > log.start.index, 'the window lies in the log')
  const safe = Math.max(durability.durableIndex, log.start.index)
  assert(windowFirst(log) <= safe + 1, 'what is not durable is in memory')
  checkReplacements(state)
  checkUnsynced(state)
  if (state.role.kind === 'leader') checkLeader(state, state.role)
  if (state.role.kind === 'follower') checkFollower(state, state.role)
  const { leader } = summarize(state)
  assert(leader === null || leader === state.leaderOfTerm, 'whoever is followed leads the term')
  if (state.role.kind === 'candidate') assert(state.votedFor === state.self, 'a candidate has voted for itself')
}

/** That the parts of the log agree with each other. */
export function checkLog(log: Log): void {
  let bytes = 0
  let before = null
  for (const entry of log.window) {
    bytes += entryBytes(entry)
    if (before !== null) {
      assert(entry.index === before.index + 1, 'entries have no holes')
      assert(entry.term >= before.term, 'terms do not decrease along the log')
      assert(entry.time >= before.time, 'cluster time does not decrease along the log')
    }
    before = entry
  }
  assert(bytes === log.windowBytes, 'the bytes of the window are counted')
  assert(before === null || (before.index === log.lastIndex && before.time === log.lastTime), 'the window ends the log')
  const begins = log.spans[0]?.firstIndex === (log.lastIndex === log.start.index ? undefined : log.start.index + 1)
  assert(begins, 'the first span begins the log')
  assert((log.spans[0]?.term ?? log.start.term) >= log.start.term, 'terms do not decrease behind the start')
  for (const [position, span] of log.spans.entries()) {
    const next = log.spans[position + 1]
    assert(next === undefined || (next.firstIndex > span.firstIndex && next.term > span.term), 'spans ascend')
  }
  for (const { index, term } of log.window)
    assert(termAt(log, index) === term, 'entries are of the terms that the spans say')
}

function checkReplacements({ log, role, commitIndex }: RaftState): void {
  let before = log.start.index
  for (const { index } of log.replacements) {
    assert(index > before && index <= log.lastIndex, 'replacements are entries of the log, in order')
    before = index
  }
  // A new leader does not know yet which of several were committed.
  if (role.kind !== 'leader' || commitIndex < role.termStart) return
  const uncommitted = log.replacements.filter(({ index }) => index > commitIndex).length
  assert(uncommitted <= 1, 'one member is replaced at a time')
}

function checkUnsynced({ durability, log }: RaftState): void {
  const first = durability.unsynced[0]
  const durableEnd = first === undefined ? log.lastIndex : first.firstIndex - 1
  assert(durability.durableIndex === durableEnd, 'durable is what no write under way has yet to bring')
  for (const [position, span] of durability.unsynced.entries()) {
    assert(span.io > durability.doneIo && span.firstIndex <= log.lastIndex, 'an unsynced span is under way')
    const next = durability.unsynced[position + 1]
    assert(next === undefined || (next.firstIndex > span.firstIndex && next.io > span.io), 'unsynced spans ascend')
  }
}

function checkFollower({ log, durability }: RaftState, follower: Follower): void {
  const { verifiedIndex, acknowledgedIndex } = follower
  assert(verifiedIndex <= log.lastIndex, 'what is verified is in the log')
  const isTold = acknowledgedIndex <= Math.min(verifiedIndex, durability.durableIndex)
  assert(isTold, 'a follower acknowledges what is verified and durable')
}

function checkLeader(state: RaftState, leader: Leader): void {
  assert(state.votedFor === state.self, 'a leader has voted for itself')
  assert(leader.termStart <= state.log.lastIndex, 'the no-op of the term is in the log')
  assert(leader.clock.time <= Math.max(leader.clock.limit, state.log.lastTime), 'cluster time keeps to its limit')
  const { window } = state.log
  let uncommitted = 0
  for (let place = window.length - 1; place >= 0; place--) {
    const entry = window[place]
    if (entry === undefined || entry.index < leader.termStart || entry.index <= state.commitIndex) break
    uncommitted += entryBytes(entry)
  }
  assert(leader.uncommittedBytes === uncommitted, 'uncommitted bytes are counted')
  for (const progress of leader.progress.values()) {
    assert(progress.matchIndex < progress.nextIndex, 'match is below next')
    assert(progress.matchIndex <= state.log.lastIndex, 'match lies in the log')
    assert(progress.nextIndex <= state.log.lastIndex + 1, 'next lies at most behind the log')
    let inflight = 0
    for (const append of progress.inflight) inflight += append.bytes
    assert(inflight === progress.inflightBytes, 'bytes in flight are counted')
    assert(progress.mode === 'probe' || progress.probe === null, 'only a probe waits for its answer')
    assert(progress.mode === 'replicate' || progress.inflight.length === 0, 'a probe has no pipeline')
    assert(progress.mode !== 'snapshot' || progress.load === null, 'who waits for a snapshot is sent no entries')
    assert(progress.countedIndex <= progress.matchIndex, 'what counts was acknowledged')
    assert(progress.roundAnswered <= leader.rounds.current, 'only rounds that began are answered')
  }
}
