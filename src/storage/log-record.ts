// The values of the `log/` database as bytes: an entry, the hard state (the meta record is in meta-record.ts). Every value
// opens with a CRC-32 over the rest and a version; what decodes has the right checksum, version and types.
//
// Entries form a chain: each carries the hash of the one before, and its own hash is taken over that hash, index, term,
// time, note and payload, so one hash names a whole log. The version is left out of it: logs of equal entries have equal hashes
// on every node, whatever version wrote them (a checkpoint sent to another node names its place by such a hash).
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { asClusterTime, asIndex, asNodeId, asTerm, type Index } from '../ids.ts'
import type { Entry, HardState } from '../raft/entry.ts'
import { type JsonObject, parseObject } from './checked-json.ts'
import { damaged, FormatVersionError } from './damage.ts'
import type { ChainHash } from './log-store.ts'
import { decodeNote, encodeNote } from './note-record.ts'
import { readUint64, writeUint64 } from './uint64.ts'

/** Stands before the first entry of a cluster. */
export const chainStart: ChainHash = '0'.repeat(32)

/** Of all records of both databases. */
export const formatVersion = 3
const crcBytes = 4
/** Checksum and version, before the body of every record. */
export const recordHeaderBytes = crcBytes + 1
const chainBytes = 16

// Both binary records are a chain hash, three numbers and then bytes of any length: note and payload, or checksums and vote.
const chainAt = recordHeaderBytes
const numbersAt = chainAt + chainBytes
const indexAt = numbersAt
const termAt = numbersAt + 8
/** Time of an entry; in the hard state the count of batches. */
const thirdAt = numbersAt + 16
const headerBytes = numbersAt + 24
const metaCrcAt = headerBytes
const peersCrcAt = metaCrcAt + 4
const voteAt = peersCrcAt + 4

export interface StoredEntry {
  readonly entry: Entry
  readonly chainBefore: ChainHash
}

/** The hard state as stored, with what it says about the log: it is in every batch. */
export interface StoredHardState extends HardState {
  readonly lastIndex: Index
  /** Hash of the entry at `lastIndex`. */
  readonly chain: ChainHash
  /** How many batches this database has seen: only grows. */
  readonly batches: number
  /** Checksums of the two other single records as they were last written, 0 of none: an older copy of one is not taken. */
  readonly metaCrc: number
  readonly peersCrc: number
}

export function encodeEntry({ entry, chainBefore }: StoredEntry): Buffer {
  const note = encodeNote(entry.note)
  const value = Buffer.allocUnsafe(headerBytes + note.length + entry.payload.length)
  value.write(chainBefore, chainAt, 'hex')
  writeUint64(value, entry.index, indexAt)
  writeUint64(value, entry.term, termAt)
  writeUint64(value, entry.time, thirdAt)
  note.copy(value, headerBytes)
  value.set(entry.payload, headerBytes + note.length)
  return seal(value)
}

/** The hash of the entry whose encoded value this is. */
export function chainOf(value: Buffer): ChainHash {
  return hash('sha256', value.subarray(chainAt), 'hex').slice(0, 2 * chainBytes)
}

/** Throws DamagedError unless `value` is the entry of `index`. The payload aliases `value`. */
export function decodeEntry(where: string, index: Index, value: Buffer): StoredEntry {
  const what = `entry ${index}`
  unseal(where, what, value, headerBytes)
  // The index under the checksum makes the checksum one over key and value.
  if (readUint64(value, indexAt) !== index) throw damaged(where, `${what} holds the entry of another index`)
  const decoded = decodeNote(value, headerBytes)
  if (decoded === null) throw damaged(where, `${what} has a note that is none of ours`)
  return {
    chainBefore: value.toString('hex', chainAt, numbersAt),
    entry: {
      index,
      term: asTerm(readNumber(where, what, value, termAt)),
      time: asClusterTime(readNumber(where, what, value, thirdAt)),
      payload: value.subarray(decoded.end),
      ...(decoded.note === null ? {} : { note: decoded.note }),
    },
  }
}

export function encodeHardState(state: StoredHardState): Buffer {
  const vote = Buffer.from(state.votedFor ?? '')
  const value = Buffer.allocUnsafe(voteAt + vote.length)
  value.write(state.chain, chainAt, 'hex')
  writeUint64(value, state.lastIndex, indexAt)
  writeUint64(value, state.currentTerm, termAt)
  writeUint64(value, state.batches, thirdAt)
  value.writeUInt32BE(state.metaCrc, metaCrcAt)
  value.writeUInt32BE(state.peersCrc, peersCrcAt)
  vote.copy(value, voteAt)
  return seal(value)
}

export function decodeHardState(where: string, value: Buffer): StoredHardState {
  const what = 'the hard state'
  unseal(where, what, value, voteAt)
  const vote = value.toString('utf8', voteAt)
  return {
    currentTerm: asTerm(readNumber(where, what, value, termAt)),
    // A node id is never empty.
    votedFor: vote === '' ? null : asNodeId(vote),
    lastIndex: asIndex(readNumber(where, what, value, indexAt)),
    chain: value.toString('hex', chainAt, numbersAt),
    batches: readNumber(where, what, value, thirdAt),
    metaCrc: value.readUInt32BE(metaCrcAt),
    peersCrc: value.readUInt32BE(peersCrcAt),
  }
}

/** The checksum that stands in a sealed record; 0 of none. */
export function crcOf(sealed: Buffer | null): number {
  return sealed === null ? 0 : sealed.readUInt32BE(0)
}

/** Fills in version and checksum, which stand before everything else. */
export function seal(value: Buffer): Buffer {
  value[crcBytes] = formatVersion
  value.writeUInt32BE(crc32(value.subarray(crcBytes)), 0)
  return value
}

/** Throws unless `value` is long enough, intact and of this version. */
export function unseal(where: string, what: string, value: Buffer, bytesMin: number): void {
  if (value.length < recordHeaderBytes) throw damaged(where, `${what} is cut to ${value.length} bytes`)
  if (value.readUInt32BE(0) !== crc32(value.subarray(crcBytes))) throw damaged(where, `${what} has a wrong checksum`)
  const found = value[crcBytes]
  if (found !== formatVersion) throw new FormatVersionError(where, what, { found, known: formatVersion })
  if (value.length < bytesMin) throw damaged(where, `${what} is cut to ${value.length} bytes`)
}

/** A record that is written rarely, as JSON behind the header. */
export function sealJson(record: object): Buffer {
  const text = JSON.stringify(record)
  const value = Buffer.allocUnsafe(recordHeaderBytes + Buffer.byteLength(text))
  value.write(text, recordHeaderBytes)
  return seal(value)
}

/** Throws unless `value` is intact and of this version; without fields when it is no object. */
export function unsealJson(where: string, what: string, value: Buffer): JsonObject {
  unseal(where, what, value, recordHeaderBytes)
  return parseObject(value.toString('utf8', recordHeaderBytes)) ?? {}
}

function readNumber(where: string, what: string, value: Buffer, offset: number): number {
  const number = readUint64(value, offset)
  if (Number.isNaN(number)) throw damaged(where, `${what} holds a number above 2^53`)
  return number
}
