// The door of an HTTP service: what becomes of a request by its `Fencing-Token`, the same for every framework. A stale
// token is refused with 412, a missing one with 428 (RFC 6585: the precondition is required) and one that is no token, or
// several, with 400; all as RFC 9457 problems, as Holdfast itself answers.
//
// A door looks when a request comes in. What it let in may still be at work when a higher token comes: the write itself
// has to be guarded where it lands, or looked after once more with `fencing.confirm()` right before it.
import { GuardError, statuses } from './errors.ts'
import { assertAdmitted, parseToken } from './fence.ts'
import type { Fence, HighestTokens } from './fence.ts'

export interface DoorOptions<Request> {
  /**
   * What the request acts upon; null lets it pass unguarded. There is no default for methods: a guard that guesses which
   * GET writes is none.
   */
  readonly resource: (request: Request) => string | null
  /** Where the highest tokens are remembered; choose by what must be outlived (README.md of this folder). */
  readonly tokens: HighestTokens
}

/** What is known of a request that was let in. */
export interface Fencing extends Fence {
  /** Rejects with `token_stale` when a higher token has come in the meantime. */
  confirm(): Promise<void>
}

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: 'token_stale' | 'token_required' | 'invalid_token'
  readonly detail: string
  readonly token?: number
  readonly highest?: number
}

export type Passage =
  | { readonly kind: 'unguarded' }
  | { readonly kind: 'admitted'; readonly fencing: Fencing }
  | { readonly kind: 'refused'; readonly problem: Problem }

export const problemType = 'application/problem+json; charset=utf-8'

const headerName = 'fencing-token'

const fencings = new WeakMap<object, Fencing>()

/** What a request was let in with; throws for one that did not come through a door, or passed it unguarded. */
export function fencingOf(request: object): Fencing {
  const fencing = fencings.get(request)
  if (fencing === undefined) throw new GuardError('invalid_option', 'this request did not pass a guard')
  return fencing
}

export interface RequestWithHeaders {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Rejects, and so lets nothing through, when `resource` throws or the tokens cannot be asked. */
export async function pass<Request extends RequestWithHeaders>(
  request: Request,
  { resource: resourceOf, tokens }: DoorOptions<Request>,
): Promise<Passage> {
  const resource = resourceOf(request)
  if (resource === null) return { kind: 'unguarded' }
  const header = request.headers[headerName]
  if (header === undefined) return refused({ code: 'token_required', detail: 'send the token of the lock you hold' })
  // Sent twice, a header of this kind arrives as one text with a comma.
  const token = typeof header === 'string' ? parseToken(header.trim()) : null
  if (token === null) return refused({ code: 'invalid_token', detail: 'one integer from 1 to 2^53 - 1, in decimal' })
  const fence = { resource, token }
  const verdict = await tokens.admit(fence)
  if (verdict.kind === 'stale') {
    const { highest } = verdict
    const detail = 'a higher token was seen: you are not the holder any more, stop'
    return refused({ code: 'token_stale', detail, token, ...(highest === null ? {} : { highest }) })
  }
  const fencing = { ...fence, confirm: () => assertAdmitted(tokens, fence) }
  fencings.set(request, fencing)
  return { kind: 'admitted', fencing }
}

const titles: Readonly<Record<Problem['code'], string>> = {
  token_stale: 'Stale token',
  token_required: 'Fencing token required',
  invalid_token: 'Invalid fencing token',
}

/** The resource stays out of it: its name may say more about the service than the caller should know. */
function refused(said: Pick<Problem, 'code' | 'detail' | 'token' | 'highest'>): Passage {
  const { code } = said
  const problem = { type: `urn:holdfast:error:${code}`, title: titles[code], status: statuses[code], ...said }
  return { kind: 'refused', problem }
}
