// The door of the core: terms before everything else (§5.1), messages that make no sense, and contradictions that must
// stop the process rather than be lived with.
import fc from 'fast-check'
import t from 'tap'
import { AssertionFailure } from '../../src/assert.ts'
import { asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import type { Message } from '../../src/raft/message.ts'
import { step, wakeAt } from '../../src/raft/step.ts'
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
  rejected,
  requestVote,
  requestVoteResponse,
  roleOf,
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'

const n2 = asNodeId('n2')
const roles = {
  follower: () => undefined,
  preCandidate: becomePreCandidate,
  candidate: becomeCandidate,
  leader: becomeLeader,
}

for (const [role, become] of Object.entries(roles)) {
  t.test(
    `§5.1 a later term makes a ${role} a follower of it (FollowerUpdateTermFromMessage and its like)`,
    async (t) => {
      const messages: Message[] = [
        append({ term: 8 }),
        accepted({ term: 8, match: 0 }),
        rejected({ term: 8, at: 0, hint: [0, 0] }),
        requestVote({ term: 8, transfer: true }),
        requestVoteResponse({ term: 8, granted: false }),
        preVoteResponse({ term: 8, poll: 1, granted: false }),
        { kind: 'timeoutNow', term: asTerm(8), lastLogIndex: asIndex(0) },
        { kind: 'readIndex', term: asTerm(8), id: 1 },
        { kind: 'readIndexResponse', term: asTerm(8), id: 1, index: null },
      ]
      for (const message of messages) {
        const core = startCore({ term: 3, log: [3] })
        become(core)
        const effects = lines(receive(core, 'n2', message))
        t.match(core.state, { currentTerm: 8, role: { kind: 'follower' } }, message.kind)
        t.match(effects.find((line) => line.startsWith('asks for write'))?.endsWith('term 8 vote none'), true)
        if (message.kind !== 'requestVote') t.equal(core.state.votedFor, null, 'B09 a vote is not part of an answer')
      }
    },
  )

  t.test(
    `§5.1 requests of an earlier term are answered by a ${role} with the term, nothing else happens (RejectStaleTermMessage)`,
    async (t) => {
      const core = startCore({ term: 5, log: [5] })
      become(core)
      persistAll(core)
      const before = structuredClone({ ...core.state, random: null })
      const term = core.state.currentTerm
      const answers = [
        append({ term: 4, round: 99, entries: entriesFrom(1, [4, 4]) }),
        requestVote({ term: 4, last: [9, 4], transfer: true }),
        preVote({ term: 4, last: [9, 4] }),
        { kind: 'readIndex', term: asTerm(4), id: 7 } as const,
      ].map((message) => sent(receive(core, 'n2', message))[0])
      t.same(answers, [
        `-> n2 appendRejected term ${term} at 0 hint 0/0 round 99`,
        `-> n2 requestVoteResponse term ${term} refused`,
        `-> n2 preVoteResponse term ${term} poll 1 refused`,
        `-> n2 readIndexResponse term ${term} read 7 refused`,
      ])
      for (const message of [
        accepted({ term: 4, match: 9 }),
        rejected({ term: 4, at: 0, hint: [0, 0] }),
        requestVoteResponse({ term: 4, granted: true }),
        preVoteResponse({ term: 4, poll: 1, granted: true }),
        { kind: 'timeoutNow', term: asTerm(4), lastLogIndex: asIndex(0) } as const,
        { kind: 'readIndexResponse', term: asTerm(4), id: 1, index: asIndex(9) } as const,
      ]) {
        t.same(receive(core, 'n2', message), [], `${message.kind} of an earlier term is void`)
      }
      t.same(structuredClone({ ...core.state, random: null }), before)
    },
  )
}

t.test('§5.1 asking for a pre-vote, or granting one, takes nobody into a later term', async (t) => {
  const core = startCore({ term: 3 })
  receive(core, 'n2', preVote({ term: 8 }))
  t.equal(core.state.currentTerm, 3)
  receive(core, 'n2', preVoteResponse({ term: 8, poll: 0, granted: true }))
  t.equal(core.state.currentTerm, 3)
})

t.test(
  '§5.1 to learn of a term is no reason to wait longer; a leader that learns of one waits a timeout',
  async (t) => {
    const core = startCore()
    core.now = 300
    receive(core, 'n2', requestVoteResponse({ term: 2, granted: false }))
    t.equal(roleOf(core, 'follower').electionDeadline, 500)
    const leader = startCore()
    becomeLeader(leader)
    receive(leader, 'n2', accepted({ term: 2, match: 0 }))
    t.equal(roleOf(leader, 'follower').electionDeadline, leader.now + 500)
  },
)

t.test('messages of strangers and of oneself are dropped', async (t) => {
  const core = startCore()
  t.same(receive(core, 'n9', append({ term: 5 })), [])
  t.same(receive(core, 'n1', append({ term: 5 })), [])
  t.equal(core.state.currentTerm, 0)
})

t.test(
  'B35 entries with a hole, of falling terms or times, or of a later term than their leader are dropped',
  async (t) => {
    const [first, second] = [entriesFrom(1, [1])[0], entriesFrom(2, [1])[0]]
    if (first === undefined || second === undefined) throw new Error('there are two entries')
    for (const entries of [
      [second],
      [first, { ...second, index: asIndex(3) }],
      [first, { ...second, index: asIndex(1) }],
      [{ ...first, term: asTerm(2) }, second],
      [
        { ...first, time: 2 as typeof first.time },
        { ...second, time: 1 as typeof first.time },
      ],
      [first, { ...second, term: asTerm(6) }],
    ]) {
      const core = startCore({ term: 5 })
      t.same(receive(core, 'n2', append({ term: 5, entries })), [])
      t.equal(core.state.log.lastIndex, 0)
    }
  },
)

t.test('B41 two leaders of a term stop the process, whether or not the first is still followed', async (t) => {
  const follows = startCore()
  becomeFollowerOf(follows, 'n2', 1)
  t.throws(
    () => receive(follows, 'n3', append({ term: 1, round: 2 })),
    new AssertionFailure('two leaders in term 1: n3 and n2'),
  )

  const leads = startCore()
  becomeLeader(leads)
  t.throws(() => receive(leads, 'n3', append({ term: 1 })), /two leaders in term 1/)

  const deserted = startCore()
  becomeFollowerOf(deserted, 'n2', 1)
  give(deserted, { kind: 'peerGone', peer: n2 })
  t.throws(() => receive(deserted, 'n3', append({ term: 1, round: 2 })), /two leaders in term 1/, 'the leader is gone')

  const polls = startCore()
  becomeFollowerOf(polls, 'n2', 1)
  tickAfter(polls, 1000)
  t.equal(polls.state.role.kind, 'preCandidate')
  t.throws(() => receive(polls, 'n3', append({ term: 1, round: 2 })), /two leaders in term 1/, 'the leader is silent')

  const deposed = startCore()
  becomeLeader(deposed)
  tickAfter(deposed, 1001)
  t.equal(deposed.state.role.kind, 'follower')
  t.throws(() => receive(deposed, 'n3', append({ term: 1 })), /two leaders in term 1/, 'we led it ourselves')
})

t.test('§5.4.3 a leader that lacks or contradicts what is committed here stops the process', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  receive(core, 'n2', append({ term: 1, round: 2, entries: entriesFrom(1, [1, 1, 1]), commit: 2 }))
  t.equal(core.state.commitIndex, 2)
  t.throws(() => receive(core, 'n3', append({ term: 3, after: [2, 2] })), /committed entry 2 differs/)

  const other = startCore()
  becomeFollowerOf(other, 'n2', 1)
  receive(other, 'n2', append({ term: 1, round: 2, entries: entriesFrom(1, [1, 1, 1]), commit: 2 }))
  const entries = entriesFrom(1, [1, 2, 3])
  t.throws(
    () => receive(other, 'n3', append({ term: 3, entries })),
    /committed entry 2 differs/,
    'also in the entries themselves',
  )
})

t.test('time never runs backwards in the core, whatever the clock says', async (t) => {
  const core = startCore()
  tickAfter(core, 400)
  tickAfter(core, -300)
  t.equal(core.state.now, 400)
})

t.test('wakeAt is when something is due: a timeout, a heartbeat, the end of a transfer', async (t) => {
  const core = startCore()
  t.equal(wakeAt(core.state), 500)
  becomeLeader(core)
  t.equal(wakeAt(core.state), core.now + 75)
  give(core, { kind: 'transferLeadership', to: n2 })
  const transferEnds = core.now + 1000
  for (let round = 2; core.now + 75 < transferEnds; round++) {
    receive(core, 'n3', accepted({ term: 1, match: 0, round: round - 1 }))
    tickAfter(core, wakeAt(core.state) - core.now)
  }
  t.equal(wakeAt(core.state), transferEnds)
})

t.test('step answers every input in every role without throwing (total)', async (t) => {
  const index = fc.nat(6).map(asIndex)
  const term = fc.nat(3).map(asTerm)
  const message: fc.Arbitrary<Message> = fc.oneof(
    fc.record({ kind: fc.constant('preVote' as const), term, poll: fc.nat(3), lastLogIndex: index, lastLogTerm: term }),
    fc.record({ kind: fc.constant('preVoteResponse' as const), term, poll: fc.nat(3), granted: fc.boolean() }),
    fc.record({
      kind: fc.constant('requestVote' as const),
      term,
      lastLogIndex: index,
      lastLogTerm: term,
      transfer: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('requestVoteResponse' as const), term, granted: fc.boolean() }),
    fc.record({ kind: fc.constant('appendAccepted' as const), term, round: fc.nat(5), matchIndex: index }),
    fc.record({
      kind: fc.constant('appendRejected' as const),
      term,
      round: fc.nat(5),
      rejectedIndex: index,
      hintIndex: index,
      hintTerm: term,
    }),
    fc.record({ kind: fc.constant('timeoutNow' as const), term, lastLogIndex: index }),
    fc.record({ kind: fc.constant('readIndex' as const), term, id: fc.nat(3) }),
    fc.record({ kind: fc.constant('readIndexResponse' as const), term, id: fc.nat(3), index: fc.option(index) }),
  )
  const given = fc.array(fc.tuple(fc.constantFrom('n2', 'n3'), message, fc.nat(120)), { maxLength: 60 })
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(roles)), given, (become, messages) => {
      const core = startCore({ term: 1, log: [1, 1] })
      become(core)
      for (const [from, each, ms] of messages) {
        receive(core, from, each)
        persistAll(core)
        tickAfter(core, ms)
      }
    }),
  )
  t.pass()
})

t.test('step is deterministic: the same inputs give the same effects', async (t) => {
  const live = () => {
    let seed = 7
    const core = startCore({ random: () => (seed = (seed * 48271) % 2147483647) / 2147483647 })
    becomeLeader(core)
    const effects = [...receive(core, 'n2', accepted({ term: 1, match: 1 })), ...tickAfter(core, 80)]
    return JSON.stringify([effects, ...step(core.state, { kind: 'tick', now: 5000 })])
  }
  t.equal(live(), live())
})
