// Keys and values of the `state/` database: one record that says which generation is current and what its checkpoint is, and
// the records of all generations, each under its generation. A value carries a checksum over key and value, so that
// neither a wrong value nor the right value of another key is taken.
import { crc32 } from 'node:zlib'
import { asDigest } from '../ids.ts'
import { isCount, isObject, toIncarnation, toNodeId } from './checked-json.ts'
import { damaged, FormatVersionError } from './damage.ts'
import { formatVersion, recordHeaderBytes, sealJson, unsealJson } from './log-record.ts'
import { placeOf, toTip } from './meta-record.ts'
import type { Checkpoint, KeyRange, StoredState } from './state-store.ts'

export const currentKey = Buffer.from('c')

const recordKind = 0x67 // g
const keyHeaderBytes = 5
const generationMax = 2 ** 32 - 2
/** Of all records of all generations. */
export const recordKeys = { gte: Buffer.of(recordKind), lt: Buffer.of(recordKind + 1) } as const

export function recordKey(generation: number, key: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(keyHeaderBytes + key.length)
  stored[0] = recordKind
  stored.writeUInt32BE(generation, 1)
  stored.set(key, keyHeaderBytes)
  return stored
}

/** null when it is no key of a record. */
export function generationOf(storedKey: Buffer): number | null {
  return storedKey.length < keyHeaderBytes || storedKey[0] !== recordKind ? null : storedKey.readUInt32BE(1)
}

/** The key as it was given. Aliases. */
export function innerKey(storedKey: Buffer): Buffer {
  return storedKey.subarray(keyHeaderBytes)
}

/** The keys of a generation, or a range within it. */
export function keysOf(generation: number, range?: KeyRange): { gte: Buffer; lt: Buffer } {
  const nothing = Buffer.alloc(0)
  if (range === undefined) return { gte: recordKey(generation, nothing), lt: recordKey(generation + 1, nothing) }
  return { gte: recordKey(generation, range.gte), lt: recordKey(generation, range.lt) }
}

export function encodeRecordValue(storedKey: Buffer, value: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(recordHeaderBytes + value.length)
  stored[recordHeaderBytes - 1] = formatVersion
  stored.set(value, recordHeaderBytes)
  stored.writeUInt32BE(checksum(storedKey, stored), 0)
  return stored
}

/** Throws unless it is the intact value of that key. Aliases. */
export function decodeRecordValue(where: string, storedKey: Buffer, stored: Buffer): Buffer {
  if (stored.length < recordHeaderBytes || stored.readUInt32BE(0) !== checksum(storedKey, stored)) {
    throw damaged(where, `the record ${storedKey.toString('hex')} has a wrong checksum`)
  }
  const found = stored[recordHeaderBytes - 1]
  if (found !== formatVersion) throw new FormatVersionError(where, 'a record', { found, known: formatVersion })
  return stored.subarray(recordHeaderBytes)
}

function checksum(storedKey: Buffer, stored: Buffer): number {
  return crc32(stored.subarray(recordHeaderBytes - 1), crc32(storedKey))
}

/** What is current, and how many such records were written since the database was created. */
export interface StoredCurrent extends StoredState {
  readonly batches: number
}

export function encodeCurrent({ batches, generation, checkpoint }: StoredCurrent): Buffer {
  if (checkpoint === null) return sealJson({ batches, generation, checkpoint })
  const { digest, records, oldestBucket, incarnations } = checkpoint
  const fields = { ...placeOf(checkpoint), digest, records, oldestBucket, incarnations }
  return sealJson({ batches, generation, checkpoint: fields })
}

/** Throws unless it is such a record, intact and of this version. */
export function decodeCurrent(where: string, value: Buffer): StoredCurrent {
  const what = 'the record of the checkpoint'
  const { batches, generation, checkpoint } = unsealJson(where, what, value)
  const decoded = checkpoint === null ? null : toCheckpoint(checkpoint)
  if (!isCount(batches) || !isCount(generation) || generation > generationMax || decoded === undefined) {
    throw damaged(where, `${what} lacks a field or has one of a wrong type`)
  }
  return { batches, generation, checkpoint: decoded }
}

/** undefined: it is none. */
function toCheckpoint(value: unknown): Checkpoint | undefined {
  const place = toTip(value)
  if (!isObject(value) || place === null || !isObject(value['incarnations'])) return undefined
  const { digest, records, oldestBucket } = value
  if (!isCount(digest) || digest >= 2 ** 48 || !isCount(records) || !isCount(oldestBucket)) return undefined
  const incarnations: Checkpoint['incarnations'] = Object.fromEntries(
    Object.entries(value['incarnations']).flatMap(([node, text]) => {
      const incarnation = toIncarnation(text)
      return toNodeId(node) === null || incarnation === null ? [] : [[node, incarnation]]
    }),
  )
  if (Object.keys(incarnations).length !== Object.keys(value['incarnations']).length) return undefined
  return { ...place, digest: asDigest(digest), records, oldestBucket, incarnations }
}
