// What can go wrong, as a closed set of literal codes: those of the API that a caller can meet, and those of the client
// itself. `switch (error.code)` narrows `details`. Codes of the API mean what their rows in http/errors.ts say.
import type { ErrorCode as ApiErrorCode } from '../http/errors.ts'

/** Codes that only the client gives. */
export type ClientErrorCode =
  /** No endpoint could be reached, or none gave a usable answer in time, and nothing was done. */
  | 'unreachable'
  /** Something answered that is not Holdfast: a proxy, another server, half an answer. */
  | 'bad_answer'
  /** The caller's `AbortSignal` fired. */
  | 'aborted'
  /** The client, session or election was closed. */
  | 'closed'
  /** The lock is not, or not surely, held any more: stop what it guarded. */
  | 'lock_lost'
  /** An option is wrong; nothing was sent. */
  | 'invalid_option'

export type ErrorCode = ApiErrorCode | ClientErrorCode

export interface ErrorDetails {
  /** HTTP status when a node said it. */
  readonly status?: number
  readonly lock?: string
  readonly token?: number
  readonly session?: string
  readonly requestId?: string
  readonly endedBy?: string
  /** Of `lock_held` and `wait_timeout`. */
  readonly holders?: readonly unknown[]
  readonly queueLength?: number
}

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }
}

/** Also for errors of another copy of this package. */
export function isHoldfastError(error: unknown): error is HoldfastError {
  return error instanceof Error && error.name === 'HoldfastError' && 'code' in error && typeof error.code === 'string'
}
