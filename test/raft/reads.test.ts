// Linearizable reads (thesis §6.4): which index, confirmed by which round, and who is told when nobody leads.
import t from 'tap'
import { asIndex, asTerm } from '../../src/ids.ts'
import {
  accepted,
  append,
  becomeCandidate,
  becomeFollowerOf,
  becomeLeader,
  becomePreCandidate,
  give,
  lines,
  persistAll,
  propose,
  receive,
  rejected,
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'
import type { Core } from '../support/raft-core.ts'

const read = (id: number) => ({ kind: 'read', id }) as const
const readIndex = (id: number) => ({ kind: 'readIndex', term: asTerm(1), id }) as const

/** A leader of term 1 that has committed its no-op; round 1 is answered. */
function servingLeader(members = 3): Core {
  const core = startCore({ members })
  becomeLeader(core)
  for (const peer of core.state.members.slice(1)) receive(core, peer, accepted({ term: 1, match: 1 }))
  tickAfter(core, 0)
  return core
}

t.test(
  'thesis §6.4 a read begins a round at once, and is answered when a majority has answered that (ReadOnlyOptionSafe, B74)',
  async (t) => {
    const core = servingLeader()
    t.same(give(core, read(7)), [])
    t.same(sent(tickAfter(core, 0)), [
      '-> n2 appendEntries term 1 after 1/1 commit 1 round 2',
      '-> n3 appendEntries term 1 after 1/1 commit 1 round 2',
    ])
    t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 1, round: 2 }))), ['may answer read 7 at 1'])
    t.same(lines(receive(core, 'n3', accepted({ term: 1, match: 1, round: 2 }))), [], 'once')
  },
)

t.test('thesis §6.4 a rejection confirms as well as an acceptance: it tells of the same term', async (t) => {
  const core = servingLeader()
  give(core, read(7))
  tickAfter(core, 0)
  t.same(lines(receive(core, 'n2', rejected({ term: 1, at: 1, hint: [0, 0], round: 2 }))), ['may answer read 7 at 1'])
})

t.test(
  'thesis §6.4 B65 a leader that has committed nothing of its term lets reads wait (ReadOnlyForNewLeader)',
  async (t) => {
    const core = startCore()
    becomeLeader(core)
    give(core, read(7))
    t.same(tickAfter(core, 0), [])
    receive(core, 'n2', accepted({ term: 1, match: 1 }))
    t.match(sent(tickAfter(core, 0))[0], 'round 2')
    t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 1, round: 2 }))), ['may answer read 7 at 1'])
  },
)

t.test('thesis §6.4 B67 answers to earlier rounds confirm nothing, however many', async (t) => {
  const core = servingLeader(5)
  tickAfter(core, 75)
  give(core, read(7))
  tickAfter(core, 0)
  for (const peer of ['n2', 'n3', 'n4', 'n5']) {
    t.same(lines(receive(core, peer, accepted({ term: 1, match: 1, round: 2 }))), [])
  }
  t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 1, round: 3 }))), [])
  t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 1, round: 3 }))), [], 'the same answer twice is one')
  t.same(lines(receive(core, 'n5', accepted({ term: 1, match: 1, round: 4 }))), [], 'a round that never began')
  t.same(lines(receive(core, 'n4', accepted({ term: 1, match: 1, round: 3 }))), ['may answer read 7 at 1'])
})

t.test('thesis §6.4 B18 B75 how many answers confirm a read', async (t) => {
  for (const [members, needed] of [
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
    [6, 3],
  ] as const) {
    const core = servingLeader(members)
    give(core, read(7))
    let ready = lines(tickAfter(core, 0)).includes('may answer read 7 at 1')
    let answers = 0
    for (; !ready && answers < members - 1; answers++) {
      ready = receive(core, `n${answers + 2}`, accepted({ term: 1, match: 1, round: 2 })).length > 0
    }
    t.ok(ready)
    t.equal(answers, needed, `of ${members}`)
  }
})

t.test('thesis §6.4 the index is that of the round: what was committed meanwhile is not waited for', async (t) => {
  const core = servingLeader()
  propose(core, 'x')
  tickAfter(core, 0)
  give(core, read(7))
  tickAfter(core, 0)
  persistAll(core)
  t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 2, round: 1 }))), ['applies 2/1:x'])
  t.same(lines(receive(core, 'n3', accepted({ term: 1, match: 1, round: 2 }))), ['may answer read 7 at 1'])
})

t.test(
  'thesis §6.4 many reads share a round, and while one is under way the next gathers (ReadOnlyDuplicateRequest)',
  async (t) => {
    const core = servingLeader()
    give(core, read(1))
    receive(core, 'n2', readIndex(2))
    tickAfter(core, 0)
    give(core, read(3))
    receive(core, 'n3', readIndex(2))
    t.same(tickAfter(core, 0), [], 'no round more')
    t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 1, round: 2 }))), [
      'may answer read 1 at 1',
      '-> n2 readIndexResponse term 1 read 2 at 1',
    ])
    t.match(sent(tickAfter(core, 0))[0], 'round 3')
    t.same(lines(receive(core, 'n2', accepted({ term: 1, match: 1, round: 3 }))), [
      'may answer read 3 at 1',
      '-> n3 readIndexResponse term 1 read 2 at 1',
    ])
  },
)

t.test('thesis §6.4 a follower asks its leader, and is told the index or that nobody leads', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  t.same(lines(give(core, read(7))), ['-> n2 readIndex term 1 read 7'])
  t.same(lines(receive(core, 'n2', { kind: 'readIndexResponse', term: asTerm(1), id: 7, index: asIndex(4) })), [
    'may answer read 7 at 4',
  ])
  t.same(lines(receive(core, 'n2', { kind: 'readIndexResponse', term: asTerm(1), id: 8, index: null })), [
    'refuses read 8',
  ])
})

t.test('thesis §6.4 B64 who knows no leader refuses a read at once, and who is asked wrongly says so', async (t) => {
  for (const become of [() => undefined, becomePreCandidate, becomeCandidate]) {
    const core = startCore()
    become(core)
    t.same(lines(give(core, read(7))), ['refuses read 7'])
  }
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  t.same(lines(receive(core, 'n3', readIndex(7))), ['-> n3 readIndexResponse term 1 read 7 refused'])
})

t.test('thesis §6.4 B64 a leader that steps down refuses its own reads, asked for or under way', async (t) => {
  const deposed = servingLeader()
  give(deposed, read(1))
  tickAfter(deposed, 0)
  give(deposed, read(2))
  receive(deposed, 'n2', readIndex(3))
  t.same(
    lines(receive(deposed, 'n2', append({ term: 2 }))).filter((line) => line.includes('read')),
    ['refuses read 1', 'refuses read 2'],
  )

  const alone = servingLeader()
  give(alone, read(1))
  t.same(lines(tickAfter(alone, 1001)), ['refuses read 1', 'has no leader in term 1'])
})

t.test(
  'thesis §6.4 B57 a transfer under way does not make a read stale: it needs its round all the same',
  async (t) => {
    const core = servingLeader()
    give(core, { kind: 'transferLeadership', to: null })
    give(core, read(7))
    t.match(sent(tickAfter(core, 0))[0], 'round 2')
    t.same(lines(receive(core, 'n3', accepted({ term: 1, match: 1, round: 2 }))), ['may answer read 7 at 1'])
  },
)

t.test(
  'thesis §6.4 rounds begun by reads are heartbeats too: a lost probe is found out by the next of them',
  async (t) => {
    const core = startCore()
    becomeLeader(core)
    receive(core, 'n2', accepted({ term: 1, match: 1 }))
    // The append with the no-op never reached n3.
    give(core, read(1))
    t.same(sent(tickAfter(core, 10))[1], '-> n3 appendEntries term 1 after 0/0 commit 1 round 2')
    receive(core, 'n3', accepted({ term: 1, match: 0, round: 2 }))
    give(core, read(2))
    t.same(sent(tickAfter(core, 10))[1], '-> n3 appendEntries term 1 after 1/1 commit 1 round 3')
    receive(core, 'n3', rejected({ term: 1, at: 1, hint: [0, 0], round: 3 }))
    t.same(sent(tickAfter(core, 0)), ['-> n3 appendEntries term 1 after 0/0 + 1/1 commit 1 round 3'])
  },
)
