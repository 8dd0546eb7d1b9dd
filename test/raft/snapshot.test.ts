// Logs that begin later, from both sides (§7): what is trimmed, who is sent a snapshot, and what installing one means.
import t from 'tap'
import { asIndex, asNodeId } from '../../src/ids.ts'
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
  preVoteResponse,
  propose,
  receive,
  receiveSnapshot,
  rejected,
  requestVote,
  roleOf,
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'
import type { Core, Start } from '../support/raft-core.ts'

const n2 = asNodeId('n2')

function trim(core: Core, upTo: number): string[] {
  return lines(give(core, { kind: 'trimLog', upTo: asIndex(upTo) }))
}

function ended(core: Core, index: number | null): string[] {
  return lines(give(core, { kind: 'snapshotEnded', to: n2, index: index === null ? null : asIndex(index) }))
}

/** A follower of n2 in term 3 with entries 1..5, of which 3 are committed and all are durable. */
function follower(start: Start = {}): Core {
  const core = startCore({ term: 3, log: [1, 1, 2, 2, 2], ...start })
  becomeFollowerOf(core, 'n2', 3)
  receive(core, 'n2', append({ term: 3, round: 2, after: [3, 2], commit: 3 }))
  answerLoads(core)
  return core
}

/** The disk gives back what was asked for: entries of the terms of `follower`. */
function answerLoads(core: Core): void {
  for (const [load, from] of [...core.state.loads]) {
    const terms = [1, 1, 2, 2, 2].slice(from - 1, core.state.commitIndex)
    give(core, { kind: 'entriesLoaded', load, entries: entriesFrom(from, terms) })
  }
}

/** Leads term 4 with entries 1..5 and its no-op 6, all committed, n3's doing; n2 has said nothing yet. */
function leader(start: Start = {}): Core {
  const core = startCore({ term: 3, log: [1, 1, 2, 2, 2], ...start })
  becomeLeader(core)
  const last = core.state.log.lastIndex
  receive(core, 'n3', accepted({ term: 4, match: last }))
  answerLoads(core)
  tickAfter(core, 0)
  return core
}

// ---- trimming

t.test(
  '§7 the log is trimmed as far as it is applied and durable, with a write in the order of all others',
  async (t) => {
    const core = follower()
    receive(core, 'n2', append({ term: 3, round: 3, after: [5, 2], entries: entriesFrom(6, [3]), commit: 3 }))
    t.same(trim(core, 2), ['asks for write 2: trim to 2'])
    t.same(trim(core, 2), [], 'once')
    t.same(trim(core, 99), ['asks for write 3: trim to 3'], 'entry 4 is not applied')
    t.match(core.state.log.start, { index: 3, term: 2 })

    const ahead = follower()
    receive(ahead, 'n2', append({ term: 3, round: 3, after: [5, 2], entries: entriesFrom(6, [3]), commit: 6 }))
    answerLoads(ahead)
    t.equal(ahead.state.appliedIndex, 6)
    t.same(trim(ahead, 6), ['asks for write 2: trim to 5'], 'entry 6 is applied, and not durable')
  },
)

t.test('§7 entries that are being read are not trimmed', async (t) => {
  const core = leader()
  receive(core, 'n2', rejected({ term: 4, at: 5, hint: [1, 1] }))
  t.match(lines(tickAfter(core, 0)), ['asks for entries 2..5'])
  t.same(trim(core, 6), ['asks for write 3: trim to 1'])
  // Even if nobody waits for them any more.
  give(core, { kind: 'peerConnected', peer: n2, restarted: true })
  t.same(trim(core, 6), [])
  const [load] = [...core.state.loads.keys()]
  give(core, { kind: 'entriesLoaded', load: load ?? 0, entries: entriesFrom(2, [1, 2, 2, 2]) })
  t.same(trim(core, 6), ['asks for write 4: trim to 6'])
})

t.test('§7 a member starts with what its checkpoint contains applied and committed', async (t) => {
  const core = startCore({ term: 3, start: [5, 2], log: [3, 3] })
  t.match(core.state, { commitIndex: 5, appliedIndex: 5, log: { lastIndex: 7 } })
})

// ---- the leader's side

t.test('§7 B81 a leader with an empty log sends a snapshot to a follower that is behind by one', async (t) => {
  const core = leader()
  persistAll(core)
  t.same(trim(core, 6), ['asks for write 3: trim to 6'])
  receive(core, 'n2', rejected({ term: 4, at: 5, hint: [5, 2] }))
  t.same(lines(tickAfter(core, 0)), ['sends n2 a snapshot'])
  t.same(lines(tickAfter(core, 10)), [], 'once')
})

t.test('§7 B84 heartbeats flow to who waits for a snapshot, and entries do not, whatever it answers', async (t) => {
  const core = leader()
  trim(core, 6)
  receive(core, 'n2', rejected({ term: 4, at: 5, hint: [5, 2] }))
  tickAfter(core, 0)
  receive(core, 'n2', accepted({ term: 4, match: 0 }))
  propose(core, 'x')
  receive(core, 'n2', rejected({ term: 4, at: 6, hint: [5, 2] }))
  t.same(sent(tickAfter(core, 75)), [
    '-> n2 appendEntries term 4 after 0/0 commit 6 round 2',
    '-> n3 appendEntries term 4 after 6/4 + 7/4:x commit 6 round 2',
  ])
  // An install that is done says so in its answer; the sending is over when the shell says so.
  receive(core, 'n2', accepted({ term: 4, match: 6, round: 2 }))
  t.same(
    sent(tickAfter(core, 75)).filter((line) => line.includes('n2')),
    ['-> n2 appendEntries term 4 after 6/4 commit 6 round 3'],
  )
})

t.test('§7 when the snapshot is installed, the leader goes on behind it', async (t) => {
  const core = leader()
  trim(core, 6)
  receive(core, 'n2', rejected({ term: 4, at: 5, hint: [5, 2] }))
  propose(core, 'x')
  tickAfter(core, 0)
  t.same(ended(core, 6), [])
  t.same(sent(tickAfter(core, 0)), ['-> n2 appendEntries term 4 after 6/4 + 7/4:x commit 6 round 1'])
})

t.test('§7 the end of a snapshot older than what its receiver has takes nothing back', async (t) => {
  const core = leader()
  trim(core, 6)
  receive(core, 'n2', rejected({ term: 4, at: 5, hint: [5, 2] }))
  tickAfter(core, 0)
  receive(core, 'n2', accepted({ term: 4, match: 6 }))
  ended(core, 5)
  propose(core, 'x')
  t.same(
    sent(tickAfter(core, 0)).filter((line) => line.includes('n2')),
    ['-> n2 appendEntries term 4 after 6/4 + 7/4:x commit 6 round 1'],
  )
})

t.test('§7 H36 a log that was trimmed beyond the snapshot meanwhile means another snapshot, no more', async (t) => {
  const core = leader()
  trim(core, 4)
  receive(core, 'n2', rejected({ term: 4, at: 5, hint: [2, 1] }))
  t.match(lines(tickAfter(core, 0)), ['sends n2 a snapshot'])
  trim(core, 6)
  t.same(ended(core, 4), [])
  t.match(lines(tickAfter(core, 0)), ['sends n2 a snapshot'])
})

t.test('§7 after a failed sending a probe finds out what the member needs, with the next heartbeat', async (t) => {
  const core = leader()
  trim(core, 6)
  receive(core, 'n2', rejected({ term: 4, at: 5, hint: [5, 2] }))
  tickAfter(core, 0)
  ended(core, null)
  propose(core, 'x')
  t.same(
    sent(tickAfter(core, 10)).filter((line) => line.includes('n2')),
    [],
  )
  t.same(
    sent(tickAfter(core, 75)).filter((line) => line.includes('n2')),
    ['-> n2 appendEntries term 4 after 6/4 + 7/4:x commit 6 round 2'],
  )
  receive(core, 'n2', rejected({ term: 4, at: 6, hint: [5, 2], round: 2 }))
  t.match(lines(tickAfter(core, 0)), ['sends n2 a snapshot'])
})

t.test('§7 a new connection ends the sending, and a probe finds out whether it was in time', async (t) => {
  const core = leader()
  trim(core, 6)
  receive(core, 'n2', rejected({ term: 4, at: 5, hint: [5, 2] }))
  tickAfter(core, 0)
  give(core, { kind: 'peerConnected', peer: n2, restarted: false })
  t.same(ended(core, null), [], 'what is said of it later is about nothing')
  t.same(
    sent(tickAfter(core, 75)).filter((line) => line.includes('n2')),
    ['-> n2 appendEntries term 4 after 6/4 commit 6 round 2'],
  )
})

t.test('§7 an end of a sending that nobody waits for is no news', async (t) => {
  const core = leader()
  receive(core, 'n2', accepted({ term: 4, match: 6 }))
  ended(core, 2)
  ended(core, null)
  t.match(roleOf(core, 'leader').progress.get(n2), { mode: 'replicate', matchIndex: 6, nextIndex: 7 })
  becomeFollowerOf(core, 'n2', 5)
  t.same(ended(core, 6), [])
})

// ---- the follower's side

t.test(
  '§7 B79 a snapshot behind the end of the log, or of another history, takes the place of all entries',
  async (t) => {
    for (const [index, term] of [
      [9, 3],
      [4, 3],
    ] as const) {
      const core = follower()
      t.same(lines(receiveSnapshot(core, [index, term])), [`installs a snapshot of ${index}/${term}, write 1`])
      const { log, commitIndex, appliedIndex } = core.state
      t.match(
        { ...log, commitIndex, appliedIndex },
        { start: { index, term }, lastIndex: index, window: [], spans: [] },
      )
      t.same([commitIndex, appliedIndex], [index, index])
    }
  },
)

t.test('§7 a snapshot of which the log holds the last entry leaves those behind it', async (t) => {
  const core = follower()
  t.same(lines(receiveSnapshot(core, [4, 2])), ['installs a snapshot of 4/2 and keeps what is behind it, write 1'])
  t.match(core.state, { commitIndex: 4, appliedIndex: 4, log: { start: { index: 4, term: 2 }, lastIndex: 5 } })
  t.equal(core.state.durability.durableIndex, 5, 'what was durable is')
  const applied = lines(receive(core, 'n2', append({ term: 3, round: 3, after: [5, 2], commit: 5 })))
  t.match(applied, ['asks for entries 5..5'], 'it goes on behind the snapshot')
})

t.test('B79 B89 a snapshot at or below what is committed is ignored, and a leader ignores every one', async (t) => {
  const core = follower()
  t.same(lines(receiveSnapshot(core, [3, 2])), ['ignores a snapshot of 3/2'])
  t.same(lines(receiveSnapshot(core, [1, 1])), ['ignores a snapshot of 1/1'])
  t.same(lines(receiveSnapshot(core, [9, 4])), ['ignores a snapshot of 9/4'], 'of a term after its sender’s')
  t.same(lines(receiveSnapshot(leader(), [9, 4])), ['ignores a snapshot of 9/4'])
})

t.test('§7 an older leader can say nothing against a snapshot: its sender’s term comes first', async (t) => {
  const core = follower()
  t.same(lines(receiveSnapshot(core, [9, 3], { senderTerm: 6 })), [
    'asks for write 1: term 6 vote none',
    'installs a snapshot of 9/3, write 2',
    'has no leader in term 6',
  ])
  t.same(lines(receive(core, 'n2', append({ term: 3, round: 4, after: [8, 3], entries: entriesFrom(9, [2]) }))), [])
  t.match(sent(receive(core, 'n2', append({ term: 3, round: 4, after: [8, 3], entries: entriesFrom(9, [3]) }))), [
    /appendRejected term 6/,
  ])
})

t.test('B80 what was being read to be applied is void after an install', async (t) => {
  const core = startCore({ term: 3, log: [1, 1, 2, 2, 2] })
  becomeFollowerOf(core, 'n2', 3)
  t.match(lines(receive(core, 'n2', append({ term: 3, round: 2, after: [3, 2], commit: 3 }))), [
    'asks for entries 1..3',
  ])
  const [load] = [...core.state.loads.keys()]
  receiveSnapshot(core, [4, 2])
  t.notOk(core.state.loads.has(load ?? 0), 'the shell sees that a read that fails is no damage')
  t.same(lines(give(core, { kind: 'entriesLoaded', load: load ?? 0, entries: entriesFrom(1, [1, 1, 2]) })), [])
  t.equal(core.state.appliedIndex, 4)
})

t.test('§7 nothing of an install is said to be stored before its write is done', async (t) => {
  const core = follower()
  receiveSnapshot(core, [9, 3])
  t.equal(core.state.durability.durableIndex, 3, 'what was committed before is on disk, old log or new')
  const answer = receive(
    core,
    'n2',
    append({ term: 3, round: 3, after: [9, 3], entries: entriesFrom(10, [3]), commit: 9 }),
  )
  t.same(sent(answer), ['-> n2 appendAccepted term 3 match 3 round 3'])
  t.same(sent(persistAll(core)), ['-> n2 appendAccepted term 3 match 10 round 3'])
})

t.test('§7 an install over a write that is not done waits for both', async (t) => {
  const core = follower()
  receive(core, 'n2', append({ term: 3, round: 3, after: [5, 2], entries: entriesFrom(6, [3, 3, 3]), commit: 3 }))
  t.same(lines(receiveSnapshot(core, [7, 3])), ['installs a snapshot of 7/3 and keeps what is behind it, write 2'])
  const { unsynced, durableIndex } = core.state.durability
  t.same([unsynced, durableIndex], [[{ firstIndex: 6, io: 2 }], 5])
  t.same(sent(persistAll(core)), ['-> n2 appendAccepted term 3 match 8 round 3'])
})

t.test('§7 appends from before the start of the log find agreement at its start', async (t) => {
  const core = startCore({ term: 3, start: [5, 2], log: [3, 3] })
  becomeFollowerOf(core, 'n2', 3)
  const answer = receive(core, 'n2', append({ term: 3, round: 2, after: [2, 1], entries: entriesFrom(3, [2]) }))
  t.same(sent(answer), ['-> n2 appendAccepted term 3 match 5 round 2'])
  // One that reaches beyond it adds what is lacking.
  const terms = [2, 2, 2, 3, 3, 3]
  t.match(lines(receive(core, 'n2', append({ term: 3, round: 2, after: [2, 1], entries: entriesFrom(3, terms) }))), [
    'asks for write 1: entries 8/3',
    '-> n2 appendAccepted term 3 match 7 round 2',
  ])
})

t.test('§7 a rejection leads back no further than the start of the log', async (t) => {
  const core = startCore({ term: 6, start: [5, 2], log: [4, 4] })
  t.match(sent(receive(core, 'n2', append({ term: 6, after: [7, 3] }))), [/appendRejected term 6 at 7 hint 5\/2/])
  t.match(sent(receive(core, 'n2', append({ term: 6, after: [9, 1] }))), [/appendRejected term 6 at 9 hint 5\/2/])
})

t.test('§7 who polls or campaigns gives up when a snapshot changes its log', async (t) => {
  for (const become of [becomePreCandidate, becomeCandidate]) {
    const core = startCore({ term: 3, log: [1, 1, 2] })
    become(core)
    t.match(lines(receiveSnapshot(core, [9, 3])), [/installs a snapshot/, /has no leader/])
  }
})

t.test('§5.4.1 §7 the last entry of a log that was trimmed away, or came as a snapshot, counts in votes', async (t) => {
  const core = startCore({ term: 3, start: [5, 2] })
  t.match(sent(receive(core, 'n2', requestVote({ term: 4, last: [9, 1] }))), [/refused/])
  t.match(sent(receive(core, 'n2', requestVote({ term: 5, last: [4, 2] }))), [/refused/])
  t.match(sent(receive(core, 'n2', requestVote({ term: 6, last: [5, 2] }))), [/granted/])
})

// ---- a state that is lost

t.test('DESIGN 6 who has lost its state votes and acknowledges, but neither applies nor campaigns', async (t) => {
  const core = startCore({ term: 3, start: [2, 1], log: [2, 2], canServe: false })
  t.same(lines(tickAfter(core, 1000)), [])
  t.match(sent(receive(core, 'n3', requestVote({ term: 4, last: [4, 2] }))), [/granted/])
  becomeFollowerOf(core, 'n2', 5)
  t.match(lines(receive(core, 'n2', append({ term: 5, round: 2, after: [4, 2], commit: 4 }))), [/match 4/])
  t.same([core.state.commitIndex, core.state.appliedIndex], [4, 2])
  receive(core, 'n2', { kind: 'timeoutNow', term: core.state.currentTerm, lastLogIndex: asIndex(4) })
  t.equal(core.state.role.kind, 'follower')

  t.same(lines(receiveSnapshot(core, [1, 1])), ['ignores a snapshot of 1/1'], 'its log does not follow that one')
  t.match(lines(receiveSnapshot(core, [3, 2])), [/installs a snapshot of 3\/2 and keeps/, 'asks for entries 4..4'])
  t.match(core.state, { canServe: true, commitIndex: 4, appliedIndex: 3 })
  persistAll(core)
  t.match(lines(tickAfter(core, 1000)), [/preVote/, /preVote/, /polls/])
})

// ---- what others got wrong

t.test(
  '§7 B61 who installs a snapshot polls with it, and asks for votes when the install is on its disk',
  async (t) => {
    const core = follower()
    t.match(lines(receiveSnapshot(core, [9, 3])), ['installs a snapshot of 9/3, write 1'])
    const polls = lines(tickAfter(core, 600))
    t.match(polls, ['-> n2 preVote term 4 poll 1 last 9/3', /n3/, 'polls in term 3'])
    const campaigns = lines(receive(core, 'n3', preVoteResponse({ term: 4, poll: 1, granted: true })))
    t.match(campaigns, ['asks for write 2: term 4 vote n1', /requestVote term 4 last 9\/3 \(after write 2\)/])
    // A later term is heard all the same, and an install that hangs for a second keeps it from asking again.
    t.match(lines(receive(core, 'n2', append({ term: 5, after: [9, 3] }))), [
      /write 3: term 5/,
      /match 3/,
      /follows n2/,
    ])
    t.same(lines(tickAfter(core, 600)), [])
    t.equal(core.state.role.kind, 'follower')
  },
)

t.test('§7 B28 B29 an append from before a log without entries, or at its start, is no conflict', async (t) => {
  for (const [after, answer] of [
    [[2, 1], 'match 5'],
    [[4, 2], 'match 5'],
    [[5, 2], 'match 5'],
    [[6, 3], 'at 6 hint 5/2'],
  ] as const) {
    const core = startCore({ term: 3, start: [5, 2] })
    const said = sent(receive(core, 'n2', append({ term: 3, after, commit: 5 })))
    t.match(said, [answer], `after ${after.join('/')}`)
    t.match(core.state.log, { start: { index: 5, term: 2 }, lastIndex: 5 })
  }
  const next = startCore({ term: 3, start: [5, 2] })
  const entries = entriesFrom(6, [3])
  t.match(lines(receive(next, 'n2', append({ term: 3, after: [5, 2], entries }))), ['asks for write 1: entries 6/3'])
})
