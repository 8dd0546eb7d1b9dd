// What a new cluster takes over from a backup of an old one: where to go on counting, and nothing else. Sessions and grants
// of the old cluster are ended by that alone: an id below the counter without a record has ended, a token without a holder
// is stale. They could not be kept: their clients went on after the backup was made, perhaps for days.
//
// The old cluster went on counting, too, and what it gave since is not in the file. Both counters therefore jump: a
// million grants a second for eleven days are fewer than that, and thousands of restores fit below 2^53.
import { assert, unreachable } from '../assert.ts'
import { decodePayload } from '../codec/command.ts'
import { decodeRecord } from '../codec/record.ts'
import { asSequence, asToken } from '../ids.ts'
import type { ClusterId } from '../ids.ts'
import { apply } from '../lockfsm/apply.ts'
import { fromRecords } from '../lockfsm/load.ts'
import type { StateRecord } from '../lockfsm/records.ts'
import { createState } from '../lockfsm/state.ts'
import type { FirstCounters, Limits, LockState } from '../lockfsm/state.ts'
import { BackupError } from '../storage/backup-format.ts'
import type { BackupPart } from '../storage/backup-format.ts'
import type { FoundingRecord, Restored } from '../storage/founding-store.ts'

export const restoreJump = 10 ** 12

export interface RestoreParts {
  /** Of the file, for messages. */
  readonly path: string
  /** Names the file. */
  readonly sha256: string
  readonly parts: AsyncIterable<BackupPart>
  /** Where the backup names no others. */
  readonly limits: Limits
}

/** Makes the state of the backup from its records and the entries behind them. Throws BackupError. */
export async function restore({ path, sha256, parts, limits }: RestoreParts): Promise<Restored> {
  const rebuilding = new Rebuilding(limits)
  for await (const part of parts) {
    try {
      rebuilding.take(part)
    } catch (error) {
      // All checksums are right: it was written so, by something else than this program.
      throw new BackupError(path, 'its records or entries make no sense', error)
    }
  }
  const { from, state } = rebuilding
  if (from === null || state === null) throw new BackupError(path, 'it is empty')
  const firstToken = asToken(jumped(path, state.nextToken))
  const firstSequence = asSequence(jumped(path, state.nextSequence))
  return { from, sha256, firstToken, firstSequence }
}

class Rebuilding {
  from: ClusterId | null = null
  #limits: Limits
  #first: FirstCounters | undefined
  #state: LockState | null = null
  #records: StateRecord[] = []

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** null before there was anything. */
  get state(): LockState | null {
    if (this.from === null) return null
    this.#state ??= this.#begin()
    return this.#state
  }

  take(part: BackupPart): void {
    switch (part.kind) {
      case 'header':
        this.from = part.clusterId
        this.#limits = { ...this.#limits, ...part.limits }
        this.#first = firstCounters(part)
        return
      case 'records':
        for (const record of part.records) this.#records.push(decodeRecord(record))
        return
      case 'entries': {
        const { state } = this
        assert(state !== null, 'the header comes first')
        for (const { time, payload } of part.entries) apply(state, { time, commands: decodePayload(payload) })
        return
      }
      default:
        return unreachable(part)
    }
  }

  #begin(): LockState {
    const records = this.#records
    this.#records = []
    return records.length === 0 ? createState(this.#limits, this.#first) : fromRecords(records, this.#limits)
  }
}

/** Where the members of a cluster that was founded so begin to count. */
export function firstCounters({ restored }: Pick<FoundingRecord, 'restored'>): FirstCounters {
  return restored === null
    ? { token: asToken(1), sequence: asSequence(1) }
    : { token: restored.firstToken, sequence: restored.firstSequence }
}

function jumped(path: string, next: number): number {
  // One jump is left for the new cluster itself.
  if (next > Number.MAX_SAFE_INTEGER - 2 * restoreJump)
    throw new BackupError(path, `its counters stand at ${next}: there are no ${restoreJump} numbers left above them`)
  return next + restoreJump
}
