// Calls that ask for another leader. They are settled by what this node hears of leaders, whoever brought it about, and
// only their waiting is kept here: handing over is the core's part.
import type { NodeId } from '../ids.ts'

/** How long a call waits, for a leader to ask and for the other to take over. */
export const transferWaitMs = 3000

interface Waiting {
  readonly call: TransferCall
  /** Who led when the call came; null when nobody did and nobody could be asked yet. */
  asked: NodeId | null
  readonly until: number
}

export interface TransferCall {
  /** null: to whom the leader likes. */
  readonly to: NodeId | null
  done(result: 'done' | 'noLeader' | 'unknownMember' | 'timedOut'): void
}

export class Transfers {
  #waiting: Waiting[] = []

  /** `asked`: the leader to whom the wish was told; null when none is known, then `leaderChanged` names who to ask. */
  add(call: TransferCall, asked: NodeId | null, until: number): void {
    this.#waiting.push({ call, asked, until })
  }

  /** A leader is known that was not known before. Returns the wishes that must be told to it. */
  leaderChanged(leader: NodeId): readonly (NodeId | null)[] {
    this.#settle(
      'done',
      ({ call: { to }, asked }) => to === leader || (to === null && asked !== null && asked !== leader),
    )
    const untold = this.#waiting.filter(({ asked }) => asked === null)
    for (const waiting of untold) waiting.asked = leader
    return untold.map(({ call: { to } }) => to)
  }

  /** This node leads and does not hand over now. */
  refused(): void {
    this.#settle('timedOut', () => true)
  }

  expire(now: number): void {
    this.#settle('timedOut', ({ until, asked }) => now >= until && asked !== null)
    this.#settle('noLeader', ({ until }) => now >= until)
  }

  /** The node stops. */
  stop(): void {
    this.#settle('timedOut', () => true)
  }

  #settle(result: 'done' | 'timedOut' | 'noLeader', isSettled: (waiting: Waiting) => boolean): void {
    if (this.#waiting.length === 0) return
    const settled = this.#waiting.filter(isSettled)
    this.#waiting = this.#waiting.filter((waiting) => !settled.includes(waiting))
    for (const { call } of settled) call.done(result)
  }
}
