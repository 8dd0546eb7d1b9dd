// Why something of the client has ended, as errors: said in one place, because it is said at many.
import { HoldfastError } from './errors.ts'
import type { EndedBy } from './errors.ts'

/** The client, a session or an election. */
export function closed(what: string): HoldfastError {
  return new HoldfastError('closed', `${what} was closed`)
}

export function aborted(reason: unknown): HoldfastError {
  return new HoldfastError('aborted', 'the signal of the caller fired', { cause: reason })
}

export interface Loss {
  /** The lock or session, as people call it. */
  readonly what: string
  readonly why: string
  readonly lock?: string
  readonly token?: number
  readonly session?: string
  readonly endedBy?: EndedBy
  readonly cause?: unknown
}

export function lockLost({ what, why, cause, ...details }: Loss): HoldfastError {
  return new HoldfastError('lock_lost', `${what} is not held any more: ${why}`, { details, cause })
}

/** Of what is asked for in a session that is over. */
export function sessionEnded(session: string, cause: unknown): HoldfastError {
  const details = { session }
  return new HoldfastError('session_ended', `session ${session} is over: open a new one`, { details, cause })
}
