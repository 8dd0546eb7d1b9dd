// Clients, nodes and their mischief for histories against the lock table: an action is a few numbers drawn by
// fast-check, and what it means depends on what is known by then, so that any list of actions is a history and
// shrinks to a shorter one.
import fc from 'fast-check'
import { asClusterTime, asLockName, asNodeId, asRequestId, asRun, asSessionId, asToken } from '../../src/ids.ts'
import type { LockName, RequestId, SessionId, Token } from '../../src/ids.ts'
import type {
  Acquire,
  Command,
  NumberedCommand,
  OpenSession,
  Origin,
  WithdrawnAttempt,
} from '../../src/lockfsm/command.ts'
import type { Outcome } from '../../src/lockfsm/outcome.ts'
import type { Limits } from '../../src/lockfsm/state.ts'

export interface Action {
  readonly what: (typeof actions)[number]
  readonly node: number
  /** Chooses among what is known; the newest have the lowest numbers. */
  readonly pick: number
  readonly chance: number
}

export interface WorldEntry {
  readonly movedMs: number
  readonly actions: readonly Action[]
  /** When given, the second copy is saved and loaded in an order drawn from it before the entry. */
  readonly reload: number | null
}

const actions = [
  ...Array.from({ length: 8 }, () => 'acquire' as const),
  ...Array.from({ length: 5 }, () => 'acquireAgain' as const),
  ...Array.from({ length: 3 }, () => 'release' as const),
  ...Array.from({ length: 3 }, () => 'withdraw' as const),
  ...Array.from({ length: 3 }, () => 'renew' as const),
  ...(['open', 'open', 'openAgain', 'close', 'renewGrant', 'cancel', 'cancel', 'resend', 'restart', 'lose'] as const),
] as const

export const anyWorld: fc.Arbitrary<readonly WorldEntry[]> = fc.array(
  fc.record({
    movedMs: fc.oneof(
      { weight: 8, arbitrary: fc.nat(300) },
      fc.constantFrom(0, 500, 1_000, 2_000, 5_000, 30_000, 80_000),
    ),
    actions: fc.array(
      fc.record({
        what: fc.constantFrom(...actions),
        node: fc.nat(2),
        pick: fc.oneof(fc.nat(2), fc.nat(30)),
        chance: fc.nat(999),
      }),
      { maxLength: 4 },
    ),
    reload: fc.option(fc.nat(), { freq: 6, nil: null }),
  }),
  { maxLength: 150, size: 'max' },
)

/** Reached in most histories, so that what is refused and what is forgotten first must be alike, too. */
export const tightLimits: Limits = {
  sessionsMax: 4,
  perSessionMax: 3,
  waitersPerLockMax: 2,
  sessionlessMax: 3,
  attemptsMax: 3,
  rememberedMax: 12,
  endedTokensMax: 3,
}

export class World {
  private readonly nodes = [1, 2, 3].map((index) => ({ node: asNodeId(`n${index}`), run: 1, number: 0 }))
  private readonly openings: OpenSession[] = []
  private readonly sessions: SessionId[] = []
  private readonly acquires: Acquire[] = []
  private readonly attempts: { origin: Origin; withdrawn: WithdrawnAttempt }[] = []
  private readonly tokens: { lock: LockName; token: Token; session: SessionId | null }[] = []
  private readonly sent: NumberedCommand[] = []
  private named = 0

  /** What the nodes send, at a time that they know of. */
  commands(actions: readonly Action[], time: number): readonly NumberedCommand[] {
    return actions.map((action) => this.numbered(action, time))
  }

  /** The clients learn from what they are told. */
  learn(outcomes: readonly Outcome[]): void {
    for (const { result } of outcomes) {
      if (result.kind === 'sessionOpened' && !result.repeated) this.sessions.push(result.session)
      if (result.kind === 'granted') this.tokens.push(result)
    }
  }

  private numbered(action: Action, time: number): NumberedCommand {
    const life = this.nodes[action.node]
    if (life === undefined) throw new Error('there are three nodes')
    const old = newest(this.sent, action.pick)
    if (action.what === 'resend' && old !== null) return old
    if (action.what === 'restart') Object.assign(life, { run: life.run + 1, number: 0 })
    const command = this.command(action, time, asRun(life.run))
    life.number += 1
    const origin = { node: life.node, run: asRun(life.run), number: life.number }
    const numbered = { origin, command }
    this.sent.push(numbered)
    if (command.kind === 'acquire') {
      this.attempts.push({ origin, withdrawn: { of: 'acquire', ...pickRequest(command), number: life.number } })
    } else if (command.kind === 'openSession') {
      this.attempts.push({
        origin,
        withdrawn: { of: 'openSession', session: null, requestId: command.requestId, number: life.number },
      })
    }
    return numbered
  }

  private command(action: Action, time: number, run: Origin['run']): Command {
    const { what, node, pick, chance } = action
    const takenInAt = asClusterTime(time - (chance % 37 === 0 ? 20_001 : 0))
    switch (what) {
      case 'open': {
        const ttlMs = choose([2_500, 15_000, 60_000], chance)
        const opening: OpenSession = {
          kind: 'openSession',
          requestId: this.name('o'),
          ttlMs,
          name: null,
          metadata: null,
          takenInAt,
        }
        this.openings.push(opening)
        return opening
      }
      case 'openAgain': {
        const known = newest(this.openings, pick)
        return known === null ? started : { ...known, takenInAt, ttlMs: chance % 11 === 0 ? 4_000 : known.ttlMs }
      }
      case 'acquire':
        return this.newAcquire(action, takenInAt)
      case 'acquireAgain': {
        const known = newest(this.acquires, pick)
        if (known === null) return started
        const lock = chance % 13 === 0 ? asLockName('other') : known.lock
        return {
          ...known,
          lock,
          takenInAt,
          waitMs: choose([0, 700, 9_000], chance),
          pollMs: choose([0, 400, 9_000], chance >> 2),
        }
      }
      case 'renew': {
        const ttlMs = chance % 3 === 0 ? choose([1_000, 8_000], chance) : null
        const renewals = [0, 1].flatMap((more) => newest(this.sessions, pick + more) ?? [])
        return { kind: 'renewSessions', renewals: renewals.map((session) => ({ session, ttlMs })) }
      }
      case 'close':
        return { kind: 'closeSession', session: newest(this.sessions, pick) ?? asSessionId('s-0') }
      case 'release': {
        const known = newest(this.tokens, pick) ?? { lock: asLockName('a'), token: asToken(1), session: null }
        const session = choose([null, null, known.session, newest(this.sessions, pick)], chance)
        return { kind: 'release', lock: known.lock, token: known.token, session }
      }
      case 'renewGrant': {
        const known = newest(this.tokens, pick) ?? { lock: asLockName('a'), token: asToken(1) }
        return { kind: 'renewGrant', lock: known.lock, token: known.token, ttlMs: choose([null, 1_000, 9_000], chance) }
      }
      case 'cancel': {
        const known = newest(this.acquires, pick)
        const requestId = known === null || chance % 5 === 0 ? asRequestId(`unseen-${pick}`) : known.requestId
        const lock = known === null || chance % 17 === 0 ? asLockName('other') : known.lock
        return { kind: 'cancelRequest', lock, session: known?.session ?? null, requestId }
      }
      case 'withdraw': {
        const own = this.attempts.filter(({ origin }) => origin.node === this.nodes[node]?.node && origin.run === run)
        return { kind: 'withdraw', attempts: [0, 3].flatMap((more) => newest(own, pick + more)?.withdrawn ?? []) }
      }
      case 'lose': {
        const lost = this.nodes[pick % 3] ?? this.nodes[0]
        if (lost === undefined) return started
        // Sometimes said long ago: of an earlier run, or before its last commands.
        const number = Math.max(0, lost.number - (chance % 5))
        return { kind: 'nodeLost', node: lost.node, run: asRun(lost.run - (chance % 2)), number }
      }
      case 'restart':
      case 'resend':
        return started
    }
  }

  private newAcquire({ pick, chance }: Action, takenInAt: Acquire['takenInAt']): Acquire {
    const session = chance % 3 === 0 ? null : newest(this.sessions, pick)
    const acquire: Acquire = {
      kind: 'acquire',
      lock: asLockName(choose(['a', 'a', 'b', 'c'], chance >> 3)),
      session,
      requestId: this.name('r'),
      mode: 'exclusive',
      ttlMs: session === null ? choose([1_500, 6_000, 20_000], chance) : null,
      waitMs: choose([0, 3_000, 20_000, 60_000], chance >> 1),
      pollMs: choose([0, 500, 4_000, 90_000], chance >> 2),
      owner: null,
      metadata: null,
      takenInAt,
    }
    this.acquires.push(acquire)
    return acquire
  }

  private name(kind: string): RequestId {
    this.named += 1
    return asRequestId(`${kind}-${this.named}`)
  }
}

const started: Command = { kind: 'nodeStarted' }

function pickRequest({ session, requestId }: Acquire): { session: SessionId | null; requestId: RequestId } {
  return { session, requestId }
}

function newest<T>(list: readonly T[], pick: number): T | null {
  return list[list.length - 1 - (pick % Math.max(1, list.length))] ?? null
}

function choose<T>(list: readonly T[], by: number): T {
  const chosen = list[by % list.length]
  if (chosen === undefined) throw new Error('there is something to choose')
  return chosen
}

/** In an order drawn from `seed`. */
export function shuffled<T>(list: readonly T[], seed: number): readonly T[] {
  let random = seed
  return list
    .map((item) => ({ item, place: (random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0) }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}
