// What can end an exchange or a pause from outside. A user's `AbortSignal` is one; where the client itself may have to end
// something, and nearly never does, a whole AbortController for every acquire would cost more than all the rest of the
// client does for it (30 us on the machine of the benchmarks).

/** The part of an `AbortSignal` that is needed. */
export interface StopSignal {
  readonly aborted: boolean
  addEventListener(event: 'abort', listener: () => void, options: { readonly once: true }): void
  removeEventListener(event: 'abort', listener: () => void): void
}

export class Stopper implements StopSignal {
  aborted = false
  #listeners: (() => void)[] = []

  stop(): void {
    if (this.aborted) return
    this.aborted = true
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }

  addEventListener(_event: 'abort', listener: () => void): void {
    if (!this.aborted) this.#listeners.push(listener)
  }

  removeEventListener(_event: 'abort', listener: () => void): void {
    this.#listeners = this.#listeners.filter((one) => one !== listener)
  }
}
