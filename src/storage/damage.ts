// The three ways in which a disk refuses: it contradicts itself (DamagedError, in the port), somebody else has it
// (LockedError), or a later version of this program wrote it (NewerFormatError). Each message says what was found, where,
// and what to do; nothing here or in any caller repairs.
import { DamagedError } from './log-store.ts'

/** Another process, or another part of this one, has the folder open. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
  readonly code = 'locked'
}

/** Intact, but in a format that this version does not know. */
export class NewerFormatError extends Error {
  override readonly name = 'NewerFormatError'
  readonly code = 'newer_format'

  constructor(where: string, what: string) {
    super(`${where}: ${what} was written by a later version of Holdfast: start that version, this one would misread it`)
  }
}

export function damaged(where: string, found: string, cause?: unknown): DamagedError {
  const advice =
    'This node must neither vote nor serve with this disk. Keep the data folder for inspection, do not edit or repair it, ' +
    'and bring the node back with an empty folder as a replaced member'
  return new DamagedError(`${where} is damaged: ${found}. ${advice}`, cause === undefined ? {} : { cause })
}

/**
 * What a failed open or read of a database means. A disk that is full or a limit that is reached is an outage and passes
 * unchanged: wiping the folder would not help. Bytes that cannot be read, files that are gone, places behind the end of a
 * file are damage.
 */
export function judgeDatabaseError(folder: string, error: unknown): unknown {
  if (error instanceof DamagedError) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return error
  const code = 'code' in cause ? cause.code : undefined
  if (code === 'LEVEL_LOCKED') {
    return new LockedError(
      `${folder} is in use: another Holdfast process has it open. Two processes cannot share a data folder`,
    )
  }
  const isUnreadable = /Input\/output error|No such file|does not exist|Invalid argument/.test(cause.message)
  if (code === 'LEVEL_CORRUPTION' || isUnreadable) return damaged(folder, cause.message, error)
  return error
}

/** The same for a file of ours that must be there. */
export function judgeFileError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  if (error.code === 'ENOENT') return damaged(path, 'it is missing', error)
  return error.code === 'EIO' ? damaged(path, 'it cannot be read', error) : error
}
