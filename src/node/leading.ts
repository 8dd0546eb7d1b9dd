// What a node does only while it leads: packs commands into entries, lets time pass for records with deadlines, and
// notices nodes that are out of reach.
import type { ForwardRefusal } from '../codec/frame.ts'
import type { NodeId, Run } from '../ids.ts'
import { nextDeadline } from '../lockfsm/expiry.ts'
import type { LockState, NodeRun } from '../lockfsm/state.ts'
import { stamp } from '../raft/cluster-time.ts'
import type { Leader } from '../raft/state.ts'
import type { Core } from './core.ts'
import { entryBytesMax } from './intake.ts'
import type { Intake } from './intake.ts'
import type { Marks } from './marks.ts'
import type { Submitted, Submitter } from './own-commands.ts'

/** Commands are held back while our disk writes, so that the next entry holds more of them; but not longer than this. */
const holdMaxMs = 5
/** While it does not, they are held back as long as each look at the sockets brings more; but not longer than this. */
const gatherMaxMs = 1
/** While anything has a deadline an entry is written so often: a new leader starts at most that far back (H7). */
const idleEntryMs = 500
/** A node that has not answered for so long loses its attempts in waiting requests. */
const nodeLostMs = 10_000

/** A node that was said to be lost, as it was known then. */
interface Announcement {
  readonly run: Run
  readonly number: number
  readonly at: number
  readonly command: Submitted
}

export interface LeadingParts {
  readonly core: Core
  readonly intake: Intake
  readonly lock: LockState
  readonly commands: Submitter
  readonly marks: Marks
  /** Asks for another turn. */
  wake(): void
}

export class Leading {
  readonly #core: Core
  readonly #intake: Intake
  readonly #lock: LockState
  readonly #commands: Submitter
  readonly #marks: Marks
  readonly #wake: () => void
  #holdingSince: number | null = null
  /** What the intake held at the last look. */
  #gatheredBytes = 0
  #lastEntryAt = -Infinity
  /** The last for each node that is out of contact. */
  readonly #lost = new Map<NodeId, Announcement>()
  /** Entries made with commands in them, and the commands, for metrics. */
  entries = 0
  commands = 0

  constructor(parts: LeadingParts) {
    this.#core = parts.core
    this.#intake = parts.intake
    this.#lock = parts.lock
    this.#commands = parts.commands
    this.#marks = parts.marks
    this.#wake = () => parts.wake()
  }

  /** To be called at the end of every turn, before the tick. */
  turn(now: number): void {
    const { role } = this.#core.raft
    if (role.kind !== 'leader') return
    this.#watchNodes(role, now)
    this.#pack(now)
    this.#mark(now)
    this.#letTimePass(role, now)
  }

  /** This node leads no more, and must not say later what it knew as a leader: to be called before anything is sent. */
  ended(): void {
    this.#holdingSince = null
    this.#gatheredBytes = 0
    for (const [node, announcement] of this.#lost) this.#takeBack(node, announcement)
  }

  /** When a turn is due at the latest. */
  wakeAt(now: number): number {
    const { role } = this.#core.raft
    if (role.kind !== 'leader') return Infinity
    const holdEnds = this.#holdingSince === null ? Infinity : this.#holdingSince + holdMaxMs
    const due = this.#isUnderWay ? null : nextDeadline(this.#lock)
    return Math.min(holdEnds, due === null ? Infinity : now + Math.max(1, due - role.clock.time))
  }

  #pack(now: number): void {
    while (!this.#intake.isEmpty) {
      this.#holdingSince ??= now
      if (this.#intake.bytes < entryBytesMax && this.#isHeld(now - this.#holdingSince)) return
      const packed = this.#intake.pack()
      const fate = this.#core.propose(packed.payload, now)
      if (fate === 'appended') {
        this.#lastEntryAt = now
        this.entries++
        this.commands += packed.count
      } else {
        // A transfer is under way: the next leader, or we again, will take them.
        const reason: ForwardRefusal = fate === 'overloaded' ? 'overloaded' : 'notLeader'
        packed.undo(reason)
      }
    }
    this.#holdingSince = null
    this.#gatheredBytes = 0
  }

  /** An entry costs three disks a write and every node some messages, however many commands it holds. */
  #isHeld(forMs: number): boolean {
    if (this.#core.disk.busy) return forMs < holdMaxMs
    if (forMs >= gatherMaxMs || this.#intake.bytes === this.#gatheredBytes) return false
    this.#gatheredBytes = this.#intake.bytes
    this.#wake()
    return true
  }

  #mark(now: number): void {
    const { raft } = this.#core
    // A leader that has not applied what was there before it does not know what has gone by.
    if (!this.#marks.isDue || raft.appliedIndex < raft.commitIndex) return
    if (this.#core.propose(new Uint8Array(0), now, { kind: 'checkpoint' }) === 'appended') {
      this.#marks.proposed(raft.log.lastIndex)
    }
  }

  /** Proposes an entry without commands when a deadline is due, or nothing was written for long. */
  #letTimePass(role: Leader, now: number): void {
    const { raft } = this.#core
    const due = nextDeadline(this.#lock)
    if (due === null || this.#isUnderWay) return
    const isDue = stamp(role.clock, raft.log.lastTime) >= due
    if (!isDue && now - this.#lastEntryAt < idleEntryMs) return
    this.#lastEntryAt = now
    this.#core.propose(new Uint8Array(0), now)
  }

  /** Whether entries are still to be applied. They may be all that is needed, and their commit wakes the loop. */
  get #isUnderWay(): boolean {
    const { appliedIndex, log } = this.#core.raft
    return appliedIndex !== log.lastIndex
  }

  /** A node that does not answer cannot answer its clients either: their attempts must not stay in the sets (H12). */
  #watchNodes(role: Leader, now: number): void {
    for (const [node, { contactAt }] of role.progress) {
      const last = this.#lost.get(node)
      if (now - contactAt < nodeLostMs) {
        if (last !== undefined) this.#takeBack(node, last)
        continue
      }
      const known = this.#lock.runs.get(node)
      if (known !== undefined && (last === undefined || isOutdated(last, known, now))) this.#announce(node, known, now)
    }
  }

  #announce(node: NodeId, { run, number }: NodeRun, now: number): void {
    const command = this.#commands.submit({
      command: { kind: 'nodeLost', node, run, number },
      learn: (fate) => {
        if (fate.kind !== 'outcome' && this.#lost.get(node)?.command === command) this.#lost.delete(node)
      },
    })
    this.#lost.set(node, { run, number, at: now, command })
  }

  /** Whoever leads next judges by himself: what was said here may be long untrue when it would be sent again (B104). */
  #takeBack(node: NodeId, { command }: Announcement): void {
    this.#lost.delete(node)
    if (!command.takeBack()) command.abandon()
  }
}

/**
 * Frames of a lost node can lie in a kernel and arrive later. The attempts they bring are nobody's, too, and leave like
 * the others when they have had as long.
 */
function isOutdated(last: Announcement, known: NodeRun, now: number): boolean {
  return (known.run !== last.run || known.number > last.number) && now - last.at >= nodeLostMs
}
