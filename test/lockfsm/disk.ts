// A disk for checkpoints of a lock table: a cut is read out in slices, and what it told is written at once when it was
// taken whole, as a store would do it. Beside it stands what the disk must then hold: the records as they were at the
// cut. Every commit compares the two, and the digest that was kept up to date with one that is summed anew.
import { decodeRecord, encodeRecord, hashRecord, keyOf, voidKeys } from '../../src/codec/record.ts'
import type { RecordBytes } from '../../src/codec/record.ts'
import { createTally, tallyChange, tallyLoaded } from '../../src/codec/digest.ts'
import type { Tally } from '../../src/codec/digest.ts'
import type { RecordChange } from '../../src/lockfsm/changes.ts'
import { cutChanges } from '../../src/lockfsm/cut.ts'
import type { Cut } from '../../src/lockfsm/cut.ts'
import { beginLoading, finishLoading, loadRecord } from '../../src/lockfsm/load.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import type { Limits, LockState } from '../../src/lockfsm/state.ts'
import { shuffled } from './world.ts'

export class Disk {
  /** Kinds of changes and records that were told, and whether it was loaded, to see what a history has reached. */
  readonly told = new Set<string>()
  /** By key, both as hexadecimal digits. */
  #stored = new Map<string, string>()
  #tally: Tally = createTally()
  #oldestBucket = 0
  #open: { readonly cut: Cut; readonly changes: RecordChange[]; readonly expected: Map<string, string> } | null = null

  get isReading(): boolean {
    return this.#open !== null
  }

  begin(state: LockState): void {
    this.#open = { cut: cutChanges(state), changes: [], expected: recordsOf(state) }
  }

  /** Takes up to `count` changes; says whether that was all of them and they are on the disk. */
  take(count: number): boolean {
    if (this.#open === null) throw new Error('a cut is open')
    const { cut, changes } = this.#open
    const taken = cut.take(count)
    changes.push(...taken)
    // Encoded and counted as soon as it was told, as a checkpoint in slices does it.
    for (const change of taken) this.#write(change)
    if (taken.length === count) return false
    if (cut.take(1).length > 0) throw new Error('a cut that gives less than it was asked for has no more')
    this.#commit(this.#open)
    return true
  }

  /** The state of the last checkpoint, from its records in an order drawn from `seed`; digest and count are kept. */
  load(limits: Limits, seed: number): LockState {
    this.told.add('load')
    const loading = beginLoading(limits, this.#oldestBucket)
    this.#tally = createTally()
    for (const bytes of shuffled([...this.#records()], seed)) {
      const record = decodeRecord(bytes)
      const digested = isVoid(bytes.key, this.#oldestBucket) ? 0 : tallyLoaded(this.#tally, record, bytes)
      loadRecord(loading, record, digested)
    }
    const steps = finishLoading(loading)
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
    }
  }

  #write(change: RecordChange): void {
    this.told.add(change.kind === 'dropBucket' ? change.kind : `${change.kind} ${change.record.kind}`)
    if (change.kind === 'put') {
      const bytes = encodeRecord(change.record)
      tallyChange(this.#tally, change, bytes)
      this.#stored.set(hex(bytes.key), hex(bytes.value))
      return
    }
    tallyChange(this.#tally, change, null)
    if (change.kind === 'dropBucket') return
    if (!this.#stored.delete(hex(keyOf(change.record)))) throw new Error(`nothing to remove: ${JSON.stringify(change)}`)
  }

  #commit({ cut, changes, expected }: { cut: Cut; changes: readonly RecordChange[]; expected: Map<string, string> }) {
    this.#open = null
    this.#oldestBucket = cut.oldestBucket
    const names = changes.map((change) => (change.kind === 'dropBucket' ? change.bucket : hex(keyOf(change.record))))
    if (new Set(names).size !== names.length) throw new Error('a cut tells of each record once')
    const found = new Map<string, string>()
    let digest = 0
    for (const { key, value } of this.#records()) {
      if (isVoid(key, cut.oldestBucket)) continue
      found.set(hex(key), hex(value))
      digest = (digest + hashRecord({ key, value })) % 2 ** 48
    }
    for (const key of new Set([...found.keys(), ...expected.keys()])) {
      if (found.get(key) !== expected.get(key)) throw new Error(`${key} is ${found.get(key)}, not ${expected.get(key)}`)
    }
    if (this.#tally.digest !== digest) throw new Error('the digest differs from the sum of the hashes')
    if (this.#tally.records !== found.size) throw new Error('records are counted wrongly')
  }

  *#records(): Generator<RecordBytes> {
    for (const [key, value] of this.#stored) yield { key: Buffer.from(key, 'hex'), value: Buffer.from(value, 'hex') }
  }
}

function recordsOf(state: LockState): Map<string, string> {
  const records = [...toRecords(state)].map(encodeRecord)
  return new Map(records.map(({ key, value }) => [hex(key), hex(value)]))
}

function isVoid(key: Uint8Array, oldestBucket: number): boolean {
  return voidKeys(oldestBucket).some(({ gte, lt }) => Buffer.compare(gte, key) <= 0 && Buffer.compare(key, lt) < 0)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
