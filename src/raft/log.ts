// The log as the core sees it (§5.3): where it starts, which term every entry behind that has, the bodies of the newest
// ones, and which of them replace a member.
// Older bodies are on disk only; whoever needs one asks for it with a `loadEntries` effect, so memory stays bounded
// while the log grows. Terms are kept as spans: a log of a million entries has as many spans as it saw elections.
import { assert } from '../assert.ts'
import { asClusterTime, asIndex, asTerm } from '../ids.ts'
import type { ClusterTime, Incarnation, Index, NodeId, Term } from '../ids.ts'
import type { Entry, EntryNote, LogStart } from './entry.ts'

export interface Log {
  /** The entry before the first, of which nothing else is left; 0, 0 when nothing was ever trimmed (§7). */
  start: LogPlace
  lastIndex: Index
  /** Time of the last entry. */
  lastTime: ClusterTime
  /** Ascending in both fields; the first begins at `start` or the list is empty. */
  readonly spans: TermSpan[]
  /** Bodies of the newest entries, up to `lastIndex`, without gaps. */
  readonly window: Entry[]
  windowBytes: number
  /** Of the entries in the log, ascending. */
  readonly replacements: Replacement[]
}

export type LogPlace = Pick<LogStart, 'index' | 'term'>

/** Consecutive entries of one term, from `firstIndex` to before the next span. */
export interface TermSpan {
  readonly term: Term
  readonly firstIndex: Index
}

export interface StoredLog {
  readonly start: LogStart
  readonly lastIndex: Index
  /** That of `start` when there is no entry. */
  readonly lastTime: ClusterTime
  readonly spans: readonly TermSpan[]
  readonly notes: readonly StoredNote[]
}

/** From the entry at `index` on `member` is whoever has that disk. */
export interface Replacement {
  readonly index: Index
  readonly member: NodeId
  readonly incarnation: Incarnation
}

export interface StoredNote {
  readonly index: Index
  readonly note: EntryNote
}

/** What an entry costs in windows and limits: its payload and about what its frame adds. */
export function entryBytes(entry: Entry): number {
  return entry.payload.length + 48
}

/** Entries asked of the disk at once: their payloads are bounded in bytes, and empty ones in number. */
const loadEntriesMax = 8192

/** How far to read from the disk at once, from `from` on, towards `to`. */
export function loadUpTo(from: Index, to: Index): Index {
  return asIndex(Math.min(to, from + loadEntriesMax - 1))
}

/** The log as it was found. */
export function createLog(stored: StoredLog): Log {
  const { index, term } = stored.start
  return {
    start: { index, term },
    lastIndex: stored.lastIndex,
    lastTime: stored.lastTime,
    spans: [...stored.spans],
    window: [],
    windowBytes: 0,
    replacements: stored.notes.flatMap(({ index: at, note }) => replacementBy(at, note)),
  }
}

function replacementBy(index: Index, note: EntryNote | undefined): readonly Replacement[] {
  return note?.kind === 'memberReplaced' ? [{ index, member: note.member, incarnation: note.incarnation }] : []
}

/** Index of the oldest body in memory; `lastIndex + 1` when there is none. */
export function windowFirst(log: Log): Index {
  return asIndex(log.lastIndex + 1 - log.window.length)
}

/** Term of the last entry, or of the start of an empty log. */
export function lastTerm(log: Log): Term {
  return log.spans.at(-1)?.term ?? log.start.term
}

/** Term of the entry at `index`: 0 at index 0, null when it is neither in the log nor its start. */
export function termAt(log: Log, index: Index): Term | null {
  if (index === 0) return asTerm(0)
  if (index === log.start.index) return log.start.term
  if (index < log.start.index || index > log.lastIndex) return null
  for (let position = log.spans.length - 1; position >= 0; position--) {
    const span = log.spans[position]
    if (span !== undefined && span.firstIndex <= index) return span.term
  }
  return null
}

/**
 * The last index, at or below `index` and the end of the log, whose term is not above `term`: where two logs can agree
 * at best. One answer skips all terms in between, whatever their number of entries (§5.3, last paragraphs). null: that is
 * somewhere before the start.
 */
export function lastIndexNotAbove(log: Log, index: Index, term: Term): LogPlace | null {
  let end = Math.min(index, log.lastIndex)
  for (let position = log.spans.length - 1; position >= 0; position--) {
    const span = log.spans[position]
    if (span === undefined || span.firstIndex > end) continue
    if (span.term <= term) return { index: asIndex(end), term: span.term }
    end = span.firstIndex - 1
  }
  return end >= log.start.index && log.start.term <= term ? log.start : null
}

/** Adds entries behind the last one. */
export function append(log: Log, entries: readonly Entry[]): void {
  for (const entry of entries) {
    assert(entry.index === log.lastIndex + 1, () => `entry ${entry.index} appended behind ${log.lastIndex}`)
    assert(entry.term >= lastTerm(log), () => `term ${entry.term} appended behind term ${lastTerm(log)}`)
    assert(entry.time >= log.lastTime, () => `time ${entry.time} appended behind time ${log.lastTime}`)
    if (entry.term !== lastTerm(log) || log.spans.length === 0) {
      log.spans.push({ term: entry.term, firstIndex: entry.index })
    }
    log.lastIndex = entry.index
    log.lastTime = entry.time
    log.window.push(entry)
    log.windowBytes += entryBytes(entry)
    log.replacements.push(...replacementBy(entry.index, entry.note))
  }
}

/** Drops the entries from the index of the first of `entries` on and puts `entries` in their place. */
export function replaceFrom(log: Log, entries: readonly Entry[]): void {
  const first = entries[0]
  assert(first !== undefined, 'a tail is replaced by at least one entry')
  assert(
    first.index > log.start.index && first.index <= log.lastIndex,
    () => `replacement at ${first.index} outside the log`,
  )
  const kept = Math.max(0, log.window.length - (log.lastIndex - first.index + 1))
  for (const dropped of log.window.splice(kept)) log.windowBytes -= entryBytes(dropped)
  while ((log.spans.at(-1)?.firstIndex ?? 0) >= first.index) log.spans.pop()
  while ((log.replacements.at(-1)?.index ?? 0) >= first.index) log.replacements.pop()
  log.lastIndex = asIndex(first.index - 1)
  // After a restart the body before may be on disk only; what follows sets the time again.
  log.lastTime = log.window.at(-1)?.time ?? asClusterTime(0)
  append(log, entries)
}

/** Starts the log at the entry `index`, which it has: those behind it stay (§7). */
export function startAt(log: Log, index: Index): void {
  const term = termAt(log, index)
  assert(term !== null, () => `the log cannot start at ${index}, which it does not have`)
  log.start = { index, term }
  const { spans } = log
  let gone = 0
  while (gone < spans.length && (spans[gone + 1]?.firstIndex ?? log.lastIndex + 1) <= index + 1) gone++
  spans.splice(0, gone)
  const [cut] = spans
  if (cut !== undefined) spans[0] = { term: cut.term, firstIndex: asIndex(index + 1) }
  const kept = Math.min(log.window.length, log.lastIndex - index)
  for (const dropped of log.window.splice(0, log.window.length - kept)) log.windowBytes -= entryBytes(dropped)
  while ((log.replacements[0]?.index ?? Infinity) <= index) log.replacements.shift()
}

/** Drops every entry; the log starts, and for now ends, at `start` (§7). */
export function startOver(log: Log, { index, term, time }: LogStart): void {
  log.start = { index, term }
  log.lastIndex = index
  log.lastTime = time
  log.windowBytes = 0
  for (const list of [log.spans, log.window, log.replacements]) list.length = 0
}

/** The bodies of `from..to` as far as they are in memory, the first always, then up to `bytesMax`. */
export function windowSlice(log: Log, range: { from: Index; to: Index; bytesMax: number }): readonly Entry[] {
  const start = range.from - windowFirst(log)
  assert(start >= 0, () => `body of entry ${range.from} is not in memory`)
  let end = start
  let bytes = 0
  while (end < log.window.length && end - start <= range.to - range.from) {
    const entry = log.window[end]
    if (entry === undefined) break
    bytes += entryBytes(entry)
    if (end > start && bytes > range.bytesMax) break
    end++
  }
  return log.window.slice(start, end)
}

/** Forgets the oldest bodies beyond `bytesMax`, but none above `keepAbove`. */
export function shrinkWindow(log: Log, options: { bytesMax: number; keepAbove: Index }): void {
  // Dropping from the front of an array costs its length, so it is done seldom and by the quarter.
  if (log.windowBytes <= options.bytesMax * 1.25) return
  let count = 0
  for (const entry of log.window) {
    if (log.windowBytes <= options.bytesMax || entry.index > options.keepAbove) break
    log.windowBytes -= entryBytes(entry)
    count++
  }
  log.window.splice(0, count)
}
