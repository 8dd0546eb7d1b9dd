// That reads show the past as it was, and none older than what somebody was told before they began (S6): the holder and
// the length of the queue of every lock, after every entry.
import { assert } from '../../../src/assert.ts'
import type { Index, LockName, Token } from '../../../src/ids.ts'
import type { LockState } from '../../../src/lockfsm/state.ts'
import { viewLock } from '../../../src/lockfsm/views.ts'

export interface LockFacts {
  readonly token: Token | null
  readonly queueLength: number
}

const idle: LockFacts = { token: null, queueLength: 0 }

export class ReadChecks {
  readonly #history = new Map<LockName, { readonly index: Index; readonly facts: LockFacts }[]>()

  applied(state: LockState, index: Index): void {
    for (const lock of new Set([...this.#history.keys(), ...state.locks.keys()])) {
      const facts = factsOf(state, lock)
      const history = this.#history.get(lock) ?? []
      if (isSame(history.at(-1)?.facts ?? idle, facts)) continue
      history.push({ index, facts })
      this.#history.set(lock, history)
    }
  }

  /** A read at a node that had applied `index` showed `facts`; somebody had been told of `after` before it began. */
  checkRead(read: { lock: LockName; index: Index; after: number; facts: LockFacts }): void {
    const { lock, index, after, facts } = read
    assert(index >= after, () => `S6: a read saw entry ${index}, but ${after} was answered before`)
    const history = this.#history.get(lock) ?? []
    const then = history.findLast((change) => change.index <= index)?.facts ?? idle
    assert(
      isSame(then, facts),
      () => `S6: ${lock} at entry ${index}: read ${textOf(facts)}, but it was ${textOf(then)}`,
    )
  }
}

export function factsOf(state: LockState, lock: LockName): LockFacts {
  const { holders, queueLength } = viewLock(state, lock)
  return { token: holders[0]?.token ?? null, queueLength }
}

function isSame(a: LockFacts, b: LockFacts): boolean {
  return a.token === b.token && a.queueLength === b.queueLength
}

function textOf({ token, queueLength }: LockFacts): string {
  return `token ${token} and ${queueLength} waiting`
}
