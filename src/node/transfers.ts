// Calls that ask for another leader. They are settled by what this node hears of leaders, whoever brought it about, and
// only their waiting is kept here: handing over is the core's part.
import type { NodeId } from '../ids.ts'

const giveUpAfterMs = 3000

export interface TransferCall {
  /** null: to whom the leader likes. */
  readonly to: NodeId | null
  done(result: 'done' | 'noLeader' | 'unknownMember' | 'timedOut'): void
}

export class Transfers {
  readonly #self: NodeId
  #waiting: { readonly call: TransferCall; readonly until: number }[] = []

  constructor(self: NodeId) {
    this.#self = self
  }

  add(call: TransferCall, now: number, waitMs = giveUpAfterMs): void {
    this.#waiting.push({ call, until: now + waitMs })
  }

  /** A leader is known that was not known before. */
  leaderChanged(leader: NodeId): void {
    this.#settle('done', ({ call: { to } }) => to === leader || (to === null && leader !== this.#self))
  }

  expire(now: number): void {
    if (this.#waiting.length > 0) this.#settle('timedOut', ({ until }) => now >= until)
  }

  /** The node stops. */
  stop(): void {
    this.#settle('timedOut', () => true)
  }

  #settle(result: 'done' | 'timedOut', isSettled: (waiting: { call: TransferCall; until: number }) => boolean): void {
    const settled = this.#waiting.filter(isSettled)
    this.#waiting = this.#waiting.filter((waiting) => !settled.includes(waiting))
    for (const { call } of settled) call.done(result)
  }
}
