// Everything that happens in a run, as one number: the same seed must give the same trace (RAFT.md 2, 18). Frames are
// hashed with their bytes, and so is every turn of a process, every write and every answer that a client hears; what a
// human wants to read are the notes. What the number was in every second tells where two runs of one seed part.
import type { NodeId } from '../../src/ids.ts'
import type { LogBatch } from '../../src/storage/log-store.ts'
import type { Timeline } from './timeline.ts'

const [turned, wrote, answered] = [1, 2, 3]

export class Trace {
  readonly #timeline: Timeline
  readonly #log: (line: string) => void
  #high = 0x811c9dc5
  #low = 0x9e3779b9
  #second = 0
  /** At the end of each second in which something happened. */
  readonly #seconds: { readonly second: number; readonly hash: string }[] = []

  constructor(timeline: Timeline, log: (line: string) => void) {
    this.#timeline = timeline
    this.#log = log
  }

  frame(from: NodeId, to: NodeId, bytes: Uint8Array): void {
    this.#mixTime()
    this.#mix(numberOf(from) * 256 + numberOf(to))
    let [high, low] = [this.#high, this.#low]
    for (const byte of bytes) {
      high = Math.imul(high ^ byte, 0x01000193)
      low = Math.imul((low + byte) | 0, 0x85ebca6b) ^ (low >>> 13)
    }
    this.#high = high
    this.#low = low
  }

  turn(machine: NodeId): void {
    this.#mixTime()
    this.#mix(turned * 256 + numberOf(machine))
  }

  write(machine: NodeId, { entries, hardState, trimTo }: LogBatch): void {
    this.#mixTime()
    this.#mix(wrote * 256 + numberOf(machine))
    this.#mix(entries.at(-1)?.index ?? 0)
    this.#mix(hardState?.currentTerm ?? 0)
    this.#mix(trimTo ?? 0)
  }

  /** A client hears an answer of that node, with that index of the log. */
  answer(from: NodeId, kind: string, index: number): void {
    this.#mixTime()
    this.#mix(answered * 256 + numberOf(from))
    this.#mixText(kind)
    this.#mix(index)
  }

  note(text: string): void {
    this.#mixTime()
    this.#mixText(text)
    this.#log(`${(this.#timeline.now / 1000).toFixed(4).padStart(9)} ${text}`)
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** The first second in which another run was another one; null when there is none. */
  partsFrom(other: Trace): number | null {
    if (this.hash === other.hash) return null
    const common = Math.min(this.#seconds.length, other.#seconds.length)
    for (let place = 0; place < common; place++) {
      const [mine, theirs] = [this.#seconds[place], other.#seconds[place]]
      if (mine?.hash !== theirs?.hash) return Math.min(mine?.second ?? 0, theirs?.second ?? 0)
    }
    return Math.min(this.#second, other.#second)
  }

  #mixTime(): void {
    const { now } = this.#timeline
    const second = Math.floor(now / 1000)
    if (second > this.#second) {
      this.#seconds.push({ second: this.#second, hash: this.hash })
      this.#second = second
    }
    this.#mix(Math.floor(now * 1000))
  }

  #mixText(text: string): void {
    for (let position = 0; position < text.length; position++) this.#mix(text.charCodeAt(position))
  }

  #mix(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x01000193)
    this.#low = Math.imul((this.#low + value) | 0, 0x85ebca6b) ^ (this.#low >>> 13)
  }
}

function numberOf(node: NodeId): number {
  return node.charCodeAt(node.length - 1)
}
