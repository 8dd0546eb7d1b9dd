// Whom to ask next. An answer may name the leader, and going straight there spares a hop; but such a hint is hearsay: it
// is followed twice in one call at most, and an address that fails is not believed for a while, longer each time. Without
// a hint the endpoints take turns, those that failed lately last.
import { originOf } from './options.ts'

/** Hints that one call follows. */
const hopsMax = 2
/** A failed endpoint comes last for so long, and a failed hint is not believed. */
const distrustMs = 30_000
const distrustMaxMs = 960_000
/** Hints come from outside: no more of them are remembered. */
const distrustedMax = 100

/** The way of one call from endpoint to endpoint. */
export interface Route {
  hops: number
  last: string | null
  /** Its last answer did not settle the call: somebody else may know more. */
  avoid: string | null
}

interface Endpoint {
  readonly origin: string
  failedAtMs: number
}

interface Distrust {
  readonly untilMs: number
  readonly failures: number
}

/** All times are those of one monotonic clock. */
export class Endpoints {
  readonly #endpoints: readonly Endpoint[]
  readonly #followLeader: boolean
  readonly #isTlsOnly: boolean
  /** Who asked for time, and until when. */
  readonly #busyUntilMs = new Map<string, number>()
  readonly #distrusted = new Map<string, Distrust>()
  #turn: number
  /** The header that `#leader` was taken from. */
  #hint: string | null = null
  #leader: string | null = null

  /** `turn`: where to begin, so that many clients do not all begin at the same node. */
  constructor(origins: readonly string[], { followLeader, turn }: { followLeader: boolean; turn: number }) {
    this.#endpoints = origins.map((origin) => ({ origin, failedAtMs: -Infinity }))
    this.#followLeader = followLeader
    this.#isTlsOnly = origins.every((origin) => origin.startsWith('https:'))
    this.#turn = turn
  }

  get count(): number {
    return this.#endpoints.length
  }

  next(route: Route, nowMs: number): string {
    const chosen = this.#leaderFor(route, nowMs) ?? this.#inTurn(route, nowMs)
    route.last = chosen
    return chosen
  }

  /** How long nobody is to be asked, because all have asked for time. */
  pauseMs(nowMs: number): number {
    let pauseMs = Infinity
    for (const { origin } of this.#endpoints) pauseMs = Math.min(pauseMs, this.#busyMs(origin, nowMs))
    return pauseMs
  }

  answered(origin: string, hint: string | null): void {
    if (this.#distrusted.size > 0) this.#distrusted.delete(origin)
    const endpoint = this.#endpoints.find((one) => one.origin === origin)
    if (endpoint !== undefined) endpoint.failedAtMs = -Infinity
    if (hint === this.#hint) return
    this.#hint = hint
    this.#leader = hint === null ? null : this.#believable(hint)
  }

  failed(origin: string, nowMs: number): void {
    const endpoint = this.#endpoints.find((one) => one.origin === origin)
    if (endpoint !== undefined) endpoint.failedAtMs = nowMs
    if (origin === this.#leader) this.#distrust(origin, nowMs)
  }

  /** It answered that it has no time (`Retry-After`). */
  busy(origin: string, { untilMs }: { untilMs: number }): void {
    if (this.#busyUntilMs.size >= distrustedMax) this.#busyUntilMs.clear()
    this.#busyUntilMs.set(origin, untilMs)
  }

  #leaderFor(route: Route, nowMs: number): string | null {
    const leader = this.#leader
    if (!this.#followLeader || leader === null || this.#busyMs(leader, nowMs) > 0) return null
    const distrust = this.#distrusted.get(leader)
    if (distrust !== undefined && nowMs < distrust.untilMs) return null
    if (leader === route.avoid) return null
    if (leader === route.last) return leader
    if (route.hops === hopsMax) return null
    route.hops++
    return leader
  }

  #inTurn(route: Route, nowMs: number): string {
    const count = this.#endpoints.length
    let best: Endpoint | undefined
    let bestRank = Infinity
    for (let step = 0; step < count; step++) {
      const endpoint = this.#endpoints[(this.#turn + step) % count]
      if (endpoint === undefined) continue
      const rank = this.#rank(endpoint, route, nowMs)
      if (rank >= bestRank) continue
      best = endpoint
      bestRank = rank
    }
    this.#turn = (this.#turn + 1) % count
    if (best === undefined) throw new Error('there is no endpoint')
    return best.origin
  }

  /** The lowest is asked: who has time, was not asked in vain just before, and did not fail, or not so lately. */
  #rank({ origin, failedAtMs }: Endpoint, route: Route, nowMs: number): number {
    const isBusy = this.#busyMs(origin, nowMs) > 0
    const sinceFailureMs = nowMs - failedAtMs
    const lateness = sinceFailureMs >= distrustMs ? 0 : 1 - sinceFailureMs / distrustMs
    return (isBusy ? 4 : 0) + (origin === route.avoid ? 2 : 0) + lateness
  }

  #busyMs(origin: string, nowMs: number): number {
    const untilMs = this.#busyUntilMs.get(origin)
    if (untilMs === undefined) return 0
    if (untilMs > nowMs) return untilMs - nowMs
    this.#busyUntilMs.delete(origin)
    return 0
  }

  /** Nobody talks us out of TLS. */
  #believable(hint: string): string | null {
    const origin = originOf(hint)
    return origin === null || (this.#isTlsOnly && !origin.startsWith('https:')) ? null : origin
  }

  #distrust(origin: string, nowMs: number): void {
    const failures = (this.#distrusted.get(origin)?.failures ?? 0) + 1
    this.#distrusted.delete(origin)
    const [oldest] = this.#distrusted.keys()
    if (oldest !== undefined && this.#distrusted.size >= distrustedMax) this.#distrusted.delete(oldest)
    const untilMs = nowMs + Math.min(distrustMaxMs, distrustMs * 2 ** (failures - 1))
    this.#distrusted.set(origin, { untilMs, failures })
  }
}
