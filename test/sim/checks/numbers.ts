// That the commands of a node keep the order of their numbers on their way into the log (H20, H21). One that comes for the
// first time behind a later one is passed over: not wrong, because its node learns of it, and not always avoidable, because
// a late copy of the later one may reach a leader that refused the earlier. But commands that were only ever sent together
// stay in their order: nothing is overloaded in these worlds, and a frame is taken as a whole.
import { assert } from '../../../src/assert.ts'
import { decodeCommand } from '../../../src/codec/command.ts'
import type { Forward } from '../../../src/codec/frame.ts'
import type { NumberedCommand, Origin } from '../../../src/lockfsm/command.ts'

interface OfRun {
  /** Numbers that the log has. */
  readonly applied: Set<number>
  last: number
  /** Which sendings carried a number. */
  readonly sendings: Map<number, Set<number>>
}

export class NumberChecks {
  readonly #runs = new Map<string, OfRun>()

  /** A node sends commands to what it takes for the leader. */
  sent({ sending, commands }: Forward): void {
    let last = 0
    for (const bytes of commands) {
      const { origin } = decodeCommand(bytes)
      assert(origin.number > last, () => `21: ${origin.node} sends command ${origin.number} behind ${last}`)
      last = origin.number
      const { sendings } = this.#ofRun(origin)
      const known = sendings.get(last)
      if (known === undefined) sendings.set(last, new Set([sending]))
      else known.add(sending)
    }
  }

  applied(commands: readonly NumberedCommand[]): void {
    for (const { origin, command } of commands) {
      const of = this.#ofRun(origin)
      const { applied, sendings } = of
      const { number } = origin
      if (applied.has(number)) continue
      const own = sendings.get(number) ?? new Set()
      for (let later = number + 1; later <= of.last; later++) {
        if (!applied.has(later)) continue
        const others = sendings.get(later) ?? new Set()
        const alwaysTogether = others.size > 0 && [...others].every((sending) => own.has(sending))
        assert(
          !alwaysTogether,
          () => `21: ${origin.node} sent command ${number} (${command.kind}) before ${later}, the log has it behind`,
        )
      }
      applied.add(number)
      of.last = Math.max(of.last, number)
    }
  }

  #ofRun({ node, run }: Origin): OfRun {
    const key = `${node}/${run}`
    const known = this.#runs.get(key) ?? { applied: new Set(), last: 0, sendings: new Map() }
    this.#runs.set(key, known)
    return known
  }
}
