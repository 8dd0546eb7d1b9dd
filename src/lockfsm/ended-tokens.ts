// Tokens whose grants ended otherwise than by release, kept for an hour and at most so many: they say *why* a token is
// stale, and for which lock it was given. Nothing is granted or ended by them, only refusals differ. The oldest go
// first, in the order of an ordinal that every ending takes from a counter of the state, so that a node which reloaded
// its records forgets the same ones.
import { assert } from '../assert.ts'
import type { ClusterTime, LockName, Token } from '../ids.ts'

export interface EndedToken {
  readonly token: Token
  readonly lock: LockName
  readonly endedBy: 'expired' | 'session_closed' | 'unclaimed'
  readonly endedAt: ClusterTime
  /** Of the ending: later endings have greater ones. */
  readonly ordinal: number
}

export interface EndedTokens {
  readonly byToken: Map<Token, EndedToken>
  /** Ascending by ordinal. Those before `first` are forgotten and wait to be cut off. */
  order: EndedToken[]
  first: number
  /** Ordinals below had been taken at the last cut (`cut.ts`). */
  cutOrdinal: number
  /** Those of them that were forgotten since. */
  forgotten: EndedToken[]
}

/** What is new since the last cut and still kept, and what is forgotten since and was in it. */
export interface EndedTokensCut {
  readonly kept: readonly EndedToken[]
  readonly forgotten: readonly EndedToken[]
}

const keptMs = 3_600_000

export function createEndedTokens(): EndedTokens {
  return { byToken: new Map(), order: [], first: 0, cutOrdinal: 1, forgotten: [] }
}

/** Its ordinal must be above those of all that are kept. When there are more than `max`, the oldest is forgotten. */
export function keepEndedToken(ended: EndedTokens, token: EndedToken, max: number): void {
  ended.byToken.set(token.token, token)
  ended.order.push(token)
  if (ended.byToken.size > max) forgetFirst(ended)
}

export function forgetOldTokens(ended: EndedTokens, time: ClusterTime): void {
  for (;;) {
    const oldest = ended.order[ended.first]
    if (oldest === undefined || time - oldest.endedAt < keptMs) return
    forgetFirst(ended)
  }
}

/** Why `token`, given for `lock`, is stale; null when that is not known. */
export function whyEnded(ended: EndedTokens, lock: LockName, token: Token): EndedToken['endedBy'] | null {
  const found = ended.byToken.get(token)
  return found !== undefined && found.lock === lock ? found.endedBy : null
}

/** `nextOrdinal` is that of the next ending. */
export function cutEndedTokens(ended: EndedTokens, nextOrdinal: number): EndedTokensCut {
  // Every ordinal that was taken is that of a token in the list, so the newest stand at its end.
  const from = Math.max(ended.first, ended.order.length - (nextOrdinal - ended.cutOrdinal))
  const cut = { kept: ended.order.slice(from), forgotten: ended.forgotten }
  ended.cutOrdinal = nextOrdinal
  ended.forgotten = []
  return cut
}

function forgetFirst(ended: EndedTokens): void {
  const oldest = ended.order[ended.first]
  assert(oldest !== undefined, 'a token that is forgotten was kept')
  ended.byToken.delete(oldest.token)
  if (oldest.ordinal < ended.cutOrdinal) ended.forgotten.push(oldest)
  ended.first += 1
  // The beginning is cut off when it is half of the list: a constant cost per token, and no more than twice the room.
  if (ended.first * 2 < ended.order.length) return
  ended.order = ended.order.slice(ended.first)
  ended.first = 0
}
