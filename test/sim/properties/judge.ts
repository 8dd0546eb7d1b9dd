// The store as its clients see it, and nothing else: who was told what, when. No log, no node and no check of the
// simulator has a part in this judgement. A client counts on the lock from an answer that grants or renews until the time
// it was assured of has passed by its own clock, or it asks for the end; from those times alone follows what cannot be.
import type { Shown, Told } from '../script.ts'
import type { Token } from '../../../src/ids.ts'
import type { ClientName } from './schedule.ts'

/** One call of a client. What was asked is here, what was answered is in `told`. */
export type Call =
  | { readonly kind: 'ask'; readonly client: ClientName; readonly request: string; readonly told: Spoken }
  | { readonly kind: 'renewGrant'; readonly client: ClientName; readonly token: Token; readonly told: Spoken }
  | { readonly kind: 'release'; readonly client: ClientName; readonly token: Token; readonly told: Spoken }
  | { readonly kind: 'openSession'; readonly client: ClientName; readonly told: Spoken }
  | { readonly kind: 'renewSession'; readonly client: ClientName; readonly told: Spoken }
  | { readonly kind: 'read'; readonly told: Shown }

export type Spoken = Pick<Told, 'reply' | 'sentAt' | 'repliedAt'>

/** A time in which a client counts on the lock. */
export interface Belief {
  readonly client: ClientName
  readonly token: Token
  readonly from: number
  readonly until: number
}

interface Granting {
  readonly client: ClientName
  readonly request: string
  readonly token: Token
  readonly sentAt: number
  readonly repliedAt: number
}

/** Sentences about what contradicts S1, S2, S3 or S5; none in a good history. */
export function violationsIn(calls: readonly Call[]): readonly string[] {
  const beliefs = beliefsOf(calls)
  const grants = grantsOf(calls)
  return [
    ...overlaps(beliefs),
    ...tokensOutOfOrder(calls, grants),
    ...lateTokens(beliefs, grants),
    ...lostHolds(calls, beliefs),
    ...earlyEnds(calls),
  ]
}

/** S1: nobody counts on the lock while another does. */
function overlaps(beliefs: readonly Belief[]): string[] {
  const found: string[] = []
  for (const [position, a] of beliefs.entries()) {
    for (const b of beliefs.slice(position + 1)) {
      if (a.token === b.token || a.from >= b.until || b.from >= a.until) continue
      found.push(`S1: ${textOf(a)} and ${textOf(b)} at once`)
    }
  }
  return found
}

/** S2: who first asked when a token was known gets a greater one. */
function tokensOutOfOrder(calls: readonly Call[], grants: readonly Granting[]): string[] {
  const firstAsked = new Map<string, number>()
  for (const call of calls) {
    if (call.kind === 'ask' && !firstAsked.has(call.request)) firstAsked.set(call.request, call.told.sentAt)
  }
  return grants.flatMap((later) =>
    grants
      .filter(
        ({ repliedAt, request }) => request !== later.request && repliedAt <= (firstAsked.get(later.request) ?? 0),
      )
      .filter(({ token }) => token >= later.token)
      .map(({ token }) => `S2: ${later.client} asked when token ${token} was known, and got ${later.token}`),
  )
}

/** S2: who counts on a token holds the greatest that anybody has been told of. */
function lateTokens(beliefs: readonly Belief[], grants: readonly Granting[]): string[] {
  return beliefs.flatMap((belief) =>
    grants
      .filter(({ repliedAt, token }) => repliedAt <= belief.from && token > belief.token)
      .map(({ token }) => `S2: ${textOf(belief)}, but token ${token} was told before`),
  )
}

/** S3, S6: what was acknowledged is what everybody is shown, for as long as it was assured. */
function lostHolds(calls: readonly Call[], beliefs: readonly Belief[]): string[] {
  const found: string[] = []
  for (const call of calls) {
    if (call.kind !== 'read') continue
    const { sentAt, repliedAt, token } = call.told
    if (token === 'failed' || token === 'waiting') continue
    const shown = `at ${text(repliedAt)} a read showed ${token === null ? 'no holder' : `token ${token}`}`
    const lost = beliefs.find(({ from, until, ...held }) => from <= sentAt && repliedAt < until && held.token !== token)
    if (lost !== undefined) found.push(`S3: ${textOf(lost)}, but ${shown}`)
    if (calls.some((other) => other.kind === 'release' && other.token === token && isReleasedBy(other.told, sentAt)))
      found.push(`S6: token ${token} was released, but ${shown}`)
  }
  return found
}

function isReleasedBy(told: Spoken, at: number): boolean {
  return told.repliedAt <= at && resultOf(told)?.kind === 'released'
}

/** S5: nobody is told that it is over before its time, unless it was the client that ended it. */
function earlyEnds(calls: readonly Call[]): string[] {
  const found: string[] = []
  // Without what clients ask for at the end: a call that is answered before that time cannot find it over.
  const assured = beliefsOf(calls.filter(({ kind }) => kind !== 'release'))
  for (const call of calls) {
    if (call.kind === 'read' || call.kind === 'ask' || call.kind === 'openSession') continue
    const reason = endIn(call.told)
    const belief = assured.find(
      ({ client, token, from, until }) =>
        client === call.client &&
        (call.kind === 'renewSession' || token === call.token) &&
        from <= call.told.sentAt &&
        call.told.repliedAt < until,
    )
    if (reason !== null && belief !== undefined)
      found.push(`S5: ${textOf(belief)}, but at ${text(call.told.repliedAt)} heard ${reason}`)
  }
  return found
}

/** Why the answer says that a grant or session is over, unless its client ended it; null when it says nothing like that. */
function endIn(told: Spoken): string | null {
  const result = resultOf(told)
  if (result?.kind === 'refused' && result.code === 'token_stale') {
    return result.endedBy === 'released' ? null : `token_stale, ${result.endedBy}`
  }
  if (result?.kind !== 'sessionsRenewed') return null
  const [renewal] = result.renewals
  return renewal !== undefined && 'refusal' in renewal ? renewal.refusal : null
}

/** When each client counted on the lock, in the order in which that began. */
export function beliefsOf(calls: readonly Call[]): readonly Belief[] {
  const beliefs: Belief[] = []
  for (const { client, token, repliedAt } of firstAnswers(grantsOf(calls))) {
    const isOurs = (call: Call) => 'client' in call && call.client === client
    const released = calls.find((call) => call.kind === 'release' && call.token === token)?.told.sentAt ?? Infinity
    const assurances = calls
      .filter(isOurs)
      .flatMap((call) => assuranceOf(call, token) ?? [])
      .map(({ from, until }) => ({ from: Math.max(from, repliedAt), until: Math.min(until, released) }))
    beliefs.push(...joined(assurances).map((time) => ({ client, token, ...time })))
  }
  return beliefs.toSorted((a, b) => a.from - b.from)
}

/** From when until when an answer assures its client of `token`; null when it says nothing of it. */
function assuranceOf(call: Call, token: Token): { from: number; until: number } | null {
  const result = call.kind === 'read' ? null : resultOf(call.told)
  if (result === null) return null
  const { sentAt, repliedAt } = call.told
  const assured = (validForMs: number) => ({ from: repliedAt, until: sentAt + validForMs })
  if (result.kind === 'granted' || result.kind === 'grantRenewed') {
    return result.token === token ? assured(result.validForMs) : null
  }
  // Whoever has a session has it for all grants, and every client has one or none.
  if (result.kind === 'sessionOpened') return assured(result.validForMs)
  if (result.kind !== 'sessionsRenewed') return null
  const [renewal] = result.renewals
  return renewal === undefined || 'refusal' in renewal ? null : assured(renewal.validForMs)
}

/** Times that overlap become one; those that are empty vanish. */
function joined(times: readonly { from: number; until: number }[]): readonly { from: number; until: number }[] {
  const result: { from: number; until: number }[] = []
  for (const time of times.toSorted((a, b) => a.from - b.from)) {
    if (time.from >= time.until) continue
    const last = result.at(-1)
    if (last !== undefined && time.from <= last.until) last.until = Math.max(last.until, time.until)
    else result.push({ ...time })
  }
  return result
}

function firstAnswers(grants: readonly Granting[]): readonly Granting[] {
  const inOrder = grants.toSorted((a, b) => a.repliedAt - b.repliedAt)
  return inOrder.filter(
    (grant, position) =>
      inOrder.findIndex(({ token, client }) => token === grant.token && client === grant.client) === position,
  )
}

function grantsOf(calls: readonly Call[]): readonly Granting[] {
  return calls.flatMap((call) => {
    if (call.kind !== 'ask') return []
    const { client, request, told } = call
    const result = resultOf(told)
    if (result?.kind !== 'granted') return []
    return [{ client, request, token: result.token, sentAt: told.sentAt, repliedAt: told.repliedAt }]
  })
}

function resultOf({ reply }: Spoken) {
  return reply?.kind === 'outcome' ? reply.result : null
}

function textOf({ client, token, from, until }: Belief): string {
  return `${client} counts on token ${token} from ${text(from)} to ${text(until)}`
}

function text(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`
}
