// The invariants of several members, each broken once in a settled cluster: by doctoring what a member has in memory or on
// its disk, or by putting words into its mouth. The same cluster undoctored is the innocent case.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asIncarnation, asIndex, asIo, asTerm } from '../../../src/ids.ts'
import type { NodeId } from '../../../src/ids.ts'
import type { Entry } from '../../../src/raft/entry.ts'
import type { Message, Standing } from '../../../src/raft/message.ts'
import { append, startAt } from '../../../src/raft/log.ts'
import { becomeLeader } from '../../../src/raft/roles.ts'
import { createRaft } from '../../../src/raft/state.ts'
import type { RaftState } from '../../../src/raft/state.ts'
import { MemoryDisk } from '../../../src/testing/memory-disk.ts'
import type { Machine } from '../machine.ts'
import { Script } from '../script.ts'
import { RaftChecks } from './raft-checks.ts'

interface Scene {
  readonly script: Script
  readonly checks: RaftChecks
  /** The leader, and the two others. */
  readonly a: Machine
  readonly b: Machine
  readonly c: Machine
  readonly committed: Entry[]
}

/** A settled cluster, and checks that have seen all of it once. */
function scene(): Scene {
  const script = new Script().found()
  script.hold(script.leader)
  script.until(() => script.isSettled, 'all have applied it')
  const committed: Entry[] = []
  const { machines } = script.world
  const checks = new RaftChecks(machines, (entry) => committed.push(entry))
  for (const machine of machines) checks.turned(machine)
  const [b, c] = script.followers
  assert(b !== undefined && c !== undefined, 'two follow')
  return { script, checks, a: script.leader, b, c, committed }
}

function raftOf({ node }: Machine): RaftState {
  const raft = node?.replica?.core.raft
  assert(raft !== undefined, 'it is a member')
  return raft
}

/** `machine` leads `term` with an empty log, as if it knew nothing. */
function leadFromNothing(machine: Machine, term: number): void {
  const raft = raftOf(machine)
  const { self, members, options, random, now, incarnation, incarnations } = raft
  const hardState = { currentTerm: asTerm(term), votedFor: self }
  const start = { index: asIndex(0), term: asTerm(0), time: raft.log.lastTime }
  const empty = { start, lastIndex: asIndex(0), lastTime: start.time, spans: [], notes: [] }
  const identity = { incarnation, incarnations, counted: asIndex(0), canServe: true, applied: asIndex(0) }
  Object.assign(raft, createRaft({ self, members, options, random, now, ...identity, stored: { ...empty, hardState } }))
  becomeLeader(raft, [])
}

/** The leader makes an entry that nobody else has. */
function proposeAlone(machine: Machine): RaftState {
  const raft = raftOf(machine)
  const { core } = machine.node?.replica ?? {}
  core?.step({ kind: 'propose', payload: new Uint8Array(3), note: null, exempt: true, now: raft.now })
  return raft
}

function nameOf({ disk }: Machine): Standing | null {
  const { meta } = disk.durable()
  return meta === null ? null : { disk: meta.incarnation, since: asIndex(0) }
}

function says(from: Machine, to: NodeId, checks: RaftChecks, message: Message, as = nameOf(from)): () => void {
  return () => checks.sent(from, to, { as, message })
}

function freshDisk(): MemoryDisk {
  return new MemoryDisk({ schedule: () => {}, random: () => 0 })
}

t.test('a settled cluster is right, and its log is handed on once and in order', async (t) => {
  const { checks, committed, script } = scene()
  for (const machine of script.world.machines) checks.turned(machine)
  t.strictSame(
    committed.map(({ index }) => index),
    committed.map((_, position) => position + 1),
  )
  t.equal(checks.lastCommitted, script.world.raftChecks.lastCommitted)
})

t.test('1 two leaders of one term are seen', async (t) => {
  const { checks, a, b } = scene()
  leadFromNothing(b, raftOf(a).currentTerm)
  t.throws(() => checks.turned(b), new RegExp(`^1: ${a.id} and ${b.id} lead term`))
})

t.test('2 a leader that drops an entry of its own log is seen', async (t) => {
  const { checks, a } = scene()
  const { log, durability, role } = proposeAlone(a)
  checks.turned(a)
  const last = log.window.pop()
  const before = log.window.at(-1)
  assert(last !== undefined && before !== undefined && role.kind === 'leader', 'it leads, with entries in memory')
  Object.assign(log, { lastIndex: before.index, lastTime: before.time })
  log.windowBytes -= role.uncommittedBytes
  role.uncommittedBytes = 0
  durability.unsynced.length = 0
  t.throws(() => checks.turned(a), /^2: n\d leads term \d+ and drops entry \d+ of its own log/)
})

t.test('3 another entry of the same index and term is seen', async (t) => {
  const { checks, a, b, committed } = scene()
  const entry = committed[0]
  assert(entry !== undefined, 'there is an entry')
  const batch = { meta: null, hardState: null, truncateFrom: null, trimTo: null, installed: null, peers: null }
  checks.written(a, { ...batch, entries: [entry] })
  checks.written(b, { ...batch, entries: [{ ...entry }] })
  const other = { ...entry, payload: Uint8Array.of(1, 2, 3) }
  t.throws(() => checks.written(b, { ...batch, entries: [other] }), /^3: entry 1 \d+ differs between members/)
})

t.test('3 an entry behind a hole, or behind another term, is seen', async (t) => {
  const { checks, a, b, committed } = scene()
  const entry = committed.at(-1)
  assert(entry !== undefined, 'there is an entry')
  const batch = { meta: null, hardState: null, truncateFrom: null, trimTo: null, installed: null, peers: null }
  checks.written(a, { ...batch, entries: [entry] })
  b.disk = new MemoryDisk({ schedule: () => {}, random: () => 0, firstIndex: entry.index })
  t.throws(() => checks.written(b, { ...batch, entries: [entry] }), /^3: entry \d+ \d+ follows different terms/)
  const index = asIndex(entry.index + 2)
  t.throws(
    () => checks.written(a, { ...batch, entries: [{ ...entry, index }] }),
    /^3: n\d writes entry \d+ behind a hole/,
  )
})

t.test(
  '3 an entry that was asked for before a snapshot took the place of those before it is behind none',
  async (t) => {
    const { checks, b, committed } = scene()
    const entry = committed.at(-1)
    assert(entry !== undefined, 'there is an entry')
    startAt(raftOf(b).log, entry.index)
    const batch = { meta: null, hardState: null, truncateFrom: null, trimTo: null, installed: null, peers: null }
    t.doesNotThrow(() => checks.written(b, { ...batch, entries: [entry] }))
  },
)

t.test('4 a leader without a committed entry is seen', async (t) => {
  const { checks, a, b } = scene()
  leadFromNothing(b, raftOf(a).currentTerm + 1)
  t.throws(() => checks.turned(b), new RegExp(`^4: ${b.id} leads term \\d+ without committed entry`))
})

t.test('5 an entry that is applied but not there is seen', async (t) => {
  const { script, a } = scene()
  const raft = raftOf(a)
  const fresh = new RaftChecks(script.world.machines, () => {})
  a.disk = freshDisk()
  raft.log.window.splice(0)
  raft.log.windowBytes = 0
  t.throws(() => fresh.turned(a), /^5: n\d applied entry 1, which it does not have/)
})

t.test('5 an entry that is applied before the one in front of it is seen', async (t) => {
  const { script, a } = scene()
  const fresh = new RaftChecks(script.world.machines, () => {})
  Object.assign(raftOf(a).log, { start: { index: asIndex(1), term: raftOf(a).currentTerm } })
  raftOf(a).log.spans.splice(0, 1, { term: raftOf(a).currentTerm, firstIndex: asIndex(2) })
  raftOf(a).log.window.splice(0)
  raftOf(a).log.windowBytes = 0
  t.throws(() => fresh.turned(a), /^5: n\d applied entry 2 with a gap/)
})

t.test('6 an entry that is committed on the disk of a minority is seen', async (t) => {
  const { checks, a } = scene()
  const raft = proposeAlone(a)
  checks.turned(a)
  raft.commitIndex = raft.log.lastIndex
  if (raft.role.kind === 'leader') raft.role.uncommittedBytes = 0
  t.throws(() => checks.turned(a), /^6: entry \d+ is committed on 0 disks/)
})

t.test('H28, 6 an acknowledgement counts only as that of the disk in force, and only while it counts', async (t) => {
  const { script, checks, a, b, c } = scene()
  for (const other of [b, c]) script.world.network.cut(other.id, a.id)
  const raft = proposeAlone(a)
  script.pass(100)
  checks.turned(a)
  const message: Message = { kind: 'appendAccepted', term: raft.currentTerm, round: 1, matchIndex: raft.log.lastIndex }
  t.throws(
    says(b, a.id, checks, message, { disk: asIncarnation('another'), since: asIndex(0) }),
    /^H28: n\d speaks as another/,
  )
  const { meta } = b.disk.durable()
  assert(meta !== null, 'it has a name')
  Object.assign(meta, { counted: null })
  t.throws(says(b, a.id, checks, message), /^H28: n\d speaks as \S+, its disk is \S+, counted: null/)
  const vote: Message = { kind: 'requestVoteResponse', term: raft.currentTerm, granted: true }
  t.throws(says(b, a.id, checks, vote, null), /^H28: n\d votes in term \d+, but does not count/)
  checks.sent(b, a.id, { as: null, message })
  t.equal(b.disk.durable().lastIndex, raft.log.lastIndex, 'it has it all the same')
  c.disk = freshDisk()
  raft.commitIndex = raft.log.lastIndex
  if (raft.role.kind === 'leader') raft.role.uncommittedBytes = 0
  t.throws(() => checks.turned(a), /^6: entry \d+ is committed on 1 disks/)
})

t.test('7 another entry in the place of a committed one is seen', async (t) => {
  const { script, b, a } = scene()
  const fresh = new RaftChecks(script.world.machines, () => {})
  fresh.turned(a)
  const { window } = raftOf(b).log
  const last = window.at(-1)
  assert(last !== undefined, 'it has the last entry in memory')
  window[window.length - 1] = { ...last, payload: last.payload.map((byte) => byte ^ 1) }
  t.throws(() => fresh.turned(b), new RegExp(`^7: committed entry ${last.index} is another at ${b.id}`))
})

t.test('8 an entry of an earlier term that is committed by counting is seen', async (t) => {
  const { checks, a } = scene()
  const raft = proposeAlone(a)
  raft.currentTerm = asTerm(raft.currentTerm + 1)
  raft.commitIndex = raft.log.lastIndex
  if (raft.role.kind === 'leader') raft.role.uncommittedBytes = 0
  t.throws(() => checks.turned(a), /^8: n\d commits entry \d+ of an earlier term by counting/)
})

t.test('9 a commit index that goes back is seen', async (t) => {
  const { checks, b } = scene()
  const raft = raftOf(b)
  raft.commitIndex = asIndex(raft.commitIndex - 1)
  raft.appliedIndex = raft.commitIndex
  t.throws(() => checks.turned(b), /^9: the commit index of n\d went back/)
})

t.test('9 a term that a member has spoken in and forgot in a restart is seen', async (t) => {
  const { script, a } = scene()
  const fresh = new RaftChecks(script.world.machines, () => {})
  const { currentTerm } = raftOf(a)
  const later = asTerm(currentTerm + 1)
  fresh.sent(a, a.id, { as: nameOf(a), message: { kind: 'requestVoteResponse', term: currentTerm, granted: false } })
  fresh.turned(a)
  const stored = a.disk.durable().hardState
  Object.assign(stored, { currentTerm: later })
  fresh.processEnded(a)
  fresh.sent(a, a.id, { as: nameOf(a), message: { kind: 'requestVoteResponse', term: later, granted: false } })
  t.throws(() => fresh.turned(a), /^9: the term of n\d went back/)
})

t.test('10 two votes in one term are seen', async (t) => {
  const { checks, a, b, c } = scene()
  const { currentTerm: term, votedFor } = raftOf(b).votedFor === null ? raftOf(c) : raftOf(b)
  const voter = raftOf(b).votedFor === null ? c : b
  const other = voter === b ? c : b
  t.equal(votedFor, a.id)
  checks.sent(voter, a.id, { as: nameOf(voter), message: { kind: 'requestVoteResponse', term, granted: true } })
  const again = says(voter, other.id, checks, { kind: 'requestVoteResponse', term, granted: true })
  t.throws(again, /^10: n\d votes in term \d+ for n\d and for n\d/)
})

t.test('11 a vote that is not stored is seen', async (t) => {
  const { checks, b, c } = scene()
  const term = raftOf(b).currentTerm
  const vote = says(b, c.id, checks, { kind: 'requestVoteResponse', term, granted: true })
  t.throws(vote, /^11: n\d votes in term \d+ without having stored it/)
})

t.test('11 a word in a term that is not stored is seen, unless it is about a pre-vote', async (t) => {
  const { checks, b, c } = scene()
  const term = asTerm(raftOf(b).currentTerm + 1)
  checks.sent(b, c.id, { as: nameOf(b), message: { kind: 'preVoteResponse', term, poll: 1, granted: true } })
  const word = says(b, c.id, checks, { kind: 'requestVoteResponse', term, granted: false })
  t.throws(word, /^11: n\d speaks in a term it has not stored/)
})

t.test('11 an acknowledgement of what is not on the disk is seen', async (t) => {
  const { checks, a, b } = scene()
  const { currentTerm: term, log } = raftOf(b)
  checks.sent(b, a.id, {
    as: nameOf(b),
    message: { kind: 'appendAccepted', term, round: 1, matchIndex: log.lastIndex },
  })
  const matchIndex = asIndex(log.lastIndex + 1)
  const lie = says(b, a.id, checks, { kind: 'appendAccepted', term, round: 1, matchIndex })
  t.throws(lie, /^11: n\d acknowledges entry \d+, which is not on its disk/)
})

t.test('11 an acknowledgement of another entry than the one on the disk is seen', async (t) => {
  const { checks, a, b } = scene()
  const { currentTerm: term, log } = raftOf(b)
  log.spans.push({ term: asTerm(term + 1), firstIndex: log.lastIndex })
  const lie = says(b, a.id, checks, { kind: 'appendAccepted', term, round: 1, matchIndex: log.lastIndex })
  t.throws(lie, /^11: n\d acknowledges another entry/)
})

t.test('14 a commit of an older leader that a later one lacks is seen', async (t) => {
  const { script, checks, a, b, c } = scene()
  // What a sends arrives and is stored, but a never hears of it.
  for (const other of [b, c]) script.world.network.cut(other.id, a.id)
  proposeAlone(a)
  script.pass(100)
  const raft = raftOf(a)
  checks.turned(a)
  leadFromNothing(c, raft.currentTerm + 1)
  raft.commitIndex = raft.log.lastIndex
  if (raft.role.kind === 'leader') raft.role.uncommittedBytes = 0
  t.throws(() => checks.turned(a), /^14: n\d commits entry \d+ in term \d+, n\d leads \d+ without it/)
})

t.test('17 a durable entry that is not on the disk is seen', async (t) => {
  const { checks, b } = scene()
  b.disk = freshDisk()
  t.throws(() => checks.turned(b), /^17: n\d lost entry \d+/)
})

t.test('17 a tail or a term that the disk has not is seen', async (t) => {
  const tail = scene()
  const { log, durability } = raftOf(tail.b)
  const last = log.window.at(-1)
  assert(last !== undefined, 'it has the last entry in memory')
  append(log, [{ ...last, index: asIndex(last.index + 1) }])
  durability.unsynced.push({ firstIndex: log.lastIndex, io: asIo(durability.lastIo + 1) })
  t.throws(() => tail.checks.turned(tail.b), /^17: the disk of n\d ends at \d+, its log at \d+/)

  const { checks, b } = scene()
  const raft = raftOf(b)
  raft.currentTerm = asTerm(raft.currentTerm + 1)
  t.throws(() => checks.turned(b), /^17: the disk of n\d is in another term/)
})

t.test('17 a vote that the disk has not is seen', async (t) => {
  const { checks, b } = scene()
  const raft = raftOf(b)
  raft.votedFor = b.id
  t.throws(() => checks.turned(b), /^17: the disk of n\d has another vote/)
})

t.test('12, 13, 15 the state of every member is checked after each of its turns', async (t) => {
  const { checks, b } = scene()
  const raft = raftOf(b)
  raft.durability.durableIndex = asIndex(raft.log.lastIndex + 1)
  t.throws(() => checks.turned(b), /only entries of the log are durable/)
})
