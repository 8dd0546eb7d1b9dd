// Members that come back with another disk (DESIGN 6, H28): who counts in votes, acknowledgements and rounds, how a
// replacement is proposed, and when the new disk may vote. n1 is the core under test; its peers' disks are `n2.1` etc.
import t from 'tap'
import { asClusterTime, asIncarnation, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import { inForce, isCounted } from '../../src/raft/members.ts'
import {
  accepted,
  append,
  becomeCandidate,
  becomeFollowerOf,
  becomeLeader,
  becomePreCandidate,
  entriesFrom,
  give,
  lines,
  persistAll,
  preVote,
  preVoteResponse,
  propose,
  receive,
  receiveSnapshot,
  requestVote,
  requestVoteResponse,
  roleOf,
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'
import type { Core, Start } from '../support/raft-core.ts'

function replace(core: Core, member: string, disk: string): string[] {
  const incarnation = asIncarnation(disk)
  return lines(give(core, { kind: 'replaceMember', member: asNodeId(member), incarnation }))
}

/** The entry that says so. */
function replacement(index: number, term: number, member: string, disk: string): Entry {
  const note = { kind: 'memberReplaced' as const, member: asNodeId(member), incarnation: asIncarnation(disk) }
  return { index: asIndex(index), term: asTerm(term), time: asClusterTime(0), payload: new Uint8Array(0), note }
}

/** Leads term 1, with its no-op committed by n2. */
function leader(start: Start = {}): Core {
  const core = startCore(start)
  becomeLeader(core)
  for (const peer of core.state.members.slice(1, -1)) receive(core, peer, accepted({ term: 1, match: 1 }))
  tickAfter(core, 0)
  return core
}

// ---- proposing

t.test('DESIGN 6 H28 a replacement is an entry, and everything the old disk said counts no more', async (t) => {
  const core = leader()
  receive(core, 'n3', accepted({ term: 1, match: 1 }))
  t.same(replace(core, 'n3', 'n3.2'), ['asks for write 3: entries 2/1:n3 is n3.2'])
  t.equal(inForce(core.state, asNodeId('n3')), 'n3.2', 'committed or not')
  t.match(roleOf(core, 'leader').progress.get(asNodeId('n3')), {
    mode: 'probe',
    matchIndex: 0,
    countedIndex: 0,
    contactAt: -Infinity,
  })
  persistAll(core)
  tickAfter(core, 0)
  receive(core, 'n3', accepted({ term: 1, match: 2 }))
  t.equal(core.state.commitIndex, 1, 'neither the old disk')
  receive(core, 'n3', accepted({ term: 1, match: 2 }), null)
  t.equal(core.state.commitIndex, 1, 'nor the new one')
  receive(core, 'n2', accepted({ term: 1, match: 2 }))
  t.equal(core.state.commitIndex, 2, 'but a majority of all without it')
  propose(core, 'x')
  receive(core, 'n3', accepted({ term: 1, match: 3 }), 'n3.2')
  t.equal(core.state.commitIndex, 2, 'the own disk has no x yet')
  persistAll(core)
  t.equal(core.state.commitIndex, 3, 'from then on it counts when it says that it does')
})

t.test('H28 a majority without the replaced member is one of all members: three of five', async (t) => {
  const core = leader({ members: 5 })
  persistAll(core)
  replace(core, 'n5', 'n5.2')
  persistAll(core)
  receive(core, 'n5', accepted({ term: 1, match: 2 }), null)
  receive(core, 'n2', accepted({ term: 1, match: 2 }))
  t.equal(core.state.commitIndex, 1)
  receive(core, 'n3', accepted({ term: 1, match: 2 }))
  t.equal(core.state.commitIndex, 2)
})

t.test(
  'B93 B94 a replacement is refused before an own commit, beside another one, and when it would change nothing',
  async (t) => {
    const follower = startCore()
    t.same(replace(follower, 'n3', 'n3.2'), ['does not replace n3: notLeader'])

    const fresh = startCore()
    becomeLeader(fresh)
    t.same(replace(fresh, 'n3', 'n3.2'), ['does not replace n3: takingOver'])

    const core = leader()
    t.same(replace(core, 'n1', 'n1.2'), ['does not replace n1: unknownMember'], 'nobody replaces himself')
    t.same(replace(core, 'n9', 'n9.2'), ['does not replace n9: unknownMember'])
    t.same(replace(core, 'n3', 'n3.1'), ['does not replace n3: inForce'])
    replace(core, 'n3', 'n3.2')
    t.same(replace(core, 'n2', 'n2.2'), ['does not replace n2: underWay'])
    t.same(
      replace(core, 'n3', 'n3.2'),
      ['does not replace n3: inForce'],
      'a second word for the same disk waits like the first',
    )
    receive(core, 'n2', accepted({ term: 1, match: 2 }))
    persistAll(core)
    t.same(replace(core, 'n3', 'n3.2'), ['does not replace n3: inForce'], 'it is done')
    give(core, { kind: 'transferLeadership', to: asNodeId('n2') })
    t.same(replace(core, 'n3', 'n3.3'), ['does not replace n3: transferring'])
  },
)

// ---- counting

t.test('H28 votes and pre-votes count only from the disk in force', async (t) => {
  const poll = startCore()
  becomePreCandidate(poll)
  for (const as of ['n2.2', null]) {
    receive(poll, 'n2', preVoteResponse({ term: 1, poll: 1, granted: true }), as)
    t.equal(poll.state.role.kind, 'preCandidate', `as ${as}`)
  }
  receive(poll, 'n2', preVoteResponse({ term: 1, poll: 1, granted: true }))
  t.equal(poll.state.role.kind, 'candidate')

  const core = startCore({ inForce: { n2: 'n2.2' } })
  becomePreCandidate(core)
  receive(core, 'n3', preVoteResponse({ term: 1, poll: 1, granted: true }))
  persistAll(core)
  const { electionDeadline } = roleOf(core, 'candidate')
  for (const as of ['n2.1', null]) {
    receive(core, 'n2', requestVoteResponse({ term: 1, granted: true }), as)
    receive(core, 'n2', requestVoteResponse({ term: 1, granted: false }), as)
    t.equal(roleOf(core, 'candidate').electionDeadline, electionDeadline, `not even a refusal as ${as}`)
  }
  receive(core, 'n2', requestVoteResponse({ term: 1, granted: true }), 'n2.2')
  t.equal(core.state.role.kind, 'leader')
})

t.test('H28 answers of who does not count keep no leader in office and confirm no read', async (t) => {
  const core = leader()
  give(core, { kind: 'read', id: 7 })
  tickAfter(core, 0)
  const { current } = roleOf(core, 'leader').rounds
  for (const as of ['n2.2', null]) {
    t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 1, round: current }), as)), [])
  }
  t.match(lines(receive(core, 'n2', accepted({ term: 1, match: 1, round: current }))), ['may answer read 7 at 1'])
  for (let ms = 0; ms < 1100; ms += 50) {
    receive(core, 'n2', accepted({ term: 1, match: 1, round: roleOf(core, 'leader').rounds.current }), null)
    tickAfter(core, 50)
    if (core.state.role.kind !== 'leader') break
  }
  t.equal(core.state.role.kind, 'follower')
})

t.test('H28 leadership is not handed to who does not count', async (t) => {
  const core = leader()
  receive(core, 'n3', accepted({ term: 1, match: 1 }), null)
  give(core, { kind: 'transferLeadership', to: asNodeId('n3') })
  t.same(lines(tickAfter(core, 0)), [])
  t.match(roleOf(core, 'leader').transfer, { isTold: false })
})

t.test('H28 a replacement in the log counts for its owner at once, and is undone with the entry', async (t) => {
  const core = startCore({ term: 1, log: [1] })
  becomeFollowerOf(core, 'n2', 2)
  receive(core, 'n2', append({ term: 2, after: [1, 1], entries: [replacement(2, 2, 'n3', 'n3.2')] }))
  t.equal(inForce(core.state, asNodeId('n3')), 'n3.2')
  receive(core, 'n2', append({ term: 3, after: [1, 1], entries: entriesFrom(2, [3]) }))
  t.equal(inForce(core.state, asNodeId('n3')), 'n3.1')
})

t.test('B94 what trims and snapshots take out of the log, the members of the start say', async (t) => {
  const core = startCore({ term: 1, log: [1] })
  becomeFollowerOf(core, 'n2', 2)
  const entries = [replacement(2, 2, 'n3', 'n3.2'), replacement(3, 2, 'n3', 'n3.3')]
  receive(core, 'n2', append({ term: 2, after: [1, 1], entries, commit: 3 }))
  persistAll(core)
  const [load] = [...core.state.loads.keys()]
  give(core, { kind: 'entriesLoaded', load: load ?? 0, entries: entriesFrom(1, [1]) })
  give(core, { kind: 'trimLog', upTo: asIndex(2) })
  t.equal(inForce(core.state, asNodeId('n3')), 'n3.3')
  t.equal(core.state.incarnations.get(asNodeId('n3')), 'n3.2')
  receiveSnapshot(core, [9, 2], { inForce: { n3: 'n3.4' } })
  t.equal(inForce(core.state, asNodeId('n3')), 'n3.4')
})

t.test('B94 a new leader adopts a replacement that is not committed', async (t) => {
  const core = startCore({ term: 1, log: [1] })
  becomeFollowerOf(core, 'n2', 2)
  receive(core, 'n2', append({ term: 2, after: [1, 1], entries: [replacement(2, 2, 'n3', 'n3.2')] }))
  persistAll(core)
  becomeLeader(core)
  receive(core, 'n3', accepted({ term: 3, match: 3 }))
  t.equal(core.state.commitIndex, 0)
  receive(core, 'n2', accepted({ term: 3, match: 3 }))
  t.equal(core.state.commitIndex, 3)
})

// ---- the new disk

t.test('H28 a disk that does not know that it counts neither votes nor campaigns, and says so', async (t) => {
  const core = startCore({ disk: 'n1.2', counted: null })
  t.same(lines(tickAfter(core, 1000)), [])
  t.match(lines(receive(core, 'n2', preVote({ term: 1 }))), ['-> n2 preVoteResponse term 0 poll 1 refused'])
  t.match(sent(receive(core, 'n2', requestVote({ term: 1 }))), [/requestVoteResponse term 1 refused/])
  t.equal(core.state.votedFor, null)
  becomeFollowerOf(core, 'n2', 2)
  const answer = receive(core, 'n2', append({ term: 2, round: 2 }))
  t.match(answer, [{ kind: 'send', as: null, message: { kind: 'appendAccepted' } }])
  receive(core, 'n2', { kind: 'timeoutNow', term: asTerm(2), lastLogIndex: asIndex(0) })
  t.equal(core.state.role.kind, 'follower')
})

t.test('H28 a new disk counts when it has the entry, knows it to be committed, and has stored that', async (t) => {
  const core = startCore({ disk: 'n1.2', counted: null })
  becomeFollowerOf(core, 'n2', 2)
  const [note, more] = [replacement(1, 2, 'n1', 'n1.2'), entriesFrom(2, [2])]
  const first = receive(core, 'n2', append({ term: 2, round: 2, entries: [note] }))
  t.notMatch(lines(first), [/stores/], 'not committed')
  const second = receive(core, 'n2', append({ term: 2, round: 3, after: [1, 2], entries: more, commit: 1 }))
  t.notOk(lines(second).includes('stores that n1.2 counts by entry 1'), 'not durable')
  t.ok(lines(persistAll(core)).includes('stores that n1.2 counts by entry 1'))
  t.notOk(isCounted(core.state), 'not stored')
  t.notOk(lines(tickAfter(core, 0)).includes('stores that n1.2 counts by entry 1'), 'once')
  give(core, { kind: 'countedStored' })
  t.ok(isCounted(core.state))
  t.match(receive(core, 'n2', append({ term: 2, round: 4, after: [2, 2] })), [{ as: { disk: 'n1.2', since: 1 } }])
  t.match(sent(receive(core, 'n3', requestVote({ term: 3, last: [2, 2], transfer: true }))), [/granted/])
})

t.test('H28 a snapshot can say it as well, when it is installed', async (t) => {
  const core = startCore({ disk: 'n1.2', counted: null })
  becomeFollowerOf(core, 'n2', 2)
  const installed = lines(receiveSnapshot(core, [9, 2], { inForce: { n1: 'n1.2' } }))
  t.same(installed, ['installs a snapshot of 9/2, write 2'])
  t.same(lines(persistAll(core)), ['stores that n1.2 counts by entry 9'])
})

t.test('H28 who has lost its state does not conclude that it counts: it does not know who is in force', async (t) => {
  const core = startCore({
    disk: 'n1.2',
    counted: null,
    start: [9, 2],
    term: 2,
    canServe: false,
    inForce: { n1: 'n1.2' },
  })
  t.same(lines(tickAfter(core, 0)), [])
  becomeFollowerOf(core, 'n2', 2)
  const installed = lines(receiveSnapshot(core, [9, 2], { inForce: { n1: 'n1.2' } }))
  t.ok(installed.includes('stores that n1.2 counts by entry 9'))
})

t.test('H28 a disk that is found replaced by another stops to count', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 2)
  t.ok(isCounted(core.state))
  receive(core, 'n2', append({ term: 2, round: 2, entries: [replacement(1, 2, 'n1', 'n1.2')] }))
  t.notOk(isCounted(core.state))
  t.match(persistAll(core), [{ as: null }])
  t.same(lines(tickAfter(core, 1000)), [])
  t.match(sent(receive(core, 'n2', requestVote({ term: 3, last: [1, 2], transfer: true }))), [/refused/])
})

t.test(
  'H28 a disk that was replaced and is named again counts by the entry that names it, not as it did',
  async (t) => {
    const core = startCore()
    becomeFollowerOf(core, 'n2', 2)
    const [lost, again] = [replacement(1, 2, 'n1', 'n1.2'), replacement(2, 2, 'n1', 'n1.1')]
    receive(core, 'n2', append({ term: 2, round: 2, entries: [lost, again], commit: 1 }))
    t.notOk(isCounted(core.state), 'its own word would commit what names it')
    t.match(persistAll(core), [{ as: null, message: { matchIndex: 2 } }])
    t.match(sent(receive(core, 'n3', requestVote({ term: 3, last: [2, 2], transfer: true }))), [/refused/])
    becomeFollowerOf(core, 'n2', 4)
    const known = receive(core, 'n2', append({ term: 4, round: 2, after: [2, 2], commit: 2 }))
    t.ok(lines(known).includes('stores that n1.1 counts by entry 2'))
    give(core, { kind: 'countedStored' })
    t.ok(isCounted(core.state))
  },
)

t.test('H28 which of several entries a disk counts by is stored again for a later one', async (t) => {
  const core = startCore({ disk: 'n1.2', counted: null })
  becomeFollowerOf(core, 'n2', 2)
  receive(core, 'n2', append({ term: 2, round: 2, entries: [replacement(1, 2, 'n1', 'n1.2')], commit: 1 }))
  t.ok(lines(persistAll(core)).includes('stores that n1.2 counts by entry 1'))
  const more = [replacement(2, 2, 'n1', 'n1.1'), replacement(3, 2, 'n1', 'n1.2')]
  receive(core, 'n2', append({ term: 2, round: 3, after: [1, 2], entries: more, commit: 3 }))
  t.notOk(
    lines(persistAll(core)).some((line) => line.startsWith('stores')),
    'one is being stored',
  )
  t.ok(lines(give(core, { kind: 'countedStored' })).includes('stores that n1.2 counts by entry 3'))
  t.notOk(isCounted(core.state))
  give(core, { kind: 'countedStored' })
  t.ok(isCounted(core.state))
})

t.test(
  'H28 an earlier word of a disk that is named again counts only where no entry in the log names it',
  async (t) => {
    const core = startCore({ term: 1, log: [1] })
    becomeFollowerOf(core, 'n2', 2)
    const entries = [replacement(2, 2, 'n3', 'n3.2'), replacement(3, 2, 'n3', 'n3.1')]
    receive(core, 'n2', append({ term: 2, round: 2, after: [1, 1], entries }))
    persistAll(core)
    becomePreCandidate(core)
    receive(core, 'n3', preVoteResponse({ term: 3, poll: 1, granted: true }), 'n3.1', asIndex(2))
    t.equal(core.state.role.kind, 'preCandidate', 'it may not know of either: then others count n3.2')
    receive(core, 'n3', preVoteResponse({ term: 3, poll: 1, granted: true }), 'n3.1', asIndex(3))
    t.equal(core.state.role.kind, 'candidate')
  },
)

t.test('H28 who starts behind a snapshot speaks as one who knows what is in it', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 2)
  receiveSnapshot(core, [9, 2])
  persistAll(core)
  t.match(receive(core, 'n2', append({ term: 2, round: 4, after: [9, 2] })), [{ as: { disk: 'n1.1', since: 9 } }])
})

// ---- requests

t.test('H28 who does not count is not voted for, but who is not known to be in force may be', async (t) => {
  const core = startCore()
  t.match(sent(receive(core, 'n2', preVote({ term: 1 }), null)), [/refused/])
  t.same(sent(receive(core, 'n2', requestVote({ term: 1 }), null)), [])
  t.equal(core.state.currentTerm, 0, 'nor followed into its term')
  // The entry that says so may have reached a majority without us.
  t.match(sent(receive(core, 'n2', preVote({ term: 1 }), 'n2.2')), [/granted/])
  t.match(sent(receive(core, 'n2', requestVote({ term: 1 }), 'n2.2')), [/granted/])
})

t.test('H28 (a) a wiped voter does not elect who lacks what it once acknowledged', async (t) => {
  // n1 is B of the history: it lacks an entry that A and the old W had committed.
  const core = startCore({ term: 1, log: [1] })
  becomePreCandidate(core)
  receive(core, 'n3', preVoteResponse({ term: 2, poll: 1, granted: true }), null)
  receive(core, 'n3', preVoteResponse({ term: 2, poll: 1, granted: true }), 'n3.2')
  t.equal(core.state.role.kind, 'preCandidate')
})

t.test('H28 (c) an old vote that is under way counts nothing for who has the entry', async (t) => {
  const core = startCore({ members: 5, term: 8, log: [8] })
  becomeFollowerOf(core, 'n2', 8)
  receive(core, 'n2', append({ term: 8, round: 2, after: [1, 8], entries: [replacement(2, 8, 'n5', 'n5.2')] }))
  persistAll(core)
  becomeCandidate(core)
  persistAll(core)
  receive(core, 'n5', requestVoteResponse({ term: 9, granted: true }), 'n5.1')
  receive(core, 'n2', requestVoteResponse({ term: 9, granted: true }))
  t.equal(core.state.role.kind, 'candidate')
  receive(core, 'n5', requestVoteResponse({ term: 9, granted: true }), 'n5.2')
  t.equal(core.state.role.kind, 'leader')
})
