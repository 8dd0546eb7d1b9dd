// A log as a test sees it: all entries, and for every prefix a name. Two logs whose prefixes carry the same name are
// equal up to there, entry by entry, so that comparing two logs of any length is comparing two numbers (RAFT 2.3: a
// rolling hash, here without the hash).
import { assert } from '../../src/assert.ts'
import { asClusterTime, asIndex, asTerm } from '../../src/ids.ts'
import type { Index, Term } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { StoredLog, TermSpan } from '../../src/raft/log.ts'

/** Every (prefix, next entry) ever seen has a number of its own; 0 is the empty log. */
export type PrefixNames = Map<string, number>

export const emptyPrefix = 0

export interface LogImage {
  readonly entries: Entry[]
  /** Name of the prefix that ends with the entry at the same position. */
  readonly prefixes: number[]
}

export function namePrefix(names: PrefixNames, prefix: number, entry: Entry): number {
  const key = `${prefix} ${entry.index} ${entry.term} ${entry.time} ${payloadText(entry)}`
  const known = names.get(key)
  if (known !== undefined) return known
  names.set(key, names.size + 1)
  return names.size
}

/** Payloads in tests are Latin letters. */
export function payloadText(entry: Entry): string {
  return String.fromCharCode(...entry.payload)
}

export function createImage(names: PrefixNames, entries: readonly Entry[]): LogImage {
  const image: LogImage = { entries: [], prefixes: [] }
  writeImage(image, names, { truncateFrom: null, entries })
  return image
}

/** Cuts the tail off, then adds entries, as one write to disk does. */
export function writeImage(
  image: LogImage,
  names: PrefixNames,
  write: { truncateFrom: Index | null; entries: readonly Entry[] },
): void {
  if (write.truncateFrom !== null) {
    assert(write.truncateFrom <= image.entries.length, `truncation at ${write.truncateFrom} behind the end of the log`)
    image.entries.length = write.truncateFrom - 1
    image.prefixes.length = write.truncateFrom - 1
  }
  for (const entry of write.entries) {
    assert(entry.index === image.entries.length + 1, `entry ${entry.index} written behind ${image.entries.length}`)
    image.prefixes.push(namePrefix(names, prefixAt(image, asIndex(entry.index - 1)) ?? emptyPrefix, entry))
    image.entries.push(entry)
  }
}

export function copyImage(image: LogImage): LogImage {
  return { entries: [...image.entries], prefixes: [...image.prefixes] }
}

/** Name of the prefix up to `index`; null when the log does not reach it. */
export function prefixAt(image: LogImage, index: Index): number | null {
  return index === 0 ? emptyPrefix : (image.prefixes[index - 1] ?? null)
}

export function imageTermAt(image: LogImage, index: Index): Term | null {
  return index === 0 ? asTerm(0) : (image.entries[index - 1]?.term ?? null)
}

/** What a store would report of this log when it is opened. */
export function storedLogOf(image: LogImage): StoredLog {
  const spans: TermSpan[] = []
  for (const entry of image.entries) {
    if (spans.at(-1)?.term !== entry.term) spans.push({ term: entry.term, firstIndex: entry.index })
  }
  return {
    start: { index: asIndex(0), term: asTerm(0), time: asClusterTime(0) },
    notes: [],
    lastIndex: asIndex(image.entries.length),
    lastTime: image.entries.at(-1)?.time ?? asClusterTime(0),
    spans,
  }
}
