// Exclusion as clients see it (S1 with S5): no client believes that it holds a lock while another still does. A belief
// begins with the answer that grants, ends when its client asks for the end or its own clock says that the time of which
// it was assured has passed, and knows nothing of logs or nodes.
import { assert } from '../../../src/assert.ts'
import type { LockName, Token } from '../../../src/ids.ts'

export interface Belief {
  readonly client: string
  readonly lock: LockName
  readonly token: Token
  /** Virtual time until which the client counts on the lock. */
  until(): number
}

export class BeliefChecks {
  readonly #now: () => number
  readonly #beliefs = new Map<LockName, Belief[]>()

  constructor(now: () => number) {
    this.#now = now
  }

  begin(belief: Belief): void {
    const { lock, token, client } = belief
    const others = (this.#beliefs.get(lock) ?? []).filter((other) => other.until() > this.#now())
    this.#beliefs.set(lock, [...others, belief])
    if (belief.until() <= this.#now()) return
    const other = others.find((held) => held.token !== token)
    assert(
      other === undefined,
      () => `S1: ${client} (token ${token}) and ${other?.client} (token ${other?.token}) both count on ${lock}`,
    )
  }

  /** The client asks for the end, or learns of it: from now on it counts on nothing. */
  end({ lock, token, client }: Omit<Belief, 'until'>): void {
    const left = (this.#beliefs.get(lock) ?? []).filter((held) => held.token !== token || held.client !== client)
    this.#beliefs.set(lock, left)
  }
}
