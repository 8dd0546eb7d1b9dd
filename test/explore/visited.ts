// Which states were met, and from which each was first reached: about 20 bytes a state, in typed arrays, so that ten
// million fit. A state is known by 64 bits of hash; two different ones among ten million share all of them with a
// probability of about 3 in a million, and then one of them is not walked.
import { assert } from '../../src/assert.ts'

/** 64 bits, as two unsigned words. */
export interface Hash {
  readonly low: number
  readonly high: number
}

export class Visited {
  readonly max: number
  #count = 0
  readonly #low: Uint32Array
  readonly #high: Uint32Array
  readonly #parents: Uint32Array
  /** Open addressing: the number of a state plus 1, or 0. */
  readonly #slots: Uint32Array

  constructor(max: number) {
    this.max = max
    this.#low = new Uint32Array(max)
    this.#high = new Uint32Array(max)
    this.#parents = new Uint32Array(max)
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(max * 1.4 + 1)))
  }

  get count(): number {
    return this.#count
  }

  get isFull(): boolean {
    return this.#count === this.max
  }

  /** Whether it is new. States are numbered in the order in which they come; the first is its own parent. */
  add({ low, high }: Hash, parent: number): boolean {
    const mask = this.#slots.length - 1
    let slot = (low ^ Math.imul(high, 0x9e3779b1)) & mask
    for (;;) {
      const taken = this.#slots[slot] ?? 0
      if (taken === 0) break
      if (this.#low[taken - 1] === low && this.#high[taken - 1] === high) return false
      slot = (slot + 1) & mask
    }
    assert(!this.isFull, 'there is room for another state')
    const number = this.#count++
    this.#low[number] = low
    this.#high[number] = high
    this.#parents[number] = parent
    this.#slots[slot] = number + 1
    return true
  }

  /** Hashes of the states by which `number` was reached, the first state first. */
  pathTo(number: number): readonly Hash[] {
    const path: Hash[] = []
    for (let at = number; ; at = this.#parents[at] ?? 0) {
      path.push({ low: this.#low[at] ?? 0, high: this.#high[at] ?? 0 })
      if (at === 0) return path.reverse()
    }
  }
}

/** Two multiplicative hashes with different factors, each with the final mixing of MurmurHash3. */
export function hashBytes(bytes: Uint8Array): Hash {
  let low = 0x811c9dc5 ^ bytes.length
  let high = 0x2545f491
  for (const byte of bytes) {
    low = Math.imul(low ^ byte, 0x01000193)
    high = Math.imul(high ^ (byte + 0x9e), 0x5bd1e995)
    high ^= high >>> 15
  }
  return { low: mix(low), high: mix(high ^ low) }
}

function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
