// What goes to disk beside entries and votes: that a state is never ahead of its log (H30), nor a log's start ahead of its
// state; that trims, installs and truncations take nothing that is committed and not kept otherwise; and that every
// checkpoint is, by a digest counted over all records anew, the state of the reference at its entry (S7).
import { assert } from '../../../src/assert.ts'
import { encodeRecord, hashRecord } from '../../../src/codec/record.ts'
import { asIndex } from '../../../src/ids.ts'
import type { Index } from '../../../src/ids.ts'
import { toRecords } from '../../../src/lockfsm/records.ts'
import type { LockState } from '../../../src/lockfsm/state.ts'
import type { Entry } from '../../../src/raft/entry.ts'
import type { LogBatch } from '../../../src/storage/log-store.ts'
import type { Machine } from '../machine.ts'
import type { Scrutiny } from './scrutiny.ts'

interface Tallied {
  readonly digest: number
  readonly records: number
}

export class KeepingChecks {
  readonly #committedAt: (index: Index) => Entry | null
  /** Of the reference, by marked entry; null at those that are not counted. */
  readonly #tallies = new Map<number, Tallied | null>()
  readonly #scrutiny: Scrutiny
  /** Members whose state was changed on purpose. */
  readonly #isTampered: (machine: Machine) => boolean

  constructor(parts: {
    committedAt(index: Index): Entry | null
    isTampered(machine: Machine): boolean
    readonly scrutiny: Scrutiny
  }) {
    this.#scrutiny = parts.scrutiny
    this.#committedAt = (index) => parts.committedAt(index)
    this.#isTampered = (machine) => parts.isTampered(machine)
  }

  /** The reference stands behind an entry. */
  applied({ index, note }: Entry, reference: LockState): void {
    if (note?.kind !== 'checkpoint') return
    // A digest is brought up to date from one checkpoint to the next: what is wrong once stays wrong.
    const isCounted = this.#tallies.size % this.#scrutiny.marks === 0
    this.#tallies.set(index, isCounted ? tallyOf(reference) : null)
  }

  /** A write to a log begins. */
  written(machine: Machine, { truncateFrom, trimTo, installed }: LogBatch): void {
    const { id, disk } = machine
    const durable = disk.durable()
    if (truncateFrom !== null) {
      const dropped = durable.entryAt(truncateFrom)
      const isCommitted = dropped !== null && this.#committedAt(truncateFrom)?.term === dropped.term
      assert(!isCommitted, () => `7: ${id} drops committed entry ${truncateFrom}`)
    }
    const covered = durable.state.checkpoint?.index ?? 0
    assert(trimTo === null || trimTo <= covered, () => `H30: ${id} trims to ${trimTo}, its checkpoint is of ${covered}`)
    if (installed === null) return
    const { start, keepsTail } = installed
    assert(start.index === covered, () => `H30: ${id} begins its log behind ${start.index}, its state is of ${covered}`)
    assert(
      this.#committedAt(start.index)?.term === start.term,
      () => `7: ${id} installs ${start.index} of term ${start.term}, which is not committed`,
    )
    const next = durable.entryAt(asIndex(start.index + 1))
    const isKept = keepsTail || next === null || this.#committedAt(next.index)?.term !== next.term
    assert(isKept, () => `7: ${id} drops committed entry ${next?.index} behind the snapshot`)
  }

  /** A checkpoint, or what a snapshot brought, is the durable state of a member. */
  stored(machine: Machine): void {
    const { id, disk } = machine
    const { state, lastIndex, isInstalling } = disk.durable()
    const { checkpoint } = state
    assert(checkpoint !== null, () => `${id} has a checkpoint`)
    const { index, term, digest, records } = checkpoint
    assert(
      isInstalling || index <= lastIndex,
      () => `H30: the state of ${id} is that of ${index}, its log ends at ${lastIndex}`,
    )
    assert(
      this.#committedAt(index)?.term === term,
      () => `7: the checkpoint of ${id} at ${index} is of what is not committed`,
    )
    const tallied = this.#tallies.get(index)
    assert(tallied !== undefined, () => `${id} made a checkpoint at ${index}, where there is no mark`)
    if (tallied === null) return
    const isEqual = tallied.digest === digest && tallied.records === records
    assert(
      isEqual || this.#isTampered(machine),
      () => `S7: checkpoint ${index} of ${id} is ${digest} of ${records}, not ${tallied.digest} of ${tallied.records}`,
    )
  }
}

function tallyOf(state: LockState): Tallied {
  let [digest, records] = [0, 0]
  for (const record of toRecords(state)) {
    digest = (digest + hashRecord(encodeRecord(record))) % 2 ** 48
    records++
  }
  return { digest, records }
}
