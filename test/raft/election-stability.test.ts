// What keeps a leader in place while a majority hears it, and replaces it when none does: pre-vote, stickiness and
// check-quorum (thesis §9.6, §4.2.3, §6.2), slow disks, and leaders that are known to be gone (DESIGN 3).
import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
import {
  accepted,
  append,
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
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'

const n2 = asNodeId('n2')

t.test(
  'thesis §9.6 granting a pre-vote changes nothing: no term, no vote, no timer, no leader (B07, B46)',
  async (t) => {
    const core = startCore({ term: 1, votedFor: 'n3' })
    core.now = 400
    t.same(sent(receive(core, 'n2', preVote({ term: 2 }))), ['-> n2 preVoteResponse term 2 poll 1 granted'])
    t.match(core.state, { currentTerm: 1, votedFor: 'n3', role: { kind: 'follower', electionDeadline: 500 } })
    receive(core, 'n2', preVote({ term: 1 }))
    t.match(core.state, { currentTerm: 1, votedFor: 'n3' }, 'nor does refusing one')
  },
)

t.test('thesis §9.6 a pre-vote is refused by who hears a leader, has a better log, or knows that term', async (t) => {
  const hears = startCore()
  becomeFollowerOf(hears, 'n2', 1)
  t.match(sent(receive(hears, 'n3', preVote({ term: 2 })))[0], 'refused')
  hears.now += 500
  t.match(
    sent(receive(hears, 'n3', preVote({ term: 2 })))[0],
    'granted',
    'a leader silent for the shortest timeout is not heard',
  )

  const better = startCore({ term: 1, log: [1] })
  t.match(sent(receive(better, 'n3', preVote({ term: 2 })))[0], 'refused')

  const knows = startCore({ term: 2 })
  t.same(sent(receive(knows, 'n3', preVote({ term: 2 }))), ['-> n3 preVoteResponse term 2 poll 1 refused'])
  t.same(
    sent(receive(knows, 'n3', preVote({ term: 1 }))),
    ['-> n3 preVoteResponse term 2 poll 1 refused'],
    'B43 it is told the term',
  )

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

t.test(
  'thesis §4.2.3 who hears a leader does not even answer a request of a later term (DisruptiveFollower)',
  async (t) => {
    const core = startCore()
    becomeFollowerOf(core, 'n2', 1)
    t.same(receive(core, 'n3', requestVote({ term: 7, last: [9, 9] })), [])
    t.equal(core.state.currentTerm, 1)
    t.match(
      sent(receive(core, 'n3', requestVote({ term: 7, last: [9, 9], transfer: true })))[0],
      'granted',
      'a transfer overrides it',
    )
    t.equal(core.state.currentTerm, 7)

    const leads = startCore()
    becomeLeader(leads)
    t.same(receive(leads, 'n3', requestVote({ term: 7, last: [9, 9] })), [])
    t.equal(leads.state.role.kind, 'leader')
  },
)

t.test(
  'thesis §6.2 a leader without a majority of answers for a timeout steps down (LeaderStepdownWhenQuorumLost)',
  async (t) => {
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
  },
)

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

t.test(
  'DESIGN 3 H33 the leader is gone: a poll after 10-50 ms, again every 50-100 ms up to the normal timeout',
  async (t) => {
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
  },
)

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

t.test(
  'DESIGN 3 in a hurry, too, a campaign waits a whole timeout for answers, from when its requests leave',
  async (t) => {
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
  },
)

t.test(
  'DESIGN 3 a campaign that is refused in a hurry polls again after 50-100 ms, otherwise after its timeout',
  async (t) => {
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
  },
)

t.test('§5.1 B06 who steps down within a term has voted in it: the vote stays, and nobody else gets one', async (t) => {
  const core = startCore()
  becomeLeader(core)
  const stepsDown = lines(tickAfter(core, 1001))
  t.same(stepsDown, ['has no leader in term 1'], 'nothing is written: term and vote are what they were')
  t.equal(core.state.votedFor, 'n1')
  t.match(sent(receive(core, 'n2', requestVote({ term: 1, last: [9, 1] }))), [
    '-> n2 requestVoteResponse term 1 refused',
  ])
})
