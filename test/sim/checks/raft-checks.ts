// What several members together may never do (RAFT.md 2), checked after every turn of every node and at the sending of
// every frame, against the disks as they would be found after a power cut at that moment. The numbers are those of the
// list; 10 and 11 are in disk-promises.ts, 12, 13 and 15 are
// `checkState` (log-checks.ts), 16 comes with membership changes, 18 is the trace hash of the run. What is
// counted here is counted here: nothing is borrowed from the core that a mistake of the core could weaken.
import { assert } from '../../../src/assert.ts'
import { asIndex } from '../../../src/ids.ts'
import type { Incarnation, Index, NodeId, Term } from '../../../src/ids.ts'
import type { Entry } from '../../../src/raft/entry.ts'
import { checkBesideLog } from '../../../src/raft/invariants.ts'
import { lastTerm, termAt } from '../../../src/raft/log.ts'
import type { RaftState } from '../../../src/raft/state.ts'
import type { LogBatch } from '../../../src/storage/log-store.ts'
import type { DurableDisk } from '../../../src/testing/memory-disk.ts'
import type { Machine } from '../machine.ts'
import { ByEntry } from './by-entry.ts'
import { DiskPromises } from './disk-promises.ts'
import type { Spoken } from './disk-promises.ts'
import { DisksInForce, entryOf } from './in-force.ts'
import { LogChecks } from './log-checks.ts'
import { isSameBytes, isSameData } from './same-data.ts'

interface SeenEntry {
  readonly prevTerm: Term
  readonly entry: Entry
}

/** What a member was when it was last looked at; forgotten when its process ends. */
interface Seen {
  readonly raft: RaftState
  readonly log: LogChecks
  commitIndex: Index
  appliedIndex: Index
  role: RaftState['role']['kind']
  term: Term
  /** The end of its log. */
  lastIndex: Index
  lastTerm: Term
}

export class RaftChecks {
  /** Leaders so far: one for each term (1). */
  readonly leaders = new Map<Term, NodeId>()
  readonly promises = new DiskPromises()
  readonly #machines: readonly Machine[]
  readonly #committedSink: (entry: Entry) => void
  readonly #entries = new ByEntry<SeenEntry>()
  /** By index, from 1; what is here can never change (7). */
  readonly #committed: Entry[] = []
  readonly #seen = new Map<NodeId, Seen>()
  readonly #inForce = new DisksInForce()

  /** `committed` is called once for every entry, in order, when the first member has applied it. */
  constructor(machines: readonly Machine[], committed: (entry: Entry) => void) {
    this.#machines = machines
    this.#committedSink = committed
  }

  get lastCommitted(): Index {
    return asIndex(this.#committed.length)
  }

  /** The committed entry at `index`; null when there is none yet. */
  committedAt(index: Index): Entry | null {
    return this.#committed[index - 1] ?? null
  }

  /** Whether the machine has the disk that counts, as far as is committed. */
  hasDiskInForce(machine: Machine): boolean {
    return this.#inForce.isCommitted(machine)
  }

  /** 3: the same (index, term) is the same entry behind the same prefix, on whatever disk it comes. */
  written(machine: Machine, batch: LogBatch): void {
    const first = batch.entries[0]
    if (first === undefined) return
    let prevTerm = termOnDisk(machine.disk.durable(), asIndex(first.index - 1))
    for (const entry of batch.entries) {
      assert(prevTerm !== null, () => `3: ${machine.id} writes entry ${entry.index} behind a hole`)
      const seen = this.#entries.get(entry)
      if (seen === undefined) this.#entries.set(entry, { prevTerm, entry })
      else {
        const { index, term } = entry
        assert(seen.prevTerm === prevTerm, () => `3: entry ${index} ${term} follows different terms`)
        assert(isSame(seen.entry, entry), () => `3: entry ${index} ${term} differs between members`)
      }
      prevTerm = entry.term
    }
  }

  sent(from: Machine, to: NodeId, spoken: Spoken): void {
    this.promises.sent(from, to, spoken)
  }

  turned(machine: Machine): void {
    const replica = machine.node?.replica
    if (replica === null || replica === undefined) return
    const { raft } = replica.core
    const seen = this.#seenOf(machine, raft)
    checkBesideLog(raft)
    seen.log.check(raft.log)
    const ledBefore = seen.role === 'leader' && seen.term === raft.currentTerm
    if (ledBefore) checkAppendOnly(machine, raft, seen)
    seen.lastIndex = raft.log.lastIndex
    seen.lastTerm = lastTerm(raft.log)
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
    // 9: what a process knew before it ended, its disk knows. What is before its checkpoint it applied in an earlier life.
    const begin = raft.log.start.index
    const term = this.promises.termSaid(machine.disk.durable().meta?.incarnation ?? null)
    const end = { lastIndex: raft.log.lastIndex, lastTerm: lastTerm(raft.log) }
    const log = new LogChecks()
    const fresh: Seen = { raft, log, commitIndex: begin, appliedIndex: begin, role: 'follower', term, ...end }
    this.#seen.set(machine.id, fresh)
    return fresh
  }

  #checkLeader(machine: Machine, raft: RaftState, seen: Seen): void {
    const { currentTerm, role } = raft
    assert(currentTerm >= seen.term, () => `9: the term of ${machine.id} went back`)
    if (role.kind === 'leader' && (seen.role !== 'leader' || seen.term !== currentTerm)) {
      const leader = this.leaders.get(currentTerm) ?? machine.id
      assert(leader === machine.id, () => `1: ${leader} and ${machine.id} lead term ${currentTerm}`)
      this.leaders.set(currentTerm, leader)
      const last = this.#committed.at(-1)
      const hasAll = last === undefined || last.term > currentTerm || termAt(raft.log, last.index) === last.term
      assert(hasAll, () => `4: ${machine.id} leads term ${currentTerm} without committed entry ${last?.index}`)
    }
    seen.role = role.kind
    seen.term = currentTerm
  }

  /** 6, 8: what a leader calls committed is on the disks of a majority, up to an entry of its own term. */
  #checkCommit(machine: Machine, raft: RaftState, seen: Seen, ledBefore: boolean): void {
    const { commitIndex } = raft
    assert(commitIndex >= seen.commitIndex, () => `9: the commit index of ${machine.id} went back`)
    // What it learned as a follower in the turn in which it came to lead, others have counted.
    const counts = raft.role.kind === 'leader' && (ledBefore || commitIndex >= raft.role.termStart)
    if (counts && commitIndex > seen.commitIndex) {
      const term = termAt(raft.log, commitIndex)
      assert(
        term === raft.currentTerm,
        () => `8: ${machine.id} commits entry ${commitIndex} of an earlier term by counting`,
      )
      const inForce = this.#inForce.for(machine, raft)
      const holders = this.#machines.filter((holder) => this.#holds(holder, inForce.get(holder.id), raft))
      assert(
        holders.length * 2 > this.#machines.length,
        () => `6: entry ${commitIndex} is committed on ${holders.length} disks`,
      )
      this.#checkLaterLeaders(machine, raft)
    }
    seen.commitIndex = commitIndex
  }

  /** Whether the disk in force of a member has, or had when it said so, what this leader has just committed (H28). */
  #holds(machine: Machine, inForce: Incarnation | undefined, { commitIndex, currentTerm }: RaftState): boolean {
    if (inForce === undefined) return false
    if (this.promises.hasAcknowledged(inForce, currentTerm, commitIndex)) return true
    const { meta, firstIndex, entryAt } = machine.disk.durable()
    if (meta?.incarnation !== inForce || meta.counted === null) return false
    return commitIndex < firstIndex || entryAt(commitIndex)?.term === currentTerm
  }

  /** 14: what an older leader still commits, every later one has. */
  #checkLaterLeaders(machine: Machine, { currentTerm, commitIndex }: RaftState): void {
    for (const { id, node } of this.#machines) {
      const other = node?.replica?.core.raft
      if (other === undefined || other.role.kind !== 'leader' || other.currentTerm <= currentTerm) continue
      const has = commitIndex < other.log.start.index || termAt(other.log, commitIndex) === currentTerm
      assert(
        has,
        () =>
          `14: ${machine.id} commits entry ${commitIndex} in term ${currentTerm}, ${id} leads ${other.currentTerm} without it`,
      )
    }
  }

  /** 5, 7: every member applies the same entries; whoever is first hands them on. */
  #checkApplied(machine: Machine, raft: RaftState, seen: Seen): void {
    // A snapshot stands for what was jumped over: the states are compared (keeping-checks.ts, replicas.ts).
    if (raft.log.start.index > seen.appliedIndex) seen.appliedIndex = raft.log.start.index
    for (let index = asIndex(seen.appliedIndex + 1); index <= raft.appliedIndex; index = asIndex(index + 1)) {
      const entry = entryOf(machine, raft, index)
      assert(entry !== null, () => `5: ${machine.id} applied entry ${index}, which it does not have`)
      const committed = this.#committed[index - 1]
      if (committed === undefined) {
        assert(index === this.#committed.length + 1, () => `5: ${machine.id} applied entry ${index} with a gap`)
        this.#committed.push(entry)
        this.#inForce.committed(entry)
        this.#committedSink(entry)
      } else {
        assert(isSame(committed, entry), () => `7: committed entry ${index} is another at ${machine.id}`)
      }
    }
    seen.appliedIndex = raft.appliedIndex
  }
}

/** 2: what a leader had at the end of its log is there as long as its term is. */
/**
 * Of an entry on the disk, or of what the log begins behind; null when there is none. The log in memory does not say it: it
 * may begin behind a snapshot that came after this write was asked for, and whose install waits for this write.
 */
function termOnDisk(disk: DurableDisk, index: Index): Term | null {
  return index === disk.start.index ? disk.start.term : (disk.entryAt(index)?.term ?? null)
}

function checkAppendOnly({ id }: Machine, { log, currentTerm }: RaftState, seen: Seen): void {
  const isKept = seen.lastIndex < log.start.index || termAt(log, seen.lastIndex) === seen.lastTerm
  assert(isKept, () => `2: ${id} leads term ${currentTerm} and drops entry ${seen.lastIndex} of its own log`)
}

/** 17: what the node takes for durable would survive a power cut; with no write under way that is everything. */
function checkMemoryIsDisk(machine: Machine, { durability, log, currentTerm, votedFor }: RaftState): void {
  const disk = machine.disk.durable()
  const { durableIndex, underWay } = durability
  const stored = disk.entryAt(durableIndex)?.term ?? null
  // Until a snapshot is installed the disk has the log of before.
  const isBefore = durableIndex < log.start.index || durableIndex < disk.firstIndex
  assert(isBefore || stored === termAt(log, durableIndex), () => `17: ${machine.id} lost entry ${durableIndex}`)
  if (underWay.length > 0) return
  assert(
    disk.lastIndex === log.lastIndex,
    () => `17: the disk of ${machine.id} ends at ${disk.lastIndex}, its log at ${log.lastIndex}`,
  )
  assert(disk.hardState.currentTerm === currentTerm, () => `17: the disk of ${machine.id} is in another term`)
  assert(disk.hardState.votedFor === votedFor, () => `17: the disk of ${machine.id} has another vote`)
}

function isSame(a: Entry, b: Entry): boolean {
  if (a === b) return true
  const { payload } = b
  return (
    a.index === b.index &&
    a.term === b.term &&
    a.time === b.time &&
    isSameData(a.note, b.note) &&
    isSameBytes(a.payload, payload)
  )
}
