// What answers promised, held against the log now and for as long as the promise lasts: that what is assured for a time
// does not end by itself before (S5), that what was acknowledged has happened (S3), and that a request that was cancelled
// holds and awaits nothing any more, whatever copies of it are still on their way (S4).
import { assert } from '../../../src/assert.ts'
import type { ClusterTime, LockName, RequestId, SessionId, Token } from '../../../src/ids.ts'
import type { LockState } from '../../../src/lockfsm/state.ts'
import { viewRequest, viewSession } from '../../../src/lockfsm/views.ts'
import type { LifeChecks } from './lives.ts'

export interface RequestName {
  readonly lock: LockName
  readonly session: SessionId | null
  readonly requestId: RequestId
}

/** A cancelled request is remembered for at least so long, in cluster time. */
const rememberedMs = 50_000

export class PromiseChecks {
  readonly #state: LockState
  readonly #lives: LifeChecks
  #cancelled: { readonly request: RequestName; readonly until: ClusterTime | number }[] = []

  constructor(state: LockState, lives: LifeChecks) {
    this.#state = state
    this.#lives = lives
  }

  /** An answer said that this would be alive until `until` (virtual time). To be called again when that has come. */
  assured(promised: { token: Token | null; session: SessionId | null; until: number }): void {
    const grant = promised.token === null ? null : this.#lives.grants.get(promised.token)
    assert(grant !== undefined, () => `S3: nobody was ever granted the answered token ${promised.token}`)
    const life = promised.session === null ? null : this.#lives.sessions.get(promised.session)
    assert(life !== undefined, () => `S3: the answered session ${promised.session} was never opened`)
    for (const ended of [grant?.ended, life?.ended]) {
      if (ended === null || ended === undefined || ended.asked || ended.at >= promised.until) continue
      const what = promised.token === null ? `session ${promised.session}` : `token ${promised.token}`
      assert(
        false,
        () => `S5: ${what} ended at ${ended.at.toFixed(1)} ms, promised until ${promised.until.toFixed(1)} ms`,
      )
    }
  }

  released(token: Token): void {
    const grant = this.#lives.grants.get(token)
    assert(grant !== undefined && grant.ended !== null, () => `S3: token ${token} was answered as released, but holds`)
  }

  sessionClosed(session: SessionId): void {
    assert(
      viewSession(this.#state, session) === 'ended',
      () => `S3: session ${session} was answered as closed, but lives`,
    )
  }

  cancelled(request: RequestName): void {
    this.#cancelled.push({ request, until: this.#state.time + rememberedMs })
    this.entryApplied()
  }

  /** To be called after every entry. */
  entryApplied(): void {
    this.#cancelled = this.#cancelled.filter(({ until }) => this.#state.time < until)
    for (const { request } of this.#cancelled) {
      const state = viewRequest(this.#state, request)?.state ?? 'none'
      const isOver = state === 'none' || state === 'ended'
      assert(isOver, () => `S4: request ${request.requestId} was answered as cancelled, but is ${state}`)
    }
  }
}
