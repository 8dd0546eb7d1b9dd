// What a guard can say other than yes, as a closed set of literal codes. Errors of what lies behind a guard (PostgreSQL,
// Redis, the file system, the user's own functions) are not among them: they pass through unchanged, and a guard that
// could not find out whether a token is stale lets nothing through.

export type GuardErrorCode =
  /** A higher token was seen for this resource: the caller is not the holder any more and must stop. */
  | 'token_stale'
  /** A request came without a `Fencing-Token`. */
  | 'token_required'
  /** Not an integer from 1 to 2^53 - 1, or given twice. */
  | 'invalid_token'
  /** An argument other than the token makes no sense; nothing was done. */
  | 'invalid_option'
  /** The memory of `memoryTokens` is full: it refuses new resources rather than forget old ones. */
  | 'memory_full'
  /** What was remembered for this resource is not a token: somebody else wrote there. */
  | 'memory_damaged'
  /** The transaction had failed before its end, and the caller's function hid it: nothing was written. */
  | 'not_committed'

/** The HTTP status of each, also when a framework meets it as an error. */
export const statuses: Readonly<Record<GuardErrorCode, number>> = {
  token_stale: 412,
  token_required: 428,
  invalid_token: 400,
  invalid_option: 500,
  memory_full: 503,
  memory_damaged: 500,
  not_committed: 500,
}

export interface GuardErrorDetails {
  readonly resource?: string
  readonly token?: number
  /** The highest token seen, where the guard knows it. */
  readonly highest?: number
}

export class GuardError extends Error {
  override readonly name = 'GuardError'
  readonly code: GuardErrorCode
  readonly details: GuardErrorDetails
  /** Under the name that Fastify and Express look for. */
  readonly statusCode: number

  constructor(code: GuardErrorCode, message: string, options: { details?: GuardErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
    this.statusCode = statuses[code]
  }
}

/** Also for errors of another copy of this package. */
export function isGuardError(error: unknown): error is GuardError {
  return error instanceof Error && error.name === 'GuardError' && 'code' in error && typeof error.code === 'string'
}

export function staleToken(
  { resource, token, highest }: { resource: string; token: number; highest: number | null },
  cause?: unknown,
): GuardError {
  const message = `token ${token} is stale for ${resource}: ${highest ?? 'a higher one'} was seen`
  const details = { resource, token, ...(highest === null ? {} : { highest }) }
  return new GuardError('token_stale', message, { details, cause })
}
