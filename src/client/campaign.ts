// One candidacy, from the first campaign to the resignation: in line, in office, and in line again whenever the office
// was lost. Every term has a session of its own, so a lost one leaves nothing that the next could stumble over.
import { closed } from './endings.ts'
import { isHoldfastError } from './errors.ts'
import type { ErrorCode, HoldfastError } from './errors.ts'
import type { Inside } from './inside.ts'
import type { HeldLock } from './lock.ts'
import { aliveWith, closeInBackground, openForOne } from './own-session.ts'
import { pause } from './pause.ts'
import { Scope } from './scope.ts'
import type { HeldSession } from './session.ts'
import type { StopSignal } from './stopping.ts'
import type { CallOptions } from './types.ts'

export interface Candidacy {
  readonly name: string
  readonly ttlMs: number
  readonly owner: string
  readonly metadata: Readonly<Record<string, unknown>>
}

export interface CampaignEvents {
  elected(office: HeldLock): void
  /** The office was lost; the campaign goes on. */
  lost(reason: HoldfastError): void
  /** The campaign cannot go on. */
  failed(reason: unknown): void
}

/** Asking again would change nothing. Whatever else is wrong may pass, and a campaign has time. */
const hopeless: ReadonlySet<ErrorCode> = new Set([
  'invalid_option',
  'invalid_request',
  'too_large',
  'method_not_allowed',
  'unsupported_media_type',
  'closed',
])
const pauseMinMs = 100
const pauseMaxMs = 5000

export class Campaign {
  readonly #inside: Inside
  readonly #candidacy: Candidacy
  readonly #events: CampaignEvents
  readonly #scope = new Scope()
  readonly #running: Promise<void>
  #session: HeldSession | null = null
  #office: HeldLock | null = null
  /** Since the last term. */
  #failures = 0

  constructor(inside: Inside, candidacy: Candidacy, events: CampaignEvents) {
    this.#inside = inside
    this.#candidacy = candidacy
    this.#events = events
    this.#running = this.#run()
  }

  get office(): HeldLock | null {
    return this.#office !== null && this.#office.remainingMs() > 0 ? this.#office : null
  }

  /** Rejects when it could not be confirmed; may be repeated then. */
  async resign(why: () => HoldfastError, options: CallOptions): Promise<void> {
    this.#scope.end(why)
    // Whoever works in office is told first.
    this.#office?.interrupt(why())
    await Promise.all([this.#session?.close(options), this.#running])
  }

  async #run(): Promise<void> {
    while (!this.#scope.isOver) {
      try {
        await this.#term()
      } catch (error) {
        // A client that is being closed ends its calls first, and then its candidates.
        if (this.#scope.isOver || this.#inside.scope.isOver) return
        if (isHoldfastError(error) && !hopeless.has(error.code)) await this.#pause()
        else return this.#fail(error)
      }
    }
  }

  #fail(error: unknown): void {
    this.#scope.end(() => closed(`the election ${this.#candidacy.name}`))
    this.#events.failed(error)
  }

  /** In line and, once elected, in office. */
  async #term(): Promise<void> {
    const { ttlMs } = this.#candidacy
    await this.#scope.run(undefined, async (signal) => {
      const session = await openForOne(this.#inside, { ttlMs, signal })
      this.#session = session
      try {
        await this.#campaignIn(session, signal)
      } finally {
        this.#office = null
        closeInBackground(this.#inside, session)
      }
    })
  }

  async #campaignIn(session: HeldSession, signal: StopSignal): Promise<void> {
    const { name, owner, metadata } = this.#candidacy
    const { onLost } = this.#inside.options
    let tellOver: () => void = () => {}
    const isOver = new Promise<void>((resolve) => {
      tellOver = resolve
    })
    const asked = { waitMs: Infinity, owner, metadata, signal }
    const office = await session.take(name, asked, (kept) =>
      aliveWith(this.#inside, session, { kept, onLost, ended: () => tellOver() }),
    )
    // Resigned, or lost, before anybody was told.
    if (this.#scope.isOver || office.remainingMs() === 0) return
    this.#office = office
    this.#failures = 0
    this.#events.elected(office)
    await isOver
    this.#office = null
    const { loss } = office
    if (loss !== null && !this.#scope.isOver) this.#events.lost(loss)
  }

  async #pause(): Promise<void> {
    const { surroundings } = this.#inside
    const delayMs = surroundings.random() * Math.min(pauseMaxMs, pauseMinMs * 2 ** this.#failures++)
    // Resigning cuts it short.
    await this.#scope.run(undefined, (signal) => pause(surroundings, { delayMs, signal })).catch(() => {})
  }
}
