// What several members together may never do (RAFT.md 2), checked after every turn of every node and at the sending of
// every frame, against the disks as they would be found after a power cut at that moment. The numbers are those of the
// list; 12, 13 and 15 are `checkState`, 16 comes with membership changes, 18 is the trace hash of the run. What is
// counted here is counted here: nothing is borrowed from the core that a mistake of the core could weaken.
import { assert } from '../../../src/assert.ts'
import { asIndex, asTerm } from '../../../src/ids.ts'
import type { Index, NodeId, Term } from '../../../src/ids.ts'
import type { Entry } from '../../../src/raft/entry.ts'
import { checkState } from '../../../src/raft/invariants.ts'
import { termAt } from '../../../src/raft/log.ts'
import type { Message } from '../../../src/raft/message.ts'
import type { RaftState } from '../../../src/raft/state.ts'
import type { LogBatch } from '../../../src/storage/log-store.ts'
import type { DurableDisk } from '../../support/memory-disk.ts'
import type { Machine } from '../machine.ts'

interface SeenEntry {
  readonly prevTerm: Term
  readonly entry: Entry
}

/** What a member was when it was last looked at; forgotten when its process ends. */
interface Seen {
  readonly raft: RaftState
  commitIndex: Index
  appliedIndex: Index
  role: RaftState['role']['kind']
  term: Term
}

export class RaftChecks {
  /** Leaders so far: one for each term (1). */
  readonly leaders = new Map<Term, NodeId>()
  readonly #machines: readonly Machine[]
  readonly #committedSink: (entry: Entry) => void
  readonly #votes = new Map<string, NodeId>()
  readonly #entries = new Map<string, SeenEntry>()
  /** By index, from 1; what is here can never change (7). */
  readonly #committed: Entry[] = []
  readonly #seen = new Map<NodeId, Seen>()
  /** The latest term that each member has spoken in, whatever became of its process. */
  readonly #termSaid = new Map<NodeId, Term>()

  /** `committed` is called once for every entry, in order, when the first member has applied it. */
  constructor(machines: readonly Machine[], committed: (entry: Entry) => void) {
    this.#machines = machines
    this.#committedSink = committed
  }

  get lastCommitted(): Index {
    return asIndex(this.#committed.length)
  }

  /** 3: the same (index, term) is the same entry behind the same prefix, on whatever disk it comes. */
  written(machine: Machine, batch: LogBatch): void {
    const raft = machine.node?.replica?.core.raft
    const first = batch.entries[0]
    if (raft === undefined || first === undefined) return
    let prevTerm = termAt(raft.log, asIndex(first.index - 1))
    for (const entry of batch.entries) {
      assert(prevTerm !== null, `3: ${machine.id} writes entry ${entry.index} behind a hole`)
      const key = `${entry.index} ${entry.term}`
      const seen = this.#entries.get(key)
      if (seen === undefined) this.#entries.set(key, { prevTerm, entry })
      else {
        assert(seen.prevTerm === prevTerm, `3: entry ${key} follows different terms`)
        assert(isSame(seen.entry, entry), `3: entry ${key} differs between members`)
      }
      prevTerm = entry.term
    }
  }

  /** 10, 11: nobody promises what is not on its disk, nor gives two votes in a term, as seen by what is sent. */
  sent(from: Machine, to: NodeId, message: Message): void {
    const disk = from.disk.durable()
    const isPreVote = message.kind === 'preVote' || message.kind === 'preVoteResponse'
    assert(isPreVote || disk.hardState.currentTerm >= message.term, `11: ${from.id} speaks in a term it has not stored`)
    if (!isPreVote && message.term > (this.#termSaid.get(from.id) ?? 0)) this.#termSaid.set(from.id, message.term)
    this.#checkPromise(from, to, message, disk)
  }

  #checkPromise(from: Machine, to: NodeId, message: Message, disk: DurableDisk): void {
    if (message.kind === 'requestVoteResponse' && message.granted) this.#vote(from.id, message.term, to, disk)
    if (message.kind === 'requestVote') this.#vote(from.id, message.term, from.id, disk)
    if (message.kind === 'appendAccepted') {
      const raft = from.node?.replica?.core.raft
      const stored = disk.entryAt(message.matchIndex)?.term ?? (message.matchIndex === 0 ? asTerm(0) : null)
      assert(stored !== null, `11: ${from.id} acknowledges entry ${message.matchIndex}, which is not on its disk`)
      assert(
        raft === undefined || termAt(raft.log, message.matchIndex) === stored,
        `11: ${from.id} acknowledges another entry`,
      )
    }
  }

  #vote(voter: NodeId, term: Term, candidate: NodeId, { hardState }: DurableDisk): void {
    const key = `${voter} ${term}`
    const given = this.#votes.get(key) ?? candidate
    assert(given === candidate, `10: ${voter} votes in term ${term} for ${given} and for ${candidate}`)
    this.#votes.set(key, candidate)
    const isStored =
      hardState.currentTerm > term || (hardState.currentTerm === term && hardState.votedFor === candidate)
    assert(isStored, `11: ${voter} votes in term ${term} without having stored it`)
  }

  turned(machine: Machine): void {
    const replica = machine.node?.replica
    if (replica === null || replica === undefined) return
    const { raft } = replica.core
    checkState(raft)
    const seen = this.#seenOf(machine, raft)
    const ledBefore = seen.role === 'leader' && seen.term === raft.currentTerm
    this.#checkLeader(machine, raft, seen)
    this.#checkCommit(machine, raft, seen, ledBefore)
    this.#checkApplied(machine, raft, seen)
    checkMemoryIsDisk(machine, raft)
  }

  /** It may have applied and answered in the turn in which it ended. */
  processEnded(machine: Machine): void {
    const raft = machine.node?.replica?.core.raft
    if (raft !== undefined) this.#checkApplied(machine, raft, this.#seenOf(machine, raft))
    this.#seen.delete(machine.id)
  }

  #seenOf(machine: Machine, raft: RaftState): Seen {
    const known = this.#seen.get(machine.id)
    if (known?.raft === raft) return known
    // 9: what a process knew before it ended, its disk knows.
    const begin = raft.log.start.index
    const term = this.#termSaid.get(machine.id) ?? asTerm(0)
    const fresh: Seen = { raft, commitIndex: begin, appliedIndex: begin, role: 'follower', term }
    this.#seen.set(machine.id, fresh)
    return fresh
  }

  #checkLeader(machine: Machine, raft: RaftState, seen: Seen): void {
    const { currentTerm, role } = raft
    assert(currentTerm >= seen.term, `9: the term of ${machine.id} went back`)
    if (role.kind === 'leader' && (seen.role !== 'leader' || seen.term !== currentTerm)) {
      const leader = this.leaders.get(currentTerm) ?? machine.id
      assert(leader === machine.id, `1: ${leader} and ${machine.id} lead term ${currentTerm}`)
      this.leaders.set(currentTerm, leader)
      const last = this.#committed.at(-1)
      const hasAll = last === undefined || last.term > currentTerm || termAt(raft.log, last.index) === last.term
      assert(hasAll, `4: ${machine.id} leads term ${currentTerm} without committed entry ${last?.index}`)
    }
    seen.role = role.kind
    seen.term = currentTerm
  }

  /** 6, 8: what a leader calls committed is on the disks of a majority, up to an entry of its own term. */
  #checkCommit(machine: Machine, raft: RaftState, seen: Seen, ledBefore: boolean): void {
    const { commitIndex } = raft
    assert(commitIndex >= seen.commitIndex, `9: the commit index of ${machine.id} went back`)
    // What it learned as a follower in the turn in which it came to lead, others have counted.
    const counts = raft.role.kind === 'leader' && (ledBefore || commitIndex >= raft.role.termStart)
    if (counts && commitIndex > seen.commitIndex) {
      const term = termAt(raft.log, commitIndex)
      assert(term === raft.currentTerm, `8: ${machine.id} commits entry ${commitIndex} of an earlier term by counting`)
      const holders = this.#machines.filter(({ disk, lostDisks }) =>
        [disk, ...lostDisks].some((any) => any.durable().entryAt(commitIndex)?.term === term),
      )
      assert(
        holders.length * 2 > this.#machines.length,
        `6: entry ${commitIndex} is committed on ${holders.length} disks`,
      )
      this.#checkLaterLeaders(machine, raft)
    }
    seen.commitIndex = commitIndex
  }

  /** 14: what an older leader still commits, every later one has. */
  #checkLaterLeaders(machine: Machine, { currentTerm, commitIndex }: RaftState): void {
    for (const { id, node } of this.#machines) {
      const other = node?.replica?.core.raft
      if (other === undefined || other.role.kind !== 'leader' || other.currentTerm <= currentTerm) continue
      const has = termAt(other.log, commitIndex) === currentTerm
      assert(
        has,
        `14: ${machine.id} commits entry ${commitIndex} in term ${currentTerm}, ${id} leads ${other.currentTerm} without it`,
      )
    }
  }

  /** 5, 7: every member applies the same entries; whoever is first hands them on. */
  #checkApplied(machine: Machine, raft: RaftState, seen: Seen): void {
    const { window } = raft.log
    const disk = machine.disk.durable()
    for (let index = asIndex(seen.appliedIndex + 1); index <= raft.appliedIndex; index = asIndex(index + 1)) {
      const first = window[0]
      const entry = (first === undefined ? undefined : window[index - first.index]) ?? disk.entryAt(index)
      assert(entry !== null && entry !== undefined, `5: ${machine.id} applied entry ${index}, which it does not have`)
      const committed = this.#committed[index - 1]
      if (committed === undefined) {
        assert(index === this.#committed.length + 1, `5: ${machine.id} applied entry ${index} with a gap`)
        this.#committed.push(entry)
        this.#committedSink(entry)
      } else {
        assert(isSame(committed, entry), `7: committed entry ${index} is another at ${machine.id}`)
      }
    }
    seen.appliedIndex = raft.appliedIndex
  }
}

/** 17: what the node takes for durable would survive a power cut; with no write under way that is everything. */
function checkMemoryIsDisk(machine: Machine, { durability, log, currentTerm, votedFor }: RaftState): void {
  const disk = machine.disk.durable()
  const { durableIndex, underWay } = durability
  const stored = disk.entryAt(durableIndex)?.term ?? null
  assert(
    durableIndex < disk.firstIndex || stored === termAt(log, durableIndex),
    `17: ${machine.id} lost entry ${durableIndex}`,
  )
  if (underWay.length > 0) return
  assert(
    disk.lastIndex === log.lastIndex,
    `17: the disk of ${machine.id} ends at ${disk.lastIndex}, its log at ${log.lastIndex}`,
  )
  assert(disk.hardState.currentTerm === currentTerm, `17: the disk of ${machine.id} is in another term`)
  assert(disk.hardState.votedFor === votedFor, `17: the disk of ${machine.id} has another vote`)
}

function isSame(a: Entry, b: Entry): boolean {
  if (a === b) return true
  const { payload } = b
  return (
    a.index === b.index &&
    a.term === b.term &&
    a.time === b.time &&
    a.payload.length === payload.length &&
    a.payload.every((byte, position) => byte === payload[position])
  )
}
