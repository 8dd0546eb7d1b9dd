// AppendEntries from the leader's side (§5.3): what is sent to whom, and what an answer teaches.
import t from 'tap'
import { asIndex, asNodeId } from '../../src/ids.ts'
import {
  accepted,
  becomeLeader,
  entriesFrom,
  give,
  lines,
  persistAll,
  propose,
  receive,
  rejected,
  roleOf,
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'
import type { Core } from '../support/raft-core.ts'

const n2 = asNodeId('n2')
const n3 = asNodeId('n3')

/** A leader of term 1 whose peers have acknowledged its no-op. */
function settledLeader(options = {}): Core {
  const core = startCore({ options })
  becomeLeader(core)
  for (const peer of [n2, n3]) receive(core, peer, accepted({ term: 1, match: 1 }))
  tickAfter(core, 0)
  return core
}

function progressOf(core: Core, peer: typeof n2) {
  const progress = roleOf(core, 'leader').progress.get(peer)
  if (progress === undefined) throw new Error(`no progress of ${peer}`)
  return progress
}

t.test('§5.2 a leader sends heartbeats to all at its interval (LeaderBcastBeat)', async (t) => {
  const core = settledLeader()
  t.same(tickAfter(core, 74), [])
  t.same(sent(tickAfter(core, 1)), [
    '-> n2 appendEntries term 1 after 1/1 commit 1 round 2',
    '-> n3 appendEntries term 1 after 1/1 commit 1 round 2',
  ])
  t.equal(roleOf(core, 'leader').heartbeatDueAt, core.now + 75)
})

t.test('§5.3 a proposal is written and, at the end of the turn, sent to all (LeaderStartReplication)', async (t) => {
  const core = settledLeader()
  t.same(lines(propose(core, 'x')), ['asks for write 3: entries 2/1:x'])
  t.same(lines(propose(core, 'y')), ['asks for write 4: entries 3/1:y'])
  t.same(lines(tickAfter(core, 0)), [
    '-> n2 appendEntries term 1 after 1/1 + 2/1:x 3/1:y commit 1 round 1',
    '-> n3 appendEntries term 1 after 1/1 + 2/1:x 3/1:y commit 1 round 1',
  ])
  t.same(tickAfter(core, 0), [], 'once')
})

t.test('§5.3 who waits for a commit hears of it at once, the others with what is sent next', async (t) => {
  const core = settledLeader({ commitNews: 'awaited' })
  propose(core, 'x')
  tickAfter(core, 0)
  for (const peer of [n2, n3]) receive(core, peer, accepted({ term: 1, match: 2 }))
  t.equal(core.state.commitIndex, 2)
  t.same(tickAfter(core, 0), [])
  give(core, { kind: 'commitAwaited', by: n3, index: asIndex(2) })
  t.same(sent(tickAfter(core, 0)), ['-> n3 appendEntries term 1 after 2/1 commit 2 round 1'])
  t.same(tickAfter(core, 0), [], 'once')
  t.same(sent(tickAfter(core, 75)), [
    '-> n2 appendEntries term 1 after 2/1 commit 2 round 2',
    '-> n3 appendEntries term 1 after 2/1 commit 2 round 2',
  ])
})

t.test('§5.3 appends are pipelined: the next follows the last one sent, not the last acknowledged', async (t) => {
  const core = settledLeader()
  propose(core, 'x')
  tickAfter(core, 0)
  propose(core, 'y')
  t.same(sent(tickAfter(core, 0))[0], '-> n2 appendEntries term 1 after 2/1 + 3/1:y commit 1 round 1')
})

t.test('thesis §10.2.1 at most so many messages and bytes are in flight to one member', async (t) => {
  for (const options of [{ inflightMessagesMax: 2 }, { inflightBytesMax: 2 * (48 + 1) }]) {
    const core = settledLeader(options)
    for (const payload of 'abcd') {
      propose(core, payload)
      tickAfter(core, 0)
    }
    t.equal(progressOf(core, n2).nextIndex, 4, 'two of the four are on their way')
    receive(core, 'n2', accepted({ term: 1, match: 2 }))
    t.same(sent(tickAfter(core, 0)), ['-> n2 appendEntries term 1 after 3/1 + 4/1:c 5/1:d commit 1 round 1'])
    receive(core, 'n2', accepted({ term: 1, match: 5 }))
    t.match(progressOf(core, n2), { inflightBytes: 0, inflight: [] })
  }
})

t.test('B35 appends are cut at the byte limit without gaps, and one entry always fits', async (t) => {
  const limit = 200
  for (const lengths of [
    [51, 52],
    [51, 53, 52],
    [51, 54],
    [300, 1, 300],
    [1, 1, 1, 1, 300, 1],
  ]) {
    const core = settledLeader({ appendBytesMax: limit })
    for (const length of lengths) propose(core, 'x'.repeat(length))
    let next = 2
    for (const effect of tickAfter(core, 0)) {
      if (effect.kind !== 'send' || effect.to !== n2 || effect.message.kind !== 'appendEntries') continue
      const { entries, prevLogIndex } = effect.message
      t.equal(prevLogIndex, next - 1)
      t.ok(entries.length === 1 || entries.reduce((sum, { payload }) => sum + payload.length + 48, 0) <= limit)
      next += entries.length
    }
    t.equal(next, 2 + lengths.length, `all of ${lengths.join()}`)
  }
})

t.test(
  '§5.3 an entry is committed when a majority has it on disk, and all before it with it (LeaderCommitPrecedingEntries)',
  async (t) => {
    const core = startCore({ term: 2, log: [1, 2] })
    becomeLeader(core)
    t.same(lines(receive(core, 'n2', accepted({ term: 3, match: 2 }))), [], 'entries of earlier terms are not counted')
    t.same(
      lines(receive(core, 'n2', accepted({ term: 3, match: 3 }))),
      ['asks for entries 1..2'],
      'applied as soon as they are read',
    )
    t.equal(core.state.commitIndex, 3)
  },
)

t.test('§5.3 news of a commit goes out at the end of the turn, without a heartbeat (LeaderCommitEntry)', async (t) => {
  const core = settledLeader()
  propose(core, 'x')
  tickAfter(core, 0)
  t.same(receive(core, 'n2', accepted({ term: 1, match: 2 })), [], 'n2 and the own disk are needed')
  t.same(lines(persistAll(core)), ['applies 2/1:x'])
  t.same(sent(tickAfter(core, 0)), [
    '-> n2 appendEntries term 1 after 2/1 commit 2 round 1',
    '-> n3 appendEntries term 1 after 2/1 commit 2 round 1',
  ])
})

t.test('§5.3 B18 B21 how many acknowledgements commit an entry (LeaderAcknowledgeCommit)', async (t) => {
  for (const [members, needed] of [
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
    [7, 3],
    [9, 4],
  ] as const) {
    const core = startCore({ members })
    becomeLeader(core)
    let acknowledgements = 0
    for (let peer = 2; core.state.commitIndex === 0 && peer <= members; peer++) {
      for (let copy = 0; copy < 3; copy++) receive(core, `n${peer}`, accepted({ term: 1, match: 1 }))
      acknowledgements++
    }
    t.equal(acknowledgements, needed, `of ${members}; the same one three times counts once`)
    t.equal(core.state.commitIndex, 1)
  }
})

t.test(
  '§5.3 a rejection leads back to where the logs can agree, a term at a time (LeaderSyncFollowerLog)',
  async (t) => {
    const core = startCore({ term: 7, log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6] })
    becomeLeader(core)
    const next = (hint: readonly [number, number]) => {
      receive(core, 'n2', rejected({ term: 8, at: progressOf(core, n2).nextIndex - 1, hint }))
      return progressOf(core, n2).nextIndex
    }
    t.equal(next([9, 6]), 10, 'it is shorter')
    t.equal(next([8, 4]), 6, 'it has more of term 4')
    t.equal(next([4, 3]), 4, 'it has a term that we lack')
    t.equal(next([2, 1]), 3)
    t.equal(next([0, 0]), 1)
    t.equal(progressOf(core, n2).matchIndex, 0, 'B15 what is rejected is no match')
  },
)

t.test('§5.3 what the leader has no longer in memory it reads from its disk before sending', async (t) => {
  const core = startCore({ term: 1, log: [1, 1, 1], options: { appendBytesMax: 100 } })
  becomeLeader(core)
  receive(core, 'n2', rejected({ term: 2, at: 3, hint: [1, 1] }))
  t.same(lines(tickAfter(core, 0)), ['asks for entries 2..3'])
  t.same(
    lines(tickAfter(core, 75)).slice(0, 1),
    ['-> n2 appendEntries term 2 after 1/1 commit 0 round 2'],
    'heartbeats go on',
  )
  t.same(lines(give(core, { kind: 'entriesLoaded', load: 1, entries: entriesFrom(2, [1]) })), [
    '-> n2 appendEntries term 2 after 1/1 + 2/1 commit 0 round 2',
  ])
  receive(core, 'n2', accepted({ term: 2, match: 2, round: 2 }))
  t.same(lines(tickAfter(core, 0)), ['asks for entries 3..3'])

  receive(core, 'n2', rejected({ term: 2, at: 2, hint: [1, 1], round: 2 }))
  t.equal(progressOf(core, n2).nextIndex, 3, 'not below what it has acknowledged')
  give(core, { kind: 'peerConnected', peer: n2, restarted: true })
  t.same(
    give(core, { kind: 'entriesLoaded', load: 2, entries: entriesFrom(3, [1]) }),
    [],
    'read for a link that is gone',
  )
})

t.test('§5.3 what has been read is not sent if the member has got it meanwhile', async (t) => {
  const core = startCore({ term: 1, log: [1, 1, 1] })
  becomeLeader(core)
  receive(core, 'n2', rejected({ term: 2, at: 3, hint: [1, 1] }))
  t.same(lines(tickAfter(core, 0)), ['asks for entries 2..3'])
  receive(core, 'n2', accepted({ term: 2, match: 3 }))
  t.same(give(core, { kind: 'entriesLoaded', load: 1, entries: entriesFrom(2, [1, 1]) }), [])
  t.match(sent(tickAfter(core, 0)), ['after 3/1 + 4/2'])
})

t.test('B31 B32 old answers move nothing back: not the match, not the next index, not the pipeline', async (t) => {
  const core = settledLeader()
  for (const payload of 'abc') propose(core, payload)
  tickAfter(core, 0)
  receive(core, 'n2', accepted({ term: 1, match: 3 }))
  const before = structuredClone(progressOf(core, n2))
  receive(core, 'n2', accepted({ term: 1, match: 2 }))
  receive(core, 'n2', rejected({ term: 1, at: 3, hint: [0, 0] }))
  receive(core, 'n2', rejected({ term: 1, at: 2, hint: [1, 1] }))
  receive(core, 'n2', rejected({ term: 1, at: 9, hint: [9, 1] }))
  t.same(progressOf(core, n2), before)

  receive(core, 'n2', accepted({ term: 1, match: 99 }))
  t.equal(progressOf(core, n2).matchIndex, 3, 'nor is more acknowledged than there is')
})

t.test('B32 in a probe only the newest rejection counts', async (t) => {
  const core = startCore({ term: 1, log: [1, 1, 1, 1] })
  becomeLeader(core)
  receive(core, 'n2', rejected({ term: 2, at: 4, hint: [2, 1] }))
  tickAfter(core, 0)
  receive(core, 'n2', rejected({ term: 2, at: 4, hint: [0, 0] }))
  t.match(progressOf(core, n2), { mode: 'probe', nextIndex: 3 })
})

t.test(
  '§5.3 a lost probe is repeated with the next heartbeat, a lost append of the pipeline after its rejection',
  async (t) => {
    const core = startCore()
    becomeLeader(core)
    t.same(tickAfter(core, 10), [])
    t.match(sent(tickAfter(core, 65))[0], 'after 0/0 + 1/1', 'the no-op again')
    for (const peer of [n2, n3]) receive(core, peer, accepted({ term: 1, match: 1, round: 2 }))
    propose(core, 'x')
    tickAfter(core, 0)
    propose(core, 'y')
    tickAfter(core, 0)
    receive(core, 'n2', rejected({ term: 1, at: 2, hint: [1, 1], round: 2 }))
    t.match(sent(tickAfter(core, 0))[0], 'after 1/1 + 2/1:x 3/1:y', 'both again')
  },
)

t.test('§5.3 what a probe carried counts as sent once the member agrees', async (t) => {
  const core = startCore()
  becomeLeader(core)
  receive(core, 'n2', accepted({ term: 1, match: 0 }))
  t.match(progressOf(core, n2), { mode: 'replicate', nextIndex: 2, inflight: [{ lastIndex: 1 }] })
  t.same(sent(tickAfter(core, 0)), [], 'its disk is slow: nothing is sent twice')
  receive(core, 'n2', accepted({ term: 1, match: 1 }))
  t.match(progressOf(core, n2), { matchIndex: 1, inflight: [], inflightBytes: 0 })
})

t.test(
  'a new link begins at what the member has acknowledged, after a restart of its process at the end',
  async (t) => {
    const core = settledLeader()
    propose(core, 'x')
    propose(core, 'y')
    tickAfter(core, 0)
    persistAll(core)
    receive(core, 'n2', accepted({ term: 1, match: 2 }))
    give(core, { kind: 'peerConnected', peer: n2, restarted: false })
    t.match(progressOf(core, n2), { mode: 'probe', matchIndex: 2, nextIndex: 3, inflight: [], inflightBytes: 0 })
    give(core, { kind: 'peerConnected', peer: n2, restarted: true })
    t.match(
      progressOf(core, n2),
      { mode: 'probe', matchIndex: 0, nextIndex: 4 },
      'B22 what it acknowledged counts no longer',
    )
    t.equal(core.state.commitIndex, 2, 'what is committed stays committed')
  },
)
