// What a database held when it was last opened or closed, in a file of its own beside LevelDB's. LevelDB can lose the
// end of its log without a trace (a length that points behind the end of the file reads as a write that was cut off), fall
// back to an older list of tables, or come up empty. Batches are counted in a record that is in each of them: a database
// with fewer than the witness has seen lost some that were synced, and one with as many must hold the same record.
//
// What was lost after a crash, behind the last opening, only the other members can tell (DESIGN 6).
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatChecked, isCount, parseChecked } from './checked-json.ts'
import { damaged, FormatVersionError, judgeFileError } from './damage.ts'
import { writeDurably } from './durable-file.ts'

export interface Witness {
  /** Batches written since the database was created. */
  readonly batches: number
  /**
   * The record that is in every batch, as encoded; null only before the first. It says all there is to say of the rest:
   * last entry and checksums in the log, the checkpoint in the state.
   */
  readonly record: Buffer | null
}

export const emptyWitness: Witness = { batches: 0, record: null }

const version = 2
const fileName = 'witness'

export async function writeWitness(folder: string, { batches, record }: Witness): Promise<void> {
  await writeDurably(join(folder, fileName), formatChecked({ version, batches, record: toHex(record) }))
}

/** It is there from before the first batch on: throws DamagedError when it is missing. */
export async function readWitness(folder: string): Promise<Witness> {
  let text: string
  try {
    text = await readFile(join(folder, fileName), 'utf8')
  } catch (error) {
    throw judgeFileError(join(folder, fileName), error)
  }
  const fields = parseChecked(text)
  if (fields === null) throw damaged(folder, `its file ${fileName} has a wrong checksum`)
  const found = fields['version']
  if (found !== version) throw new FormatVersionError(folder, `its file ${fileName}`, { found, known: version })
  const { batches, record } = fields
  if (!isCount(batches) || typeof record !== 'string') {
    throw damaged(folder, `its file ${fileName} lacks a field or has one of a wrong type`)
  }
  return { batches, record: record === '' ? null : Buffer.from(record, 'hex') }
}

/** Throws DamagedError when `found` cannot have grown out of what was `seen`. */
export function checkAgainstWitness(folder: string, found: Witness, seen: Witness): void {
  if (found.batches < seen.batches) {
    throw damaged(folder, `it holds ${found.batches} batches of writes, but ${seen.batches} had been synced`)
  }
  if (found.batches === seen.batches && toHex(found.record) !== toHex(seen.record)) {
    throw damaged(folder, 'its newest record is not the one that was synced last')
  }
}

function toHex(record: Buffer | null): string {
  return record === null ? '' : record.toString('hex')
}
