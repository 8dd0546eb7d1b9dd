// A backup as bytes: a title with the version of the format, blocks, and a SHA-256 over all of it. The blocks are, in this
// order: one header (which cluster, which checkpoint), the records of the checkpoint, the entries of the log behind it,
// and one end with counts and the hash that names the log up to the last entry. Each entry is as it lies in the log, with
// its checksum and its place in the chain (log-record.ts).
//
// Everything is made and read a block at a time, so that a backup of any size passes through little memory.
import { createHash } from 'node:crypto'
import { unreachable } from '../assert.ts'
import { FormatError, pack, unpack } from '../codec/packr.ts'
import type { Reader } from '../codec/packr.ts'
import {
  asClusterId,
  asClusterTime,
  asDigest,
  asIncarnation,
  asIndex,
  asNodeId,
  asSequence,
  asTerm,
  asToken,
} from '../ids.ts'
import type { Index } from '../ids.ts'
import type { Entry } from '../raft/entry.ts'
import type { FoundingRecord, Restored } from './founding-store.ts'
import { chainOf, chainStart, encodeEntry } from './log-record.ts'
import type { ChainHash } from './log-store.ts'
import type { Checkpoint, RecordBytes } from './state-store.ts'

export const backupTitle = Buffer.from('Holdfast backup\n')
export const backupVersion = 1
/** Title and version. */
export const backupTitleBytes = backupTitle.length + 1
export const blockLengthBytes = 4
/** Larger than any block that is made. */
export const blockBytesMax = 16 * 1024 * 1024
export const backupHashBytes = 32

/** Opens with the founding of the cluster: where it began to count matters to a log that begins at its beginning. */
export interface BackupHeader extends FoundingRecord {
  readonly kind: 'header'
  /** null: there was none, and the log begins at its beginning. */
  readonly checkpoint: Checkpoint | null
}

export interface BackupRecords {
  readonly kind: 'records'
  readonly records: readonly RecordBytes[]
}

export interface BackupEntries {
  readonly kind: 'entries'
  /** Encoded as in the log. */
  readonly entries: readonly Uint8Array[]
}

export interface BackupEnd {
  readonly kind: 'end'
  readonly records: number
  readonly entries: number
  /** Of the last entry, or of the checkpoint when none is behind it. */
  readonly index: Index
  readonly chain: ChainHash
}

export type BackupBlock = BackupHeader | BackupRecords | BackupEntries | BackupEnd

/** The file cannot be restored from. Nothing was written. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
  readonly code = 'backup_damaged'

  constructor(path: string, found: string, cause?: unknown) {
    super(`${path} cannot be restored: ${found}`, cause === undefined ? {} : { cause })
  }
}

/** What a backup holds, in this order. */
export type BackupPart =
  | BackupHeader
  | { readonly kind: 'records'; readonly records: readonly RecordBytes[] }
  | { readonly kind: 'entries'; readonly entries: readonly Entry[] }

const tags = { header: 1, records: 2, entries: 3, end: 4 } as const
const listMax = 1_000_000

/** Makes the bytes of one backup: `open`, then the records, then the entries in their order, then `close`. */
export class BackupEncoder {
  readonly #hash = createHash('sha256')
  #records = 0
  #entries = 0
  #index = asIndex(0)
  #chain: ChainHash = chainStart

  /** The last entry so far, or the checkpoint's. */
  get index(): Index {
    return this.#index
  }

  /** What names the log up to there. */
  get chain(): ChainHash {
    return this.#chain
  }

  open(header: Omit<BackupHeader, 'kind'>): Buffer {
    this.#index = header.checkpoint?.index ?? this.#index
    this.#chain = header.checkpoint?.chain ?? this.#chain
    const title = Buffer.concat([backupTitle, Buffer.of(backupVersion)])
    this.#hash.update(title)
    return Buffer.concat([title, this.#block({ kind: 'header', ...header })])
  }

  records(records: readonly RecordBytes[]): Buffer {
    this.#records += records.length
    return this.#block({ kind: 'records', records })
  }

  entries(entries: readonly Entry[]): Buffer {
    const encoded = entries.map((entry) => {
      const value = encodeEntry({ entry, chainBefore: this.#chain })
      this.#chain = chainOf(value)
      this.#index = entry.index
      return value
    })
    this.#entries += entries.length
    return this.#block({ kind: 'entries', entries: encoded })
  }

  close(): Buffer {
    const [records, entries, index, chain] = [this.#records, this.#entries, this.#index, this.#chain]
    const end = this.#block({ kind: 'end', records, entries, index, chain })
    return Buffer.concat([end, this.#hash.digest()])
  }

  #block(block: BackupBlock): Buffer {
    const body = pack(rowOf(block))
    const framed = Buffer.allocUnsafe(blockLengthBytes + body.length)
    framed.writeUInt32BE(body.length, 0)
    framed.set(body, blockLengthBytes)
    this.#hash.update(framed)
    return framed
  }
}

function rowOf(block: BackupBlock): readonly unknown[] {
  switch (block.kind) {
    case 'header': {
      const { clusterId, members, limits, restored, checkpoint } = block
      const named = members.map(({ id, incarnation }) => [id, incarnation])
      const [from, began] = [restoredRow(restored), checkpointRow(checkpoint)]
      return [tags.header, clusterId, named, Object.entries(limits), from, began]
    }
    case 'records':
      return [tags.records, block.records.map(({ key, value }) => [key, value])]
    case 'entries':
      return [tags.entries, block.entries]
    case 'end':
      return [tags.end, block.records, block.entries, block.index, block.chain]
    default:
      return unreachable(block)
  }
}

/** Throws FormatError when the bytes are no block. What it gives aliases them. */
export function decodeBlock(bytes: Uint8Array): BackupBlock {
  const reader = unpack(bytes)
  const block = takeBlock(reader.count(), reader)
  reader.end()
  return block
}

function takeBlock(tag: number, reader: Reader): BackupBlock {
  switch (tag) {
    case tags.header:
      return {
        kind: 'header',
        clusterId: asClusterId(reader.text(64)),
        members: reader
          .rows(100)
          .map((row) => ({ id: asNodeId(row.text(32)), incarnation: asIncarnation(row.text(64)) })),
        limits: Object.fromEntries(reader.rows(100).map((row) => [row.text(64), row.count()])),
        restored: takeRestored(reader.row()),
        checkpoint: takeCheckpoint(reader.row()),
      }
    case tags.records:
      return { kind: 'records', records: reader.rows(listMax).map((row) => ({ key: row.bytes(), value: row.bytes() })) }
    case tags.entries:
      return { kind: 'entries', entries: reader.bytesList(listMax) }
    case tags.end: {
      const [records, entries] = [reader.count(), reader.count()]
      return { kind: 'end', records, entries, index: asIndex(reader.count()), chain: reader.text(64) }
    }
    default:
      throw new FormatError(`unknown block ${tag}`)
  }
}

function restoredRow(restored: Restored | null): readonly unknown[] {
  if (restored === null) return []
  const { from, sha256, firstToken, firstSequence } = restored
  return [from, sha256, firstToken, firstSequence]
}

function takeRestored(reader: Reader): Restored | null {
  if (reader.remaining === 0) return null
  const [from, sha256] = [asClusterId(reader.text(64)), reader.text(64)]
  const [firstToken, firstSequence] = [asToken(reader.count()), asSequence(reader.count())]
  reader.end()
  return { from, sha256, firstToken, firstSequence }
}

function checkpointRow(checkpoint: Checkpoint | null): readonly unknown[] {
  if (checkpoint === null) return []
  const { index, term, time, chain, digest, records, oldestBucket, incarnations } = checkpoint
  return [index, term, time, chain, digest, records, oldestBucket, Object.entries(incarnations)]
}

function takeCheckpoint(reader: Reader): Checkpoint | null {
  if (reader.remaining === 0) return null
  const [index, term, time] = [asIndex(reader.count()), asTerm(reader.count()), asClusterTime(reader.count())]
  const [chain, digest, records, oldestBucket] = [
    reader.text(64),
    asDigest(reader.count()),
    reader.count(),
    reader.count(),
  ]
  const incarnations = Object.fromEntries(reader.rows(100).map((row) => [row.text(32), asIncarnation(row.text(64))]))
  reader.end()
  return { index, term, time, chain, digest, records, oldestBucket, incarnations }
}
