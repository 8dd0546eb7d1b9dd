// The guard for files: replaces a file as a whole, so that a reader finds the old content or all of the new, and refuses a
// former holder, in however many processes of one machine. Beside the file `config.json` stands the folder
// `config.json.fence`, in which the highest token is remembered (fence-folder.ts); who deletes it opens the guard.
//
// For local file systems of POSIX: a network file system that shows one machine's new names to another late, or a folder
// that cannot be synced, is not enough. Errors of the file system pass through unchanged.
import { createHash } from 'node:crypto'
import { readFile, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { staleToken } from './errors.ts'
import { checkFence } from './fence.ts'
import type { HighestTokens, Verdict } from './fence.ts'
import { highestMark, replace, see } from './fence-folder.ts'
import type { Outcome } from './fence-folder.ts'
import { isFileError, makeFolder, modeOf, realFolder } from './folder.ts'

export interface GuardedFile {
  readonly path: string
  readonly token: number
}

/**
 * Makes `content` the file's, durable when it returns; rejects with `token_stale` when a higher token was seen. The new
 * file has the permissions of the old one. A symbolic link is followed.
 */
export async function guardedReplace(file: GuardedFile, content: string | Uint8Array): Promise<void> {
  const path = await placeOf(file)
  const fence = await fenceOf(path)
  const whole = { folder: realFolder, fence, token: file.token, content, mode: await modeOf(path) }
  refuseStale(await replace(whole, path), file)
}

/**
 * What is in the file, null when there is none, for a holder that is going to replace it by something made of it: no lower
 * token writes any more once this has returned. (Others read the file as any other.)
 */
export async function guardedRead(file: GuardedFile): Promise<Buffer | null> {
  const path = await placeOf(file)
  refuseStale(await see({ folder: realFolder, fence: await fenceOf(path), token: file.token }), file)
  return await readFile(path).catch((error: unknown) => {
    if (isFileError(error, 'ENOENT')) return null
    throw error
  })
}

/** Highest tokens in files, for doors: durable, and the same for all processes of this machine. */
export function fileTokens({ folder }: { readonly folder: string }): HighestTokens {
  return {
    admit: async (fence): Promise<Verdict> => {
      checkFence(fence)
      // Resources may be longer than the names of files, and differ in case only.
      const name = createHash('sha256').update(fence.resource).digest('hex')
      const place = await fenceOf(join(await realpath(folder), name))
      const outcome = await see({ folder: realFolder, fence: place, token: fence.token })
      return outcome.kind === 'acted' ? { kind: 'admitted' } : outcome
    },
  }
}

/** One file may have many names, but has one guard: that of the place where it is. */
async function placeOf({ path, token }: GuardedFile): Promise<string> {
  checkFence({ resource: 'file', token })
  try {
    return await realpath(path)
  } catch (error) {
    if (!isFileError(error, 'ENOENT')) throw error
    return join(await realpath(dirname(path)), basename(path))
  }
}

/** Nobody makes a mark in a folder whose own name could be lost: one with a mark was made durable by whoever made that. */
async function fenceOf(path: string): Promise<string> {
  const fence = `${path}.fence`
  await makeFolder(fence)
  if (highestMark(await realFolder.list(fence)) === null) await realFolder.sync(dirname(fence))
  return fence
}

function refuseStale(outcome: Outcome, { path, token }: GuardedFile): void {
  if (outcome.kind === 'acted') return
  throw staleToken({ resource: path, token, highest: outcome.highest })
}
