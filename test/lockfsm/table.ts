// A lock table under test, with the nodes that send to it. Every step is one entry; the state is checked after each
// (of a large table only when a test asks for it, because checking reads all of it).
// Durations and times are milliseconds of cluster time; nodes number their commands by themselves.
import { asClusterTime, asLockName, asNodeId, asRequestId, asRun, asSessionId, asToken } from '../../src/ids.ts'
import type { LockName, SessionId, Token } from '../../src/ids.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import type { Command, NumberedCommand, Origin, SessionRenewal, WithdrawnAttempt } from '../../src/lockfsm/command.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import type { Granted, Outcome, Result } from '../../src/lockfsm/outcome.ts'
import { fromRecords } from '../../src/lockfsm/load.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import type { Limits, LockState } from '../../src/lockfsm/state.ts'

export interface AcquireOptions {
  readonly lock?: string
  readonly session?: string
  readonly requestId?: string
  readonly ttlMs?: number
  readonly waitMs?: number
  readonly pollMs?: number
  readonly owner?: string
  readonly metadata?: string
  /** Cluster time that the node had applied; now when left out. */
  readonly takenInAt?: number
  readonly node?: string
}

/** What a command was and what was said to it in its own entry; later answers are asked of the table. */
export interface Sent {
  readonly origin: Origin
  readonly result: Result
}

export class Table {
  state: LockState
  private readonly limits: Limits
  private readonly nodes = new Map<string, { run: number; number: number }>()
  private readonly said: Outcome[] = []
  private named = 0

  constructor(limits: Partial<Limits> = {}) {
    this.limits = { ...defaultLimits, ...limits }
    this.state = createState(this.limits)
  }

  /** One entry at `time`, now when it is null. */
  entry(time: number | null, commands: readonly NumberedCommand[]): readonly Outcome[] {
    const outcomes = apply(this.state, { time: asClusterTime(time ?? this.state.time), commands })
    if (this.state.held + this.state.waiting < 5_000) checkState(this.state)
    for (const outcome of outcomes) this.said.push(outcome)
    return outcomes
  }

  /** An empty entry at `time`. */
  at(time: number): readonly Outcome[] {
    return this.entry(time, [])
  }

  numbered(command: Command, node = 'n1'): NumberedCommand {
    const life = this.lifeOf(node)
    life.number += 1
    return { origin: { node: asNodeId(node), run: asRun(life.run), number: life.number }, command }
  }

  send(command: Command, node = 'n1'): Sent {
    const numbered = this.numbered(command, node)
    const outcome = this.entry(null, [numbered]).find(({ to }) => sameOrigin(to, numbered.origin))
    if (outcome === undefined) throw new Error(`no outcome for ${JSON.stringify(numbered)}`)
    return { origin: numbered.origin, result: outcome.result }
  }

  /** The process of `node` starts again; the next command says so. */
  restart(node: string): void {
    const life = this.lifeOf(node)
    life.run += 1
    life.number = 0
  }

  /** All that was said to a command, in order. */
  answers(to: Sent): readonly Result[] {
    return this.said.filter((outcome) => sameOrigin(outcome.to, to.origin)).map(({ result }) => result)
  }

  /** The last that was said to a command. */
  answer(to: Sent): Result {
    const last = this.answers(to).at(-1)
    if (last === undefined) throw new Error('nothing was said')
    return last
  }

  /** Saves the state and loads it again from its records in another order. */
  reload(): void {
    this.state = fromRecords([...toRecords(this.state)].reverse(), this.limits)
    checkState(this.state)
  }

  open(ttlMs = 30_000, requestId = this.name('open'), node = 'n1'): string {
    const { result } = this.send(openSession({ ttlMs, requestId, takenInAt: this.state.time }), node)
    if (result.kind !== 'sessionOpened') throw new Error(`no session: ${JSON.stringify(result)}`)
    return result.session
  }

  acquire({ node = 'n1', ...options }: AcquireOptions = {}): Sent {
    return this.send(this.acquireCommand(options), node)
  }

  acquireCommand(options: Omit<AcquireOptions, 'node'>): Command {
    const { session, waitMs = 0 } = options
    return {
      kind: 'acquire',
      lock: asLockName(options.lock ?? 'x'),
      session: session === undefined ? null : asSessionId(session),
      requestId: asRequestId(options.requestId ?? this.name('request')),
      mode: 'exclusive',
      ttlMs: session === undefined ? (options.ttlMs ?? 30_000) : null,
      waitMs,
      pollMs: options.pollMs ?? 60_000,
      owner: options.owner ?? null,
      metadata: options.metadata ?? null,
      takenInAt: asClusterTime(options.takenInAt ?? this.state.time),
    }
  }

  /** Acquires and must be granted at once. */
  hold(options: AcquireOptions = {}): Granted {
    const { result } = this.acquire(options)
    if (result.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(result)}`)
    return result
  }

  release(token: number, { lock = 'x', session }: { lock?: string; session?: string } = {}): Result {
    return this.send({
      kind: 'release',
      lock: asLockName(lock),
      token: asToken(token),
      session: session === undefined ? null : asSessionId(session),
    }).result
  }

  renewGrant(token: number, { lock = 'x', ttlMs = null }: { lock?: string; ttlMs?: number | null } = {}): Result {
    return this.send({ kind: 'renewGrant', lock: asLockName(lock), token: asToken(token), ttlMs }).result
  }

  renew(...renewals: readonly (string | { session: string; ttlMs: number })[]): Result {
    const list: SessionRenewal[] = renewals.map((renewal) =>
      typeof renewal === 'string'
        ? { session: asSessionId(renewal), ttlMs: null }
        : { session: asSessionId(renewal.session), ttlMs: renewal.ttlMs },
    )
    return this.send({ kind: 'renewSessions', renewals: list }).result
  }

  close(session: string): Result {
    return this.send({ kind: 'closeSession', session: asSessionId(session) }).result
  }

  cancel(requestId: string, { lock = 'x', session }: { lock?: string; session?: string } = {}): Result {
    return this.send({
      kind: 'cancelRequest',
      lock: asLockName(lock),
      session: session === undefined ? null : asSessionId(session),
      requestId: asRequestId(requestId),
    }).result
  }

  /** The node of `attempt` withdraws it. */
  withdraw(
    attempt: Sent,
    requestId: string,
    { session, of = 'acquire' }: { session?: string; of?: WithdrawnAttempt['of'] } = {},
  ): Result {
    const { node, number } = attempt.origin
    const withdrawn = {
      of,
      session: session === undefined ? null : asSessionId(session),
      requestId: asRequestId(requestId),
      number,
    }
    return this.send({ kind: 'withdraw', attempts: [withdrawn] }, node).result
  }

  /** With the number that the state shows for the node, unless another is given. */
  nodeLost(node: string, run: number, { number, by = 'n1' }: { number?: number; by?: string } = {}): Result {
    const known = number ?? this.state.runs.get(asNodeId(node))?.number ?? 0
    return this.send({ kind: 'nodeLost', node: asNodeId(node), run: asRun(run), number: known }, by).result
  }

  /** Token of the present holder, as the state has it. */
  holder(lock = 'x'): Token | null {
    return this.state.locks.get(asLockName(lock))?.holder?.token ?? null
  }

  /** Ids of the requests in line. */
  queue(lock = 'x'): readonly string[] {
    return this.state.locks.get(asLockName(lock))?.queue.map(({ id }) => id) ?? []
  }

  private lifeOf(node: string): { run: number; number: number } {
    const life = this.nodes.get(node) ?? { run: 1, number: 0 }
    this.nodes.set(node, life)
    return life
  }

  private name(what: string): string {
    this.named += 1
    return `${what}-${String(this.named).padStart(12, '0')}`
  }
}

export function openSession(options: { ttlMs?: number; requestId: string; name?: string; takenInAt: number }): Command {
  return {
    kind: 'openSession',
    requestId: asRequestId(options.requestId),
    ttlMs: options.ttlMs ?? 30_000,
    name: options.name ?? null,
    metadata: null,
    takenInAt: asClusterTime(options.takenInAt),
  }
}

export function sameOrigin(a: Origin, b: Origin): boolean {
  return a.node === b.node && a.run === b.run && a.number === b.number
}

/** Records as one text each, sorted: equal for equal states, whatever order their Maps are in. */
export function sortedRecords(state: LockState): readonly string[] {
  return [...toRecords(state)].map((record) => JSON.stringify(record)).sort()
}

export const lockNamed = (name: string): LockName => asLockName(name)
export const sessionNamed = (id: string): SessionId => asSessionId(id)
