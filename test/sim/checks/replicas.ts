// That replicas are equal (S7), while the log grows and at the end. A second copy of the reference lives through the same
// entries, but is saved and loaded in shuffled order again and again: whatever depends on the order of a Map would make
// it answer differently (H25). Members are compared with the digests of the reference whenever they stand at the same entry.
import { createHash } from 'node:crypto'
import { assert } from '../../../src/assert.ts'
import { apply } from '../../../src/lockfsm/apply.ts'
import type { TableEntry } from '../../../src/lockfsm/apply.ts'
import type { Outcome } from '../../../src/lockfsm/outcome.ts'
import { fromRecords } from '../../../src/lockfsm/load.ts'
import { toRecords } from '../../../src/lockfsm/records.ts'
import { createState } from '../../../src/lockfsm/state.ts'
import type { LockState } from '../../../src/lockfsm/state.ts'
import type { Random } from '../random.ts'
import { isSameData } from './same-data.ts'
import type { Scrutiny } from './scrutiny.ts'

/** A digest is made of marked entries and of every so-manieth; the copy is reloaded as often as the latter. */
const digestEvery = 32

export class ReplicaChecks {
  readonly #reference: LockState
  readonly #random: Random
  readonly #scrutiny: Scrutiny
  #copy: LockState
  readonly #digests = new Map<number, string>()
  /** Where each member was compared last. */
  readonly #compared = new Map<string, number>()
  #applied = 0
  #marks = 0

  constructor(reference: LockState, random: Random, scrutiny: Scrutiny) {
    this.#reference = reference
    this.#random = random
    this.#scrutiny = scrutiny
    this.#copy = createState(reference.limits)
  }

  /** The reference has applied the next entry, with these outcomes; at a mark members make checkpoints. */
  applied(
    index: number,
    entry: TableEntry,
    { outcomes, isMark }: { readonly outcomes: readonly Outcome[]; readonly isMark: boolean },
  ): void {
    const theirs = apply(this.#copy, entry)
    if (!isSameData(outcomes, theirs)) {
      const [says, not] = [JSON.stringify(theirs), JSON.stringify(outcomes)]
      assert(false, () => `S7: reloaded from records, entry ${index} says ${says}, not ${not}`)
    }
    const isReload = ++this.#applied % digestEvery === 0
    const isLookedAt = isMark && ++this.#marks % this.#scrutiny.marks === 0
    if (!isReload && !isLookedAt) return
    const digest = digestOf(recordsOf(this.#reference))
    this.#digests.set(index, digest)
    if (!isReload) return
    assert(
      digest === digestOf(recordsOf(this.#copy)),
      () => `S7: reloaded from records, the state after entry ${index} differs`,
    )
    this.#copy = fromRecords(shuffled([...toRecords(this.#copy)], this.#random), this.#reference.limits)
  }

  /** A member stands behind the entry at `index`. */
  compareAt(member: string, index: number, state: LockState): void {
    const digest = this.#digests.get(index)
    if (digest === undefined || this.#compared.get(member) === index) return
    this.#compared.set(member, index)
    assert(digest === digestOf(recordsOf(state)), () => `S7: ${member} differs after entry ${index}`)
  }

  /** A member has applied all that the reference has: says which record differs. */
  compareAll(member: string, state: LockState): void {
    const [ours, theirs] = [recordsOf(this.#reference), recordsOf(state)]
    const differing = ours.findIndex((record, position) => record !== theirs[position])
    const isEqual = ours.length === theirs.length && differing < 0
    assert(isEqual, () => `S7: ${member} differs: ${ours[differing]} is ${theirs[differing]}`)
  }
}

function recordsOf(state: LockState): readonly string[] {
  return [...toRecords(state)].map((record) => JSON.stringify(record)).sort()
}

function digestOf(records: readonly string[]): string {
  const hash = createHash('sha1')
  for (const record of records) hash.update(record)
  return hash.digest('hex')
}

function shuffled<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const keyed = items.map((item) => ({ item, key: random.next() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item)
}
