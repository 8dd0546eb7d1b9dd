// Committed entries into the lock table, one after the other, and what this node learns by it: what became of its own
// commands, for whom among the others somebody waits, which checkpoint is due, and whose disks count. A snapshot comes in
// place of entries that are never seen here; nothing is concluded from what it jumped over (H19).
import { decodePayload } from '../codec/command.ts'
import type { Incarnation, Index, NodeId, Run } from '../ids.ts'
import { apply } from '../lockfsm/apply.ts'
import { attendance } from '../lockfsm/attendance.ts'
import type { NumberedCommand } from '../lockfsm/command.ts'
import { diskReplaced, runOf } from '../lockfsm/runs.ts'
import type { LockState } from '../lockfsm/state.ts'
import type { Entry, MemberReplaced } from '../raft/entry.ts'
import { incarnationsAt, inForce, namedAt } from '../raft/members.ts'
import type { Core } from './core.ts'
import type { Host } from './host.ts'
import type { OwnCommands } from './own-commands.ts'

export interface ApplyingParts {
  readonly self: NodeId
  /** How often the process was started with this disk. */
  readonly run: Run
  readonly incarnation: Incarnation
  readonly host: Host
  readonly core: Core
  readonly lock: LockState
  readonly commands: OwnCommands
  leads(): boolean
  /** The entry has just been applied, and none behind it. */
  applied(entry: Entry): void
  replaced(member: NodeId, incarnation: Incarnation): void
  /** Everything up to `index` has been applied. */
  reached(index: Index): void
}

export class Applying {
  readonly #parts: ApplyingParts
  #index: Index
  #run: Run | null = null

  constructor(parts: ApplyingParts) {
    this.#parts = parts
    this.#index = parts.core.raft.appliedIndex
    this.#learnRun()
  }

  /**
   * Index of the last entry that the lock table of this node has applied. The core's own index can be ahead of it: it
   * says what was handed out, and one step may hand out twice, what was read from disk and what was in memory behind it.
   */
  get index(): Index {
    return this.#index
  }

  /** Of this node in its commands; null until it has applied that this disk is the node's. */
  get run(): Run | null {
    return this.#run
  }

  entries(entries: readonly Entry[]): void {
    const { self, lock, commands } = this.#parts
    /** By other nodes, whose clients wait for what was applied here: up to which index. */
    const awaited = new Map<NodeId, Index>()
    for (const entry of entries) {
      const { index, note } = entry
      for (const outcome of apply(lock, { time: entry.time, commands: this.#commandsOf(entry) })) {
        if (outcome.to.node !== self) awaited.set(outcome.to.node, index)
        else if (outcome.to.run === this.#run) commands.applied(outcome, index)
      }
      this.#index = index
      this.#parts.applied(entry)
      if (note?.kind === 'memberReplaced') this.#onReplaced(note)
    }
    this.#judgeOwnDisk()
    this.#learnRun()
    if (this.#parts.leads()) this.#announceCommits(awaited)
    this.#parts.reached(this.#index)
  }

  /** The lock table is that of a snapshot at `index` now. */
  installed(index: Index): void {
    const { self: node, lock, commands } = this.#parts
    const run = this.#run
    this.#index = index
    const known = lock.runs.get(node)
    if (this.#hasMoved()) {
      // Whether they were applied before our disk was replaced nobody can say (H19).
      commands.installed(Number.MAX_SAFE_INTEGER, index, () => null)
      this.#run = null
    } else if (run !== null && known?.run === run) {
      commands.installed(known.number, index, (command, number) =>
        command.kind === 'acquire' || command.kind === 'openSession'
          ? attendance(lock, { node, run, number }, command)
          : null,
      )
    }
    this.#judgeOwnDisk()
    this.#learnRun()
    this.#parts.reached(index)
  }

  #commandsOf({ payload, note }: Entry): readonly NumberedCommand[] {
    return note?.kind === 'memberReplaced' ? [diskReplaced(this.#parts.lock, note.member)] : decodePayload(payload)
  }

  #announceCommits(awaited: ReadonlyMap<NodeId, Index>): void {
    const { core } = this.#parts
    for (const [by, index] of awaited) core.step({ kind: 'commitAwaited', by, index, now: core.raft.now })
  }

  #onReplaced({ member, incarnation }: MemberReplaced): void {
    this.#parts.replaced(member, incarnation)
    if (member !== this.#parts.self || !this.#hasMoved()) return
    this.#parts.commands.runEnded()
    this.#run = null
  }

  /** Whether our node has had another disk since our run was learned: even if it has this one again, its runs begin anew. */
  #hasMoved(): boolean {
    const { self, run, lock } = this.#parts
    return this.#run !== null && runOf(lock, self, run) !== this.#run
  }

  /**
   * A disk that counted, or was named to, and was replaced counts no more. What the log says from before its own time says
   * nothing of it, and as long as there is more to apply it may be named further on.
   */
  #judgeOwnDisk(): void {
    const { self, incarnation, host, core } = this.#parts
    const { raft } = core
    const disk = inForce(raft, self)
    if (disk === incarnation || incarnationsAt(raft, this.#index).get(self) !== disk) return
    if (raft.role.kind !== 'follower' || this.#index < raft.role.leaderCommit) return
    if (raft.countedBy === null && !raft.log.replacements.some((each) => each.incarnation === incarnation)) return
    host.fatal({
      code: 'stranger',
      message: `${self} has another disk now, ${disk}`,
      advice:
        'This one was replaced and counts no more. Stop it for good, or replace the member once more with an empty one.',
    })
  }

  /** Runs stand in a range of their own for each disk of a node (H24): which one ours has is known when its turn is applied. */
  #learnRun(): void {
    const { self, run, incarnation, core, lock } = this.#parts
    // Without its state a node does not know in which range its disk stands.
    if (this.#run !== null || !core.raft.canServe) return
    if (incarnationsAt(core.raft, this.#index).get(self) !== incarnation) return
    // It will move: what was sent until then would be of an older run.
    if (namedAt(core.raft, self) > this.#index) return
    this.#run = runOf(lock, self, run)
    this.#announceRun()
  }

  /** First command of this run: nobody answers for the attempts of earlier ones any more. */
  #announceRun(): void {
    this.#parts.commands.submit({
      command: { kind: 'nodeStarted' },
      learn: (fate) => {
        if (fate.kind === 'notDone') this.#announceRun()
      },
    })
  }
}
