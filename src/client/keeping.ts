// How leases are kept alive, as a state machine without clock, timer, I/O or promise: it is told what happened (`take`), and
// says what is to be done now or how long nothing is (`next`). The thread that renews runs it, and so does the simulator.
//
// A lease is renewed when a third of its TTL has passed since the last renewal that was answered was sent; one call carries
// all sessions that are due or soon will be. Who is silent is not given up but asked beside another: any answer counts, from
// the moment its own request was sent. A deadline is never moved to an earlier moment, and never by what was not answered.
import { leftMs, lookEveryMs } from './clock.ts'
import type { Instant, Period } from './clock.ts'
import { hasEnded, isDueAgain, isNews, keep, lostInMs, wasNotRenewed, wasRenewed, wasSent } from './kept-lease.ts'
import type { KeptLease } from './kept-lease.ts'
import type { FromRenewer, LeaseName, NumberedLease, Renewed, ToRenewer, WhyLost } from './keeper-messages.ts'
import { readLockAnswer, readSessionsAnswer } from './renewal-answers.ts'
import type { AnswerText, RenewalAnswer } from './renewal-answers.ts'
import { createRoute, endpointAnswered, endpointFailed, pickEndpoint } from './renewal-route.ts'
import type { RenewalRoute } from './renewal-route.ts'

export interface Keeping {
  readonly leases: Map<number, KeptLease>
  /** Renewals under way, by their numbers. */
  readonly renewals: Map<number, Renewal>
  readonly route: RenewalRoute
  readonly random: () => number
  /** What follows from what was taken and is not done yet. */
  readonly toDo: Action[]
  lastRenewal: number
  /** Renewals of which an answer may still be expected soon. */
  awaited: number
  /** So long there is nothing to do for any lease, unless something happens; null when that is not known. */
  quiet: Period | null
}

interface Renewal {
  readonly leases: readonly number[]
  readonly of: 'lock' | 'sessions'
  readonly endpoint: string
  readonly sentAt: Instant
  /** Nothing was heard in time, and the leases are renewed elsewhere as well. */
  isSilent: boolean
}

export type Action =
  | {
      readonly kind: 'send'
      readonly renewal: number
      readonly endpoint: string
      readonly path: string
      readonly body: unknown
      readonly timeoutMs: number
    }
  /** Nothing of this renewal may leave any more, and its answer is not wanted. */
  | { readonly kind: 'cancel'; readonly renewal: number }
  | { readonly kind: 'tell'; readonly news: FromRenewer }
  /** SIGKILL. */
  | { readonly kind: 'kill' }
  | { readonly kind: 'sleep'; readonly forMs: number }

export type Happening =
  | ToRenewer
  | {
      readonly kind: 'answered'
      readonly renewal: number
      readonly answer: AnswerText & { readonly leader: string | null }
    }
  | { readonly kind: 'failed'; readonly renewal: number; readonly failure: RenewalFailure }

export interface RenewalFailure {
  readonly why: string
  /** A connection that nobody had used for a while broke: that says nothing about the endpoint. */
  readonly wasStale: boolean
}

/** Sessions that will be due within this share of their TTL come along: with half of a third, any two come together. */
const soonShare = 1 / 6
/** As many as the API takes in a call. */
const sessionsMax = 1000
const awaitedMax = 64
/** With a pause of an eighth of its TTL between them, a lease has never more than six renewals under way. */
const timeoutMaxMs = 10_000

export function createKeeping(options: {
  readonly endpoints: readonly string[]
  readonly followLeader: boolean
  readonly random: () => number
}): Keeping {
  const { random } = options
  return {
    leases: new Map(),
    renewals: new Map(),
    route: createRoute(options),
    random,
    toDo: [],
    lastRenewal: 0,
    awaited: 0,
    quiet: null,
  }
}

/** Something has happened. */
export function take(state: Keeping, happening: Happening, now: Instant): void {
  switch (happening.kind) {
    case 'hold':
      return hold(state, happening.lease, now)
    case 'forget':
      return forget(state, happening.id, now)
    case 'givenUp': {
      const lease = state.leases.get(happening.id)
      if (lease !== undefined) lease.stage = 'lost'
      return
    }
    case 'answered':
      return answered(state, happening, now)
    case 'failed':
      return failed(state, happening, now)
  }
}

/** What is to be done at once, one thing at a time; `sleep` when nothing is. */
export function next(state: Keeping, now: Instant): Action {
  const first = state.toDo.shift()
  if (first !== undefined) return first
  const quietForMs = state.quiet === null ? 0 : leftMs(state.quiet, now)
  if (quietForMs > 0) return { kind: 'sleep', forMs: Math.max(1, quietForMs) }
  state.quiet = null
  let due: KeptLease | null = null
  let forMs = state.leases.size === 0 || now.sinceBootMs === null ? Infinity : lookEveryMs
  for (const lease of state.leases.values()) {
    const endsInMs = lease.endAt === null ? Infinity : leftMs(lease.endAt, now)
    if (endsInMs <= 0) return kill(lease)
    forMs = Math.min(forMs, endsInMs)
    if (lease.stage === 'lost') continue
    const heldForMs = lostInMs(lease, now)
    if (heldForMs <= 0) return lose(lease, { kind: 'deadline', lastFailure: lease.lastFailure })
    forMs = Math.min(forMs, heldForMs)
    // Who is silent is asked beside another at once: that makes room, it takes none.
    if (lease.underWay === 0 && state.awaited >= awaitedMax) continue
    const dueInMs = leftMs(lease.due, now)
    if (dueInMs <= 0) due ??= lease
    forMs = Math.min(forMs, dueInMs)
  }
  if (due !== null) return renew(state, due, now)
  state.quiet = { from: now, ms: forMs }
  return { kind: 'sleep', forMs: Math.max(1, forMs) }
}

// ---- what the other thread says

/** A lock that is taken and given back at once costs no look at all the others. */
function hold(state: Keeping, lease: NumberedLease, now: Instant): void {
  const kept = keep(lease)
  state.leases.set(lease.id, kept)
  const quietForMs = Math.min(lookEveryMs, leftMs(kept.due, now), lostInMs(kept, now))
  const isAlone = state.leases.size === 1
  const isSooner = state.quiet !== null && leftMs(state.quiet, now) > quietForMs
  if (isAlone || isSooner) state.quiet = { from: now, ms: quietForMs }
}

/** Renewals that carry it are taken back as a whole: those that they carry beside it are due again. */
function forget(state: Keeping, id: number, now: Instant): void {
  const lease = state.leases.get(id)
  if (lease === undefined) return
  state.leases.delete(id)
  if (state.leases.size === 0) state.quiet = null
  if (lease.underWay === 0) return
  state.quiet = null
  for (const [number, renewal] of state.renewals) {
    if (!renewal.leases.includes(id)) continue
    finished(state, number, renewal)
    state.toDo.push({ kind: 'cancel', renewal: number })
    for (const other of leasesOf(state, renewal)) isDueAgain(other, now)
  }
}

// ---- what became of a renewal

function answered(state: Keeping, { renewal: number, answer }: Extract<Happening, { kind: 'answered' }>, now: Instant) {
  const renewal = state.renewals.get(number)
  if (renewal === undefined) return
  state.quiet = null
  finished(state, number, renewal)
  const said = readAnswer(renewal, answer)
  const news: Renewed[] = []
  const unheard: KeptLease[] = []
  let why = ''
  for (const lease of leasesOf(state, renewal)) {
    if (lease.stage === 'lost') continue
    const answerToIt = said(lease.what)
    switch (answerToIt.kind) {
      case 'renewed':
        wasRenewed(lease, { from: renewal.sentAt, ms: answerToIt.validForMs }, now)
        news.push({ id: lease.id, validForMs: answerToIt.validForMs })
        break
      case 'ended':
        hasEnded(lease, now)
        state.toDo.push(lose(lease, answerToIt))
        break
      case 'unusable':
        why = answerToIt.why
        unheard.push(lease)
        break
    }
  }
  if (news.length > 0) state.toDo.push(tell({ kind: 'renewed', sentAt: renewal.sentAt, leases: news }))
  if (unheard.length > 0) return again(state, renewal, unheard, why, now)
  endpointAnswered(state.route, { endpoint: renewal.endpoint, leader: answer.leader })
}

function failed(state: Keeping, { renewal: number, failure }: Extract<Happening, { kind: 'failed' }>, now: Instant) {
  const renewal = state.renewals.get(number)
  if (renewal === undefined) return
  state.quiet = null
  finished(state, number, renewal)
  const leases = leasesOf(state, renewal)
  if (!failure.wasStale) return again(state, renewal, leases, failure.why, now)
  for (const lease of leases) if (isNews(lease, renewal.sentAt)) isDueAgain(lease, now)
}

function readAnswer(renewal: Renewal, answer: AnswerText): (what: LeaseName) => RenewalAnswer {
  const ofSession = renewal.of === 'sessions' ? readSessionsAnswer(answer) : null
  return (what) => {
    if (what.kind === 'lock') return readLockAnswer(answer, what)
    return ofSession === null ? { kind: 'unusable', why: 'of something else' } : ofSession(what.session)
  }
}

/** The leases of a renewal that came to nothing are due again after a drawn pause, unless another renewed them meanwhile. */
function again(state: Keeping, renewal: Renewal, leases: readonly KeptLease[], why: string, now: Instant): void {
  endpointFailed(state.route, renewal.endpoint)
  const share = state.random()
  for (const lease of leases) if (isNews(lease, renewal.sentAt)) wasNotRenewed(lease, { why, share }, now)
}

function finished(state: Keeping, number: number, renewal: Renewal): void {
  state.renewals.delete(number)
  if (!renewal.isSilent) state.awaited--
  for (const lease of leasesOf(state, renewal)) lease.underWay--
}

// ---- what is due

function renew(state: Keeping, first: KeptLease, now: Instant): Action {
  const leases = first.what.kind === 'lock' ? [first] : sessionsToo(state, first, now)
  const endpoint = elsewhere(state, first)
  const number = ++state.lastRenewal
  const of = first.what.kind === 'lock' ? 'lock' : 'sessions'
  state.renewals.set(number, { leases: leases.map(({ id }) => id), of, endpoint, sentAt: now, isSilent: false })
  state.awaited++
  let timeoutMs = 0
  for (const lease of leases) {
    wasSent(lease, endpoint, now)
    timeoutMs = Math.max(timeoutMs, lostInMs(lease, now))
  }
  return {
    kind: 'send',
    renewal: number,
    endpoint,
    ...callFor(leases, first),
    timeoutMs: Math.ceil(Math.min(timeoutMaxMs, timeoutMs)),
  }
}

/** All sessions that are due, and those that soon will be: the sooner they go together, the fewer calls there are. */
function sessionsToo(state: Keeping, first: KeptLease, now: Instant): readonly KeptLease[] {
  const found = [first]
  for (const lease of state.leases.values()) {
    if (lease === first || lease.what.kind !== 'session' || lease.stage !== 'kept') continue
    if (found.length >= sessionsMax) break
    const soonMs = lease.underWay === 0 && lease.failures === 0 ? lease.ttlMs * soonShare : 0
    if (leftMs(lease.due, now) <= soonMs) found.push(lease)
  }
  return found
}

/** Another endpoint than the one that is silent, or has failed; a silent renewal holds up no others. */
function elsewhere(state: Keeping, lease: KeptLease): string {
  const silent = lease.underWay > 0 ? lease.asked : null
  if (silent !== null) {
    endpointFailed(state.route, silent)
    for (const renewal of state.renewals.values()) {
      if (renewal.isSilent || !renewal.leases.includes(lease.id)) continue
      renewal.isSilent = true
      state.awaited--
    }
  }
  return pickEndpoint(state.route, lease.asked)
}

function callFor(leases: readonly KeptLease[], { what }: KeptLease): { path: string; body: unknown } {
  if (what.kind === 'lock') {
    return { path: `/v1/locks/${encodeURIComponent(what.lock)}/renew`, body: { token: what.token } }
  }
  const sessions = leases.flatMap((lease) => (lease.what.kind === 'session' ? [lease.what.session] : []))
  return { path: '/v1/sessions/renew', body: { sessions } }
}

// ---- the end

function lose(lease: KeptLease, why: WhyLost): Action {
  lease.stage = 'lost'
  return tell({ kind: 'lost', id: lease.id, why })
}

function kill(lease: KeptLease): Action {
  lease.endAt = null
  return { kind: 'kill' }
}

function tell(news: FromRenewer): Action {
  return { kind: 'tell', news }
}

function leasesOf({ leases }: Keeping, renewal: Renewal): readonly KeptLease[] {
  return renewal.leases.flatMap((id) => leases.get(id) ?? [])
}
