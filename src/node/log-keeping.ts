// How much of the log is kept behind a checkpoint: a tail for members that are slow or start again, and whatever is being
// read by a transfer. Everything else is on disk as state, and goes.
import { asIndex } from '../ids.ts'
import type { Index } from '../ids.ts'

export interface LogKeepingOptions {
  /** Kept behind the newest checkpoint, in whole checkpoints. */
  readonly tailBytes: number
  /** Beyond so much the log is not kept for transfers any more: they begin again. */
  readonly heldBytesMax: number
}

export const defaultLogKeeping: LogKeepingOptions = {
  tailBytes: 4 * 1024 * 1024,
  heldBytesMax: 1024 * 1024 * 1024,
}

export class LogKeeping {
  readonly #options: LogKeepingOptions
  /** Our checkpoints whose place is still in the log, ascending, with the bytes of the log that were written before. */
  readonly #places: { readonly index: Index; readonly bytesBefore: number }[] = []
  #bytesTrimmed = 0

  /** The log begins behind `start`. */
  constructor(options: LogKeepingOptions, start: Index) {
    this.#options = options
    this.#places.push({ index: start, bytesBefore: 0 })
  }

  /**
   * A checkpoint at `index` is durable while the log holds `bytes`. Returns up to where the log may go; null: nowhere new.
   * `held`: from there on somebody reads it.
   */
  checkpointMade(index: Index, bytes: number, held: Index | null): Index | null {
    this.#places.push({ index, bytesBefore: this.#bytesTrimmed + bytes })
    const end = this.#bytesTrimmed + bytes
    const heldFrom = held !== null && bytes <= this.#options.heldBytesMax ? held : Infinity
    let trim: { index: Index; bytesBefore: number } | null = null
    // The first is where the log begins now; the next is worth a trim as soon as the tail behind it is long enough. One
    // checkpoint behind the last is kept in any case: whoever has just got that one goes on from there.
    while (this.#places.length > 2) {
      const next = this.#places[1]
      if (next === undefined || next.index > heldFrom || end - next.bytesBefore < this.#options.tailBytes) break
      this.#places.shift()
      trim = next
    }
    if (trim === null) return null
    this.#bytesTrimmed = trim.bytesBefore
    return asIndex(trim.index)
  }

  /** A snapshot took the place of the log up to `index`. */
  installed(index: Index): void {
    this.#places.length = 0
    this.#places.push({ index, bytesBefore: 0 })
    this.#bytesTrimmed = 0
  }
}
