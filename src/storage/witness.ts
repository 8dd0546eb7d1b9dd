// What the database held when it was last opened or closed, in a file of its own beside LevelDB's. LevelDB can lose the
// end of its log without a trace (a length that points behind the end of the file reads as a write that was cut off), fall
// back to an older list of tables, or come up empty. Batches are counted in the hard state: a database with fewer than
// the witness has seen lost some that were synced, and one with as many must hold the same records.
//
// What was lost after a crash, behind the last opening, only the other members can tell (DESIGN 6).
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatChecked, isCount, parseChecked } from './checked-json.ts'
import { damaged, judgeFileError, NewerFormatError } from './damage.ts'
import { writeDurably } from './durable-file.ts'

export interface Witness {
  /** Batches written since the database was created. */
  readonly batches: number
  /** The records as encoded; null only before the first batch. The hard state names the last entry and its hash. */
  readonly hardState: Buffer | null
  readonly meta: Buffer | null
}

export const emptyWitness: Witness = { batches: 0, hardState: null, meta: null }

const version = 1
const fileName = 'witness'

export async function writeWitness(folder: string, { batches, hardState, meta }: Witness): Promise<void> {
  const record = { version, batches, hardState: toHex(hardState), meta: toHex(meta) }
  await writeDurably(join(folder, fileName), formatChecked(record))
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
  if (fields['version'] !== version) throw new NewerFormatError(folder, `its file ${fileName}`)
  const { batches, hardState, meta } = fields
  if (!isCount(batches) || typeof hardState !== 'string' || typeof meta !== 'string') {
    throw damaged(folder, `its file ${fileName} lacks a field or has one of a wrong type`)
  }
  return { batches, hardState: fromHex(hardState), meta: fromHex(meta) }
}

/** Throws DamagedError when `found` cannot have grown out of what was `seen`. */
export function checkAgainstWitness(folder: string, found: Witness, seen: Witness): void {
  if (found.batches < seen.batches) {
    throw damaged(folder, `it holds ${found.batches} batches of writes, but ${seen.batches} had been synced`)
  }
  const isSame = toHex(found.hardState) === toHex(seen.hardState) && toHex(found.meta) === toHex(seen.meta)
  if (found.batches === seen.batches && !isSame) {
    throw damaged(folder, 'its hard state or meta record is not the one that was synced last')
  }
}

function toHex(record: Buffer | null): string {
  return record === null ? '' : record.toString('hex')
}

function fromHex(text: string): Buffer | null {
  return text === '' ? null : Buffer.from(text, 'hex')
}
