// What `holdfast top` shows, as text from a snapshot: the cluster, the locks that are held for longest, the longest
// queues. Pure: the same snapshot is the same screen.
import { durationText } from './durations.ts'
import { leaderOf, nodeHeader, nodeRows } from './nodes.ts'
import type { NodeNow } from './nodes.ts'
import type { LockSummary } from './connection.ts'
import { cut, tableLines } from './table.ts'
import type { Cell } from './table.ts'

export interface Snapshot {
  readonly at: Date
  /** Milliseconds on a clock that only grows, for rates. */
  readonly monotonicMs: number
  readonly nodes: readonly NodeNow[]
  /** What was read of the locks; null when the cluster did not answer. */
  readonly locks: readonly LockSummary[] | null
  /** There are more locks than were read. */
  readonly isCut: boolean
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface Line {
  readonly text: string
  readonly isTitle: boolean
}

const cellMax = 40

/** `before` is the last snapshot, for what happened since; null for the first. */
export function screenOf(now: Snapshot, before: Snapshot | null, size: Size): readonly Line[] {
  const nodes = tableLines(nodeHeader, nodeRows(now.nodes), { cellMax })
  const lines: Line[] = [title(headline(now, before)), plain(''), ...titled(nodes)]
  if (now.locks === null) {
    lines.push(plain(''), plain('The cluster does not answer: what is held cannot be shown.'))
    return fit(lines, size)
  }
  // What is left of the screen, less the titles, is for locks and queues: half each, or what the other does not need.
  const held = now.locks.filter(({ holders }) => holders.length > 0).sort(byAge)
  const queues = now.locks.filter(({ queueLength }) => queueLength > 0).sort(byLength)
  const roomRows = Math.max(2, size.rows - lines.length - 6)
  const queueRows = Math.min(queues.length, Math.max(Math.floor(roomRows / 2), roomRows - held.length))
  const heldRows = Math.min(held.length, roomRows - queueRows)
  const read = now.isCut ? ` of the first ${now.locks.length} by name` : ''
  lines.push(plain(''), title(`HELD ${held.length}${read}, longest first`))
  lines.push(...titled(tableLines(heldHeader, held.slice(0, heldRows).map(heldCells), { cellMax })))
  lines.push(plain(''), title(`QUEUES ${queues.length}${read}, ${waiting(queues)} in line, longest first`))
  lines.push(...titled(tableLines(queueHeader, queues.slice(0, queueRows).map(queueCells), { cellMax })))
  return fit(lines, size)
}

function headline(now: Snapshot, before: Snapshot | null): string {
  const leader = leaderOf(now.nodes)
  const views = now.nodes.flatMap((node) => (node.kind === 'answered' ? [node.view] : []))
  const members = Math.max(0, ...views.map((view) => view.members.length))
  const terms = views.map(({ term }) => term)
  const parts = [
    `holdfast ${now.at.toISOString().slice(11, 19)}`,
    leader === null ? 'no leader' : `leader ${leader}, term ${Math.max(...terms)}`,
    `${views.length} of ${Math.max(members, now.nodes.length)} nodes`,
  ]
  const rate = before === null ? null : entriesPerSecond(now, before)
  if (rate !== null) parts.push(`${rate} entries/s`)
  return parts.join('   ')
}

/** Of the log: one may hold many commands. */
function entriesPerSecond(now: Snapshot, before: Snapshot): number | null {
  const [last, first] = [commitIndex(now), commitIndex(before)]
  const spanMs = now.monotonicMs - before.monotonicMs
  return last === null || first === null || spanMs <= 0 ? null : Math.round(((last - first) * 1000) / spanMs)
}

function commitIndex({ nodes }: Snapshot): number | null {
  const indexes = nodes.flatMap((node) => (node.kind === 'answered' ? [node.view.commitIndex] : []))
  return indexes.length === 0 ? null : Math.max(...indexes)
}

const heldHeader = ['LOCK', 'HOLDER', 'TOKEN', 'HELD', 'EXPIRES', 'IN LINE']
const queueHeader = ['LOCK', 'IN LINE', 'HOLDER', 'TOKEN', 'HELD']

function heldCells({ lock, holders: [holder], queueLength }: LockSummary): readonly Cell[] {
  if (holder === undefined) return [lock]
  const { token, heldMs, expiresInMs } = holder
  return [lock, ownerOf(holder), token, durationText(heldMs), `in ${durationText(expiresInMs)}`, queueLength]
}

function queueCells({ lock, holders: [holder], queueLength }: LockSummary): readonly Cell[] {
  if (holder === undefined) return [lock, queueLength, null, null, null]
  return [lock, queueLength, ownerOf(holder), holder.token, durationText(holder.heldMs)]
}

function ownerOf({ owner, session }: LockSummary['holders'][number]): string {
  return owner ?? session ?? 'somebody'
}

function byAge(one: LockSummary, other: LockSummary): number {
  return (other.holders[0]?.heldMs ?? 0) - (one.holders[0]?.heldMs ?? 0)
}

function byLength(one: LockSummary, other: LockSummary): number {
  return other.queueLength - one.queueLength
}

function waiting(queues: readonly LockSummary[]): number {
  return queues.reduce((sum, { queueLength }) => sum + queueLength, 0)
}

/** The first line of a table is its header; a table without rows has none. */
function titled([header, ...rows]: readonly string[]): readonly Line[] {
  return header === undefined || rows.length === 0 ? [] : [title(header), ...rows.map(plain)]
}

function title(text: string): Line {
  return { text, isTitle: true }
}

function plain(text: string): Line {
  return { text, isTitle: false }
}

function fit(lines: readonly Line[], { columns, rows }: Size): readonly Line[] {
  return lines.slice(0, rows).map(({ text, isTitle }) => ({ text: cut(text, columns), isTitle }))
}
