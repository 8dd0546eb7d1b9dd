// What the guard for files does to a file system, step by step, each step one that POSIX makes atomic. It is a port so that
// a test can put any number of processes, in any order of their steps, with crashes and power cuts, before the rules of
// fence-folder.ts. It knows nothing of tokens.
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'

export interface Folder {
  /** Names in the folder. One that comes or goes meanwhile may be among them or not; all others are. */
  list(folder: string): Promise<readonly string[]>
  /** A file of this name, new or old, empty when new. */
  touch(path: string): Promise<void>
  /** A new file with this content, which is durable; its name is not yet. */
  create(path: string, content: string | Uint8Array, mode: number | null): Promise<void>
  /** False when there was none. */
  remove(path: string): Promise<boolean>
  /** Replaces `to`; false when there is no `from`. */
  rename(names: { readonly from: string; readonly to: string }): Promise<boolean>
  /** Makes the names in the folder durable. */
  sync(folder: string): Promise<void>
}

export const realFolder: Folder = {
  list: (folder) => readdir(folder),
  async touch(path) {
    await (await open(path, 'a')).close()
  },
  async create(path, content, mode) {
    const file = await open(path, 'wx')
    try {
      if (mode !== null) await file.chmod(mode)
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  remove: (path) => isDone(rm(path)),
  rename: ({ from, to }) => isDone(rename(from, to)),
  async sync(folder) {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
}

/** Creates a folder where there may be one already. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
    if (!isFileError(error, 'EEXIST')) throw error
  })
}

/** Permissions of the file; null when there is none. */
export async function modeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).mode & 0o7777
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return null
    throw error
  }
}

export function isFileError(error: unknown, code: 'ENOENT' | 'EEXIST'): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

async function isDone(step: Promise<void>): Promise<boolean> {
  try {
    await step
    return true
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return false
    throw error
  }
}
