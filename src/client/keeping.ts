// How leases are kept alive, as a state machine without clock, timer, I/O or promise: it is told what happened (`take`), and
// says what is to be done now or how long nothing is (`next`). The thread that renews runs it, and so does the simulator.
//
// A lease is renewed when a third of its TTL has passed since the last renewal that was answered was sent; one call carries
// all sessions that are due or soon will be. Who is silent is not given up but asked beside another: any answer counts, from
// the moment its own request was sent. A deadline is never moved to an earlier moment, and never by what was not answered.
import { laterOf, leftMs, marginMs } from './clock.ts'
import type { Instant, Period } from './clock.ts'
import type { FromRenewer, LeaseName, NumberedLease, Renewed, SaidOver, ToRenewer, WhyLost } from './keeper-messages.ts'
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
}

interface KeptLease extends NumberedLease {
  /** The deadline: of the newest renewal that was answered. */
  valid: Period
  /** When that renewal was sent. */
  renewedFrom: Instant
  /** When the next one is sent. */
  due: Period
  /** Renewals under way. */
  underWay: number
  /** Since a renewal was answered. */
  failures: number
  lastFailure: string | null
  /** To which the last renewal went, while it was not answered. */
  asked: string | null
  stage: 'kept' | 'lost'
  /** When the process is to end, whatever it is doing; null when it is not, or has been killed. */
  endAt: Period | null
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

/** A timer does not count a suspension, so the clock that does is looked at so often. */
const lookEveryMs = 500
/** Sessions that will be due within this share of their TTL come along with those that are. */
const soonShare = 1 / 12
/** As many as the API takes in a call. */
const sessionsMax = 1000
const awaitedMax = 64
/** With the pauses between them no lease has more than six renewals under way. */
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
  }
}

/** Something has happened. */
export function take(state: Keeping, happening: Happening, now: Instant): void {
  switch (happening.kind) {
    case 'hold':
      return hold(state, happening.lease)
    case 'forget':
      return forget(state, happening.id, now)
    case 'givenUp': {
      const lease = state.leases.get(happening.id)
      if (lease?.stage === 'kept') giveUp(lease)
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
  let due: KeptLease | null = null
  let forMs = state.leases.size === 0 || now.sinceBootMs === null ? Infinity : lookEveryMs
  for (const lease of state.leases.values()) {
    const endsInMs = lease.endAt === null ? Infinity : leftMs(lease.endAt, now)
    if (endsInMs <= 0) return kill(lease)
    forMs = Math.min(forMs, endsInMs)
    if (lease.stage === 'lost') continue
    const lostInMs = lostIn(lease, now)
    if (lostInMs <= 0) return lose(lease, { kind: 'deadline', lastFailure: lease.lastFailure })
    forMs = Math.min(forMs, lostInMs)
    // Who is silent is asked beside another at once: that makes room, it takes none.
    if (lease.underWay === 0 && state.awaited >= awaitedMax) continue
    const dueInMs = leftMs(lease.due, now)
    if (dueInMs <= 0) due ??= lease
    forMs = Math.min(forMs, dueInMs)
  }
  return due === null ? { kind: 'sleep', forMs } : renew(state, due, now)
}

// ---- what the other thread says

function hold(state: Keeping, lease: NumberedLease): void {
  state.leases.set(lease.id, {
    ...lease,
    renewedFrom: lease.valid.from,
    due: thirdOf(lease.ttlMs, lease.valid.from),
    underWay: 0,
    failures: 0,
    lastFailure: null,
    asked: null,
    stage: 'kept',
    endAt: lease.onLost === 'abort' ? null : lease.valid,
  })
}

/** Renewals that carry it are taken back as a whole: those that they carry beside it are due again. */
function forget(state: Keeping, id: number, now: Instant): void {
  const lease = state.leases.get(id)
  if (lease === undefined) return
  state.leases.delete(id)
  if (lease.underWay === 0) return
  for (const [number, renewal] of state.renewals) {
    if (!renewal.leases.includes(id)) continue
    finished(state, number, renewal)
    state.toDo.push({ kind: 'cancel', renewal: number })
    for (const other of leasesOf(state, renewal)) other.due = { from: now, ms: 0 }
  }
}

function giveUp(lease: KeptLease): void {
  lease.stage = 'lost'
}

// ---- what became of a renewal

function answered(state: Keeping, { renewal: number, answer }: Extract<Happening, { kind: 'answered' }>, now: Instant) {
  const renewal = state.renewals.get(number)
  if (renewal === undefined) return
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
        renewed(lease, { from: renewal.sentAt, ms: answerToIt.validForMs }, now)
        news.push({ id: lease.id, validForMs: answerToIt.validForMs })
        break
      case 'ended':
        ended(state, lease, answerToIt, now)
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
  finished(state, number, renewal)
  const leases = leasesOf(state, renewal)
  if (!failure.wasStale) return again(state, renewal, leases, failure.why, now)
  for (const lease of leases) if (isAfter(renewal.sentAt, lease.renewedFrom)) lease.due = { from: now, ms: 0 }
}

function readAnswer(renewal: Renewal, answer: AnswerText): (what: LeaseName) => RenewalAnswer {
  const ofSession = renewal.of === 'sessions' ? readSessionsAnswer(answer) : null
  return (what) => {
    if (what.kind === 'lock') return readLockAnswer(answer, what)
    return ofSession === null ? { kind: 'unusable', why: 'of something else' } : ofSession(what.session)
  }
}

function renewed(lease: KeptLease, period: Period, now: Instant): void {
  lease.valid = laterOf(lease.valid, period, now)
  if (lease.endAt !== null) lease.endAt = lease.valid
  lease.failures = 0
  lease.lastFailure = null
  lease.asked = null
  // An answer that comes after that to a later renewal is no reason to renew sooner.
  if (!isAfter(period.from, lease.renewedFrom)) return
  lease.renewedFrom = period.from
  lease.due = thirdOf(lease.ttlMs, period.from)
}

/** A lock may already be another's: the process is not left until its deadline, only time to end by itself. */
function ended(state: Keeping, lease: KeptLease, said: SaidOver, now: Instant): void {
  const graceMs = lease.onLost === 'kill' ? 0 : marginMs(lease.ttlMs)
  if (lease.endAt !== null) lease.endAt = { from: now, ms: Math.min(graceMs, leftMs(lease.endAt, now)) }
  state.toDo.push(lose(lease, said))
}

/** The leases of a renewal that came to nothing are due again after a drawn pause, unless another renewed them meanwhile. */
function again(state: Keeping, renewal: Renewal, leases: readonly KeptLease[], why: string, now: Instant): void {
  endpointFailed(state.route, renewal.endpoint)
  const drawn = state.random()
  for (const lease of leases) {
    if (!isAfter(renewal.sentAt, lease.renewedFrom)) continue
    lease.failures++
    lease.lastFailure = why
    const pause = { from: now, ms: drawn * pauseMaxMs(lease) }
    if (leftMs(pause, now) < leftMs(lease.due, now)) lease.due = pause
  }
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
    lease.underWay++
    lease.asked = endpoint
    lease.due = { from: now, ms: patienceMs(lease.ttlMs) }
    timeoutMs = Math.max(timeoutMs, lostIn(lease, now))
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
  giveUp(lease)
  return tell({ kind: 'lost', id: lease.id, why })
}

function kill(lease: KeptLease): Action {
  lease.endAt = null
  return { kind: 'kill' }
}

function tell(news: FromRenewer): Action {
  return { kind: 'tell', news }
}

// ---- times

function lostIn({ valid, ttlMs }: KeptLease, now: Instant): number {
  return leftMs(valid, now) - marginMs(ttlMs)
}

function thirdOf(ttlMs: number, from: Instant): Period {
  return { from, ms: ttlMs / 3 }
}

/** After so long without an answer another endpoint is asked beside. */
function patienceMs(ttlMs: number): number {
  return Math.min(2000, ttlMs / 8)
}

/** Full jitter: the pause is drawn from 0 to this. */
function pauseMaxMs({ failures, ttlMs }: KeptLease): number {
  return Math.min(25 * 2 ** failures, 1000, ttlMs / 10)
}

function isAfter(a: Instant, b: Instant): boolean {
  return a.monotonicMs > b.monotonicMs
}

function leasesOf({ leases }: Keeping, renewal: Renewal): readonly KeptLease[] {
  return renewal.leases.flatMap((id) => leases.get(id) ?? [])
}
