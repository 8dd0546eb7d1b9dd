// Calls of clients from their arrival to their answer: which outcome belongs to which client, and what may be said when
// none comes. `noLeader`, `overloaded` and `diskLow` mean *not done and never will be*; all less certain is `unknown` (S4).
//
// An attempt whose client did not get, and will not get, the grant is withdrawn, and only after it was seen applied: a
// withdrawal that overtook its attempt would take nothing and leave a grant that nobody knows of (H13, H14).
import { unreachable } from '../assert.ts'
import type { ForwardRefusal } from '../codec/frame.ts'
import type { Index } from '../ids.ts'
import type { WithdrawnAttempt } from '../lockfsm/command.ts'
import type { Refused, Result } from '../lockfsm/outcome.ts'
import { Deadlines } from './deadlines.ts'
import type { Fate, Submitted, Submitter, UnstampedCommand } from './own-commands.ts'

/** A call that found no leader is refused after so long. */
export const noLeaderAfterMs = 3000
/** A sent command whose fate is not seen so long after the call's own time is answered `unknown`. */
export const unknownAfterMs = 5000

export type Answer =
  | { readonly kind: 'outcome'; readonly index: Index; readonly result: Exclude<Result, { kind: 'queued' }> }
  | { readonly kind: 'noLeader' }
  | { readonly kind: 'overloaded' }
  | { readonly kind: 'diskLow' }
  | { readonly kind: 'unknown' }

export interface CallRequest {
  readonly command: UnstampedCommand
  /** How long the call itself may take once it is in the queue; 0 for calls that do not wait. */
  readonly waitMs: number
  /** Given once. Returns false when the client is gone: then nothing was said to it. */
  answer(answer: Answer): boolean
}

export class Call {
  readonly request: CallRequest
  readonly since: number
  submitted: Submitted | null = null
  phase: 'open' | 'queued' | 'settled' = 'open'
  /** When `Calls` looks at it next. */
  lookAt: number

  constructor(request: CallRequest, since: number) {
    this.request = request
    this.since = since
    this.lookAt = since + noLeaderAfterMs
  }
}

export interface CallsParts {
  now(): number
  submitterOf(command: UnstampedCommand): Submitter
  /** The attempt must be taken out of its request. */
  withdraw(attempt: WithdrawnAttempt): void
}

export class Calls {
  readonly #parts: CallsParts
  readonly #deadlines = new Deadlines<Call>()
  /** Calls without an answer, and those of them that wait in a queue. */
  open = 0
  queued = 0

  constructor(parts: CallsParts) {
    this.#parts = parts
  }

  begin(request: CallRequest): Call {
    const call = new Call(request, this.#parts.now())
    this.open++
    this.#deadlines.add(call, call.lookAt)
    this.#submit(call)
    return call
  }

  /** The client is gone. What it asked to end, ends; what it asked for would be held by nobody. */
  abandon(call: Call): void {
    const { kind } = call.request.command
    if (call.phase !== 'settled' && (kind === 'acquire' || kind === 'openSession')) this.#giveUp(call, null)
  }

  /** Looks after calls whose time has come; to be called at least every 50 ms. */
  expire(now: number): void {
    for (const call of this.#deadlines.takeDue(now)) {
      const unknownAt = call.since + call.request.waitMs + unknownAfterMs
      const neverLeft = call.phase === 'open' && call.submitted?.takeBack() === true
      if (neverLeft) this.#settle(call, { kind: 'noLeader' })
      else if (now >= unknownAt) this.#giveUp(call, { kind: 'unknown' })
      else this.#deadlines.add(call, (call.lookAt = unknownAt))
    }
  }

  /** The node stops: everything is answered as the rules allow; nothing will be learned any more. */
  stop(answerFor: (call: Call) => Answer): void {
    for (const call of this.#deadlines.takeAll()) {
      const neverLeft = call.phase === 'open' && call.submitted?.takeBack() === true
      this.#giveUp(call, neverLeft ? { kind: 'noLeader' } : answerFor(call))
    }
  }

  #submit(call: Call): void {
    const { command } = call.request
    const submitter = this.#parts.submitterOf(command)
    call.submitted = submitter.submit({ command, learn: (fate) => this.#learn(call, fate) })
  }

  #learn(call: Call, fate: Fate): void {
    switch (fate.kind) {
      case 'queued':
        return this.#learnQueued(call)
      case 'outcome':
        return this.#learnOutcome(call, fate.index, fate.result)
      case 'jumpedOver':
        // Its attempt is in no set: there is nothing to withdraw.
        if (call.phase !== 'settled') this.#settle(call, { kind: 'unknown' })
        return
      case 'notDone':
        return this.#learnNotDone(call, fate.reason)
      default:
        return unreachable(fate)
    }
  }

  #learnQueued(call: Call): void {
    if (call.phase === 'settled') return this.#withdraw(call)
    call.phase = 'queued'
    this.queued++
  }

  #learnOutcome(call: Call, index: Index, result: Exclude<Result, { kind: 'queued' }>): void {
    const isKept = result.kind === 'granted' || result.kind === 'sessionOpened'
    if (call.phase === 'settled') {
      if (isKept) this.#withdraw(call)
      return
    }
    // We lagged when it left. What says so brought us up to that entry: a new attempt is stamped with a time as late.
    if (isTooOld(result)) return this.#learnNotDone(call, 'tooOld')
    const begun = this.#settle(call, { kind: 'outcome', index, result })
    if (!begun && isKept) this.#withdraw(call)
  }

  #learnNotDone(call: Call, reason: 'passedOver' | 'tooOld' | ForwardRefusal): void {
    if (call.phase === 'settled') return
    if (reason === 'overloaded' || reason === 'diskLow') this.#settle(call, { kind: reason })
    else if (this.#parts.now() - call.since >= noLeaderAfterMs) this.#settle(call, { kind: 'noLeader' })
    else this.#submit(call)
  }

  /** Answers with something that is not the outcome, or with nothing, and sees to it that no grant is left behind. */
  #giveUp(call: Call, answer: Answer | null): void {
    const { phase, submitted } = call
    this.#settle(call, answer)
    if (phase === 'queued') this.#withdraw(call)
    // Its fate is not known: whoever learns it withdraws. To send it again would only prolong the matter.
    else if (submitted?.takeBack() === false) submitted.abandon()
  }

  #settle(call: Call, answer: Answer | null): boolean {
    if (call.phase === 'queued') this.queued--
    call.phase = 'settled'
    this.open--
    this.#deadlines.remove(call, call.lookAt)
    return answer !== null && call.request.answer(answer)
  }

  #withdraw(call: Call): void {
    const { command } = call.request
    const number = call.submitted?.number ?? null
    if (number === null) return
    if (command.kind === 'acquire') {
      this.#parts.withdraw({ of: 'acquire', session: command.session, requestId: command.requestId, number })
    } else if (command.kind === 'openSession') {
      this.#parts.withdraw({ of: 'openSession', session: null, requestId: command.requestId, number })
    }
  }
}

function isTooOld(result: Result): result is Refused {
  return result.kind === 'refused' && result.code === 'too_old'
}
