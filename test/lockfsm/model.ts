// The lock table as one would explain it: lists that are searched from the beginning, no index, no heap, no bound on
// what ends in an entry, and nothing shared with the code under test but the types. Slow, and short enough to be read
// against DESIGN 4 and 5. It foretells what is said to every command, but for positions and lengths of queues.
import type {
  Acquire,
  CancelRequest,
  Command,
  NumberedCommand,
  OpenSession,
  Origin,
  Release,
  RenewGrant,
} from '../../src/lockfsm/command.ts'
import type { ModelAttempt, ModelMemory, ModelRequest, ModelSession } from './model-records.ts'

/** Of an outcome what the model foretells; fields that do not apply are left out. */
export type Said = Readonly<Record<string, unknown>>

export class Model {
  private time = 0
  private nextSequence = 1
  private nextToken = 1
  private readonly runs = new Map<string, { run: number; number: number }>()
  private sessions: ModelSession[] = []
  private requests: ModelRequest[] = []
  private memories: ModelMemory[] = []
  private released: { lock: string; token: number; at: number }[] = []
  private readonly ended: { lock: string; token: number; how: string }[] = []
  private said: { to: string; said: Said }[] = []

  /** What is said in this entry, in no particular order. */
  apply(time: number, commands: readonly NumberedCommand[]): readonly { to: string; said: Said }[] {
    this.time = time
    this.said = []
    this.lapse()
    for (const { origin, command } of commands) {
      if (!this.isNew(origin)) continue
      const said = this.execute(origin, command)
      this.tell(nameOf(origin), said)
    }
    return this.said
  }

  private isNew({ node, run, number }: Origin): boolean {
    const known = this.runs.get(node) ?? { run: 0, number: 0 }
    if (run < known.run || (run === known.run && number <= known.number)) return false
    if (run > known.run) this.leave((name) => name.startsWith(`${node} `))
    this.runs.set(node, { run, number })
    return true
  }

  private lapse(): void {
    this.memories = this.memories.filter(({ at }) => this.isRemembered(at))
    this.released = this.released.filter(({ at }) => this.isRemembered(at))
    for (const wait of this.requests.filter(({ token }) => token === null)) {
      if (wait.session !== null && this.isOver(wait.session)) this.refuseAll(wait, { code: 'session_ended' })
      else if (wait.until <= this.time) this.refuseAll(wait, { code: 'wait_timeout' })
      else if (wait.session === null && wait.attempts.length === 0 && wait.emptySince + 2_000 <= this.time)
        this.drop(wait)
    }
    this.leave((_, until) => until <= this.time)
    for (const grant of this.requests.filter(({ token }) => token !== null)) {
      const { session } = grant
      if (session !== null && this.isOver(session))
        this.end(grant, session.deadline <= this.time ? 'expired' : 'unclaimed')
      else if (session === null && grant.until <= this.time) this.end(grant, 'expired')
      else if (this.isUnclaimed(grant)) this.end(grant, 'unclaimed')
    }
    for (const session of this.sessions.filter((each) => this.isOver(each))) this.forget(session)
    this.serve()
  }

  private isRemembered(at: number): boolean {
    return Math.floor(this.time / 10_000) - Math.floor(at / 10_000) < 7
  }

  private isOver(session: ModelSession): boolean {
    if (session.deadline <= this.time) return true
    return session.attempts.length === 0 && !session.isUsed && session.emptySince + 2_000 <= this.time
  }

  private isUnclaimed(grant: ModelRequest): boolean {
    const keptMs = grant.session === null ? 2_000 : 30_000
    return grant.attempts.length === 0 && !grant.isUsed && grant.emptySince + keptMs <= this.time
  }

  /** Attempts leave the requests that wait. */
  private leave(isLeaving: (name: string, until: number) => boolean): void {
    for (const wait of this.requests.filter(({ token }) => token === null)) {
      const leaving = wait.attempts.filter(({ name, until }) => isLeaving(name, until))
      for (const { name } of leaving) this.tell(name, leftOf(wait))
      if (leaving.length > 0) this.keep(wait, (attempt) => !leaving.includes(attempt))
    }
  }

  private keep(request: ModelRequest, isKept: (attempt: ModelAttempt) => boolean): void {
    const { attempts } = request
    request.attempts = attempts.filter(isKept)
    if (attempts.length > 0 && request.attempts.length === 0) request.emptySince = this.time
  }

  private serve(): void {
    for (const lock of [...new Set(this.requests.map((request) => request.lock))].sort()) {
      const all = this.requests.filter((request) => request.lock === lock)
      if (all.some(({ token }) => token !== null)) continue
      const [next] = all.sort((a, b) => a.sequence - b.sequence)
      if (next === undefined) continue
      this.hold(next)
      for (const { name, at } of next.attempts) this.tell(name, grantedTo(next, at))
    }
  }

  private hold(request: ModelRequest): void {
    request.token = this.nextToken++
    request.until = this.time + request.ttlMs
    if (request.session !== null && request.attempts.length === 0) request.emptySince = this.time
  }

  private end(grant: ModelRequest, how: string): void {
    this.drop(grant)
    const token = grant.token ?? NaN
    this.memories.push({ key: keyOf(grant.session, grant.id), at: this.time, how, token, lock: grant.lock })
    if (how === 'released') this.released.push({ lock: grant.lock, token, at: this.time })
    else this.ended.push({ lock: grant.lock, token, how })
  }

  private refuseAll(wait: ModelRequest, refusal: Said): void {
    this.drop(wait)
    for (const { name } of wait.attempts) this.tell(name, { kind: 'refused', ...refusal })
  }

  private drop(request: ModelRequest): void {
    this.requests = this.requests.filter((each) => each !== request)
  }

  private forget(session: ModelSession): void {
    this.sessions = this.sessions.filter((each) => each !== session)
    this.memories = this.memories.filter(({ key }) => !key.startsWith(`${session.id} `))
    this.memories.push({ key: `opening ${session.requestId}`, at: this.time, how: session.id, token: null, lock: null })
  }

  private tell(to: string, said: Said): void {
    this.said.push({ to, said })
  }

  private execute(origin: Origin, command: Command): Said {
    switch (command.kind) {
      case 'nodeStarted':
        return { kind: 'done' }
      case 'nodeLost':
        this.leave((name) => {
          const [node, run, number] = name.split(' ')
          if (node !== command.node || Number(run) > command.run) return false
          return Number(run) < command.run || Number(number) <= command.number
        })
        return { kind: 'done' }
      case 'openSession':
        return this.open(origin, command)
      case 'renewSessions':
        return {
          kind: 'sessionsRenewed',
          renewals: command.renewals.map(({ session, ttlMs }) => this.renew(session, ttlMs)),
        }
      case 'closeSession':
        return this.close(command.session)
      case 'acquire':
        return this.acquire(origin, command)
      case 'release':
        return this.release(command)
      case 'renewGrant':
        return this.renewGrant(command)
      case 'cancelRequest':
        return this.cancel(command)
      case 'withdraw':
        for (const { of, session, requestId, number } of command.attempts) {
          const name = nameOf({ ...origin, number })
          if (of === 'openSession') this.withdrawOpening(requestId, name)
          else
            for (const request of this.find(session, requestId)) this.keep(request, (attempt) => attempt.name !== name)
        }
        return { kind: 'done' }
    }
  }

  private open(origin: Origin, { requestId, ttlMs, takenInAt }: OpenSession): Said {
    if (this.time - takenInAt > 20_000) return { kind: 'refused', code: 'too_old' }
    const memory = this.memories.find(({ key }) => key === `opening ${requestId}`)
    if (memory !== undefined) return { kind: 'refused', code: 'session_ended', session: memory.how }
    let session = this.sessions.find((each) => each.requestId === requestId)
    const repeated = session !== undefined
    if (session === undefined) {
      const id = `s-${this.nextSequence++}`
      const deadline = this.time + ttlMs
      session = { id, requestId, askedTtlMs: ttlMs, ttlMs, deadline, attempts: [], emptySince: 0, isUsed: false }
      this.sessions.push(session)
    }
    if (session.askedTtlMs !== ttlMs) return { kind: 'refused', code: 'request_mismatch', field: 'ttlMs' }
    if (session.attempts.length >= 8) return { kind: 'refused', code: 'quota_exceeded', limit: 'attempts' }
    session.attempts.push(nameOf(origin))
    const validForMs = valid(session.deadline - this.time)
    return { kind: 'sessionOpened', session: session.id, ttlMs: session.ttlMs, validForMs, repeated }
  }

  private withdrawOpening(requestId: string, name: string): void {
    const session = this.sessions.find((each) => each.requestId === requestId)
    if (session === undefined || !session.attempts.includes(name)) return
    session.attempts = session.attempts.filter((each) => each !== name)
    if (session.attempts.length === 0) session.emptySince = this.time
  }

  private renew(id: string, ttlMs: number | null): Said {
    const session = this.session(id)
    if (typeof session === 'string') return { session: id, refusal: session }
    session.ttlMs = ttlMs ?? session.ttlMs
    session.deadline = Math.max(session.deadline, this.time + session.ttlMs)
    session.isUsed = true
    return { session: id, ttlMs: session.ttlMs, validForMs: valid(session.deadline - this.time) }
  }

  private close(id: string): Said {
    const session = this.session(id)
    if (typeof session === 'string') return { kind: 'done' }
    for (const request of this.requests.filter((each) => each.session === session)) {
      if (request.token === null) this.refuseAll(request, { code: 'session_ended' })
      else this.end(request, 'session_closed')
    }
    this.forget(session)
    this.serve()
    return { kind: 'done' }
  }

  private acquire(origin: Origin, command: Acquire): Said {
    const { lock, requestId, waitMs, pollMs, ttlMs, takenInAt } = command
    if (this.time - takenInAt > 20_000) return { kind: 'refused', code: 'too_old' }
    const session = command.session === null ? null : this.session(command.session)
    if (typeof session === 'string') return { kind: 'refused', code: session }
    if (session !== null) session.isUsed = true
    const attempt = { name: nameOf(origin), at: this.time, until: this.time + (session === null ? waitMs : pollMs) }

    const [known] = this.find(command.session, requestId)
    if (known !== undefined) {
      if (known.lock !== lock) return { kind: 'refused', code: 'request_mismatch', field: 'lock' }
      if (known.askedTtlMs !== ttlMs) return { kind: 'refused', code: 'request_mismatch', field: 'ttlMs' }
      if (known.attempts.length >= 8) return { kind: 'refused', code: 'quota_exceeded', limit: 'attempts' }
      if (known.token === null) known.until = Math.max(known.until, this.time + waitMs)
      return this.join(known, attempt)
    }
    const memory = this.memories.find(({ key }) => key === keyOf(session, requestId))
    if (isElsewhere(memory, lock)) return { kind: 'refused', code: 'request_mismatch', field: 'lock' }
    if (memory?.token === null) return { kind: 'refused', code: 'request_cancelled' }
    if (memory !== undefined)
      return { kind: 'refused', code: 'already_released', token: memory.token, endedBy: memory.how }
    const isFree = !this.requests.some((each) => each.lock === lock)
    if (!isFree && waitMs === 0) return { kind: 'refused', code: 'lock_held' }
    const request: ModelRequest = {
      id: requestId,
      lock,
      session,
      askedTtlMs: ttlMs,
      sequence: this.nextSequence++,
      attempts: [],
      emptySince: this.time,
      isUsed: false,
      token: null,
      ttlMs: ttlMs ?? 0,
      until: this.time + waitMs,
    }
    this.requests.push(request)
    if (isFree) this.hold(request)
    return this.join(request, attempt)
  }

  private join(request: ModelRequest, attempt: ModelAttempt): Said {
    if (request.token === null && attempt.until <= this.time) {
      request.emptySince = this.time
      return leftOf(request)
    }
    request.attempts.push(attempt)
    return request.token === null ? { kind: 'queued' } : grantedTo(request, attempt.at)
  }

  private release({ lock, token, session }: Release): Said {
    const grant = this.requests.find((each) => each.lock === lock && each.token === token)
    if (grant !== undefined && session !== null && session !== grant.session?.id) {
      return { kind: 'refused', code: 'token_stale', token, endedBy: 'unknown' }
    }
    if (grant !== undefined) {
      this.end(grant, 'released')
      this.serve()
      return { kind: 'released', token }
    }
    if (this.howEnded(lock, token) === 'released') return { kind: 'released', token }
    return { kind: 'refused', code: 'token_stale', token, endedBy: this.howEnded(lock, token) }
  }

  private renewGrant({ lock, token, ttlMs }: RenewGrant): Said {
    const grant = this.requests.find((each) => each.lock === lock && each.token === token)
    if (grant === undefined) return { kind: 'refused', code: 'token_stale', token, endedBy: this.howEnded(lock, token) }
    if (grant.session !== null) return { kind: 'refused', code: 'held_by_session', session: grant.session.id }
    grant.ttlMs = ttlMs ?? grant.ttlMs
    grant.until = Math.max(grant.until, this.time + grant.ttlMs)
    grant.isUsed = true
    return { kind: 'grantRenewed', token, ttlMs: grant.ttlMs, validForMs: valid(grant.until - this.time) }
  }

  private howEnded(lock: string, token: number): string {
    if (this.released.some((each) => each.lock === lock && each.token === token)) return 'released'
    return this.ended.find((each) => each.lock === lock && each.token === token)?.how ?? 'unknown'
  }

  private cancel({ lock, session: id, requestId }: CancelRequest): Said {
    const session = id === null ? null : this.session(id)
    if (session === 'session_unknown') return { kind: 'refused', code: session }
    if (session === 'session_ended') return { kind: 'requestCancelled', state: 'none' }
    const [request] = this.find(id, requestId)
    if (request === undefined) {
      const memory = this.memories.find(({ key }) => key === keyOf(session, requestId))
      if (isElsewhere(memory, lock)) return { kind: 'refused', code: 'request_mismatch', field: 'lock' }
      const how = memory?.how ?? 'none'
      if (memory === undefined)
        this.memories.push({ key: keyOf(session, requestId), at: this.time, how: 'refused', token: null, lock: null })
      return { kind: 'requestCancelled', state: how === 'withdrawn' || how === 'released' ? how : 'none' }
    }
    if (request.lock !== lock) return { kind: 'refused', code: 'request_mismatch', field: 'lock' }
    const state = request.token === null ? 'withdrawn' : 'released'
    if (request.token === null) {
      this.refuseAll(request, { code: 'request_cancelled' })
      this.memories.push({ key: keyOf(session, requestId), at: this.time, how: 'withdrawn', token: null, lock: null })
    } else this.end(request, 'released')
    this.serve()
    return { kind: 'requestCancelled', state }
  }

  private session(id: string): ModelSession | 'session_ended' | 'session_unknown' {
    const found = this.sessions.find((session) => session.id === id)
    if (found !== undefined) return found
    const isPast = Array.from({ length: this.nextSequence }, (_, sequence) => `s-${sequence}`).indexOf(id) > 0
    return isPast ? 'session_ended' : 'session_unknown'
  }

  private find(session: string | null, requestId: string): readonly ModelRequest[] {
    return this.requests.filter((request) => request.id === requestId && (request.session?.id ?? null) === session)
  }
}

export function nameOf({ node, run, number }: Origin): string {
  return `${node} ${run} ${number}`
}

function isElsewhere(memory: ModelMemory | undefined, lock: string): boolean {
  return memory !== undefined && memory.lock !== null && memory.lock !== lock
}

function keyOf(session: ModelSession | null, requestId: string): string {
  return `${session?.id ?? ''} ${requestId}`
}

function leftOf({ id, session, sequence }: ModelRequest): Said {
  return session === null
    ? { kind: 'detached', requestId: id }
    : { kind: 'stillWaiting', session: session.id, sequence }
}

function grantedTo({ id, lock, session, sequence, token, ttlMs, until }: ModelRequest, at: number): Said {
  const validForMs = valid((session?.deadline ?? until) - at)
  return {
    kind: 'granted',
    lock,
    token,
    session: session?.id ?? null,
    requestId: id,
    sequence,
    ttlMs: session?.ttlMs ?? ttlMs,
    validForMs,
  }
}

function valid(milliseconds: number): number {
  return Math.max(0, Math.floor(milliseconds * (1 - 1 / 400)) - 1)
}
