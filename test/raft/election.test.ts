// Polls, campaigns and votes, from both sides (§5.2, §5.4.1, thesis §4.2.3, §6.2, §9.6). Names with a B are bugs that others
// shipped (the catalogue), names in brackets are tests of etcd's raft that told the same.
import fc from 'fast-check'
import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
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
  receive,
  requestVote,
  requestVoteResponse,
  roleOf,
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'

const n2 = asNodeId('n2')

t.test('§5.2 a member starts as follower without a leader, with the term and vote of its disk (StartAsFollower)', async (t) => {
  const { state } = startCore({ term: 4, votedFor: 'n3' })
  t.match(state, { currentTerm: 4, votedFor: 'n3', role: { kind: 'follower', leader: null } })
})

t.test('§5.2 a follower that hears nothing for its election timeout asks for pre-votes (FollowerStartElection)', async (t) => {
  const core = startCore({ term: 2, log: [1, 2] })
  t.same(tickAfter(core, 499), [], 'not before')
  t.same(lines(tickAfter(core, 1)), [
    '-> n2 preVote term 3 poll 1 last 2/2',
    '-> n3 preVote term 3 poll 1 last 2/2',
    'polls in term 2',
  ])
  t.equal(core.state.currentTerm, 2, 'a poll changes no term')
})

t.test('§5.2 the timeout is drawn anew each time, between its limits (FollowerElectionTimeoutRandomized)', async (t) => {
  const draws = [0.25, 0.75, 0]
  const core = startCore({ random: () => draws.shift() ?? 0.5 })
  t.equal(roleOf(core, 'follower').electionDeadline, 625)
  tickAfter(core, 625)
  t.equal(roleOf(core, 'preCandidate').electionDeadline, 625 + 875, 'a poll without answer is repeated after another')
  tickAfter(core, 875)
  t.equal(roleOf(core, 'preCandidate').electionDeadline, 1500 + 500)
  t.equal(core.state.poll, 2)
})

t.test('§5.2 drawn timeouts seldom come together, so elections seldom split (FollowersElectionTimeoutNonconflict)', async (t) => {
  let seed = 1
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
  let conflicts = 0
  for (let trial = 0; trial < 1000; trial++) {
    const deadlines = [1, 2, 3, 4, 5].map(() => roleOf(startCore({ random }), 'follower').electionDeadline).sort((a, b) => a - b)
    // Who comes first needs a few milliseconds to be heard of.
    if ((deadlines[1] ?? 0) - (deadlines[0] ?? 0) < 10) conflicts++
  }
  t.ok(conflicts < 150, `${conflicts} of 1000 elections began with two polls within 10 ms`)
})

t.test('§5.2 a majority of pre-votes begins a campaign: next term, own vote, requests to all', async (t) => {
  const core = startCore({ term: 2, log: [2] })
  becomePreCandidate(core)
  t.same(lines(receive(core, 'n3', preVoteResponse({ term: 3, poll: 1, granted: true }))), [
    'asks for write 1: term 3 vote n1',
    '-> n2 requestVote term 3 last 1/2 (after write 1)',
    '-> n3 requestVote term 3 last 1/2 (after write 1)',
    'campaigns in term 3',
  ])
})

t.test('§5.2 B01 the own vote counts when it is on disk (CandidateSelfVoteAfterLostElection)', async (t) => {
  const core = startCore()
  becomeCandidate(core)
  receive(core, 'n2', requestVoteResponse({ term: 1, granted: true }))
  t.equal(core.state.role.kind, 'candidate', 'one vote of another is no majority of three')
  persistAll(core)
  t.equal(core.state.role.kind, 'leader')

  const loser = startCore()
  becomeCandidate(loser)
  receive(loser, 'n3', append({ term: 1 }))
  persistAll(loser)
  t.match(loser.state.role, { kind: 'follower', leader: 'n3' }, 'a vote stored after the election was lost counts nothing')
})

t.test('§5.2 one who is alone is its own majority, as soon as its disk has the vote', async (t) => {
  const core = startCore({ members: 1 })
  t.same(lines(tickAfter(core, 500)), ['asks for write 1: term 1 vote n1', 'campaigns in term 1'])
  t.same(lines(persistAll(core)), ['asks for write 2: entries 1/1', 'leads term 1'])
  t.same(lines(persistAll(core)), ['applies 1/1'])
})

t.test('§5.2 B18 an election is won by a majority of all members, no sooner (LeaderElectionInOneRoundRPC)', async (t) => {
  for (let members = 1; members <= 9; members++) {
    const core = startCore({ members })
    becomeCandidate(core)
    persistAll(core)
    let votes = 1
    for (let peer = 2; peer <= members && core.state.role.kind === 'candidate'; peer++) {
      receive(core, `n${peer}`, requestVoteResponse({ term: 1, granted: true }))
      votes++
    }
    t.equal(core.state.role.kind, 'leader')
    t.equal(votes, Math.floor(members / 2) + 1, `of ${members}`)
  }
})

t.test('§5.2 B21 the same vote heard twice is one vote', async (t) => {
  const core = startCore({ members: 5 })
  becomeCandidate(core)
  persistAll(core)
  for (let copy = 0; copy < 3; copy++) receive(core, 'n2', requestVoteResponse({ term: 1, granted: true }))
  t.equal(core.state.role.kind, 'candidate')
  receive(core, 'n4', requestVoteResponse({ term: 1, granted: true }))
  t.equal(core.state.role.kind, 'leader')
})

t.test('§5.2 a refusal is no vote', async (t) => {
  const core = startCore()
  becomeCandidate(core)
  persistAll(core)
  receive(core, 'n2', requestVoteResponse({ term: 1, granted: false }))
  receive(core, 'n3', requestVoteResponse({ term: 1, granted: false }))
  t.equal(core.state.role.kind, 'candidate')
})

t.test('§5.2 a candidate without a majority polls again after a timeout (CandidateStartNewElection)', async (t) => {
  const core = startCore()
  becomeCandidate(core)
  persistAll(core)
  t.same(lines(tickAfter(core, 500)), [
    '-> n2 preVote term 2 poll 2 last 0/0',
    '-> n3 preVote term 2 poll 2 last 0/0',
    'polls in term 1',
  ])
})

t.test('§5.2 a candidate follows the leader of its term (CandidateFallback)', async (t) => {
  for (const become of [becomeCandidate, becomePreCandidate]) {
    const core = startCore()
    become(core)
    const { currentTerm } = core.state
    receive(core, 'n2', append({ term: 1 }))
    t.match(core.state, { currentTerm: 1, role: { kind: 'follower', leader: 'n2' } }, `from term ${currentTerm}`)
  }
})

t.test('§5.2 a vote is given once in a term, first come first served, and again to the same (FollowerVote)', async (t) => {
  for (const [votedFor, from, granted] of [
    [undefined, 'n2', true],
    [undefined, 'n3', true],
    ['n2', 'n2', true],
    ['n2', 'n3', false],
    ['n3', 'n2', false],
  ] as const) {
    const core = startCore({ term: 1, ...(votedFor === undefined ? {} : { votedFor }) })
    const answer = sent(receive(core, from, requestVote({ term: 1 })))
    t.match(answer[0], granted ? 'granted' : 'refused', `${votedFor ?? 'none'} before, asked by ${from}`)
  }
})

t.test('§5.2 a vote is on disk before it is sent; so is the term of a refusal', async (t) => {
  const core = startCore({ log: [1], term: 1 })
  t.same(lines(receive(core, 'n2', requestVote({ term: 3, last: [1, 1] }))), [
    'asks for write 1: term 3 vote none',
    'asks for write 2: term 3 vote n2',
    '-> n2 requestVoteResponse term 3 granted (after write 2)',
    'has no leader in term 3',
  ])
  t.same(lines(receive(core, 'n3', requestVote({ term: 4, last: [0, 0] }))), [
    'asks for write 3: term 4 vote none',
    '-> n3 requestVoteResponse term 4 refused (after write 3)',
    'has no leader in term 4',
  ])
})

t.test('§5.2 who grants a vote gives the candidate a whole timeout, who refuses does not', async (t) => {
  const core = startCore({ log: [1], term: 1 })
  core.now = 400
  receive(core, 'n2', requestVote({ term: 2, last: [0, 0] }))
  t.equal(roleOf(core, 'follower').electionDeadline, 500)
  receive(core, 'n3', requestVote({ term: 2, last: [1, 1] }))
  t.equal(roleOf(core, 'follower').electionDeadline, 900)
})

t.test('§5.2 one who polls has not voted yet, and votes', async (t) => {
  const core = startCore({ term: 1 })
  becomePreCandidate(core)
  t.match(sent(receive(core, 'n2', requestVote({ term: 1 })))[0], 'granted')
  t.match(core.state.role, { kind: 'follower', electionDeadline: 1500 }, 'and waits for the candidate')
})

t.test('§5.2 B08 leader and candidate refuse every request of their own term', async (t) => {
  for (const become of [becomeLeader, becomeCandidate]) {
    const core = startCore()
    become(core)
    t.match(sent(receive(core, 'n3', requestVote({ term: 1, last: [9, 1] })))[0], 'requestVoteResponse term 1 refused')
    t.equal(core.state.votedFor, 'n1')
  }
})

t.test('§5.2 who knows the leader of the term votes for nobody else in it', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  t.match(sent(receive(core, 'n3', requestVote({ term: 1, last: [9, 1] })))[0], 'refused')
  give(core, { kind: 'peerGone', peer: n2 })
  t.match(sent(receive(core, 'n3', requestVote({ term: 1, last: [9, 1] })))[0], 'refused', 'not when that is gone either')
})

t.test('§5.4.1 a vote needs a log that is at least as up to date (Voter)', async (t) => {
  for (const [own, last, granted] of [
    [[1], [1, 1], true],
    [[1], [2, 1], true],
    [[1, 1], [1, 1], false],
    [[1], [1, 2], true],
    [[1], [2, 2], true],
    [[1, 1], [1, 2], true],
    [[2], [1, 1], false],
    [[2], [2, 1], false],
    [[1, 2], [1, 1], false],
  ] as const) {
    const core = startCore({ term: 2, log: own })
    t.match(sent(receive(core, 'n2', requestVote({ term: 3, last })))[0], granted ? 'granted' : 'refused', `${own} asked by ${last}`)
  }
})

t.test('§5.4.1 B42 up to date compares term first, then index', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 6 }), fc.nat(8), fc.nat(5), (terms, index, term) => {
      const log = terms.sort((a, b) => a - b)
      const core = startCore({ term: 9, log })
      const answer = sent(receive(core, 'n2', requestVote({ term: 10, last: [index, term] })))[0] ?? ''
      const ours = log.at(-1) ?? 0
      const expected = term > ours || (term === ours && index >= log.length)
      if (answer.includes('granted') !== expected) throw new Error(`${log} asked by ${index}/${term}: ${answer}`)
    }),
  )
  t.pass()
})

t.test('§5.4.1 the request tells the last entry, stored or not (VoteRequest)', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  receive(core, 'n2', append({ term: 1, entries: entriesFrom(1, [1, 1]) }))
  t.same(sent(tickAfter(core, 500))[0], '-> n2 preVote term 2 poll 1 last 2/1')
  // B10: the request of the campaign waits for the vote's write, which comes after that of the entries.
  t.same(lines(receive(core, 'n3', preVoteResponse({ term: 2, poll: 1, granted: true }))).slice(0, 2), [
    'asks for write 3: term 2 vote n1',
    '-> n2 requestVote term 2 last 2/1 (after write 3)',
  ])
})

t.test('thesis §9.6 granting a pre-vote changes nothing: no term, no vote, no timer, no leader (B07, B46)', async (t) => {
  const core = startCore({ term: 1, votedFor: 'n3' })
  core.now = 400
  t.same(sent(receive(core, 'n2', preVote({ term: 2 }))), ['-> n2 preVoteResponse term 2 poll 1 granted'])
  t.match(core.state, { currentTerm: 1, votedFor: 'n3', role: { kind: 'follower', electionDeadline: 500 } })
  receive(core, 'n2', preVote({ term: 1 }))
  t.match(core.state, { currentTerm: 1, votedFor: 'n3' }, 'nor does refusing one')
})

t.test('thesis §9.6 a pre-vote is refused by who hears a leader, has a better log, or knows that term', async (t) => {
  const hears = startCore()
  becomeFollowerOf(hears, 'n2', 1)
  t.match(sent(receive(hears, 'n3', preVote({ term: 2 })))[0], 'refused')
  hears.now += 500
  t.match(sent(receive(hears, 'n3', preVote({ term: 2 })))[0], 'granted', 'a leader silent for the shortest timeout is not heard')

  const better = startCore({ term: 1, log: [1] })
  t.match(sent(receive(better, 'n3', preVote({ term: 2 })))[0], 'refused')

  const knows = startCore({ term: 2 })
  t.same(sent(receive(knows, 'n3', preVote({ term: 2 }))), ['-> n3 preVoteResponse term 2 poll 1 refused'])
  t.same(sent(receive(knows, 'n3', preVote({ term: 1 }))), ['-> n3 preVoteResponse term 2 poll 1 refused'], 'B43 it is told the term')

  const leads = startCore()
  becomeLeader(leads)
  t.match(sent(receive(leads, 'n3', preVote({ term: 2, last: [9, 9] })))[0], 'refused', 'a leader hears itself')
})

t.test('thesis §9.6 B45 only answers to the newest poll count', async (t) => {
  const core = startCore({ members: 5 })
  becomePreCandidate(core)
  receive(core, 'n2', preVoteResponse({ term: 1, poll: 1, granted: true }))
  tickAfter(core, 500)
  receive(core, 'n3', preVoteResponse({ term: 1, poll: 1, granted: true }))
  receive(core, 'n4', preVoteResponse({ term: 1, poll: 1, granted: true }))
  t.equal(core.state.role.kind, 'preCandidate', 'votes of the first poll are forgotten')
  receive(core, 'n3', preVoteResponse({ term: 1, poll: 2, granted: true }))
  receive(core, 'n4', preVoteResponse({ term: 1, poll: 2, granted: true }))
  t.equal(core.state.role.kind, 'candidate')
  receive(core, 'n2', preVoteResponse({ term: 1, poll: 2, granted: true }))
  t.equal(core.state.role.kind, 'candidate', 'what comes after the poll was won changes nothing')
})

t.test('thesis §9.6 B45 a grant for another term than the next does not count', async (t) => {
  const core = startCore({ term: 4 })
  becomePreCandidate(core)
  receive(core, 'n2', preVoteResponse({ term: 9, poll: 1, granted: true }))
  t.match(core.state, { currentTerm: 4, role: { kind: 'preCandidate' } })
})

t.test('thesis §9.6 B47 a refused pre-vote teaches the later term of who refuses', async (t) => {
  const core = startCore({ term: 1 })
  becomePreCandidate(core)
  t.same(lines(receive(core, 'n2', preVoteResponse({ term: 5, poll: 1, granted: false }))), [
    'asks for write 1: term 5 vote none',
    'has no leader in term 5',
  ])
  t.same(sent(tickAfter(core, 500))[0], '-> n2 preVote term 6 poll 2 last 0/0 (after write 1)', 'its own timer goes on')
})

t.test('thesis §4.2.3 who hears a leader does not even answer a request of a later term (DisruptiveFollower)', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  t.same(receive(core, 'n3', requestVote({ term: 7, last: [9, 9] })), [])
  t.equal(core.state.currentTerm, 1)
  t.match(sent(receive(core, 'n3', requestVote({ term: 7, last: [9, 9], transfer: true })))[0], 'granted', 'a transfer overrides it')
  t.equal(core.state.currentTerm, 7)

  const leads = startCore()
  becomeLeader(leads)
  t.same(receive(leads, 'n3', requestVote({ term: 7, last: [9, 9] })), [])
  t.equal(leads.state.role.kind, 'leader')
})

t.test('thesis §6.2 a leader without a majority of answers for a timeout steps down (LeaderStepdownWhenQuorumLost)', async (t) => {
  const core = startCore({ members: 5 })
  becomeLeader(core)
  const { currentTerm } = core.state
  receive(core, 'n2', accepted({ term: 1, match: 1 }))
  receive(core, 'n3', accepted({ term: 1, match: 1 }))
  tickAfter(core, 500)
  receive(core, 'n2', accepted({ term: 1, match: 1, round: 2 }))
  tickAfter(core, 500)
  t.equal(core.state.role.kind, 'leader', 'for a whole timeout two of five may stay silent')
  t.same(lines(tickAfter(core, 1)), ['has no leader in term 1'])
  t.equal(core.state.votedFor, 'n1', 'B06 the vote of the term stays')
  t.equal(core.state.currentTerm, currentTerm)
})

t.test('thesis §6.2 a leader that a majority answers stays (LeaderStepdownWhenQuorumActive)', async (t) => {
  const core = startCore()
  becomeLeader(core)
  for (let round = 1; round <= 60; round++) {
    receive(core, 'n3', accepted({ term: 1, match: 1, round }))
    tickAfter(core, 75)
  }
  t.equal(core.state.role.kind, 'leader')
})

t.test('thesis §6.2 an answer counts for the beginning of its round, however late it comes', async (t) => {
  const core = startCore()
  becomeLeader(core)
  for (let round = 2; round <= 13; round++) tickAfter(core, 75)
  receive(core, 'n2', accepted({ term: 1, match: 1, round: 2 }))
  t.equal(core.state.role.kind, 'leader', 'round 2 began 75 ms after the term')
  core.now = 1000 + 75 + 1000 + 1
  t.same(lines(give(core, { kind: 'tick' })), ['has no leader in term 1'])
})

t.test('thesis §6.2 B54 answers that come again, or to rounds never begun, prove nothing', async (t) => {
  const core = startCore()
  becomeLeader(core)
  for (let time = 0; time <= 1000; time += 50) {
    receive(core, 'n2', accepted({ term: 1, match: 1, round: 1 }))
    receive(core, 'n3', accepted({ term: 1, match: 1, round: 999 }))
    tickAfter(core, 50)
  }
  t.match(core.state.role, { kind: 'follower', leader: null })
})

t.test('DESIGN 3 a node whose write has been under way for a second does not campaign', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  receive(core, 'n2', append({ term: 1, round: 2, entries: entriesFrom(1, [1]) }))
  const begun = core.now
  tickAfter(core, 1000)
  t.equal(core.state.role.kind, 'follower')
  persistAll(core)
  tickAfter(core, 500)
  t.equal(core.state.role.kind, 'preCandidate', `written ${core.now - begun} ms later, it may`)
})

t.test('DESIGN 3 H33 the leader is gone: a poll after 10-50 ms, again every 50-100 ms up to the normal timeout', async (t) => {
  const core = startCore({ random: () => 0.5 })
  becomeFollowerOf(core, 'n2', 1)
  t.same(give(core, { kind: 'peerGone', peer: asNodeId('n3') }), [], 'another member is not the leader')
  t.same(lines(give(core, { kind: 'peerGone', peer: n2 })), ['has no leader in term 1'])
  t.same(tickAfter(core, 29), [])
  t.match(sent(tickAfter(core, 1))[0], 'poll 1')
  const polls = []
  for (let ms = 30; ms < 750; ms++) if (tickAfter(core, 1).length > 0) polls.push(ms + 1)
  t.same(polls, [105, 180, 255, 330, 405, 480, 555, 630, 705], 'every 75 ms by this draw')
  for (let ms = 750; ms < 1400; ms++) if (tickAfter(core, 1).length > 0) polls.push(ms + 1)
  t.same(polls.slice(9), [780], 'then at the pace of the normal timeout')
})

t.test('DESIGN 3 who knows that the leader is gone is not sticky', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  give(core, { kind: 'peerGone', peer: n2 })
  t.match(sent(receive(core, 'n3', preVote({ term: 2 })))[0], 'granted')
  t.match(sent(receive(core, 'n3', requestVote({ term: 2 })))[0], 'granted')
})

t.test('DESIGN 3 a new heartbeat of the term brings the leader back, an old one does not', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  give(core, { kind: 'peerGone', peer: n2 })
  t.same(receive(core, 'n2', append({ term: 1, round: 1 })), [])
  t.match(core.state.role, { leader: null })
  receive(core, 'n2', append({ term: 1, round: 2 }))
  t.match(core.state.role, { leader: 'n2' })
})

t.test('DESIGN 3 in a hurry, too, a campaign waits a whole timeout for answers, from when its requests leave', async (t) => {
  for (const ownDiskMs of [0, 600]) {
    const core = startCore({ members: 5 })
    becomeFollowerOf(core, 'n2', 1)
    give(core, { kind: 'peerGone', peer: n2 })
    tickAfter(core, 10)
    for (const peer of ['n3', 'n4']) receive(core, peer, preVoteResponse({ term: 2, poll: 1, granted: true }))
    t.equal(core.state.role.kind, 'candidate')
    for (let ms = 0; ms < ownDiskMs; ms += 50) t.same(tickAfter(core, 50), [], 'its disk is slow')
    persistAll(core)
    for (let ms = 0; ms < 499; ms += 1) if (tickAfter(core, 1).length > 0) t.fail(`it gave up after ${ms} ms`)
    t.match(sent(tickAfter(core, 1))[0], 'poll 2', 'their disks are too slow')
  }
})

t.test('DESIGN 3 a campaign that is refused in a hurry polls again after 50-100 ms, otherwise after its timeout', async (t) => {
  for (const [isGone, pauseMs] of [
    [true, 50],
    [false, 500],
  ] as const) {
    const core = startCore({ members: 5 })
    becomeFollowerOf(core, 'n2', 1)
    if (isGone) give(core, { kind: 'peerGone', peer: n2 })
    tickAfter(core, isGone ? 10 : 500)
    for (const peer of ['n3', 'n4']) receive(core, peer, preVoteResponse({ term: 2, poll: 1, granted: true }))
    persistAll(core)
    receive(core, 'n3', requestVoteResponse({ term: 2, granted: false }))
    t.same(tickAfter(core, pauseMs - 1), [])
    t.match(sent(tickAfter(core, 1))[0], 'poll 2')
  }
})
