// The keys of the `log/` database: one byte for the kind, then for entries the index as u64, so that LevelDB's order of
// bytes is the order of the log. The entries come before the single records.
import { asIndex, type Index } from '../ids.ts'
import { readUint64, writeUint64 } from './uint64.ts'

const entryKind = 0x65 // e
const entryKeyBytes = 9

export const hardStateKey = Buffer.from('h')
export const metaKey = Buffer.from('m')
export const peersKey = Buffer.from('p')

export function entryKey(index: Index): Buffer {
  const key = Buffer.allocUnsafe(entryKeyBytes)
  key[0] = entryKind
  writeUint64(key, index, 1)
  return key
}

/** The index of an entry's key; null when the key is not one. */
export function entryIndex(key: Buffer): Index | null {
  if (key.length !== entryKeyBytes || key[0] !== entryKind) return null
  const index = readUint64(key, 1)
  return Number.isNaN(index) ? null : asIndex(index)
}
