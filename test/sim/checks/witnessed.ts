// A lock table that shows every entry to the checks as it is applied, for the tests of the checks. A test doctors what they
// are shown, or the table itself behind the back of its log, and nothing but the check under test looks at it.
import { asClusterTime, asIndex } from '../../../src/ids.ts'
import { apply } from '../../../src/lockfsm/apply.ts'
import type { NumberedCommand } from '../../../src/lockfsm/command.ts'
import type { Outcome, Result } from '../../../src/lockfsm/outcome.ts'
import { Table } from '../../lockfsm/table.ts'
import { LifeChecks } from './lives.ts'
import type { AppliedEntry } from './lives.ts'

export class Witnessed extends Table {
  readonly lives = new LifeChecks()
  /** The entries so far, as they were shown. */
  readonly entries: AppliedEntry[] = []
  /** What the checks are told of the outcomes of the next entries. */
  retell: (outcomes: readonly Outcome[]) => readonly Outcome[] = (outcomes) => outcomes
  /** Told of every entry. */
  watch: (entry: AppliedEntry) => void = () => {}

  override entry(time: number | null, commands: readonly NumberedCommand[]): readonly Outcome[] {
    const { state } = this
    const outcomes = apply(state, { time: asClusterTime(time ?? state.time), commands })
    const index = asIndex(this.entries.length + 1)
    const shown = { state, index, time: state.time, commands, outcomes: this.retell(outcomes), at: state.time }
    this.entries.push(shown)
    this.lives.applied(shown)
    this.watch(shown)
    return outcomes
  }

  /** From now on every result is told as `change` says. */
  retellResults(change: (result: Result) => Result): void {
    this.retell = (outcomes) => outcomes.map(({ to, result }) => ({ to, result: change(result) }))
  }
}
