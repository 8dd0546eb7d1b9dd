// The end of an orderly stop. What waits is answered: with a session 202, its place stays; everything else is unknown.
// Whoever is answered so must not be granted anything behind his back (H13), so the node stays until its withdrawals are
// applied, but not for long: without a majority they never are.
import type { Index } from '../ids.ts'
import type { LockState } from '../lockfsm/state.ts'
import { viewRequest } from '../lockfsm/views.ts'
import type { Administration } from './administration.ts'
import type { Answer, Call, Calls } from './calls.ts'
import type { OwnCommands } from './own-commands.ts'
import type { ReadRounds } from './read-rounds.ts'
import type { Withdrawals } from './withdrawals.ts'

const withdrawMs = 1000

export interface LeavingParts {
  readonly lock: LockState
  readonly calls: Calls
  readonly reads: ReadRounds
  readonly administration: Administration
  readonly withdrawals: Withdrawals
  readonly commands: OwnCommands
  appliedIndex(): Index
}

export class Leaving {
  readonly #parts: LeavingParts
  #under: { readonly until: number; readonly left: () => void } | null = null

  constructor(parts: LeavingParts) {
    this.#parts = parts
  }

  /** Answers everything. `left` is called in a later turn, once. */
  begin(now: number, left: () => void): void {
    const { calls, reads, administration } = this.#parts
    calls.stop((call) => this.#lastAnswer(call))
    reads.stop()
    administration.stop()
    this.#under = { until: now + withdrawMs, left }
  }

  /** To be called at the end of every turn. */
  turn(now: number): void {
    const { withdrawals, commands } = this.#parts
    if (this.#under === null) return
    const { until, left } = this.#under
    if (now < until && !(withdrawals.isEmpty && commands.size === 0)) return
    this.#under = null
    left()
  }

  #lastAnswer({ request: { command }, phase }: Call): Answer {
    if (phase !== 'queued' || command.kind !== 'acquire' || command.session === null) return { kind: 'unknown' }
    const { lock, session, requestId } = command
    const view = viewRequest(this.#parts.lock, { lock, session, requestId })
    if (view === null || view.state !== 'waiting') return { kind: 'unknown' }
    const { sequence, position, queueLength } = view
    return {
      kind: 'outcome',
      index: this.#parts.appliedIndex(),
      result: { kind: 'stillWaiting', lock, session, requestId, sequence, position, queueLength },
    }
  }
}
