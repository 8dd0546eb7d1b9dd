// AppendEntries from the follower's side (§5.3): what is kept, what is committed, and what is answered when.
import t from 'tap'
import {
  append,
  becomeFollowerOf,
  becomeLeader,
  becomePreCandidate,
  entriesFrom,
  give,
  lines,
  persistAll,
  propose,
  receive,
  roleOf,
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'
import type { Core } from '../support/raft-core.ts'

/** A follower of n2 in term 1 with three entries, all durable and acknowledged; the newest round is 2. */
function settledFollower(): Core {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  receive(core, 'n2', append({ term: 1, round: 2, entries: entriesFrom(1, [1, 1, 1]) }))
  persistAll(core)
  return core
}

t.test('§5.3 an append is kept only behind an entry that both have (FollowerCheckMsgApp)', async (t) => {
  for (const [after, answer] of [
    [[0, 0], 'appendAccepted term 3 match 0'],
    [[1, 1], 'appendAccepted term 3 match 1'],
    [[2, 2], 'appendAccepted term 3 match 2'],
    [[1, 2], 'appendRejected term 3 at 1 hint 1/1'],
    [[2, 3], 'appendRejected term 3 at 2 hint 2/2'],
    [[3, 3], 'appendRejected term 3 at 3 hint 2/2'],
    [[9, 1], 'appendRejected term 3 at 9 hint 1/1'],
  ] as const) {
    const core = startCore({ term: 3, log: [1, 2] })
    t.same(sent(receive(core, 'n2', append({ term: 3, after }))), [`-> n2 ${answer} round 1`])
  }
})

t.test('§5.3 an entry that differs goes, with all behind it; what agrees stays (FollowerAppendEntries)', async (t) => {
  for (const [after, terms, writes, log] of [
    [[2, 2], [3], ' entries 3/3', [1, 2, 3]],
    [[1, 1], [3, 4], ' drop from 2 entries 2/3 3/4', [1, 3, 4]],
    [[0, 0], [1], null, [1, 2]],
    [[0, 0], [3], ' drop from 1 entries 1/3', [3]],
    [[0, 0], [1, 2, 3], ' entries 3/3', [1, 2, 3]],
    [[0, 0], [1, 3], ' drop from 2 entries 2/3', [1, 3]],
  ] as const) {
    const core = startCore({ term: 4, log: [1, 2] })
    const entries = entriesFrom(after[0] + 1, terms)
    const asked = lines(receive(core, 'n2', append({ term: 4, after, entries }))).filter((line) =>
      line.startsWith('asks'),
    )
    t.same(asked, writes === null ? [] : [`asks for write 1:${writes}`])
    t.same(
      core.state.log.spans.map(({ term }) => term),
      log,
    )
  }
})

t.test('§5.3 B25 B26 entries that the log holds are neither written again nor do they shorten it', async (t) => {
  const core = settledFollower()
  t.same(lines(receive(core, 'n2', append({ term: 1, round: 2, entries: entriesFrom(1, [1, 1]) }))), [
    '-> n2 appendAccepted term 1 match 3 round 2',
  ])
  t.same(lines(receive(core, 'n2', append({ term: 1, round: 2, after: [1, 1], entries: entriesFrom(2, [1]) }))), [
    '-> n2 appendAccepted term 1 match 3 round 2',
  ])
  t.equal(core.state.log.lastIndex, 3)
  // LogReplicationWithReorderedMessage: the later append comes first and is rejected, the earlier one brings
  // everything.
  const late = startCore()
  becomeFollowerOf(late, 'n2', 1)
  t.match(sent(receive(late, 'n2', append({ term: 1, after: [2, 1], entries: entriesFrom(3, [1]) })))[0], 'hint 0/0')
  receive(late, 'n2', append({ term: 1, entries: entriesFrom(1, [1, 1, 1]) }))
  receive(late, 'n2', append({ term: 1, entries: entriesFrom(1, [1, 1]) }))
  t.equal(late.state.log.lastIndex, 3)
})

t.test('§5.3 B27 an append from before the commit index is answered and changes nothing', async (t) => {
  const core = settledFollower()
  receive(core, 'n2', append({ term: 1, round: 2, after: [3, 1], commit: 3 }))
  t.same(
    lines(receive(core, 'n2', append({ term: 1, round: 2, after: [1, 1], entries: entriesFrom(2, [1]), commit: 1 }))),
    ['-> n2 appendAccepted term 1 match 3 round 2'],
  )
  t.match(core.state, { commitIndex: 3, log: { lastIndex: 3 } })
})

t.test(
  '§5.3 a follower commits what the leader has committed, as far as it has been sent (FollowerCommitEntry)',
  async (t) => {
    const core = startCore()
    becomeFollowerOf(core, 'n2', 1)
    t.same(lines(receive(core, 'n2', append({ term: 1, entries: entriesFrom(1, [1, 1], 'x'), commit: 1 }))), [
      'asks for write 2: entries 1/1:x 2/1:x',
      'applies 1/1:x',
    ])
    receive(core, 'n2', append({ term: 1, after: [2, 1], commit: 9 }))
    t.equal(core.state.commitIndex, 2)
    t.same(
      lines(receive(core, 'n2', append({ term: 1, after: [2, 1], entries: entriesFrom(3, [1]), commit: 0 }))).at(-1),
      'applies 3/1',
    )
  },
)

t.test('§5.3 B14 a lower commit index in an append takes nothing back', async (t) => {
  const core = settledFollower()
  receive(core, 'n2', append({ term: 1, round: 2, after: [3, 1], commit: 3 }))
  receive(core, 'n2', append({ term: 1, round: 3, after: [3, 1], commit: 1 }))
  t.equal(core.state.commitIndex, 3)
})

t.test(
  '§5.3 B20 B30 commit and acknowledgement end where the append ended, whatever the log holds behind',
  async (t) => {
    const core = startCore({ term: 2, log: [1, 2, 2, 2] })
    t.same(
      sent(receive(core, 'n2', append({ term: 3, after: [1, 1], commit: 4 })))[0],
      '-> n2 appendAccepted term 3 match 1 round 1 (after write 1)',
    )
    t.equal(core.state.commitIndex, 1)
  },
)

t.test('§5.1 B01 acknowledgements tell only what the disk has, once per completed write', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  t.same(sent(receive(core, 'n2', append({ term: 1, entries: entriesFrom(1, [1, 1]) }))), [])
  t.same(sent(receive(core, 'n2', append({ term: 1, after: [2, 1], entries: entriesFrom(3, [1]) }))), [])
  t.same(sent(give(core, { kind: 'persisted', io: core.state.durability.lastIo })), [
    '-> n2 appendAccepted term 1 match 3 round 1',
  ])
})

t.test(
  'H35 a new round is answered at once with what the disk has by then, also when it carries entries',
  async (t) => {
    const core = settledFollower()
    const entries = entriesFrom(4, [1])
    t.same(sent(receive(core, 'n2', append({ term: 1, round: 3, after: [3, 1], entries }))), [
      '-> n2 appendAccepted term 1 match 3 round 3',
    ])
    t.same(sent(receive(core, 'n2', append({ term: 1, round: 4, after: [4, 1] }))), [
      '-> n2 appendAccepted term 1 match 3 round 4',
    ])
    t.same(
      sent(receive(core, 'n2', append({ term: 1, round: 4, after: [4, 1], commit: 3 }))),
      [],
      'news of a commit is not answered',
    )
    t.same(sent(persistAll(core)), ['-> n2 appendAccepted term 1 match 4 round 4'])
  },
)

t.test('§5.2 B48 the append of a leader resets the timer, also when its log does not match', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  tickAfter(core, 400)
  t.match(sent(receive(core, 'n2', append({ term: 1, round: 2, after: [9, 1] })))[0], 'appendRejected')
  t.equal(roleOf(core, 'follower').electionDeadline, 900)
})

t.test('B54 B34 a heartbeat that comes again, or late, resets no timer, and its log may be behind ours', async (t) => {
  const core = settledFollower()
  tickAfter(core, 400)
  t.same(sent(receive(core, 'n2', append({ term: 1, round: 1, after: [0, 0] }))), [])
  receive(core, 'n2', append({ term: 1, round: 2, after: [9, 1] }))
  t.equal(roleOf(core, 'follower').electionDeadline, 500)
})

t.test('§5.3 completed writes are told only to the leader of the present term', async (t) => {
  const core = settledFollower()
  receive(core, 'n2', append({ term: 1, round: 3, after: [3, 1], entries: entriesFrom(4, [1]) }))
  tickAfter(core, 500)
  t.equal(core.state.role.kind, 'preCandidate')
  t.same(sent(persistAll(core)), [])
})

t.test('§5.3 one who has begun to poll is brought back by the next round, and then keeps entries', async (t) => {
  const core = startCore({ term: 1 })
  becomePreCandidate(core)
  t.same(lines(receive(core, 'n3', append({ term: 1, entries: entriesFrom(1, [1]) }))), [
    'asks for write 1: entries 1/1',
    '-> n3 appendAccepted term 1 match 0 round 1',
    'follows n3 in term 1',
  ])
})

t.test(
  '§5.3 what was written as leader is not acknowledged to the next one (LeaderMsgAppSelfAckAfterTermChange)',
  async (t) => {
    const core = startCore()
    becomeLeader(core)
    propose(core, 'x')
    t.same(sent(receive(core, 'n2', append({ term: 2, after: [1, 1] }))), [
      '-> n2 appendAccepted term 2 match 1 round 1 (after write 4)',
    ])
    t.same(sent(persistAll(core)), [])
    t.equal(core.state.durability.durableIndex, 2, 'though it is on disk')
  },
)
