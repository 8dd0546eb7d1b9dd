// What is held until a deadline, by a lock or by a session, and how it ends: it is lost (the keeper says so, or the clock
// does), or its holder gives it up. Whoever asks is answered by the clock at that moment, not by whether a timer has
// fired: after a suspension the first question finds the truth, and the signal aborts then at the latest.
import { lockLost } from './endings.ts'
import type { HoldfastError } from './errors.ts'
import type { Kept } from './keeper.ts'

export interface HoldingParts {
  /** As people call it: `lock jobs/nightly`. */
  readonly what: string
  readonly facts: { readonly lock?: string; readonly token?: number; readonly session?: string }
  hold(lost: (reason: HoldfastError) => void): Kept
  /** It is lost; called once, before the signal aborts. */
  onLost(reason: HoldfastError): void
}

type State =
  | { readonly kind: 'held'; readonly kept: Kept }
  | { readonly kind: 'lost'; readonly reason: HoldfastError }
  | { readonly kind: 'given_up' }

const notYetKept: Kept = { remainingMs: () => 0, forget: () => {} }

export class Holding {
  readonly #parts: HoldingParts
  /** Made when somebody asks for it: most locks are released before. */
  #controller: AbortController | null = null
  #state: State
  /** Why the signal aborted though it is held still: what it belongs to is being closed. */
  #interruption: HoldfastError | null = null

  constructor(parts: HoldingParts) {
    this.#parts = parts
    this.#state = { kind: 'held', kept: notYetKept }
    this.keepBy((lost) => parts.hold(lost))
  }

  get signal(): AbortSignal {
    this.remainingMs()
    if (this.#controller === null) {
      this.#controller = new AbortController()
      const reason = this.#state.kind === 'lost' ? this.#state.reason : this.#interruption
      if (reason !== null) this.#controller.abort(reason)
    }
    return this.#controller.signal
  }

  /** Why it was lost; null while it is held and after it was given up. */
  get loss(): HoldfastError | null {
    this.remainingMs()
    return this.#state.kind === 'lost' ? this.#state.reason : null
  }

  remainingMs(): number {
    if (this.#state.kind !== 'held') return 0
    const remainingMs = this.#state.kept.remainingMs()
    if (remainingMs > 0) return remainingMs
    this.lose(lockLost({ ...this.#parts.facts, what: this.#parts.what, why: 'its deadline has passed' }))
    return 0
  }

  /** Throws when it is not surely held, or when what it belongs to is being closed. */
  assertHeld(): void {
    this.remainingMs()
    const state = this.#state
    if (state.kind === 'lost') throw state.reason
    if (this.#interruption !== null) throw this.#interruption
    if (state.kind === 'given_up')
      throw lockLost({ ...this.#parts.facts, what: this.#parts.what, why: 'it was released' })
  }

  lose(reason: HoldfastError): void {
    if (this.#state.kind !== 'held') return
    this.#state = { kind: 'lost', reason }
    this.#parts.onLost(reason)
    this.#controller?.abort(reason)
  }

  /** Who works with it shall stop; it is held until it is given up. */
  interrupt(reason: HoldfastError): void {
    if (this.#state.kind !== 'held') return
    this.#interruption ??= reason
    this.#controller?.abort(this.#interruption)
  }

  /** Nothing is sent any more to keep it. */
  giveUp(): void {
    if (this.#state.kind !== 'held') return
    const { kept } = this.#state
    this.#state = { kind: 'given_up' }
    kept.forget()
  }

  /** It is kept in another way from now on. */
  keepBy(hold: (lost: (reason: HoldfastError) => void) => Kept): void {
    if (this.#state.kind !== 'held') return
    const before = this.#state.kept
    const kept = hold((reason) => this.lose(reason))
    // The new one may have found it lost.
    if (this.#state.kind === 'held') this.#state = { kind: 'held', kept }
    before.forget()
  }
}
