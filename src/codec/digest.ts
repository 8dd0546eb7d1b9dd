// The digest of a state: the sum of the hashes of its records modulo 2^48, brought up to date with each checkpoint by
// what has changed, so that nodes which applied the same entries can compare one number (S7). What every mutable record
// counted stands in its owner, what is remembered is summed per bucket, because buckets are dropped whole.
import { unreachable } from '../assert.ts'
import { asDigest } from '../ids.ts'
import type { Digest } from '../ids.ts'
import type { RecordChange } from '../lockfsm/changes.ts'
import type { StateRecord } from '../lockfsm/records.ts'
import { encodeRecord, hashRecord } from './record.ts'
import type { RecordBytes } from './record.ts'

/** The digest and the number of the records of one checkpoint. */
export interface Tally {
  digest: Digest
  records: number
  readonly buckets: Map<number, Subtotal>
}

interface Subtotal {
  sum: number
  records: number
}

const modulus = 2 ** 48

export function createTally(): Tally {
  return { digest: asDigest(0), records: 0, buckets: new Map() }
}

/** Of a `put`, `bytes` are those of its record. */
export function tallyChange(tally: Tally, change: RecordChange, bytes: RecordBytes | null): void {
  switch (change.kind) {
    case 'put': {
      const { record, owner } = change
      const hash = hashRecord(bytes ?? encodeRecord(record))
      if (owner === null) {
        add(tally, record, { sum: hash, records: 1 })
        return
      }
      add(tally, record, { sum: hash - owner.digested, records: owner.digested === 0 ? 1 : 0 })
      owner.digested = hash
      return
    }
    case 'remove': {
      const { record, owner, was } = change
      const counted = was === null ? (owner?.digested ?? 0) : hashRecord(encodeRecord(was))
      add(tally, was ?? record, { sum: -counted, records: -1 })
      return
    }
    case 'dropBucket': {
      const subtotal = tally.buckets.get(change.bucket)
      if (subtotal === undefined) return
      tally.buckets.delete(change.bucket)
      tally.digest = plus(tally.digest, -subtotal.sum)
      tally.records -= subtotal.records
      return
    }
    default:
      unreachable(change)
  }
}

/** Counts a record of a checkpoint that is loaded; returns its hash, for its owner to keep (`loadRecord`). */
export function tallyLoaded(tally: Tally, record: StateRecord, bytes: RecordBytes): number {
  const hash = hashRecord(bytes)
  add(tally, record, { sum: hash, records: 1 })
  return hash
}

function add(tally: Tally, record: { readonly kind: string; readonly bucket?: number }, { sum, records }: Subtotal) {
  tally.digest = plus(tally.digest, sum)
  tally.records += records
  if (record.bucket === undefined) return
  const subtotal = tally.buckets.get(record.bucket)
  if (subtotal === undefined) tally.buckets.set(record.bucket, { sum: plus(0, sum), records })
  else {
    subtotal.sum = plus(subtotal.sum, sum)
    subtotal.records += records
  }
}

/** Both lie within 48 bits of 0, so the sum is exact. */
function plus(sum: number, change: number): Digest {
  return asDigest((((sum + change) % modulus) + modulus) % modulus)
}
