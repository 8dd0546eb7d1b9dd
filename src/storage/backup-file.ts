// Reads a backup back, and believes nothing of it before it has been verified: first the whole file against its hash, so
// that a flipped bit or a missing end is found before anything is made of it, then block by block that it holds what it
// says: so many records with that digest, and a chain of entries from the checkpoint to the end.
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { unreachable } from '../assert.ts'
import { FormatError } from '../codec/packr.ts'
import { hashRecord } from '../codec/record.ts'
import { asClusterTime, asDigest, asIndex, asTerm } from '../ids.ts'
import type { Entry } from '../raft/entry.ts'
import {
  BackupError,
  backupHashBytes,
  backupTitle,
  backupTitleBytes,
  backupVersion,
  blockBytesMax,
  blockLengthBytes,
  decodeBlock,
} from './backup-format.ts'
import type { BackupBlock, BackupEnd, BackupHeader, BackupPart } from './backup-format.ts'
import { FormatVersionError } from './damage.ts'
import { chainStart } from './log-record.ts'
import { DamagedError } from './log-store.ts'
import { followEntry } from './read-log.ts'
import type { Tip } from './read-log.ts'

const readBytes = 256 * 1024

/** Verifies the file against its hash, which names it from then on: 64 hexadecimal digits. Throws BackupError. */
export async function hashBackup(path: string): Promise<string> {
  await using file = await openFile(path)
  const { size } = await file.stat()
  const title = await readExactly(file, 0, Math.min(size, backupTitleBytes))
  if (!title.subarray(0, backupTitle.length).equals(backupTitle)) throw new BackupError(path, 'it is not a backup')
  const version = title[backupTitle.length]
  if (version === undefined || size < backupTitleBytes + backupHashBytes) throw new BackupError(path, 'it was cut off')
  if (version !== backupVersion)
    throw new BackupError(path, `it has version ${version} of the format, and this program reads ${backupVersion}`)
  const hash = createHash('sha256')
  const end = size - backupHashBytes
  for (let at = 0; at < end; at += readBytes) hash.update(await readExactly(file, at, Math.min(readBytes, end - at)))
  const found = hash.digest()
  const expected = await readExactly(file, end, backupHashBytes)
  if (!found.equals(expected)) throw new BackupError(path, 'its checksum is wrong: it was cut off or changed')
  return found.toString('hex')
}

/** What is in a file that hashBackup has verified. Throws BackupError where it contradicts itself. */
export async function* readBackup(path: string): AsyncGenerator<BackupPart> {
  await using file = await openFile(path)
  const check = new Check(path)
  for await (const block of blocksOf(path, file)) {
    const part = check.next(block)
    if (part !== null) yield part
  }
  check.finish()
}

async function* blocksOf(path: string, file: FileHandle): AsyncGenerator<BackupBlock> {
  const end = (await file.stat()).size - backupHashBytes
  for (let at = backupTitleBytes; at < end;) {
    if (end - at < blockLengthBytes) throw new BackupError(path, 'it ends within a block')
    const length = (await readExactly(file, at, blockLengthBytes)).readUInt32BE(0)
    at += blockLengthBytes
    if (length > blockBytesMax || length > end - at) throw new BackupError(path, `it has a block of ${length} bytes`)
    const body = await readExactly(file, at, length)
    at += length
    try {
      yield decodeBlock(body)
    } catch (error) {
      throw error instanceof FormatError ? new BackupError(path, error.message, error) : error
    }
  }
}

/** Whether the blocks of a file follow each other as they must. */
class Check {
  readonly #path: string
  #header: BackupHeader | null = null
  #end: BackupEnd | null = null
  #tip: Tip = { index: asIndex(0), term: asTerm(0), time: asClusterTime(0), chain: chainStart }
  #records = 0
  #digest = 0
  #entries = 0

  constructor(path: string) {
    this.#path = path
  }

  next(block: BackupBlock): BackupPart | null {
    if (this.#end !== null) throw this.#error('something stands behind its end')
    if ((this.#header === null) !== (block.kind === 'header')) throw this.#error('its blocks are out of order')
    switch (block.kind) {
      case 'header':
        this.#header = block
        if (block.checkpoint !== null) this.#tip = block.checkpoint
        return block
      case 'records':
        if (this.#entries > 0) throw this.#error('its blocks are out of order')
        for (const record of block.records) this.#digest = (this.#digest + hashRecord(record)) % 2 ** 48
        this.#records += block.records.length
        return block
      case 'entries':
        return { kind: 'entries', entries: block.entries.map((value) => this.#follow(value)) }
      case 'end':
        this.#end = block
        return null
      default:
        return unreachable(block)
    }
  }

  finish(): void {
    const [header, end] = [this.#header, this.#end]
    if (header === null || end === null) throw this.#error('it has no end')
    const { records, digest } = header.checkpoint ?? { records: 0, digest: asDigest(0) }
    if (this.#records !== records || end.records !== records)
      throw this.#error(`it holds ${this.#records} records instead of ${records}`)
    if (this.#digest !== digest) throw this.#error('its records have another digest than their checkpoint')
    if (this.#entries !== end.entries || this.#tip.index !== end.index || this.#tip.chain !== end.chain)
      throw this.#error(`its log ends at entry ${this.#tip.index} and not at ${end.index}, or is another`)
  }

  #follow(value: Uint8Array): Entry {
    try {
      const before = this.#tip
      const followed = followEntry(this.#path, before, asIndex(before.index + 1), Buffer.from(value))
      this.#tip = followed.tip
      this.#entries++
      return followed.entry
    } catch (error) {
      // What is said there of disks is not meant for files like this one.
      if (error instanceof DamagedError || error instanceof FormatVersionError)
        throw this.#error(`entry ${this.#tip.index + 1} of its log is wrong`, error)
      throw error
    }
  }

  #error(found: string, cause?: unknown): BackupError {
    return new BackupError(this.#path, found, cause)
  }
}

async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    throw new BackupError(path, error instanceof Error ? error.message : String(error), error)
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new BackupError(path, 'it is not a file')
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) throw new Error('the backup became shorter while it was read')
    filled += bytesRead
  }
  return buffer
}
