// Polls, campaigns and votes, from both sides (§5.2, §5.4.1). Names with a B are bugs that others shipped (the
// catalogue), names in brackets are tests of etcd's raft that told the same.
import fc from 'fast-check'
import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
import {
  append,
  becomeCandidate,
  becomeFollowerOf,
  becomeLeader,
  becomePreCandidate,
  entriesFrom,
  give,
  lines,
  persistAll,
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

t.test(
  '§5.2 a member starts as follower without a leader, with the term and vote of its disk (StartAsFollower)',
  async (t) => {
    const { state } = startCore({ term: 4, votedFor: 'n3' })
    t.match(state, { currentTerm: 4, votedFor: 'n3', role: { kind: 'follower', leader: null } })
  },
)

t.test(
  '§5.2 a follower that hears nothing for its election timeout asks for pre-votes (FollowerStartElection)',
  async (t) => {
    const core = startCore({ term: 2, log: [1, 2] })
    t.same(tickAfter(core, 499), [], 'not before')
    t.same(lines(tickAfter(core, 1)), [
      '-> n2 preVote term 3 poll 1 last 2/2',
      '-> n3 preVote term 3 poll 1 last 2/2',
      'polls in term 2',
    ])
    t.equal(core.state.currentTerm, 2, 'a poll changes no term')
  },
)

t.test(
  '§5.2 the timeout is drawn anew each time, between its limits (FollowerElectionTimeoutRandomized)',
  async (t) => {
    const draws = [0.25, 0.75, 0]
    const core = startCore({ random: () => draws.shift() ?? 0.5 })
    t.equal(roleOf(core, 'follower').electionDeadline, 625)
    tickAfter(core, 625)
    t.equal(roleOf(core, 'preCandidate').electionDeadline, 625 + 875, 'a poll without answer is repeated after another')
    tickAfter(core, 875)
    t.equal(roleOf(core, 'preCandidate').electionDeadline, 1500 + 500)
    t.equal(core.state.poll, 2)
  },
)

t.test(
  '§5.2 drawn timeouts seldom come together, so elections seldom split (FollowersElectionTimeoutNonconflict)',
  async (t) => {
    let seed = 1
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
    let conflicts = 0
    for (let trial = 0; trial < 1000; trial++) {
      const deadlines = [1, 2, 3, 4, 5]
        .map(() => roleOf(startCore({ random }), 'follower').electionDeadline)
        .sort((a, b) => a - b)
      // Who comes first needs a few milliseconds to be heard of.
      if ((deadlines[1] ?? 0) - (deadlines[0] ?? 0) < 10) conflicts++
    }
    t.ok(conflicts < 150, `${conflicts} of 1000 elections began with two polls within 10 ms`)
  },
)

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
  t.match(
    loser.state.role,
    { kind: 'follower', leader: 'n3' },
    'a vote stored after the election was lost counts nothing',
  )
})

t.test('§5.2 one who is alone is its own majority, as soon as its disk has the vote', async (t) => {
  const core = startCore({ members: 1 })
  t.same(lines(tickAfter(core, 500)), ['asks for write 1: term 1 vote n1', 'campaigns in term 1'])
  t.same(lines(persistAll(core)), ['asks for write 2: entries 1/1', 'leads term 1'])
  t.same(lines(persistAll(core)), ['applies 1/1'])
})

t.test(
  '§5.2 B18 an election is won by a majority of all members, no sooner (LeaderElectionInOneRoundRPC)',
  async (t) => {
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
  },
)

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

t.test(
  '§5.2 a vote is given once in a term, first come first served, and again to the same (FollowerVote)',
  async (t) => {
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
  },
)

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
  t.match(
    sent(receive(core, 'n3', requestVote({ term: 1, last: [9, 1] })))[0],
    'refused',
    'not when that is gone either',
  )
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
    t.match(
      sent(receive(core, 'n2', requestVote({ term: 3, last })))[0],
      granted ? 'granted' : 'refused',
      `${own.join()} asked by ${last.join('/')}`,
    )
  }
})

t.test('§5.4.1 B42 up to date compares term first, then index', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 6 }),
      fc.nat(8),
      fc.nat(5),
      (terms, index, term) => {
        const log = terms.sort((a, b) => a - b)
        const core = startCore({ term: 9, log })
        const answer = sent(receive(core, 'n2', requestVote({ term: 10, last: [index, term] })))[0] ?? ''
        const ours = log.at(-1) ?? 0
        const expected = term > ours || (term === ours && index >= log.length)
        if (answer.includes('granted') !== expected)
          throw new Error(`${log.join()} asked by ${index}/${term}: ${answer}`)
      },
    ),
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
