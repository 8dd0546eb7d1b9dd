// How long grants and sessions live, kept a second time and independently of the lock table: from what the log says was
// opened, granted, renewed and ended. By it every grant begins only when the one before has ended (S1), with a token above
// all others (S2), once for a request (S4), to the first in line (L2) and never to a session that is over; and nothing
// ends before its deadline in cluster time, nor lives on behind it, unless somebody asked or nobody attended it.
import { assert } from '../../../src/assert.ts'
import type { ClusterTime, Index, LockName, RequestId, SessionId, Token } from '../../../src/ids.ts'
import type { NumberedCommand } from '../../../src/lockfsm/command.ts'
import type { Outcome, Result } from '../../../src/lockfsm/outcome.ts'
import { isSessionOver } from '../../../src/lockfsm/due.ts'
import type { LockState } from '../../../src/lockfsm/state.ts'
import { viewLock } from '../../../src/lockfsm/views.ts'

/** When something ended: virtual and cluster time of the entry, and whether somebody had asked for it. */
export interface End {
  readonly at: number
  readonly time: ClusterTime
  readonly asked: boolean
}

/** A grant as the log gave it. */
export interface Grant {
  readonly lock: LockName
  readonly session: SessionId | null
  readonly requestId: RequestId
  readonly token: Token
  readonly index: Index
  readonly grantedAt: ClusterTime
  /** End of a TTL of its own; null with a session. */
  deadline: number | null
  /** Renewed by its token: it is never given back as unclaimed. */
  claimed: boolean
  ended: End | null
}

export interface SessionLife {
  deadline: number
  claimed: boolean
  ended: End | null
}

/** One entry as it was applied. */
export interface AppliedEntry {
  readonly state: LockState
  readonly index: Index
  readonly time: ClusterTime
  readonly commands: readonly NumberedCommand[]
  readonly outcomes: readonly Outcome[]
  /** Virtual time. */
  readonly at: number
}

/** A grant given back by itself has been unattended for so long, with a session. */
const unattendedGrantMs = 30_000

export class LifeChecks {
  readonly grants = new Map<Token, Grant>()
  readonly sessions = new Map<SessionId, SessionLife>()
  readonly #live = new Set<Grant>()
  readonly #liveSessions = new Map<SessionId, SessionLife>()
  /** Grants that this entry has ended. */
  #endedNow: Grant[] = []
  #sessionsEndedNow: SessionId[] = []
  readonly #byRequest = new Map<string, Grant>()
  /** Of every request, the newest time at which a node took an attempt of it in, of those that the log has. */
  readonly #takenInAt = new Map<string, ClusterTime>()
  readonly #carriedAt = new Map<string, ClusterTime>()
  #lastToken = 0

  applied(entry: AppliedEntry): void {
    this.#endedNow = []
    this.#sessionsEndedNow = []
    this.#passTime(entry)
    for (const { origin, command } of entry.commands) {
      const name = `${origin.node}/${origin.run}/${origin.number}`
      // A command that was sent again comes twice; the first is the one that counts.
      if (!this.#carriedAt.has(name)) this.#carriedAt.set(name, entry.time)
      if (command.kind !== 'acquire') continue
      const key = keyOf(command)
      const before = this.#takenInAt.get(key) ?? command.takenInAt
      this.#takenInAt.set(key, before > command.takenInAt ? before : command.takenInAt)
    }
    this.#follow(entry)
    this.#checkEnds(entry)
    this.#noteGrants(entry)
    for (const { to, result } of entry.outcomes) this.#checkValidity(`${to.node}/${to.run}/${to.number}`, result, entry)
  }

  /** What is past its deadline ends before any command (DESIGN 4). */
  #passTime(entry: AppliedEntry): void {
    const end: End = { at: entry.at, time: entry.time, asked: false }
    for (const [session, life] of this.#liveSessions) {
      if (life.deadline <= entry.time) this.#endSession(session, life, end)
    }
    for (const grant of this.#live) {
      if (grant.deadline !== null && grant.deadline <= entry.time) this.#end(grant, end)
    }
  }

  /** What the commands of the entry opened, renewed and ended. */
  #follow(entry: AppliedEntry): void {
    const { outcomes, commands, time } = entry
    const end: End = { at: entry.at, time, asked: true }
    for (const { result } of outcomes) this.#followOutcome(result, end)
    for (const { origin, command } of commands) {
      if (command.kind !== 'closeSession' && command.kind !== 'acquire') continue
      const life = command.session === null ? undefined : this.#liveSessions.get(command.session)
      const own = outcomes.find(
        ({ to }) => to.node === origin.node && to.run === origin.run && to.number === origin.number,
      )
      if (life === undefined || command.session === null || own === undefined) continue
      // Who names a session in an acquire knows its id.
      if (command.kind === 'acquire') life.claimed = true
      else this.#endSession(command.session, life, end)
    }
    for (const { command } of commands) {
      if (command.kind !== 'cancelRequest') continue
      const grant = this.#byRequest.get(keyOf(command))
      if (grant !== undefined && this.#live.has(grant) && !holds(entry.state, grant)) this.#end(grant, end)
    }
  }

  #followOutcome(result: Result, end: End): void {
    const { time } = end
    if (result.kind === 'sessionOpened' && !result.repeated) {
      const life: SessionLife = { deadline: time + result.ttlMs, claimed: false, ended: null }
      this.sessions.set(result.session, life)
      this.#liveSessions.set(result.session, life)
    } else if (result.kind === 'sessionsRenewed') {
      for (const renewed of result.renewals) {
        const life = this.sessions.get(renewed.session)
        if ('refusal' in renewed || life === undefined) continue
        assert(life.ended === null, () => `26: session ${renewed.session} was renewed after its end`)
        life.deadline = Math.max(life.deadline, time + renewed.ttlMs)
        life.claimed = true
      }
    } else if (result.kind === 'grantRenewed') {
      const grant = this.grants.get(result.token)
      if (grant === undefined || grant.deadline === null) return
      assert(grant.ended === null, () => `S1: token ${result.token} was renewed after its end`)
      grant.deadline = Math.max(grant.deadline, time + result.ttlMs)
      grant.claimed = true
    } else if (result.kind === 'released') {
      const grant = this.grants.get(result.token)
      if (grant !== undefined && grant.ended === null) this.#end(grant, end)
    }
  }

  /** What has ended, ended for a reason; what has a reason to have ended, has. */
  #checkEnds({ state, time, at }: AppliedEntry): void {
    for (const [session, life] of this.#liveSessions) {
      if (isLive(state, session)) continue
      assert(!life.claimed, () => `S5: session ${session} ended at ${time}, its deadline is ${life.deadline}`)
      this.#endSession(session, life, { at, time, asked: false })
    }
    for (const session of this.#sessionsEndedNow) {
      assert(!isLive(state, session), () => `L1: session ${session} lives on at ${time}, after its end`)
    }
    for (const grant of this.#endedNow)
      assert(!holds(state, grant), () => `L1: token ${grant.token} holds ${grant.lock} after its end`)
    for (const grant of this.#live) {
      const { holders } = viewLock(state, grant.lock)
      assert(holders.length <= 1, () => `S1: ${grant.lock} has ${holders.length} holders`)
      if (holds(state, grant)) continue
      const heldMs = time - grant.grantedAt
      const givenBack = !grant.claimed && (grant.session === null || heldMs >= unattendedGrantMs)
      assert(
        givenBack,
        () => `S5: token ${grant.token} ended at ${time}, ${heldMs} ms after the grant, without a reason`,
      )
      this.#end(grant, { at, time, asked: false })
    }
  }

  /** What this entry granted, be it answered to somebody or not. */
  #noteGrants(entry: AppliedEntry): void {
    const { state, index, time, outcomes, at } = entry
    const begun = new Map<Token, Grant>()
    const common = { index, grantedAt: time, claimed: false }
    for (const { name: lock, holder } of state.locks.values()) {
      if (holder === null || holder.token === null) continue
      const { token, id: requestId, sequence, ttlMs } = holder
      const session = holder.session?.id ?? null
      if (this.#isKnown({ token, lock, session, requestId }, null)) continue
      const deadline = session === null ? time + (ttlMs ?? 0) : null
      begun.set(token, { ...common, lock, session, requestId, token, deadline, ended: null })
      const [next] = viewLock(state, lock).queue
      assert(
        next === undefined || next.sequence > sequence,
        () => `L2: sequence ${sequence} was served before ${next?.sequence}`,
      )
    }
    for (const { result } of outcomes) {
      if (result.kind !== 'granted') continue
      // Granted, and ended on request within the same entry.
      const { lock, session, requestId, token } = result
      if (begun.has(token) || this.#isKnown(result, time)) continue
      begun.set(token, { ...common, lock, session, requestId, token, deadline: null, ended: { at, time, asked: true } })
    }
    for (const grant of [...begun.values()].sort((a, b) => a.token - b.token)) this.#begin(grant, time)
  }

  /** S2: a token is known by one grant only. Whoever is told of it may hear so in the entry that ended it, never later. */
  #isKnown(
    { token, lock, session, requestId }: Pick<Grant, 'token' | 'lock' | 'session' | 'requestId'>,
    toldAt: ClusterTime | null,
  ): boolean {
    const known = this.grants.get(token)
    if (known === undefined) return false
    const isSame = known.lock === lock && known.session === session && known.requestId === requestId
    assert(isSame, () => `S2: token ${token} was given to ${known.requestId} and to ${requestId}`)
    assert(
      known.ended === null || known.ended.time === toldAt,
      () => `S2: token ${token} was given again after its end`,
    )
    return true
  }

  #begin(grant: Grant, time: ClusterTime): void {
    const { token, session, lock } = grant
    assert(token > this.#lastToken, () => `S2: token ${token} was given after ${this.#lastToken}`)
    this.#lastToken = token
    for (const other of this.#live)
      assert(other.lock !== lock, () => `S1: token ${token} was given for ${lock}, which ${other.token} holds`)
    const life = session === null ? null : this.sessions.get(session)
    const isAlive =
      life === null ||
      (life !== undefined && (life.ended === null || (life.ended.time === time && grant.ended !== null)))
    assert(isAlive, () => `26: token ${token} was granted to session ${session}, which is over`)
    this.#checkOnce(grant)
    this.grants.set(token, grant)
    this.#byRequest.set(keyOf(grant), grant)
    if (grant.ended === null) this.#live.add(grant)
  }

  /** S4, H15: a request is granted anew only when somebody asked anew, after its grant had ended. */
  #checkOnce(grant: Grant): void {
    const key = keyOf(grant)
    const before = this.#byRequest.get(key)
    if (before === undefined) return
    const askedAt = this.#takenInAt.get(key) ?? 0
    const again = before.ended !== null && askedAt > before.ended.time
    assert(
      again,
      () => `S4: request ${key} was granted tokens ${before.token} and ${grant.token}, last asked for at ${askedAt}`,
    )
  }

  /** H3: nobody is assured of more than is left, counted from the entry that carried the attempt, less 1/400. */
  #checkValidity(origin: string, result: Result, { time }: AppliedEntry): void {
    if (result.kind === 'sessionOpened')
      this.#checkAssured(result.validForMs, this.sessions.get(result.session)?.deadline, time)
    if (result.kind === 'sessionsRenewed') {
      for (const renewed of result.renewals) {
        if ('refusal' in renewed) continue
        this.#checkAssured(renewed.validForMs, this.sessions.get(renewed.session)?.deadline, time)
      }
    }
    if (result.kind === 'grantRenewed')
      this.#checkAssured(result.validForMs, this.grants.get(result.token)?.deadline, time)
    if (result.kind !== 'granted') return
    const grant = this.grants.get(result.token)
    if (grant === undefined || grant.ended !== null) return
    const deadline = grant.session === null ? grant.deadline : this.sessions.get(grant.session)?.deadline
    this.#checkAssured(result.validForMs, deadline, this.#carriedAt.get(origin) ?? time)
  }

  #checkAssured(validForMs: number, deadline: number | null | undefined, since: ClusterTime): void {
    if (deadline === null || deadline === undefined) return
    const left = (deadline - since) * (1 - 1 / 400)
    assert(validForMs <= left || validForMs === 0, () => `S5: ${validForMs} ms assured, ${left} ms are left`)
  }

  #endSession(session: SessionId, life: SessionLife, end: End): void {
    life.ended = end
    this.#liveSessions.delete(session)
    this.#sessionsEndedNow.push(session)
    for (const grant of this.#live) if (grant.session === session) this.#end(grant, end)
  }

  #end(grant: Grant, end: End): void {
    grant.ended = end
    this.#live.delete(grant)
    this.#endedNow.push(grant)
  }
}

function isLive(state: LockState, session: SessionId): boolean {
  const record = state.sessions.get(session)
  return record !== undefined && !isSessionOver(record, state.time)
}

function holds(state: LockState, grant: Grant): boolean {
  return viewLock(state, grant.lock).holders[0]?.token === grant.token
}

function keyOf({ session, requestId }: { session: SessionId | null; requestId: RequestId }): string {
  return `${session} ${requestId}`
}
