// What the thread of the user and the thread that renews say to each other. Leases are known by a number that is given once:
// news of one that was forgotten meanwhile finds nobody and does no harm.
import type { Instant, Period } from './clock.ts'
import type { EndedBy } from './errors.ts'
import type { OnLost } from './types.ts'

/** What is kept alive, as its renewal names it. */
export type LeaseName =
  | { readonly kind: 'lock'; readonly lock: string; readonly token: number }
  | { readonly kind: 'session'; readonly session: string }

export interface NumberedLease {
  readonly id: number
  readonly what: LeaseName
  readonly ttlMs: number
  /** From the sending of the request that was answered with it. */
  readonly valid: Period
  readonly onLost: OnLost
}

export type ToRenewer =
  | { readonly kind: 'hold'; readonly lease: NumberedLease }
  /** Nothing is sent for it any more, and nothing happens at its deadline. */
  | { readonly kind: 'forget'; readonly id: number }
  /** Its user was told that it is lost: it is not renewed any more, and what its `onLost` asks for comes in time. */
  | { readonly kind: 'givenUp'; readonly id: number }

export type FromRenewer =
  | { readonly kind: 'renewed'; readonly sentAt: Instant; readonly leases: readonly Renewed[] }
  | { readonly kind: 'lost'; readonly id: number; readonly why: WhyLost }

export interface Renewed {
  readonly id: number
  /** From `sentAt`. */
  readonly validForMs: number
}

export type WhyLost =
  /** Its deadline is near and no renewal was answered; `lastFailure` says what became of the last one that was sent. */
  { readonly kind: 'deadline'; readonly lastFailure: string | null } | SaidOver

/** A node said that it is over. */
export interface SaidOver {
  readonly kind: 'ended'
  /** Of the API. */
  readonly code: string
  readonly endedBy: EndedBy | null
}
