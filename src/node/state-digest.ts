// The digest of a checkpoint, kept up to date by what changes (DESIGN 6): a sum of the hashes of all records, so that it
// costs in proportion to the change and depends on no order. Records that change remember what they were counted for;
// those that never change are hashed again when they go, or go with their bucket, of which the sum is kept.
import { hashRecord } from '../codec/record.ts'
import type { RecordBytes } from '../storage/state-store.ts'
import { asDigest } from '../ids.ts'
import type { Digest } from '../ids.ts'
import type { RecordOwner } from '../lockfsm/changes.ts'

const modulus = 2 ** 48

interface Sum {
  digest: number
  records: number
}

export class StateDigest {
  readonly #all: Sum = { digest: 0, records: 0 }
  readonly #buckets = new Map<number, Sum>()

  get digest(): Digest {
    return asDigest(this.#all.digest)
  }

  get records(): number {
    return this.#all.records
  }

  /** A record is there in this form from now on. `bucket`: it goes with that at the latest. */
  put(record: RecordBytes, { owner, bucket }: { owner: RecordOwner | null; bucket: number | null }): void {
    const hash = this.loaded(hashRecord(record), bucket)
    if (owner === null) return
    if (owner.digested !== 0) this.#add(this.#all, -owner.digested, -1)
    owner.digested = hash
  }

  /** A record was loaded, whose owner, if it has one, will keep the hash. Returns that. */
  loaded(hash: number, bucket: number | null): number {
    this.#add(this.#all, hash, 1)
    if (bucket !== null) this.#add(this.#bucket(bucket), hash, 1)
    return hash
  }

  /** A record that could change is there no more. */
  removeOwned(owner: RecordOwner): void {
    this.#add(this.#all, -owner.digested, -1)
    owner.digested = 0
  }

  /** One that never changes. */
  remove(was: RecordBytes, bucket: number | null): void {
    const hash = hashRecord(was)
    this.#add(this.#all, -hash, -1)
    if (bucket !== null) this.#add(this.#bucket(bucket), -hash, -1)
  }

  dropBucket(bucket: number): void {
    const sum = this.#buckets.get(bucket)
    if (sum === undefined) return
    this.#buckets.delete(bucket)
    this.#add(this.#all, -sum.digest, -sum.records)
  }

  #bucket(bucket: number): Sum {
    const known = this.#buckets.get(bucket)
    if (known !== undefined) return known
    const sum = { digest: 0, records: 0 }
    this.#buckets.set(bucket, sum)
    return sum
  }

  #add(sum: Sum, hash: number, records: number): void {
    // Both are below 2^48, so that nothing is lost on the way.
    sum.digest = (sum.digest + hash + modulus) % modulus
    sum.records += records
  }
}
