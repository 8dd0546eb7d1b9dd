// The ways in which a disk refuses: it contradicts itself (DamagedError and DamagedStateError, in the ports), somebody else
// has it (LockedError), or another version of this program wrote it (FormatVersionError). Each message says what was
// found, where, and what to do; nothing here or in any caller repairs.
import { DamagedError } from './log-store.ts'
import { DamagedStateError } from './state-store.ts'

/** Another process, or another part of this one, has the folder open. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
  readonly code = 'locked'
}

/** Intact, but in a format that this version does not read. */
export class FormatVersionError extends Error {
  override readonly name = 'FormatVersionError'
  readonly code: 'newer_format' | 'older_format'

  constructor(where: string, what: string, versions: { readonly found: unknown; readonly known: number }) {
    const isNewer = !(typeof versions.found === 'number' && versions.found < versions.known)
    super(
      `${where}: ${what} was written by ${isNewer ? 'a later' : 'an earlier'} version of Holdfast: start that version, ` +
        'this one would misread it',
    )
    this.code = isNewer ? 'newer_format' : 'older_format'
  }
}

export function damaged(where: string, found: string, cause?: unknown): DamagedError {
  const advice =
    'This node must neither vote nor serve with this disk. Keep the data folder for inspection, do not edit or repair it, ' +
    'and bring the node back with an empty folder as a replaced member'
  return new DamagedError({ finding: `${where} is damaged: ${found}`, advice }, cause === undefined ? {} : { cause })
}

/** The same for a folder that holds nothing but checkpoints. */
export function damagedState(where: string, found: string): DamagedStateError {
  return toStateDamage(damaged(where, found))
}

/** What was judged to be damage is damage of the checkpoints alone; every other error passes unchanged. */
export function judgeStateError(error: unknown): unknown {
  if (!(error instanceof DamagedError) || error instanceof DamagedStateError) return error
  return toStateDamage(error)
}

function toStateDamage(error: DamagedError): DamagedStateError {
  const advice =
    'Only checkpoints are lost: the log beside it is not. This node must not serve before it has deleted this folder and ' +
    'has got a snapshot from another node'
  return new DamagedStateError({ finding: error.finding, advice }, { cause: error })
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
