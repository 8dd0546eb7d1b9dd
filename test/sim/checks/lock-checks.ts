// The promises of DESIGN.md, judged from outside: the committed log is applied to a reference copy of the lock table as it
// grows, and everything that members do and clients are told is compared with it. The reference runs the same `apply` as
// the members, so what `apply` itself may never do is judged by records of its own (lives.ts).
import { decodePayload } from '../../../src/codec/command.ts'
import type { Index, NodeId } from '../../../src/ids.ts'
import { apply } from '../../../src/lockfsm/apply.ts'
import { checkState } from '../../../src/lockfsm/invariants.ts'
import { diskReplaced } from '../../../src/lockfsm/runs.ts'
import { createState } from '../../../src/lockfsm/state.ts'
import type { Limits, LockState } from '../../../src/lockfsm/state.ts'
import type { Entry } from '../../../src/raft/entry.ts'
import type { Random } from '../random.ts'
import { AnswerChecks } from './answers.ts'
import { BeliefChecks } from './beliefs.ts'
import { LifeChecks } from './lives.ts'
import { NumberChecks } from './numbers.ts'
import { PromiseChecks } from './promises.ts'
import { ReadChecks } from './reads.ts'
import { ReplicaChecks } from './replicas.ts'
import type { Scrutiny } from './scrutiny.ts'

export class LockChecks {
  readonly state: LockState
  index: Index | 0 = 0
  readonly answers = new AnswerChecks()
  readonly lives = new LifeChecks()
  readonly reads = new ReadChecks()
  readonly promises: PromiseChecks
  readonly beliefs: BeliefChecks
  readonly replicas: ReplicaChecks
  readonly numbers = new NumberChecks()
  readonly #now: () => number
  readonly #scrutiny: Scrutiny

  constructor(parts: { limits: Limits; now: () => number; random: Random; scrutiny: Scrutiny }) {
    this.state = createState(parts.limits)
    this.#now = parts.now
    this.#scrutiny = parts.scrutiny
    this.promises = new PromiseChecks(this.state, this.lives)
    this.beliefs = new BeliefChecks(parts.now)
    this.replicas = new ReplicaChecks(this.state, parts.random, parts.scrutiny)
  }

  /** The next entry of the committed log, at the moment when the first member had applied it. */
  committed({ index, time, payload, note }: Entry): void {
    const { state } = this
    const commands = note?.kind === 'memberReplaced' ? [diskReplaced(state, note.member)] : decodePayload(payload)
    const outcomes = apply(state, { time, commands })
    this.index = index
    if (index % this.#scrutiny.entries === 0) checkState(state)
    this.numbers.applied(commands)
    this.answers.applied(commands, outcomes, state)
    this.lives.applied({ state, index, time, commands, outcomes, at: this.#now() })
    this.reads.applied(state, index)
    this.promises.entryApplied()
    this.replicas.applied(index, { time, commands }, { outcomes, isMark: note?.kind === 'checkpoint' })
  }

  /** The log has come to its end: whatever was not looked at is. */
  ended(): void {
    checkState(this.state)
  }

  /**
   * Attempts that keep a grant although nobody can have learned of it (H13, H14): their node lives, did not begin to
   * answer them with the grant and, everything being at rest, will not withdraw them. `runOf`: the run of a node that
   * lives, null of one that does not.
   */
  ghosts(parts: { runOf: (node: NodeId) => number | null; grantsBegun: ReadonlySet<string> }): readonly string[] {
    const ghosts: string[] = []
    for (const { holder } of this.state.locks.values()) {
      for (const attempt of holder?.attempts ?? []) {
        const mark = this.answers.markAt(attempt)
        const isAnswered = mark === null || parts.grantsBegun.has(mark)
        if (!isAnswered && parts.runOf(attempt.node) === attempt.run) ghosts.push(`${mark} of token ${holder?.token}`)
      }
    }
    return ghosts
  }
}
