// The promises of DESIGN.md, judged from outside: the committed log is applied to a reference copy of the lock table as it
// grows, and everything that clients were told is compared with it. Exclusion, tokens and order are judged from what the
// reference says after every entry (S1, S2, L2); early expiry from what answers promised and the virtual time at which an
// end was first applied anywhere (S5); retries and definite answers from the marks that every attempt carries (S4).
import { assert } from '../../../src/assert.ts'
import { decodePayload } from '../../../src/codec/command.ts'
import type { ClusterTime, Index, LockName, RequestId, SessionId, Token } from '../../../src/ids.ts'
import { apply } from '../../../src/lockfsm/apply.ts'
import type { NumberedCommand } from '../../../src/lockfsm/command.ts'
import { checkState } from '../../../src/lockfsm/invariants.ts'
import type { Outcome } from '../../../src/lockfsm/outcome.ts'
import { toRecords } from '../../../src/lockfsm/records.ts'
import { createState } from '../../../src/lockfsm/state.ts'
import type { Limits, LockState } from '../../../src/lockfsm/state.ts'
import { viewLock, viewSession } from '../../../src/lockfsm/views.ts'
import type { Entry } from '../../../src/raft/entry.ts'

/** A grant as the log gave it. */
export interface Grant {
  readonly lock: LockName
  readonly session: SessionId | null
  readonly requestId: RequestId
  readonly token: Token
  readonly index: Index
  /** When its end was first applied: virtual and cluster time, and whether somebody had asked for it. */
  ended: { readonly at: number; readonly time: ClusterTime; readonly asked: boolean } | null
}

interface SessionLife {
  ended: { readonly at: number; readonly asked: boolean } | null
}

/** A grant ends no sooner before a repeat of its request may be granted anew (S4: 30 s). */
const rememberedMs = 30_000

export class LockChecks {
  readonly state: LockState
  index: Index | 0 = 0
  readonly grants = new Map<Token, Grant>()
  readonly #now: () => number
  /** Marks (`owner`) of attempts that had an effect, and of those that were answered as not done. */
  readonly #effective = new Set<string>()
  readonly #notDone = new Map<string, string>()
  #lastToken = 0
  readonly #live = new Set<Grant>()
  readonly #sessions = new Map<SessionId, SessionLife>()
  readonly #byRequest = new Map<string, Grant>()

  constructor(limits: Limits, now: () => number) {
    this.state = createState(limits)
    this.#now = now
  }

  /** The next entry of the committed log, at the moment when the first member had applied it. */
  committed(entry: Entry): void {
    const commands = decodePayload(entry.payload)
    const outcomes = apply(this.state, { time: entry.time, commands })
    this.index = entry.index
    checkState(this.state)
    for (const { result } of outcomes) if (result.kind === 'sessionOpened') this.#noteSession(result.session)
    this.#noteEffects(commands, outcomes)
    this.#noteEnds(commands, entry)
    this.#noteGrants(outcomes, entry)
  }

  /** S5: what an answer said would be alive until `until` (virtual time) was, unless somebody asked for its end. */
  checkPromise(promised: { token: Token | null; session: SessionId | null; until: number }): void {
    const grant = promised.token === null ? null : this.grants.get(promised.token)
    assert(grant !== undefined, `3: nobody was ever granted the answered token ${promised.token}`)
    const life = promised.session === null ? null : this.#sessions.get(promised.session)
    assert(life !== undefined, `3: the answered session ${promised.session} was never opened`)
    for (const ended of [grant?.ended, life?.ended]) {
      if (ended === null || ended === undefined || ended.asked || ended.at >= promised.until) continue
      const what = promised.token === null ? `session ${promised.session}` : `token ${promised.token}`
      assert(false, `S5: ${what} ended at ${ended.at.toFixed(1)} ms, promised until ${promised.until.toFixed(1)} ms`)
    }
  }

  /** S4: the attempt with this mark was answered with a failure that says so: it has no effect, now or ever. */
  definitelyNotDone(mark: string, answer: string): void {
    assert(!this.#effective.has(mark), `S4: attempt ${mark} was answered ${answer}, but had an effect`)
    this.#notDone.set(mark, answer)
  }

  /** S7: a replica that has applied the same entries is equal, record by record. */
  checkReplica(name: string, replica: LockState): void {
    const records = (state: LockState) => [...toRecords(state)].map((record) => JSON.stringify(record)).sort()
    const [ours, theirs] = [records(this.state), records(replica)]
    const differing = ours.findIndex((record, position) => record !== theirs[position])
    assert(ours.length === theirs.length && differing < 0, `S7: ${name} differs: ${ours[differing]} is ${theirs[differing]}`)
  }

  #noteSession(session: SessionId): void {
    if (!this.#sessions.has(session)) this.#sessions.set(session, { ended: null })
  }

  /** S2, S4, L2 for what this entry granted, be it answered to somebody or not. */
  #noteGrants(outcomes: readonly Outcome[], { index, time }: Entry): void {
    const begun = new Map<Token, Grant>()
    for (const { name, holder } of this.state.locks.values()) {
      if (holder === null || holder.token === null || this.grants.has(holder.token)) continue
      const { token, id: requestId, sequence } = holder
      begun.set(token, { lock: name, session: holder.session?.id ?? null, requestId, token, index, ended: null })
      const [next] = viewLock(this.state, name).queue
      assert(next === undefined || next.sequence > sequence, `L2: sequence ${sequence} was served before ${next?.sequence}`)
    }
    for (const { result } of outcomes) {
      if (result.kind !== 'granted' || this.grants.has(result.token) || begun.has(result.token)) continue
      // Granted, and ended on request within the same entry.
      const { lock, session, requestId, token } = result
      begun.set(token, { lock, session, requestId, token, index, ended: { at: this.#now(), time, asked: true } })
    }
    for (const grant of [...begun.values()].sort((a, b) => a.token - b.token)) this.#begin(grant, time)
  }

  #begin(grant: Grant, time: ClusterTime): void {
    const { token, session, requestId } = grant
    assert(token > this.#lastToken, `S2: token ${token} was given after ${this.#lastToken}`)
    this.#lastToken = token
    const key = `${session} ${requestId}`
    const before = this.#byRequest.get(key)
    const again = before === undefined || (before.ended !== null && time - before.ended.time >= rememberedMs)
    assert(again, `S4: request ${key} was granted tokens ${before?.token} and ${token}`)
    this.grants.set(token, grant)
    this.#byRequest.set(key, grant)
    if (grant.ended === null) this.#live.add(grant)
  }

  #noteEffects(commands: readonly NumberedCommand[], outcomes: readonly Outcome[]): void {
    for (const { origin, command } of commands) {
      if (command.kind !== 'acquire' || command.owner === null) continue
      const own = outcomes.find(({ to }) => to.number === origin.number && to.node === origin.node && to.run === origin.run)
      if (own === undefined || own.result.kind === 'refused') continue
      this.#effective.add(command.owner)
      const answer = this.#notDone.get(command.owner)
      assert(answer === undefined, `S4: attempt ${command.owner} was answered ${answer}, and had an effect later`)
    }
  }

  /** S1, and which grants and sessions this entry ended, by time or because somebody asked. */
  #noteEnds(commands: readonly NumberedCommand[], { time }: Entry): void {
    const at = this.#now()
    const closed = new Set(commands.map(({ command }) => (command.kind === 'closeSession' ? command.session : null)))
    for (const grant of this.#live) {
      const { holders } = viewLock(this.state, grant.lock)
      assert(holders.length <= 1, `S1: lock ${grant.lock} has ${holders.length} holders`)
      if (holders[0]?.token === grant.token) continue
      grant.ended = { at, time, asked: closed.has(grant.session) || commands.some((command) => asksFor(command, grant)) }
      this.#live.delete(grant)
    }
    for (const [session, life] of this.#sessions) {
      if (life.ended === null && viewSession(this.state, session) === 'ended') life.ended = { at, asked: closed.has(session) }
    }
  }
}

function asksFor({ command }: NumberedCommand, grant: Grant): boolean {
  if (command.kind === 'release') return command.token === grant.token
  if (command.kind !== 'cancelRequest') return false
  return command.requestId === grant.requestId && command.session === grant.session
}
