// Whether what clients were told is what the log says (S4). Every attempt to acquire or to open carries a mark that no
// other carries; by it an answer is compared with the outcomes that the log gave to that very attempt, and one that was
// answered as not done must never have an effect. The same outcomes show that every command has one effect (RAFT.md 21),
// that nobody who waits is forgotten (26), and that nobody is granted a lock whose request does not know him (H12).
import { assert } from '../../../src/assert.ts'
import type { NumberedCommand, Origin } from '../../../src/lockfsm/command.ts'
import type { Outcome, Result } from '../../../src/lockfsm/outcome.ts'
import type { LockState } from '../../../src/lockfsm/state.ts'
import { markOf } from '../frontend.ts'
import { isSameData } from './same-data.ts'

export class AnswerChecks {
  /** A member has installed a snapshot: it did not see the outcomes before. */
  hasJumped = false
  readonly #markOf = new Map<string, string>()
  /** Outcomes given to the attempts of a mark, as JSON. */
  readonly #said = new Map<string, Result[]>()
  readonly #effective = new Set<string>()
  readonly #notDone = new Map<string, string>()
  /** Outcomes by origin: `queued` at most once, then one other at most. */
  readonly #given = new Map<string, 'queued' | 'final'>()
  /** Attempts that were queued, and neither answered nor withdrawn by their node. */
  readonly #waiting = new Set<string>()

  /** The entry has been applied, and left `state`. */
  applied(commands: readonly NumberedCommand[], outcomes: readonly Outcome[], state: LockState): void {
    const withdrawn = new Set<string>()
    for (const { origin, command } of commands) {
      const mark = markOf(command)
      if (mark !== null) this.#markOf.set(keyOf(origin), mark)
      if (command.kind !== 'withdraw') continue
      for (const { of, number } of command.attempts) if (of === 'acquire') withdrawn.add(keyOf({ ...origin, number }))
    }
    for (const { to, result } of outcomes) {
      this.#noteGiven(to, result)
      const mark = this.#markOf.get(keyOf(to))
      if (mark === undefined) continue
      const said = this.#said.get(mark)
      if (said === undefined) this.#said.set(mark, [result])
      else said.push(result)
      if (result.kind !== 'refused' || result.code === 'wait_timeout') this.#noteEffect(mark)
    }
    for (const key of withdrawn) this.#waiting.delete(key)
    this.#checkSets(outcomes, state, withdrawn)
  }

  /** The mark of the attempt that this command makes; null when it has none, or was not applied yet. */
  markAt(origin: Origin): string | null {
    return this.#markOf.get(keyOf(origin)) ?? null
  }

  /** The attempt was answered with an outcome: it is one that the log gave to it. */
  answered(mark: string, result: Result): void {
    const said = this.#said.get(mark) ?? []
    const isSaid = said.some((each) => isSameData(each, result) || (this.hasJumped && isSameGrant(each, result)))
    if (isSaid) return
    const text = said.map((each) => JSON.stringify(each)).join(', ') || 'nothing'
    assert(false, () => `S4: attempt ${mark} was answered ${JSON.stringify(result)}, but the log says ${text}`)
  }

  /** The attempt was answered with a failure that says so: it has no effect, now or ever. */
  definitelyNotDone(mark: string, answer: string): void {
    assert(!this.#effective.has(mark), () => `S4: attempt ${mark} was answered ${answer}, but had an effect`)
    this.#notDone.set(mark, answer)
  }

  /** Who waits is in the set of a request that waits; who was granted a lock is in that of its holder. */
  #checkSets(outcomes: readonly Outcome[], state: LockState, withdrawn: ReadonlySet<string>): void {
    const waiting = new Set<string>()
    for (const { queue } of state.locks.values()) {
      for (const { attempts } of queue) for (const attempt of attempts) waiting.add(keyOf(attempt))
    }
    for (const key of this.#waiting)
      assert(waiting.has(key), () => `26: attempt ${key} waits, and no request knows of it`)
    for (const { to, result } of outcomes) {
      if (result.kind !== 'granted' || withdrawn.has(keyOf(to))) continue
      const holder = state.locks.get(result.lock)?.holder ?? null
      // It may have ended within the entry.
      if (holder?.token !== result.token) continue
      const isKnown = holder.attempts.some((attempt) => keyOf(attempt) === keyOf(to))
      assert(
        isKnown,
        () => `H12: attempt ${keyOf(to)} was granted token ${result.token}, whose request does not know it`,
      )
    }
  }

  #noteEffect(mark: string): void {
    this.#effective.add(mark)
    const answer = this.#notDone.get(mark)
    assert(answer === undefined, () => `S4: attempt ${mark} was answered ${answer}, and had an effect later`)
  }

  #noteGiven(to: Origin, result: Result): void {
    const key = keyOf(to)
    const before = this.#given.get(key)
    assert(before !== 'final', () => `21: command ${key} got a second outcome: ${result.kind}`)
    assert(before === undefined || result.kind !== 'queued', () => `21: command ${key} was queued twice`)
    this.#given.set(key, result.kind === 'queued' ? 'queued' : 'final')
    if (result.kind === 'queued') this.#waiting.add(key)
    else this.#waiting.delete(key)
  }
}

/**
 * Behind a snapshot a node tells of a grant or a session as it is there: it may have been renewed since, is counted from
 * the snapshot's time, and which attempt was the first the records do not say. What is assured is judged by promises.ts.
 */
function isSameGrant(said: Result, answered: Result): boolean {
  const told = (result: Result): string => JSON.stringify({ ...result, validForMs: 0, ttlMs: 0, repeated: false })
  return said.kind === answered.kind && 'validForMs' in said && told(said) === told(answered)
}

function keyOf({ node, run, number }: Origin): string {
  return `${node}/${run}/${number}`
}
