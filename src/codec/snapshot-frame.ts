// The frames of a snapshot transfer, beside which everything else goes on: an offer with the checkpoint it is of, the
// records in numbered chunks, the end; and what the other side says to them. A transfer has a number, so that what
// is left of one that was given up is not taken for the next.
import { asClusterTime, asDigest, asIndex, asTerm } from '../ids.ts'
import type { ClusterId, Term } from '../ids.ts'
import type { Checkpoint, RecordBytes } from '../storage/state-store.ts'
import { takeClusterId, takeHex, takeIncarnation, takeNodeId } from './identities.ts'
import { FormatError } from './packr.ts'
import type { Reader } from './packr.ts'

export type SnapshotFrame = SnapshotOffer | SnapshotChunk | SnapshotEnd | SnapshotReply | SnapshotWanted

export interface SnapshotOffer {
  readonly kind: 'snapshotOffer'
  readonly transfer: number
  readonly clusterId: ClusterId
  /** The sender's current term: what it sends was committed by then. */
  readonly term: Term
  readonly checkpoint: Checkpoint
}

export interface SnapshotChunk {
  readonly kind: 'snapshotChunk'
  readonly transfer: number
  /** From 1, without gaps. */
  readonly number: number
  readonly records: readonly RecordBytes[]
}

export interface SnapshotEnd {
  readonly kind: 'snapshotEnd'
  readonly transfer: number
  /** How many chunks there were. */
  readonly chunks: number
}

/** `taken`: everything up to chunk `number` is with the disk, 0 being the offer. After the others the transfer is over. */
export interface SnapshotReply {
  readonly kind: 'snapshotReply'
  readonly transfer: number
  readonly number: number
  readonly said: 'taken' | 'installed' | 'refused'
}

/** To the leader: my state is damaged, although my log is not. */
export interface SnapshotWanted {
  readonly kind: 'snapshotWanted'
}

const recordsMax = 1_000_000
const replies = ['taken', 'installed', 'refused'] as const

export function checkpointRow(checkpoint: Checkpoint): readonly unknown[] {
  const { index, term, time, chain, digest, records, oldestBucket, incarnations } = checkpoint
  return [index, term, time, chain, digest, records, oldestBucket, Object.entries(incarnations)]
}

export function takeCheckpoint(reader: Reader): Checkpoint {
  const [index, term] = [asIndex(reader.count()), asTerm(reader.count())]
  const time = asClusterTime(reader.count())
  const chain = takeHex(reader)
  const digest = asDigest(reader.count())
  const [records, oldestBucket] = [reader.count(), reader.count()]
  const incarnations = Object.fromEntries(reader.rows(100).map((row) => [takeNodeId(row), takeIncarnation(row)]))
  reader.end()
  return { index, term, time, chain, digest, records, oldestBucket, incarnations }
}

export function snapshotFields(frame: SnapshotFrame): readonly unknown[] {
  switch (frame.kind) {
    case 'snapshotOffer':
      return [frame.transfer, frame.clusterId, frame.term, checkpointRow(frame.checkpoint)]
    case 'snapshotChunk':
      return [frame.transfer, frame.number, frame.records.flatMap(({ key, value }) => [key, value])]
    case 'snapshotEnd':
      return [frame.transfer, frame.chunks]
    case 'snapshotReply':
      return [frame.transfer, frame.number, replies.indexOf(frame.said)]
    case 'snapshotWanted':
      return []
  }
}

/** Takes the fields of a frame of that kind; FormatError when they are not. */
export function takeSnapshotFrame(kind: SnapshotFrame['kind'], reader: Reader): SnapshotFrame {
  switch (kind) {
    case 'snapshotOffer': {
      const transfer = reader.count()
      const [clusterId, term] = [takeClusterId(reader), asTerm(reader.count())]
      return { kind, transfer, clusterId, term, checkpoint: takeCheckpoint(reader.row()) }
    }
    case 'snapshotChunk': {
      const [transfer, number] = [reader.count(), reader.count()]
      return { kind, transfer, number, records: inPairs(reader.bytesList(2 * recordsMax)) }
    }
    case 'snapshotEnd':
      return { kind, transfer: reader.count(), chunks: reader.count() }
    case 'snapshotReply': {
      const [transfer, number] = [reader.count(), reader.count()]
      const said = replies[reader.count()]
      if (said === undefined) throw new FormatError('unknown reply')
      return { kind, transfer, number, said }
    }
    case 'snapshotWanted':
      return { kind }
  }
}

function inPairs(parts: readonly Uint8Array[]): readonly RecordBytes[] {
  const records: RecordBytes[] = []
  for (let at = 0; at < parts.length; at += 2) {
    const [key, value] = [parts[at], parts[at + 1]]
    if (key === undefined || value === undefined) throw new FormatError('a key without a value')
    records.push({ key, value })
  }
  return records
}
