// Leases as the thread of the user holds them. They are renewed by another (renewer.ts), whatever this one is doing; here
// is known until when each of them counts, and its user is told when it does not any more. What this thread concludes it
// concludes from the newest news: after a time in which it was blocked, these lie unread, and are read first.
import { laterOf, leftMs, lookEveryMs, marginMs, wasSuspended } from './clock.ts'
import type { Clock, Instant, Period } from './clock.ts'
import { lockLost } from './endings.ts'
import type { HoldfastError } from './errors.ts'
import type { FromRenewer, LeaseName, NumberedLease, ToRenewer, WhyLost } from './keeper-messages.ts'
import type { OnLost } from './types.ts'

/** With which code a process ends that has lost a lock taken with `onLost: 'exit'`. */
export const lostExitCode = 75

export interface KeeperOptions {
  readonly endpoints: readonly string[]
  /** Go straight to the leader when an answer names it. */
  readonly followLeader: boolean
}

/** Something that was granted for a time, and is to be kept. */
export interface Lease {
  readonly what: LeaseName
  readonly ttlMs: number
  /** Just before the request that was answered with it was sent. */
  readonly sentAt: Instant
  readonly validForMs: number
  readonly onLost: OnLost
  /**
   * Called once, at the latest a margin before the deadline, or as soon as a node says that it is over; never after
   * `forget`, and never before `hold` has returned.
   */
  readonly lost: (reason: HoldfastError) => void
}

export interface Kept {
  /** Until it counts as lost; 0 when it does, and `lost` was called then. Looks at a clock, asks nobody. */
  remainingMs(): number
  /** From now on nothing is sent for it, and nothing happens at its deadline. */
  forget(): void
}

export interface Keeper {
  hold(lease: Lease): Kept
  /** Forgets everything. */
  close(): Promise<void>
}

/** The way to whoever renews. */
export interface RenewerLink {
  post(message: ToRenewer): void
  /** What it said and `news` was not given yet, in order; undefined when all was read. */
  receive(): FromRenewer | undefined
  close(): Promise<void>
}

export interface LinkEvents {
  news(news: FromRenewer): void
  /** Nobody is at the other end any more. */
  broke(): void
}

export interface KeeperParts {
  readonly clock: Clock
  /** The process goes on while a timer is set: so it does while anything is held. */
  setTimer(delayMs: number, fire: () => void): { cancel(): void }
  connect(events: LinkEvents): RenewerLink
  /** Ends the process in order, running what it has to run at its exit. */
  exit(code: number): void
}

interface HeldLease {
  readonly id: number
  readonly lease: Lease
  /** The deadline: of the newest renewal that was answered. */
  valid: Period
  timer: { cancel(): void } | null
}

/** One that breaks as soon as it has begun is not started again and again: the pause doubles until something is heard. */
const reconnectAfterMs = { first: 100, max: 10_000 }

export class LeaseKeeper implements Keeper {
  readonly #parts: KeeperParts
  /** null until something is held, and while nobody is at the other end. */
  #link: RenewerLink | null = null
  readonly #held = new Map<number, HeldLease>()
  #lastId = 0
  /** Runs while something is held. */
  #watch: { cancel(): void } | null = null
  #reconnectAfterMs = reconnectAfterMs.first
  #stage: 'idle' | 'connected' | 'broken' | 'closed' = 'idle'

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  hold(lease: Lease): Kept {
    const { sentAt, validForMs } = lease
    const id = ++this.#lastId
    const valid = { from: sentAt, ms: validForMs }
    const held: HeldLease = { id, lease, valid, timer: null }
    if (this.#stage === 'idle') this.#connect()
    if (this.#held.size === 0) this.#watchFrom(this.#parts.clock.now())
    this.#held.set(id, held)
    this.#keep(held)
    this.#lookAgain(held)
    return { remainingMs: () => this.#remainingMs(id), forget: () => this.#forget(id) }
  }

  async close(): Promise<void> {
    for (const id of this.#held.keys()) this.#forget(id)
    const link = this.#link
    this.#stage = 'closed'
    this.#link = null
    await link?.close()
  }

  #connect(): void {
    this.#stage = 'connected'
    this.#link = this.#parts.connect({ news: (news) => this.#hear(news), broke: () => this.#reconnect() })
    for (const held of this.#held.values()) this.#keep(held)
  }

  /** Whoever comes next is told of what is still held, with the deadlines that are known. */
  #reconnect(): void {
    if (this.#stage !== 'connected') return
    this.#link = null
    this.#stage = 'idle'
    if (this.#held.size === 0) return
    this.#stage = 'broken'
    const begin = (): void => {
      if (this.#stage !== 'broken') return
      this.#stage = 'idle'
      if (this.#held.size > 0) this.#connect()
    }
    this.#parts.setTimer(this.#reconnectAfterMs, begin)
    this.#reconnectAfterMs = Math.min(2 * this.#reconnectAfterMs, reconnectAfterMs.max)
  }

  #keep({ id, lease: { what, ttlMs, onLost }, valid }: HeldLease): void {
    const lease: NumberedLease = { id, what, ttlMs, valid, onLost }
    this.#link?.post({ kind: 'hold', lease })
  }

  #remainingMs(id: number): number {
    this.#readNews()
    const held = this.#held.get(id)
    if (held === undefined) return 0
    const remainingMs = this.#left(held)
    if (remainingMs > 0) return remainingMs
    this.#link?.post({ kind: 'givenUp', id })
    this.#lose(held, { kind: 'deadline', lastFailure: null })
    return 0
  }

  #forget(id: number): void {
    this.#drop(id)
    // Also of one that was lost: whatever its `onLost` asks for is still to come.
    this.#link?.post({ kind: 'forget', id })
  }

  #drop(id: number): void {
    const held = this.#held.get(id)
    if (held === undefined) return
    held.timer?.cancel()
    this.#held.delete(id)
    if (this.#held.size === 0) this.#watch?.cancel()
  }

  /** The other thread looks for a suspension, too, but may get no turn when the machine wakes up. */
  #watchFrom(from: Instant): void {
    if (from.sinceBootMs === null) return
    this.#watch = this.#parts.setTimer(lookEveryMs, () => {
      const to = this.#parts.clock.now()
      const isSuspended = wasSuspended({ from, to })
      this.#watchFrom(isSuspended ? to : from)
      if (isSuspended) for (const held of this.#held.values()) this.#lookNow(held)
    })
  }

  #left({ valid, lease }: HeldLease): number {
    return leftMs(valid, this.#parts.clock.now()) - marginMs(lease.ttlMs)
  }

  /** The timer is set for the deadline that is known now: renewed meanwhile, it is set again when it fires. */
  #lookAgain(held: HeldLease): void {
    held.timer = this.#parts.setTimer(Math.max(1, this.#left(held)), () => this.#lookNow(held))
  }

  #lookNow(held: HeldLease): void {
    held.timer?.cancel()
    if (this.#remainingMs(held.id) > 0) this.#lookAgain(held)
  }

  #readNews(): void {
    for (let news = this.#link?.receive(); news !== undefined; news = this.#link?.receive()) this.#hear(news)
  }

  #hear(news: FromRenewer): void {
    this.#reconnectAfterMs = reconnectAfterMs.first
    switch (news.kind) {
      case 'renewed': {
        const now = this.#parts.clock.now()
        for (const { id, validForMs } of news.leases) {
          const held = this.#held.get(id)
          if (held !== undefined) held.valid = laterOf(held.valid, { from: news.sentAt, ms: validForMs }, now)
        }
        return
      }
      case 'lost': {
        const held = this.#held.get(news.id)
        if (held !== undefined) this.#lose(held, news.why)
        return
      }
    }
  }

  #lose(held: HeldLease, why: WhyLost): void {
    this.#drop(held.id)
    try {
      held.lease.lost(reasonOf(held.lease, why))
    } finally {
      if (held.lease.onLost === 'exit') this.#parts.exit(lostExitCode)
    }
  }
}

function reasonOf({ what }: Lease, why: WhyLost): HoldfastError {
  const named =
    what.kind === 'lock'
      ? { what: `lock ${what.lock}`, lock: what.lock, token: what.token }
      : { what: `session ${what.session}`, session: what.session }
  if (why.kind === 'deadline') {
    const last = why.lastFailure === null ? '' : `; the last attempt: ${why.lastFailure}`
    return lockLost({ ...named, why: `no renewal was answered in time${last}` })
  }
  const { code, endedBy } = why
  if (endedBy === null) return lockLost({ ...named, why: `a node says that it has ended (${code})` })
  return lockLost({ ...named, why: `a node says that it has ended (${code}, ${endedBy})`, endedBy })
}
