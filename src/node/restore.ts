// What a new cluster takes over from a backup of an old one: where to go on counting, and nothing else. Sessions and grants
// of the old cluster are ended by that alone: an id below the counter without a record has ended, a token without a holder
// is stale. They could not be kept: their clients went on after the backup was made, perhaps for days.
//
// The old cluster went on counting, too, and what it gave since is not in the file. Both counters therefore jump: a
// million grants a second for eleven days are fewer than that, and thousands of restores fit below 2^53.
import { decodePayload } from '../codec/command.ts'
import { asSequence, asToken } from '../ids.ts'
import type { ClusterId } from '../ids.ts'
import { apply } from '../lockfsm/apply.ts'
import { fromRecords } from '../lockfsm/records.ts'
import type { StateRecord } from '../lockfsm/records.ts'
import { createState } from '../lockfsm/state.ts'
import type { FirstCounters, Limits, LockState } from '../lockfsm/state.ts'
import { BackupError } from '../storage/backup-format.ts'
import type { BackupPart } from '../storage/backup-format.ts'
import type { FoundingRecord, Restored } from '../storage/founding-store.ts'
import type { RecordBytes } from '../storage/state-store.ts'

export const restoreJump = 10 ** 12

export interface RestoreParts {
  /** Of the file, for messages. */
  readonly path: string
  /** Names the file. */
  readonly sha256: string
  readonly parts: AsyncIterable<BackupPart>
  readonly decodeRecord: (bytes: RecordBytes) => StateRecord
  /** Where the backup names no others. */
  readonly limits: Limits
}

/** Takes the state of the backup from its records through the entries behind them. Throws BackupError. */
export async function restore({ path, sha256, parts, decodeRecord, limits }: RestoreParts): Promise<Restored> {
  let from: ClusterId | null = null
  let itsLimits = limits
  let state: LockState | null = null
  const records: StateRecord[] = []
  const loaded = (): LockState => {
    state ??= records.length === 0 ? createState(itsLimits) : fromRecords(records, itsLimits)
    return state
  }
  // What contradicts itself although every checksum is right was written by something else than this program.
  const orWrong = <Value>(make: () => Value): Value => {
    try {
      return make()
    } catch (error) {
      throw new BackupError(path, 'its records or entries make no sense', error)
    }
  }
  for await (const part of parts) {
    if (part.kind === 'header') {
      from = part.clusterId
      itsLimits = { ...limits, ...part.limits }
    } else if (part.kind === 'records') {
      for (const record of part.records) records.push(orWrong(() => decodeRecord(record)))
    } else {
      for (const { time, payload } of part.entries)
        orWrong(() => apply(loaded(), { time, commands: decodePayload(payload) }))
    }
  }
  if (from === null) throw new BackupError(path, 'it has no header')
  const { nextToken, nextSequence } = orWrong(loaded)
  return {
    from,
    sha256,
    firstToken: asToken(jumped(path, nextToken)),
    firstSequence: asSequence(jumped(path, nextSequence)),
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
