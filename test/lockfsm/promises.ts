// The promises as a client can see them: judged by nothing but what was sent, what was answered, and the time between.
// S1 and S5: nobody else is granted a lock while an answer still stands by which its holder counts on it. S2: tokens
// grow and each belongs to one request. L2: per lock, those who are granted were in line in that order.
import type { NumberedCommand } from '../../src/lockfsm/command.ts'
import type { Granted, Outcome } from '../../src/lockfsm/outcome.ts'
import { nameOf } from './model.ts'

/** Until when an answer promised something, by the name of the attempt that it was given to. */
type Promised = Map<string, number>

export class Promises {
  private lastToken = 0
  private readonly grants = new Map<number, { request: string; session: string | null; promised: Promised }>()
  private readonly lastOnLock = new Map<string, { token: number; sequence: number }>()
  private readonly sessions = new Map<string, Promised>()
  private readonly carriedAt = new Map<string, number>()
  private readonly withdrawn = new Set<string>()
  private readonly waited = new Set<string>()
  /** Tokens, requests and sessions that somebody ended: their promises are void. */
  private readonly endedBySomebody = new Set<number | string>()

  check(time: number, commands: readonly NumberedCommand[], outcomes: readonly Outcome[]): void {
    for (const { origin } of commands) if (!this.carriedAt.has(nameOf(origin))) this.carriedAt.set(nameOf(origin), time)
    this.noteEnds(commands, outcomes)
    for (const { to, result } of outcomes) {
      const name = nameOf(to)
      if (result.kind === 'granted') this.checkGranted(time, name, result)
      else if (result.kind === 'grantRenewed')
        this.grants.get(result.token)?.promised.set(name, time + result.validForMs)
      else if (result.kind === 'sessionOpened') this.promise(result.session, name, time + result.validForMs)
      else if (result.kind === 'refused' && result.code === 'session_ended' && result.session !== null)
        this.checkEnded(time, result.session)
      else if (result.kind === 'sessionsRenewed') {
        for (const renewed of result.renewals) {
          if (!('refusal' in renewed)) this.promise(renewed.session, name, time + renewed.validForMs)
          else if (renewed.refusal === 'session_ended') this.checkEnded(time, renewed.session)
        }
      }
    }
  }

  private noteEnds(commands: readonly NumberedCommand[], outcomes: readonly Outcome[]): void {
    for (const { to, result } of outcomes) {
      const command = commands.find(({ origin }) => nameOf(origin) === nameOf(to))?.command
      if (command?.kind === 'acquire' && (result.kind === 'queued' || result.kind === 'stillWaiting')) {
        this.waited.add(`${command.session} ${command.requestId}`)
      } else if (result.kind === 'released') this.endedBySomebody.add(result.token)
      else if (command?.kind === 'closeSession') this.endedBySomebody.add(command.session)
      else if (command?.kind === 'cancelRequest' && result.kind === 'requestCancelled') {
        this.endedBySomebody.add(`${command.session} ${command.requestId}`)
      } else if (command?.kind === 'withdraw') {
        // Nobody was or will be answered with what a withdrawn attempt was told.
        for (const { number } of command.attempts) this.withdrawn.add(nameOf({ ...to, number }))
      }
    }
  }

  private checkGranted(time: number, name: string, granted: Granted): void {
    const { lock, token, sequence, session, requestId, validForMs } = granted
    const request = `${session} ${requestId}`
    const known = this.grants.get(token)
    if (known === undefined) {
      // Who waited may have been granted while nobody attended, and hears of his token later than of others'.
      if (token <= this.lastToken && !this.waited.has(request))
        throw new Error(`token ${token} after ${this.lastToken}`)
      const last = this.lastOnLock.get(lock)
      if (last !== undefined && (token <= last.token || sequence <= last.sequence))
        throw new Error(`${sequence} was granted after ${last.sequence}`)
      if (last !== undefined) this.checkFree(time, last.token)
      this.lastToken = Math.max(this.lastToken, token)
      this.lastOnLock.set(lock, { token, sequence })
      this.grants.set(token, { request, session, promised: new Map() })
    } else if (known.request !== request) throw new Error(`token ${token} was given twice`)
    const until = (this.carriedAt.get(name) ?? NaN) + validForMs
    this.grants.get(token)?.promised.set(name, until)
    if (session !== null) this.promise(session, name, until)
  }

  private checkFree(time: number, token: number): void {
    const grant = this.grants.get(token)
    if (
      grant === undefined ||
      [token, grant.request, grant.session ?? ''].some((name) => this.endedBySomebody.has(name))
    )
      return
    const until = this.lastOf(grant.promised)
    if (time < until) throw new Error(`the holder of token ${token} counts on it until ${until}, at ${time}`)
  }

  private checkEnded(time: number, session: string): void {
    const until = this.lastOf(this.sessions.get(session) ?? new Map())
    if (!this.endedBySomebody.has(session) && time < until)
      throw new Error(`session ${session} was promised until ${until}, at ${time}`)
  }

  private lastOf(promised: Promised): number {
    return Math.max(0, ...[...promised].filter(([name]) => !this.withdrawn.has(name)).map(([, until]) => until))
  }

  private promise(session: string, name: string, until: number): void {
    const promised = this.sessions.get(session) ?? new Map<string, number>()
    this.sessions.set(session, promised.set(name, until))
  }
}
