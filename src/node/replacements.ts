// Operators' words that a member has another disk from now on. Any node takes them; the leader proposes, and everybody
// sees in the log that it is done. A word that was given twice does what one does.
import type { ReplaceRefusal, ReplaceRequest } from '../codec/frame.ts'
import type { Incarnation, NodeId } from '../ids.ts'
import { Deadlines } from './deadlines.ts'

/** An answer that has not been seen after so long is unknown. */
export const replaceWaitMs = 5000

export type ReplaceResult = 'done' | 'unknown' | Exclude<ReplaceRefusal, 'notLeader' | 'inForce'> | 'noLeader'

export interface ReplaceCall {
  readonly member: NodeId
  readonly incarnation: Incarnation
  done(result: ReplaceResult): void
}

/** A replacement that will not be. */
export interface Refused {
  readonly member: NodeId
  readonly incarnation: Incarnation
  readonly reason: ReplaceRefusal
}

interface Waiting {
  readonly call: ReplaceCall
  /** The leader that was asked. */
  readonly asked: NodeId
  readonly until: number
}

export class Replacements {
  readonly #waiting = new Deadlines<Waiting>()
  readonly #calls = new Set<Waiting>()
  /** Peers that asked us as the leader, by what they asked for. */
  readonly #askedBy = new Map<string, Set<NodeId>>()

  add(call: ReplaceCall, asked: NodeId, now: number): void {
    const waiting = { call, asked, until: now + replaceWaitMs }
    this.#calls.add(waiting)
    this.#waiting.add(waiting, waiting.until)
  }

  asked(by: NodeId, request: ReplaceRequest): void {
    const known = this.#askedBy.get(nameOf(request))
    if (known === undefined) this.#askedBy.set(nameOf(request), new Set([by]))
    else known.add(by)
  }

  /**
   * `by` will not do it. Returns the peers that wait to hear so. Of another disk of that member it says nothing, nor of what
   * another leader was asked, who may have appended it.
   */
  refused({ member, incarnation, reason }: Refused, by: NodeId): readonly NodeId[] {
    // What is in the log already is seen when it is applied, or was.
    if (reason !== 'inForce') {
      const isMeant = ({ call, asked }: Waiting): boolean =>
        call.member === member && call.incarnation === incarnation && asked === by
      // Who leads no more may have taken one of several when it did.
      const noLeader = [...this.#calls].filter(isMeant).length > 1 ? 'unknown' : 'noLeader'
      this.#settle(isMeant, reason === 'notLeader' ? noLeader : reason)
    }
    const askers = [...(this.#askedBy.get(nameOf({ member, incarnation })) ?? [])]
    this.#askedBy.delete(nameOf({ member, incarnation }))
    return askers
  }

  /** The replacement has been applied here. */
  applied(member: NodeId, incarnation: Incarnation): void {
    this.#askedBy.delete(nameOf({ member, incarnation }))
    this.#settle(({ call }) => call.member === member && call.incarnation === incarnation, 'done')
  }

  expire(now: number): void {
    for (const waiting of this.#waiting.takeDue(now)) {
      this.#calls.delete(waiting)
      waiting.call.done('unknown')
    }
  }

  stop(): void {
    this.#settle(() => true, 'unknown')
  }

  #settle(concerns: (waiting: Waiting) => boolean, result: ReplaceResult): void {
    for (const waiting of [...this.#calls]) {
      if (!concerns(waiting)) continue
      this.#calls.delete(waiting)
      this.#waiting.remove(waiting, waiting.until)
      waiting.call.done(result)
    }
  }
}

function nameOf({ member, incarnation }: Pick<ReplaceRequest, 'member' | 'incarnation'>): string {
  return `${member} ${incarnation}`
}
