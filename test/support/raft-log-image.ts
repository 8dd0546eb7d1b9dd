// A log as a test sees it: all entries, those that were trimmed as well, and for every prefix a name. Two logs whose prefixes carry the same name are
// equal up to there, entry by entry, so that comparing two logs of any length is comparing two numbers (RAFT 2.3: a
// rolling hash, here without the hash).
import { assert } from '../../src/assert.ts'
import { asClusterTime, asIndex, asTerm } from '../../src/ids.ts'
import type { Incarnation, Index, NodeId, Term } from '../../src/ids.ts'
import type { Entry, LogStart, SnapshotMeta } from '../../src/raft/entry.ts'
import type { StoredLog, TermSpan } from '../../src/raft/log.ts'

/** Every (prefix, next entry) ever seen has a number of its own; 0 is the empty log. */
export type PrefixNames = Map<string, number>

export const emptyPrefix = 0

export interface LogImage {
  readonly entries: Entry[]
  /** Name of the prefix that ends with the entry at the same position. */
  readonly prefixes: number[]
  /** Entries up to here are trimmed: nobody but a test may look at them. */
  start: Index
}

export function namePrefix(names: PrefixNames, prefix: number, entry: Entry): number {
  const key = `${prefix} ${entry.index} ${entry.term} ${entry.time} ${payloadText(entry)} ${JSON.stringify(entry.note)}`
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
  const image: LogImage = { entries: [], prefixes: [], start: asIndex(0) }
  writeImage(image, names, { truncateFrom: null, entries, trimTo: null })
  return image
}

/** Cuts the tail off, adds entries, then trims, as one write to disk does. */
export function writeImage(
  image: LogImage,
  names: PrefixNames,
  write: { truncateFrom: Index | null; entries: readonly Entry[]; trimTo: Index | null },
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
  if (write.trimTo !== null) {
    assert(write.trimTo > image.start && write.trimTo <= image.entries.length, `trim to ${write.trimTo} in the log`)
    image.start = write.trimTo
  }
}

/** The log that starts at a snapshot of `committed`, with the tail of `image` behind it or without. */
export function installedImage(
  image: LogImage,
  committed: LogImage,
  { index, keepsTail }: { index: Index; keepsTail: boolean },
): LogImage {
  const same = prefixAt(image, index) === prefixAt(committed, index)
  assert(same === keepsTail, `the log ${same ? 'holds' : 'does not hold'} the last entry of the snapshot, ${index}`)
  const tail = keepsTail ? index : Infinity
  return {
    entries: [...committed.entries.slice(0, index), ...image.entries.slice(tail)],
    prefixes: [...committed.prefixes.slice(0, index), ...image.prefixes.slice(tail)],
    start: index,
  }
}

export function copyImage(image: LogImage): LogImage {
  return { entries: [...image.entries], prefixes: [...image.prefixes], start: image.start }
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
  for (const entry of image.entries.slice(image.start)) {
    if (spans.at(-1)?.term !== entry.term) spans.push({ term: entry.term, firstIndex: entry.index })
  }
  return {
    start: startAt(image, image.start),
    notes: image.entries.slice(image.start).flatMap(({ index, note }) => (note === undefined ? [] : [{ index, note }])),
    lastIndex: asIndex(image.entries.length),
    lastTime: image.entries.at(-1)?.time ?? asClusterTime(0),
    spans,
  }
}

export function startAt(image: LogImage, index: Index): LogStart {
  const entry = image.entries[index - 1]
  return { index, term: entry?.term ?? asTerm(0), time: entry?.time ?? asClusterTime(0) }
}

/** What a checkpoint after the entry at `index` says of itself, in a cluster founded with these disks. */
export function snapshotAt(image: LogImage, index: Index, founded: ReadonlyMap<NodeId, Incarnation>): SnapshotMeta {
  const incarnations = new Map(founded)
  for (const { note } of image.entries.slice(0, index)) {
    if (note?.kind === 'memberReplaced') incarnations.set(note.member, note.incarnation)
  }
  return { ...startAt(image, index), incarnations }
}
