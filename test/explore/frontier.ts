// States that were met and not yet expanded, first in, first out, as bytes in large blocks outside the heap of objects.
import { assert } from '../../src/assert.ts'

const blockBytes = 4 * 1024 * 1024

export class Frontier {
  readonly #blocks: Uint8Array[] = []
  /** Where the newest block is written, and where the oldest is read. */
  #end = blockBytes
  #begin = 0
  length = 0

  push(state: Uint8Array): void {
    const { length } = state
    assert(length < 65_536, 'a state has less than 64 KiB')
    // A block ends with the length 0, or at its very end.
    if (this.#end + 2 + length > blockBytes) {
      this.#blocks.push(new Uint8Array(blockBytes))
      this.#end = 0
    }
    const block = this.#blocks.at(-1)
    assert(block !== undefined, 'there is a block to write to')
    block[this.#end] = length & 255
    block[this.#end + 1] = length >>> 8
    block.set(state, this.#end + 2)
    this.#end += 2 + length
    this.length++
  }

  /** The oldest; to be read before the next `shift`. */
  shift(): Uint8Array {
    assert(this.length > 0, 'there is a state to expand')
    for (;;) {
      const block = this.#blocks[0]
      assert(block !== undefined, 'there is a block to read from')
      const length = (block[this.#begin] ?? 0) | ((block[this.#begin + 1] ?? 0) << 8)
      if (length > 0) {
        this.#begin += 2 + length
        this.length--
        return block.subarray(this.#begin - length, this.#begin)
      }
      this.#blocks.shift()
      this.#begin = 0
    }
  }
}
