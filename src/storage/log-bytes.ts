// How many bytes the entries of a log take, kept without keeping a number for each: the log is cut into segments of some
// tens of kilobytes, and of a segment that loses a part of its entries the same part of its bytes is taken off. That is
// exact enough to decide how long a tail is kept for slow followers.
import type { Index } from '../ids.ts'

interface Segment {
  readonly firstIndex: number
  entries: number
  bytes: number
}

const segmentBytes = 64 * 1024
/** What an entry costs beside its payload: key, checksum, chain and numbers. */
const overheadBytes = 64

export class LogBytes {
  #segments: Segment[] = []
  #total = 0

  get total(): number {
    return Math.round(this.#total)
  }

  /** Adds the entry behind the last. */
  add(index: Index, payloadBytes: number): void {
    const bytes = payloadBytes + overheadBytes
    const last = this.#segments.at(-1)
    if (last === undefined || last.bytes >= segmentBytes) {
      this.#segments.push({ firstIndex: index, entries: 1, bytes })
    } else {
      last.entries++
      last.bytes += bytes
    }
    this.#total += bytes
  }

  /** The entries from `index` on are gone. */
  truncateFrom(index: Index): void {
    this.#keep(({ firstIndex, entries }) => Math.min(entries, index - firstIndex), 0)
  }

  /** The entries up to `index` are gone. */
  trimTo(index: Index): void {
    this.#keep(({ firstIndex, entries }) => Math.min(entries, firstIndex + entries - 1 - index), index + 1)
  }

  #keep(keptOf: (segment: Segment) => number, firstKept: number): void {
    const segments: Segment[] = []
    for (const segment of this.#segments) {
      const entries = keptOf(segment)
      if (entries <= 0) continue
      const bytes = (segment.bytes * entries) / segment.entries
      segments.push({ firstIndex: Math.max(segment.firstIndex, firstKept), entries, bytes })
    }
    this.#segments = segments
    this.#total = segments.reduce((sum, { bytes }) => sum + bytes, 0)
  }
}
