// The invariants themselves: each is broken once, by hand, to see that it would be noticed. A check that cannot fail
// would make every test of the core worthless.
import t from 'tap'
import { AssertionFailure } from '../../src/assert.ts'
import { asClusterTime, asIncarnation, asIndex, asIo, asNodeId, asTerm } from '../../src/ids.ts'
import { checkState, checkTransition, summarize } from '../../src/raft/invariants.ts'
import type { Summary } from '../../src/raft/invariants.ts'
import type { Replacement } from '../../src/raft/log.ts'
import type { RaftState } from '../../src/raft/state.ts'
import {
  accepted,
  append,
  becomeCandidate,
  becomeFollowerOf,
  becomeLeader,
  entriesFrom,
  give,
  persistAll,
  propose,
  receive,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'

/** A state in which everything is true at once, so that exactly what a test breaks is broken. */
function follower(): RaftState {
  const core = startCore({ log: [1, 1], term: 1 })
  becomeFollowerOf(core, 'n2', 2)
  receive(core, 'n2', append({ term: 2, round: 2, after: [2, 1], entries: entriesFrom(3, [2, 2]), commit: 3 }))
  persistAll(core)
  receive(core, 'n2', append({ term: 2, round: 3, after: [4, 2], entries: entriesFrom(5, [2, 2]) }))
  return core.state
}

function leader(): RaftState {
  const core = startCore({ log: [1], term: 1 })
  becomeLeader(core)
  for (const payload of 'abc') propose(core, payload)
  receive(core, 'n2', accepted({ term: 2, match: 2 }))
  tickAfter(core, 0)
  return core.state
}

/** Leads, and replaces n3 by entry 5. */
function replacing(): RaftState {
  const core = startCore({ log: [1], term: 1 })
  becomeLeader(core)
  receive(core, 'n2', accepted({ term: 2, match: 2 }))
  for (const payload of 'ab') propose(core, payload)
  give(core, { kind: 'replaceMember', member: asNodeId('n3'), incarnation: asIncarnation('n3.2') })
  propose(core, 'c')
  return core.state
}

function replacement(index: number): Replacement {
  return { index: asIndex(index), member: asNodeId('n2'), incarnation: asIncarnation('n2.2') }
}

function candidate(): RaftState {
  const core = startCore()
  becomeCandidate(core)
  return core.state
}

function leading(state: RaftState) {
  if (state.role.kind !== 'leader') throw new Error('it leads')
  const [progress] = state.role.progress.values()
  if (progress === undefined) throw new Error('it has peers')
  return { role: state.role, progress }
}

const breaches: [string, () => RaftState, (state: RaftState) => void][] = [
  ['only committed entries are applied', follower, (state) => (state.appliedIndex = asIndex(4))],
  ['only entries of the log are committed', follower, (state) => (state.commitIndex = asIndex(9))],
  ['only entries of the log are durable', follower, (state) => (state.durability.durableIndex = asIndex(9))],
  ['no entry is of a term that has not begun', follower, (state) => (state.currentTerm = asTerm(1))],
  ['what is not durable is in memory', follower, (state) => state.log.window.splice(0, 3)],
  ['the bytes of the window are counted', follower, (state) => state.log.windowBytes++],
  ['entries have no holes', follower, (state) => state.log.window.splice(1, 0, ...entriesFrom(9, [2]))],
  ['terms do not decrease along the log', follower, (state) => state.log.window.splice(0, 1, ...entriesFrom(3, [9]))],
  [
    'cluster time does not decrease along the log',
    follower,
    (state) =>
      state.log.window.splice(0, 1, ...entriesFrom(3, [2]).map((entry) => ({ ...entry, time: asClusterTime(9) }))),
  ],
  ['the window ends the log', follower, (state) => (state.log.lastTime = asClusterTime(5))],
  ['spans ascend', follower, (state) => state.log.spans.push({ term: asTerm(2), firstIndex: asIndex(6) })],
  [
    'the first span begins the log',
    follower,
    (state) => state.log.spans.splice(0, 1, { term: asTerm(1), firstIndex: asIndex(2) }),
  ],
  [
    'entries are of the terms that the spans say',
    follower,
    (state) => (state.log.spans[1] = { term: asTerm(2), firstIndex: asIndex(4) }),
  ],
  [
    'durable is what no write under way has yet to bring',
    follower,
    (state) => (state.durability.durableIndex = asIndex(3)),
  ],
  ['an unsynced span is under way', follower, (state) => (state.durability.doneIo = state.durability.lastIo)],
  [
    'unsynced spans ascend',
    follower,
    (state) => state.durability.unsynced.push({ firstIndex: asIndex(5), io: asIo(4) }),
  ],
  [
    'a follower acknowledges what is verified and durable',
    follower,
    (state) => Object.assign(state.role, { acknowledgedIndex: 5 }),
  ],
  ['what is verified is in the log', follower, (state) => Object.assign(state.role, { verifiedIndex: 9 })],
  ['whoever is followed leads the term', follower, (state) => Object.assign(state.role, { leader: asNodeId('n3') })],
  ['a candidate has voted for itself', candidate, (state) => (state.votedFor = null)],
  ['a leader has voted for itself', leader, (state) => (state.votedFor = asNodeId('n2'))],
  ['the no-op of the term is in the log', leader, (state) => Object.assign(state.role, { termStart: 99 })],
  ['cluster time keeps to its limit', leader, (state) => (leading(state).role.clock.time = 1e9)],
  ['uncommitted bytes are counted', leader, (state) => leading(state).role.uncommittedBytes--],
  ['match is below next', leader, (state) => (leading(state).progress.nextIndex = asIndex(2))],
  [
    'match lies in the log',
    leader,
    (state) => Object.assign(leading(state).progress, { matchIndex: 50, nextIndex: 51 }),
  ],
  ['next lies at most behind the log', leader, (state) => (leading(state).progress.nextIndex = asIndex(50))],
  ['bytes in flight are counted', leader, (state) => leading(state).progress.inflightBytes++],
  [
    'only a probe waits for its answer',
    leader,
    (state) => (leading(state).progress.probe = { lastIndex: asIndex(2), bytes: 1 }),
  ],
  ['a probe has no pipeline', leader, (state) => (leading(state).progress.mode = 'probe')],
  [
    'who waits for a snapshot is sent no entries',
    leader,
    (state) => Object.assign(leading(state).progress, { mode: 'snapshot', load: 1, inflight: [], inflightBytes: 0 }),
  ],
  ['what counts was acknowledged', leader, (state) => (leading(state).progress.countedIndex = asIndex(3))],
  ['one member is replaced at a time', replacing, (state) => state.log.replacements.push(replacement(6))],
  ['replacements are entries of the log, in order', replacing, (state) => state.log.replacements.push(replacement(5))],
  ['replacements are entries of the log, in order', leader, (state) => state.log.replacements.push(replacement(9))],
  [
    'terms do not decrease behind the start',
    follower,
    (state) => (state.log.start = { index: asIndex(0), term: asTerm(2) }),
  ],
  ['the window lies in the log', follower, (state) => (state.log.start = { index: asIndex(3), term: asTerm(2) })],
  ['only rounds that began are answered', leader, (state) => (leading(state).progress.roundAnswered = 99)],
]

for (const [what, make, breach] of breaches) {
  t.test(`RAFT 2, of every state: ${what}`, async (t) => {
    const state = make()
    checkState(state)
    breach(state)
    t.throws(() => checkState(state), new AssertionFailure(what))
  })
}

const before: Summary = {
  term: asTerm(4),
  votedFor: asNodeId('n1'),
  leaderOfTerm: null,
  role: 'candidate',
  leader: null,
  commitIndex: asIndex(5),
  appliedIndex: asIndex(4),
  lastIndex: asIndex(8),
  startIndex: asIndex(2),
  isElector: true,
}
const led: Partial<Summary> = { role: 'leader', leader: asNodeId('n1'), leaderOfTerm: asNodeId('n1') }

const badTransitions: [string, Partial<Summary>, Partial<Summary>][] = [
  ['the term never decreases', {}, { term: asTerm(3) }],
  ['the commit index never decreases', {}, { commitIndex: asIndex(4) }],
  ['the applied index never decreases', {}, { appliedIndex: asIndex(3) }],
  ['only committed entries are applied', {}, { appliedIndex: asIndex(6) }],
  ['only entries of the log are committed', {}, { commitIndex: asIndex(9) }],
  [
    'committed entries are never dropped',
    { commitIndex: asIndex(8) },
    { lastIndex: asIndex(7), commitIndex: asIndex(8) },
  ],
  ['what was trimmed does not come back', {}, { startIndex: asIndex(1) }],
  ['only what is applied is trimmed', {}, { startIndex: asIndex(5) }],
  ['only who counts, and can lead, asks for votes', {}, { isElector: false }],
  ['a vote is given once in a term', {}, { votedFor: asNodeId('n2') }],
  ['a vote is given once in a term', {}, { votedFor: null }],
  ['one leader in a term', led, { leaderOfTerm: asNodeId('n2') }],
  ['one leader in a term', led, { leaderOfTerm: null }],
  ['a leader campaigns only in a later term', led, { ...led, role: 'preCandidate' }],
  ['a leader never drops entries of its own log', led, { ...led, lastIndex: asIndex(7) }],
  ['only a candidate becomes leader', { role: 'preCandidate' }, led],
]

for (const [what, from, to] of badTransitions) {
  t.test(`RAFT 2, of every step: ${what} (${Object.entries(to).at(-1)?.join(' ')})`, async (t) => {
    const start = { ...before, ...from }
    checkTransition(start, start)
    const broken = { ...start, ...to }
    // The last one is also caught as an entry that is committed but not in the log.
    t.throws(
      () => checkTransition(start, broken),
      what.startsWith('committed entries') ? AssertionFailure : new AssertionFailure(what),
    )
  })
}

t.test('RAFT 2: a later term may change leader, vote and log', async (t) => {
  checkTransition(
    { ...before, ...led },
    { ...before, term: asTerm(5), votedFor: null, role: 'follower', lastIndex: asIndex(6) },
  )
  t.match(summarize(leader()), { role: 'leader', leader: 'n1', leaderOfTerm: 'n1', term: 2 })
})
