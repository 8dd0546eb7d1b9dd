// What a leader adds to its log, and what it refuses (§5.3, DESIGN 3).
import t from 'tap'
import { asTerm } from '../../src/ids.ts'
import { roomForProposals } from '../../src/raft/propose.ts'
import {
  accepted,
  becomeCandidate,
  becomeFollowerOf,
  becomeLeader,
  becomePreCandidate,
  lines,
  persistAll,
  propose,
  receive,
  roleOf,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'

t.test('§5.3 only a leader takes proposals', async (t) => {
  for (const become of [() => undefined, becomePreCandidate, becomeCandidate]) {
    const core = startCore()
    become(core)
    t.same(lines(propose(core, 'x')), ['refuses a proposal: notLeader'])
    t.equal(roomForProposals(core.state, true), 0)
  }
  const follower = startCore()
  becomeFollowerOf(follower, 'n2', 1)
  t.same(lines(propose(follower, 'x')), ['refuses a proposal: notLeader'])
})

t.test('§5.4.2 §8 a leader begins its term with an empty entry (StartAsLeader)', async (t) => {
  const core = startCore({ term: 4, log: [1, 4] })
  becomeLeader(core)
  t.match(core.state.log.window.at(-1), { index: 3, term: asTerm(5), payload: { length: 0 } })
  t.equal(roleOf(core, 'leader').termStart, 3)
})

t.test('§5.3 a proposal of a leader that has lost its majority is refused, not appended', async (t) => {
  const core = startCore()
  becomeLeader(core)
  core.now += 1001
  t.same(lines(propose(core, 'x')), ['refuses a proposal: notLeader', 'has no leader in term 1'])
})

t.test(
  'DESIGN 3 bytes that are not committed have a limit; renewals and the like have a reserve (UncommittedEntryLimit)',
  async (t) => {
    const options = { uncommittedBytesMax: 300, uncommittedReserveBytes: 100 }
    const core = startCore({ options })
    becomeLeader(core)
    t.equal(roomForProposals(core.state, false), 300 - 48, 'the no-op counts')
    t.same(lines(propose(core, 'x'.repeat(152))), [`asks for write 3: entries 2/1:${'x'.repeat(152)}`])
    t.equal(roomForProposals(core.state, false), 52)
    t.same(lines(propose(core, 'y'.repeat(53))), ['refuses a proposal: overloaded'])
    t.match(lines(propose(core, 'y'.repeat(52))), ['asks for write'])
    t.same(lines(propose(core, 'z')), ['refuses a proposal: overloaded'])
    t.match(lines(propose(core, 'z', true)), ['asks for write'], 'exempt')
    t.same(
      lines(propose(core, 'z'.repeat(90), true)),
      ['refuses a proposal: overloaded'],
      'the reserve has an end, too',
    )
    t.match(lines(propose(core, '')), ['asks for write'], 'an entry that only moves time costs nothing')

    const { lastIndex } = core.state.log
    tickAfter(core, 0)
    receive(core, 'n2', accepted({ term: 1, match: lastIndex }))
    persistAll(core)
    t.equal(core.state.commitIndex, lastIndex)
    t.equal(roomForProposals(core.state, false), 300, 'B24 all of it is free again')
  },
)

t.test('B24 what an earlier term left uncommitted does not count against a new leader', async (t) => {
  const core = startCore({ term: 3, log: [1, 2, 3], options: { uncommittedBytesMax: 200 } })
  becomeLeader(core)
  t.equal(roomForProposals(core.state, false), 200 - 48)
  receive(core, 'n2', accepted({ term: 4, match: 4 }))
  t.equal(roleOf(core, 'leader').uncommittedBytes, 0)
})
