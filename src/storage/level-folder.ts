// A folder that holds one LevelDB database: created whole or not at all, opened by one owner, its recovery judged.
//
// A folder that exists is a database: creating one takes place beside it and ends with a rename, so that a crash in the
// middle leaves nothing that looks like a damaged database, and a damaged one (LevelDB opens a folder without its file
// CURRENT as an empty database, if it may) is never taken for a new one.
import { statSync } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Level } from 'level'
import { judgeDatabaseError, LockedError } from './damage.ts'
import { makeFolder, syncFolder } from './durable-file.ts'
import { checkAfterOpening, checkBeforeOpening } from './recovery-report.ts'

export type Database = Level<Buffer, Buffer>
export type Batch = ReturnType<Database['batch']>

export interface DatabaseOptions {
  /** LevelDB turns this much of its own log into a table at a time. */
  readonly writeBufferBytes: number
}

/**
 * The folders open in this process. LevelDB's lock is one of the process: a second attempt to open from within, although
 * it fails, would drop the lock for everybody.
 */
const claimedFolders = new Set<string>()

export function claimFolder(folder: string): void {
  if (claimedFolders.has(folder)) throw new LockedError(`${folder} is in use: this process has it open already`)
  claimedFolders.add(folder)
}

export function releaseFolder(folder: string): void {
  claimedFolders.delete(folder)
}

/** Creates the database if its folder does not exist; `prepare` writes into the new folder what must be there from the start. */
export async function createDatabase(folder: string, prepare: (newFolder: string) => Promise<void>): Promise<void> {
  if (await exists(folder)) return
  await makeFolder(dirname(folder))
  const unfinished = `${folder}.new`
  try {
    await rm(unfinished, { recursive: true, force: true })
    const database = new Level<Buffer, Buffer>(unfinished, { createIfMissing: true, errorIfExists: true })
    await database.open()
    await database.close()
    await prepare(unfinished)
    await syncFolder(unfinished)
    await rename(unfinished, folder)
    await syncFolder(dirname(folder))
  } catch (error) {
    // Another process started at the same moment and was first: then the lock decides who has the folder.
    if (!(await exists(folder))) throw judgeDatabaseError(unfinished, error)
  }
}

/** Throws DamagedError when LevelDB's recovery failed, or dropped anything. */
export async function openDatabase(folder: string, options: DatabaseOptions): Promise<Database> {
  const lastReport = await checkBeforeOpening(folder)
  const database: Database = new Level<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: false,
    compression: false,
    writeBufferSize: options.writeBufferBytes,
    // Entries are read once, in order, when a follower is behind: there is nothing to gain from a larger cache.
    cacheSize: 1024 * 1024,
  })
  try {
    await database.open()
  } catch (error) {
    throw judgeDatabaseError(folder, error)
  }
  try {
    await checkAfterOpening(folder, lastReport)
    // LevelDB does not sync the name of its new log file, nor that CURRENT was renamed.
    await syncFolder(folder)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/**
 * LevelDB goes on to a new log file every `writeBufferBytes` and syncs what it writes there, but not the name of the file.
 * A changed folder is the sign; looking at it costs two microseconds.
 */
export class NewFiles {
  readonly #folder: string
  readonly #handle: FileHandle
  #changedMs: number

  private constructor(folder: string, handle: FileHandle) {
    this.#folder = folder
    this.#handle = handle
    this.#changedMs = statSync(folder).mtimeMs
  }

  static async watch(folder: string): Promise<NewFiles> {
    return new NewFiles(folder, await open(folder, 'r'))
  }

  /** To be called between a synced write and its confirmation. */
  async sync(): Promise<void> {
    const changedMs = statSync(this.#folder).mtimeMs
    if (changedMs === this.#changedMs) return
    await this.#handle.sync()
    this.#changedMs = changedMs
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
