// A scene for the machine that keeps leases: time is a number, what it wants done is written down, and answers come when the
// test says so.
import type { Instant } from '../../src/client/clock.ts'
import type { FromRenewer, LeaseName } from '../../src/client/keeper-messages.ts'
import { createKeeping, next, take } from '../../src/client/keeping.ts'
import type { Action, Happening } from '../../src/client/keeping.ts'
import type { OnLost } from '../../src/client/types.ts'

export type Sent = Extract<Action, { kind: 'send' }> & { readonly at: number }

export const [a, b, c] = ['http://a:1', 'http://b:1', 'http://c:1'] as const

export class Scene {
  now = 0
  /** Suspended so far. */
  suspendedMs = 0
  readonly sent: Sent[] = []
  readonly cancelled: number[] = []
  readonly told: (FromRenewer & { readonly at: number })[] = []
  readonly killedAt: number[] = []
  /** How long the machine wants to sleep. */
  sleepMs = Infinity
  readonly state

  constructor(options: { endpoints?: readonly string[]; followLeader?: boolean; random?: () => number } = {}) {
    const { endpoints = [a, b, c], followLeader = true, random = () => 0.5 } = options
    this.state = createKeeping({ endpoints, followLeader, random })
  }

  get instant(): Instant {
    return { monotonicMs: this.now, sinceBootMs: this.now + this.suspendedMs }
  }

  hold(
    id: number,
    { what = lock(id), ttlMs = 3000, validForMs = ttlMs - 10, onLost = 'abort' }: Partial<HeldParts> = {},
  ): this {
    const valid = { from: this.instant, ms: validForMs }
    return this.take({ kind: 'hold', lease: { id, what, ttlMs, valid, onLost } })
  }

  take(happening: Happening): this {
    take(this.state, happening, this.instant)
    return this.act()
  }

  /** Lets it do what it wants until it sleeps. */
  act(): this {
    for (;;) {
      const action = next(this.state, this.instant)
      switch (action.kind) {
        case 'sleep':
          this.sleepMs = action.forMs
          return this
        case 'send':
          this.sent.push({ ...action, at: this.now })
          break
        case 'cancel':
          this.cancelled.push(action.renewal)
          break
        case 'tell':
          this.told.push({ ...action.news, at: this.now })
          break
        case 'kill':
          this.killedAt.push(this.now)
      }
    }
  }

  /** Lets time pass, as the timers of the machine cut it up. */
  pass(ms: number): this {
    const until = this.now + ms
    while (this.now + this.sleepMs <= until) {
      this.now += this.sleepMs
      this.act()
    }
    this.sleepMs -= until - this.now
    this.now = until
    return this
  }

  /** The renewal sent last, unless another is meant. */
  answer({ renewal = this.last.renewal, status = 200, body = this.good(), leader = null }: Partial<Answer> = {}): this {
    return this.take({ kind: 'answered', renewal, answer: { status, body, leader } })
  }

  fail({ renewal = this.last.renewal, why = 'refused', wasStale = false } = {}): this {
    return this.take({ kind: 'failed', renewal, failure: { why, wasStale } })
  }

  /** What a node answers that knows all of them. */
  good(validForMs = 2990): unknown {
    const { body } = this.last
    if (isRecord(body) && Array.isArray(body['sessions'])) {
      return { renewed: body['sessions'].map((session: unknown) => ({ session, validForMs })), gone: [] }
    }
    return { lock: 'x', token: isRecord(body) ? body['token'] : 0, ttlMs: 3000, validForMs }
  }

  get last(): Sent {
    const last = this.sent.at(-1)
    if (last === undefined) throw new Error('nothing was sent')
    return last
  }

  get lost(): readonly number[] {
    return this.told.flatMap((news) => (news.kind === 'lost' ? [news.id] : []))
  }
}

interface HeldParts {
  readonly what: LeaseName
  readonly ttlMs: number
  readonly validForMs: number
  readonly onLost: OnLost
}

interface Answer {
  readonly renewal: number
  readonly status: number
  readonly body: unknown
  readonly leader: string | null
}

export function lock(token: number): LeaseName {
  return { kind: 'lock', lock: `lock ${token}`, token }
}

export function session(id: number): LeaseName {
  return { kind: 'session', session: `s-${id}` }
}

/** Names of the leases that a sent renewal is for, as far as they can be told from it. */
export function namesIn({ path, body }: Pick<Sent, 'path' | 'body'>): readonly string[] {
  if (!isRecord(body)) return [path]
  return Array.isArray(body['sessions']) ? body['sessions'].map(String) : [`token ${String(body['token'])}`]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
