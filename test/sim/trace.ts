// Everything that happens in a run, as one number: the same seed must give the same trace (RAFT.md 2, 18). Frames are
// hashed with their bytes; what a human wants to read are the notes.
import type { NodeId } from '../../src/ids.ts'
import type { Timeline } from './timeline.ts'

export class Trace {
  readonly #timeline: Timeline
  readonly #log: (line: string) => void
  #high = 0x811c9dc5
  #low = 0x9e3779b9

  constructor(timeline: Timeline, log: (line: string) => void) {
    this.#timeline = timeline
    this.#log = log
  }

  frame(from: NodeId, to: NodeId, bytes: Uint8Array): void {
    this.#mix(Math.floor(this.#timeline.now * 1000))
    this.#mix(from.charCodeAt(from.length - 1) * 256 + to.charCodeAt(to.length - 1))
    let [high, low] = [this.#high, this.#low]
    for (const byte of bytes) {
      high = Math.imul(high ^ byte, 0x01000193)
      low = Math.imul((low + byte) | 0, 0x85ebca6b) ^ (low >>> 13)
    }
    this.#high = high
    this.#low = low
  }

  note(text: string): void {
    this.#mix(Math.floor(this.#timeline.now * 1000))
    for (let position = 0; position < text.length; position++) this.#mix(text.charCodeAt(position))
    this.#log(`${(this.#timeline.now / 1000).toFixed(4).padStart(9)} ${text}`)
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  #mix(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x01000193)
    this.#low = Math.imul((this.#low + value) | 0, 0x85ebca6b) ^ (this.#low >>> 13)
  }
}
