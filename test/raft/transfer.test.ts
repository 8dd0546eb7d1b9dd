// Handing leadership over (thesis §3.10), on request and because of a slow disk (DESIGN 3).
import t from 'tap'
import { asIndex, asIo, asNodeId, asTerm } from '../../src/ids.ts'
import {
  accepted,
  append,
  becomeCandidate,
  becomeFollowerOf,
  becomeLeader,
  entriesFrom,
  give,
  lines,
  persistAll,
  propose,
  receive,
  rejected,
  requestVote,
  roleOf,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'
import type { Core } from '../support/raft-core.ts'

const transferTo = (to: string | null) =>
  ({ kind: 'transferLeadership', to: to === null ? null : asNodeId(to) }) as const
const timeoutNow = (term: number, last: number) =>
  ({ kind: 'timeoutNow', term: asTerm(term), lastLogIndex: asIndex(last) }) as const

/** A leader of term 1 whose no-op everybody has. */
function settledLeader(): Core {
  const core = startCore()
  becomeLeader(core)
  for (const peer of ['n2', 'n3']) receive(core, peer, accepted({ term: 1, match: 1 }))
  tickAfter(core, 0)
  return core
}

/** Time passes in rounds that everybody answers at once with what it has. */
function pass(core: Core, ms: number, match: { n2: number; n3: number }): string[] {
  const shown: string[] = []
  for (let passed = 0; passed < ms; passed += 25) {
    shown.push(...lines(tickAfter(core, 25)))
    if (core.state.role.kind !== 'leader') return shown
    const round = core.state.role.rounds.current
    shown.push(...lines(receive(core, 'n2', accepted({ term: 1, match: match.n2, round }))))
    shown.push(...lines(receive(core, 'n3', accepted({ term: 1, match: match.n3, round }))))
  }
  return shown
}

t.test('thesis §3.10 one that has everything is told at once (LeaderTransferToUpToDateNode)', async (t) => {
  const core = settledLeader()
  t.same(lines(give(core, transferTo('n3'))), ['-> n3 timeoutNow term 1 last 1'])
  t.same(lines(receive(core, 'n3', requestVote({ term: 2, last: [1, 1], transfer: true }))), [
    'asks for write 3: term 2 vote none',
    'asks for write 4: term 2 vote n3',
    '-> n3 requestVoteResponse term 2 granted (after write 4)',
    'has no leader in term 2',
  ])
})

t.test(
  'thesis §3.10 one that lags is told when it has acknowledged the last entry (LeaderTransferToSlowFollower)',
  async (t) => {
    const core = settledLeader()
    propose(core, 'x')
    propose(core, 'y')
    t.same(lines(give(core, transferTo('n2'))), [])
    receive(core, 'n2', accepted({ term: 1, match: 2 }))
    t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 3 }))), ['-> n2 timeoutNow term 1 last 3'])
    t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 3 }))), [], 'once')
  },
)

t.test('thesis §3.10 to nobody in particular: to the longest durable log among those heard lately', async (t) => {
  const core = settledLeader()
  propose(core, 'x')
  receive(core, 'n3', accepted({ term: 1, match: 2 }))
  t.same(lines(give(core, transferTo(null))), ['-> n3 timeoutNow term 1 last 2'])

  const silent = startCore({ members: 5 })
  becomeLeader(silent)
  propose(silent, 'x')
  tickAfter(silent, 0)
  receive(silent, 'n5', accepted({ term: 1, match: 2 }))
  for (let round = 2; round < 20; round++) {
    tickAfter(silent, 75)
    for (const peer of ['n2', 'n3']) receive(silent, peer, accepted({ term: 1, match: 1, round }))
  }
  give(silent, transferTo(null))
  t.equal(roleOf(silent, 'leader').transfer?.to, 'n2', 'n5 has more but has been silent')

  const alone = startCore({ members: 1 })
  tickAfter(alone, 500)
  persistAll(alone)
  t.same(lines(give(alone, transferTo(null))), ['gives no leadership away: unknownMember'])
})

t.test('thesis §3.10 who cannot be a target is refused (LeaderTransferToSelf, ToNonExistingNode, B59)', async (t) => {
  const core = settledLeader()
  t.same(lines(give(core, transferTo('n1'))), ['leads term 1'], 'it is where it should be')
  t.same(lines(give(core, transferTo('n9'))), ['gives no leadership away: unknownMember'])
  for (const become of [() => undefined, becomeCandidate]) {
    const other = startCore()
    become(other)
    t.same(lines(give(other, transferTo('n2'))), ['gives no leadership away: notLeader'])
  }
})

t.test(
  'thesis §3.10 one transfer at a time; asking for the same again changes nothing (LeaderTransferSecondTransfer*)',
  async (t) => {
    const core = settledLeader()
    propose(core, 'x')
    give(core, transferTo('n2'))
    const { deadline } = roleOf(core, 'leader').transfer ?? {}
    core.now += 10
    t.same(lines(give(core, transferTo('n3'))), ['gives no leadership away: alreadyTransferring'])
    t.same(lines(give(core, transferTo('n1'))), ['gives no leadership away: alreadyTransferring'])
    t.same(lines(give(core, transferTo('n2'))), [])
    t.equal(roleOf(core, 'leader').transfer?.deadline, deadline)
  },
)

t.test(
  'thesis §3.10 B55 proposals are refused meanwhile, and taken again after an election timeout (LeaderTransferTimeout)',
  async (t) => {
    const core = settledLeader()
    propose(core, 'x')
    give(core, transferTo('n2'))
    t.same(lines(propose(core, 'y')), ['refuses a proposal: transferring'])
    t.same(lines(propose(core, 'y', true)), ['refuses a proposal: transferring'], 'exempt or not')
    const shown = pass(core, 1000, { n2: 1, n3: 2 })
    t.equal(shown.filter((line) => line === 'gives no leadership away: timedOut').length, 1)
    t.same(lines(propose(core, 'y')), ['asks for write 4: entries 3/1:y'])
  },
)

t.test(
  'thesis §3.10 a later term, or the loss of the majority, ends a transfer (LeaderTransferReceiveHigherTermVote)',
  async (t) => {
    const core = settledLeader()
    give(core, transferTo('n3'))
    t.same(lines(receive(core, 'n2', append({ term: 2 }))).at(-1), 'follows n2 in term 2')
    const alone = settledLeader()
    give(alone, transferTo('n3'))
    t.same(lines(tickAfter(alone, 1001)), ['has no leader in term 1'])
  },
)

t.test(
  'thesis §3.10 B58 who is told campaigns at once, without a poll, and says that the leader asked for it',
  async (t) => {
    const core = startCore()
    becomeFollowerOf(core, 'n2', 1)
    t.same(lines(receive(core, 'n2', timeoutNow(1, 0))), [
      'asks for write 2: term 2 vote n1',
      '-> n2 requestVote term 2 last 0/0 transfer (after write 2)',
      '-> n3 requestVote term 2 last 0/0 transfer (after write 2)',
      'campaigns in term 2',
    ])
  },
)

t.test(
  'thesis §3.10 B56 it is ignored by who lacks entries, has a slow disk, or is told by another than its leader',
  async (t) => {
    const core = startCore()
    becomeFollowerOf(core, 'n2', 1)
    t.same(receive(core, 'n2', timeoutNow(1, 1)), [], 'entry 1 is not here')
    t.same(receive(core, 'n3', timeoutNow(1, 0)), [], 'n3 does not lead')
    t.same(receive(core, 'n2', timeoutNow(0, 0)), [], 'an earlier term')
    receive(core, 'n2', append({ term: 1, round: 2, entries: entriesFrom(1, [1]) }))
    core.now += 1000
    t.same(receive(core, 'n2', timeoutNow(1, 1)), [], 'its write has been under way for a second')
    persistAll(core)
    t.equal(lines(receive(core, 'n2', timeoutNow(1, 1))).at(-1), 'campaigns in term 2')
    t.same(receive(core, 'n2', timeoutNow(1, 1)), [], 'told twice, it campaigns once')
    const stranger = startCore({ term: 1 })
    t.same(lines(receive(stranger, 'n2', timeoutNow(2, 0))), [
      'asks for write 1: term 2 vote none',
      'has no leader in term 2',
    ])
  },
)

t.test(
  'DESIGN 3 B62 a leader whose write hangs for 3 s offers leadership, if entries are committed without its disk',
  async (t) => {
    const core = settledLeader()
    propose(core, 'x')
    t.notMatch(pass(core, 2975, { n2: 2, n3: 2 }).join(), 'timeoutNow')
    t.equal(core.state.commitIndex, 2)
    t.match(pass(core, 25, { n2: 2, n3: 2 }).join(), '-> n2 timeoutNow term 1 last 2')
    t.same(lines(propose(core, 'y')), ['refuses a proposal: transferring'])
    t.same(
      pass(core, 1000, { n2: 2, n3: 2 }).filter((line) => line.includes('timeoutNow') || line.includes('gives')),
      [],
    )
    t.match(lines(propose(core, 'y')), ['asks for write'], 'not taken within an election timeout, it leads on')
    t.notMatch(pass(core, 1975, { n2: 3, n3: 3 }).join(), 'timeoutNow')
    t.match(pass(core, 25, { n2: 3, n3: 3 }).join(), '-> n2 timeoutNow term 1 last 3', 'the next offer comes after 3 s')
  },
)

t.test('DESIGN 3 B62 an offer waits for the target to have everything, but not for long', async (t) => {
  const core = settledLeader()
  propose(core, 'x')
  pass(core, 2900, { n2: 2, n3: 2 })
  propose(core, 'y')
  t.notMatch(pass(core, 100, { n2: 2, n3: 2 }).join(), 'timeoutNow')
  t.match(roleOf(core, 'leader').transfer, { to: 'n2', isAsked: false, isTold: false })
  t.match(lines(receive(core, 'n2', accepted({ term: 1, match: 3 }))).join(), '-> n2 timeoutNow term 1 last 3')

  const slow = settledLeader()
  propose(slow, 'x')
  pass(slow, 2900, { n2: 2, n3: 2 })
  propose(slow, 'y')
  const shown = pass(slow, 250, { n2: 2, n3: 2 })
  t.equal(roleOf(slow, 'leader').transfer, null, 'given up after two heartbeats')
  t.notMatch(shown.join(), 'gives no leadership away', 'nobody had asked')
  t.match(lines(propose(slow, 'z')), ['asks for write'])
})

t.test('DESIGN 3 H35 nothing is offered while no other majority has better disks', async (t) => {
  for (const match of [
    { n2: 1, n3: 1 },
    { n2: 1, n3: 2 },
  ]) {
    const core = settledLeader()
    propose(core, 'x')
    t.notMatch(pass(core, 5000, match).join(), 'timeoutNow')
    t.equal(core.state.role.kind, 'leader')
    t.match(lines(propose(core, 'y')), ['asks for write'])
  }
})

t.test('DESIGN 3 an offer ends when the disk works again, or when a transfer is asked for', async (t) => {
  const recovered = settledLeader()
  propose(recovered, 'x')
  pass(recovered, 2900, { n2: 2, n3: 2 })
  propose(recovered, 'y')
  pass(recovered, 100, { n2: 2, n3: 2 })
  t.ok(roleOf(recovered, 'leader').transfer)
  persistAll(recovered)
  tickAfter(recovered, 0)
  t.equal(roleOf(recovered, 'leader').transfer, null)

  const asked = settledLeader()
  propose(asked, 'x')
  pass(asked, 3000, { n2: 2, n3: 2 })
  t.match(lines(give(asked, transferTo('n3'))), ['-> n3 timeoutNow term 1 last 2'])
  t.match(roleOf(asked, 'leader').transfer, { to: 'n3', isAsked: true })
})

t.test(
  'thesis §3.10 B59 one that waits for a snapshot is told when it has it (LeaderTransferAfterSnapshot)',
  async (t) => {
    const core = settledLeader()
    persistAll(core)
    give(core, { kind: 'trimLog', upTo: asIndex(1) })
    give(core, { kind: 'peerConnected', peer: asNodeId('n3'), restarted: true })
    receive(core, 'n3', rejected({ term: 1, at: 1, hint: [0, 0] }))
    t.match(lines(tickAfter(core, 0)), ['sends n3 a snapshot'])
    t.same(lines(give(core, transferTo('n3'))), [])
    t.same(
      lines(give(core, { kind: 'snapshotEnded', to: asNodeId('n3'), index: asIndex(1) })),
      [],
      'its word is awaited',
    )
    t.same(lines(receive(core, 'n3', accepted({ term: 1, match: 1 }))), ['-> n3 timeoutNow term 1 last 1'])
  },
)

t.test('§5.4.1 B10 who is told to campaign asks for votes when the tail that it names is on its disk', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  const writes = lines(receive(core, 'n2', append({ term: 1, round: 2, entries: entriesFrom(1, [1, 1]) })))
  t.match(writes, ['asks for write 2: entries 1/1 2/1'])
  t.match(lines(receive(core, 'n2', timeoutNow(1, 2))), [
    'asks for write 3: term 2 vote n1',
    '-> n2 requestVote term 2 last 2/1 transfer (after write 3)',
    '-> n3 requestVote term 2 last 2/1 transfer (after write 3)',
  ])
  // Writes complete in order: the third is not done before the second.
  give(core, { kind: 'persisted', io: asIo(3) })
  t.equal(core.state.durability.durableIndex, 2)
})
