// What a node says of itself when a link begins: who it is, on which disk, and how far it has come with the founding of
// the cluster. Everything by which it is judged is in it.
import { asIndex, asRun, asSequence, asTerm, asToken } from '../ids.ts'
import type { ClusterId, Incarnation, Index, NodeId, Run, Term } from '../ids.ts'
import type { FoundingRecord } from '../storage/founding-store.ts'
import { takeClusterId, takeIncarnation, takeNodeId } from './identities.ts'
import { FormatError } from './packr.ts'
import type { Reader } from './packr.ts'

/** Nodes of different versions do not get past the handshake. */
export const protocolVersion = 3

export interface Introduction {
  readonly version: number
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly run: Run
  readonly httpUrl: string
  /** Term and end of its log when this run began. */
  readonly disk: { readonly term: Term; readonly lastIndex: Index }
  readonly founding: FoundingView
}

/** How far a node has come with the founding of the cluster (DESIGN 6, Identity). */
export interface FoundingView {
  /** The members it was configured with, ascending, joined by commas. */
  readonly members: string
  /** The limits it was configured with; those of the first member become the cluster's. */
  readonly limits: Readonly<Record<string, number>>
  /** Names the backup that it was started with, or founded from; null without one. */
  readonly backup: string | null
  /** The founding record it has stored; null before. */
  readonly clusterId: ClusterId | null
  /** That record, as it was when the link began: a disk that comes in place of a lost one takes it over. */
  readonly record: FoundingRecord | null
  /** Whether it knows that every member has stored it. */
  readonly founded: boolean
}

const membersMax = 100
const limitsMax = 100

export function introductionRow(introduction: Introduction): readonly unknown[] {
  const { version, node, incarnation, run, httpUrl, disk, founding } = introduction
  const { members, limits, backup, founded, clusterId, record } = founding
  // A null is a value to a reader, a list is not.
  const stage = [
    members,
    Object.entries(limits),
    backup,
    founded,
    clusterId,
    record === null ? [] : [recordRow(record)],
  ]
  return [version, node, incarnation, run, httpUrl, disk.term, disk.lastIndex, stage]
}

export function takeIntroduction(reader: Reader): Introduction {
  const version = reader.count()
  // The fields of another version may be others; its number is all that is needed to say no.
  if (version !== protocolVersion) throw new FormatError(`protocol version ${version}, not ${protocolVersion}`)
  const node = takeNodeId(reader)
  const incarnation = takeIncarnation(reader)
  const run = asRun(reader.count())
  const httpUrl = reader.text(1000)
  const disk = { term: asTerm(reader.count()), lastIndex: asIndex(reader.count()) }
  const founding = takeFoundingView(reader.row())
  reader.end()
  return { version, node, incarnation, run, httpUrl, disk, founding }
}

function recordRow({ clusterId, members, limits, restored }: FoundingRecord): readonly unknown[] {
  const disks = members.map(({ id, incarnation }) => [id, incarnation])
  const backup =
    restored === null ? [] : [[restored.from, restored.sha256, restored.firstToken, restored.firstSequence]]
  return [clusterId, disks, Object.entries(limits), backup]
}

function takeFoundingView(reader: Reader): FoundingView {
  const [members, limits] = [reader.text(1000), takeLimits(reader)]
  const [backup, founded] = [reader.orNull(takeSha256), reader.flag()]
  const clusterId = reader.orNull(takeClusterId)
  const [record = null] = reader.rows(1).map(takeRecord)
  reader.end()
  return { members, limits, backup, founded, clusterId, record }
}

function takeRecord(reader: Reader): FoundingRecord {
  const clusterId = takeClusterId(reader)
  const members = reader.rows(membersMax).map((row) => ({ id: takeNodeId(row), incarnation: takeIncarnation(row) }))
  if (members.length === 0 || new Set(members.map(({ id }) => id)).size < members.length) {
    throw new FormatError('no members, or one twice')
  }
  const limits = takeLimits(reader)
  const [restored = null] = reader.rows(1).map((row) => ({
    from: takeClusterId(row),
    sha256: takeSha256(row),
    firstToken: asToken(row.count()),
    firstSequence: asSequence(row.count()),
  }))
  reader.end()
  return { clusterId, members, limits, restored }
}

function takeLimits(reader: Reader): Readonly<Record<string, number>> {
  const limits = reader.rows(limitsMax).map((row) => [row.text(64), row.count()] as const)
  if (limits.some(([, limit]) => limit === 0)) throw new FormatError('a limit of nothing')
  return Object.fromEntries(limits)
}

function takeSha256(reader: Reader): string {
  const text = reader.text(64)
  if (!/^[0-9a-f]{64}$/.test(text)) throw new FormatError('not a SHA-256')
  return text
}
