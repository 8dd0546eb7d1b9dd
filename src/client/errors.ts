// What can go wrong, as a closed set of literal codes: those of the API that a caller can meet, and those of the client
// itself. `HoldfastError` is a union of one type for every code, so `switch (error.code)` narrows `details`. Codes of the
// API mean what their rows in http/errors.ts say.
import type { Static } from 'typebox'
import type { LockView, Problem } from '../http/api.ts'
import type { ErrorCode as ApiErrorCode } from '../http/errors.ts'

/** Codes that only the client gives. */
export type ClientErrorCode =
  /** No endpoint could be reached, or none gave a usable answer in time, and nothing was done. */
  | 'unreachable'
  /** Something answered that is not Holdfast: a proxy, another server. Nothing was done. */
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

export type Holder = Static<typeof LockView>['holders'][number]
export type EndedBy = NonNullable<Static<typeof Problem>['endedBy']>

/** What any error may say. */
export interface CommonDetails {
  /** HTTP status when a node said it. */
  readonly status?: number
  readonly lock?: string
  readonly session?: string
  readonly token?: number
  readonly requestId?: string
}

interface InTheWay extends CommonDetails {
  readonly holders?: readonly Holder[]
  readonly queueLength?: number
}
interface HowItEnded extends CommonDetails {
  readonly endedBy?: EndedBy
}
interface WhichLimit extends CommonDetails {
  readonly limit?: string
  readonly max?: number
}
interface WhichField extends CommonDetails {
  /** Of the body, path, query or head. */
  readonly field?: string
}

interface DetailsByCode {
  lock_held: InTheWay
  wait_timeout: InTheWay
  already_released: HowItEnded
  token_stale: HowItEnded
  lock_lost: HowItEnded
  quota_exceeded: WhichLimit
  invalid_request: WhichField
  request_mismatch: WhichField
}

/** What an error with this code may say: each as far as it is known. */
export type ErrorDetails<Code extends ErrorCode = ErrorCode> = Code extends keyof DetailsByCode
  ? DetailsByCode[Code]
  : CommonDetails

interface ErrorOptions<Code extends ErrorCode> {
  readonly details?: Partial<ErrorDetails<Code>>
  readonly cause?: unknown
}

class HoldfastErrorOf<Code extends ErrorCode> extends Error {
  override readonly name = 'HoldfastError'
  readonly code: Code
  readonly details: Partial<ErrorDetails<Code>>

  constructor(code: Code, message: string, { details, cause }: ErrorOptions<Code> = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = details ?? {}
  }
}

type ErrorWith<Code extends ErrorCode> = { [One in Code]: HoldfastErrorOf<One> }[Code]

export type HoldfastError = ErrorWith<ErrorCode>

export const HoldfastError: {
  new <Code extends ErrorCode>(code: Code, message: string, options?: ErrorOptions<Code>): ErrorWith<Code>
  readonly prototype: HoldfastError
} = HoldfastErrorOf

/** Also for errors of another copy of this package. */
export function isHoldfastError(error: unknown): error is HoldfastError {
  return error instanceof Error && error.name === 'HoldfastError' && 'code' in error && typeof error.code === 'string'
}
