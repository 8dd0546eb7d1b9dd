// What is asked of a guard: may this token still act on this resource? A resource is whatever one lock protects, named by
// the user; tokens are compared within it only. Both are checked here, once, for all guards, so that what one of them
// remembers could be remembered by any other.
import { GuardError, staleToken } from './errors.ts'

export interface Fence {
  /** 1-1,024 bytes of UTF-8 without control characters; the name of the lock is a good one. */
  readonly resource: string
  /** The fencing token of the grant: an integer from 1 to 2^53 - 1. */
  readonly token: number
}

export type Verdict =
  | { readonly kind: 'admitted' }
  /** `highest` is the token it lost to; null when the store cannot name it. */
  | { readonly kind: 'stale'; readonly highest: number | null }

/**
 * The port behind which highest tokens are remembered. `admit` compares and remembers in one step: a token that is lower
 * than one admitted before is stale; a higher or an equal one (the same holder again) is admitted. It rejects when it
 * cannot know.
 */
export interface HighestTokens {
  admit(fence: Fence): Promise<Verdict>
}

export const resourceBytesMax = 1024

/** Throws `invalid_token` or `invalid_option`. */
export function checkFence({ resource, token }: Fence): void {
  if (!isToken(token)) {
    throw new GuardError('invalid_token', `a token is an integer from 1 to 2^53 - 1, not ${String(token)}`)
  }
  if (!isResource(resource)) {
    const rule = `1-${resourceBytesMax} bytes of UTF-8 without control characters`
    throw new GuardError('invalid_option', `a resource is named by ${rule}, not ${JSON.stringify(resource)}`)
  }
}

/** As `HighestTokens.admit`, for callers to whom a stale token is an error. */
export async function assertAdmitted(tokens: HighestTokens, fence: Fence): Promise<void> {
  const verdict = await tokens.admit(fence)
  if (verdict.kind === 'stale') throw staleToken({ ...fence, highest: verdict.highest })
}

/** The token that `text` is, written in decimal digits without a sign, a leading zero or a space; null for all else. */
export function parseToken(text: string): number | null {
  if (!/^[1-9][0-9]{0,15}$/.test(text)) return null
  const token = Number(text)
  return isToken(token) ? token : null
}

function isToken(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1
}

/** A lone surrogate has no UTF-8: two names that differ in it only would become one. */
function isResource(value: unknown): boolean {
  if (typeof value !== 'string' || value === '') return false
  return !/[\p{Control}\p{Surrogate}]/u.test(value) && Buffer.byteLength(value) <= resourceBytesMax
}
