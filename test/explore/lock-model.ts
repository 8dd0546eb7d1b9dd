// Every order of a few commands of three clients to two locks, with time passing between them, applied by the real lock
// table. Time passes to the next moment at which something is due. After every entry: what is true of every table
// (invariants.ts), tokens that only grow, no grant to a session that has ended, and above all S5: a client that was
// told of a grant holds it for as long as it was told.
import { assert, unreachable } from '../../src/assert.ts'
import { asClusterTime, asRun } from '../../src/ids.ts'
import type { SessionId } from '../../src/ids.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import type { TableEntry } from '../../src/lockfsm/apply.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import { nextDeadline } from '../../src/lockfsm/expiry.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import type { Granted, Outcome } from '../../src/lockfsm/outcome.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import type { LockState } from '../../src/lockfsm/state.ts'
import { decodeLocks, encodeLocks, locks, nodes, profiles, requestIdOf, tableOf, textsOf } from './lock-world.ts'
import type { Attempt, Belief, Client, LockBounds, LockWorld } from './lock-world.ts'
import type { Model } from './search.ts'

interface LockOfClient {
  readonly kind: 'acquire' | 'release' | 'cancel' | 'withdraw'
  readonly client: number
  readonly lock: number
}

export type LockAction =
  | LockOfClient
  | { readonly kind: 'renew' | 'close'; readonly client: number }
  | { readonly kind: 'nodeStarted'; readonly node: number }
  | { readonly kind: 'pass' }

/** `apply`, or what a test puts in its place. */
export type Table = (state: LockState, entry: TableEntry) => readonly Outcome[]

export function lockModel(bounds: LockBounds, table: Table = apply): Model<LockWorld, LockAction> {
  return {
    start: () => sessionsOpened(bounds),
    actions: actionsOf,
    perform: (world, action) => performOn(world, action, table),
    encode: encodeLocks,
    decode: decodeLocks,
    settle: (world) => decodeLocks(encodeLocks(world)),
    tell,
  }
}

/** Those who have sessions have opened and renewed them, so that only their deadlines end them. */
function sessionsOpened(left: LockBounds): LockWorld {
  const state = createState(defaultLimits)
  const seen = nodes.map(() => ({ run: 1, number: 0 }))
  const send = (node: number, command: Command): readonly Outcome[] => {
    const { run, number } = seen[node] ?? { run: 1, number: 0 }
    seen[node] = { run, number: number + 1 }
    return apply(state, entryOf(state, { node, run, number: number + 1 }, command))
  }
  const clients = profiles.map(({ name, node, hasSession, ttlMs }, client): Client => {
    const attempts = locks.map(() => [])
    const beliefs = locks.map(() => null)
    if (!hasSession) return { session: null, attempts, beliefs }
    const open = { kind: 'openSession', requestId: requestIdOf(client, 0), ttlMs, name, metadata: null } as const
    const [answer] = send(node, { ...open, takenInAt: state.time })
    assert(answer?.result.kind === 'sessionOpened', 'a session is opened')
    const { session } = answer.result
    send(node, { kind: 'renewSessions', renewals: [{ session, ttlMs: null }] })
    return { session, attempts, beliefs }
  })
  return { records: textsOf(state), nodes: seen, clients, left, lastToken: 0, isFirstNamed: false }
}

function entryOf(
  state: LockState,
  { node, run, number }: { node: number; run: number; number: number },
  command: Command,
): TableEntry {
  const origin = { node: at(nodes, node), run: asRun(run), number }
  return { time: state.time, commands: [{ origin, command }] }
}

function at<Each>(list: readonly Each[], place: number): Each {
  const each = list[place]
  assert(each !== undefined, `there is something at ${place}`)
  return each
}

function actionsOf({ left, clients, isFirstNamed }: LockWorld): readonly LockAction[] {
  const actions: LockAction[] = []
  if (left.passes > 0) actions.push({ kind: 'pass' })
  if (left.commands === 0) return actions
  nodes.forEach((_, node) => actions.push({ kind: 'nodeStarted', node }))
  clients.forEach(({ session, attempts, beliefs }, client) => {
    const holds = beliefs.some((belief) => belief !== null)
    if (session !== null || holds) actions.push({ kind: 'renew', client })
    if (session !== null) actions.push({ kind: 'close', client })
    locks.forEach((_, lock) => {
      // Locks differ in their names only, so the one that is named first may as well be the first.
      if (lock > 0 && !isFirstNamed) return
      actions.push({ kind: 'acquire', client, lock }, { kind: 'cancel', client, lock })
      if (at(beliefs, lock) !== null) actions.push({ kind: 'release', client, lock })
      if (at(attempts, lock).length > 0) actions.push({ kind: 'withdraw', client, lock })
    })
  })
  return actions
}

function performOn(world: LockWorld, action: LockAction, table: Table): LockWorld {
  const state = tableOf(world.records)
  const tokenBefore = state.nextToken
  const sending = action.kind === 'pass' ? null : commandOf(world, state, action)
  // Who asks for an end believes nothing any more from the moment of asking.
  const asked = sending === null ? world.clients : givenUp(world, state, action)
  const { outcomes, seen } = applyTo(world, state, { sending, table })
  checkState(state)
  checkLoaded(state)
  assert(state.nextToken >= tokenBefore, 'tokens only grow')
  let lastToken = world.lastToken
  let clients = asked
  for (const { to, result } of outcomes) {
    if (result.kind === 'granted') {
      checkGrant(state, result, lastToken)
      lastToken = Math.max(lastToken, result.token)
      clients = told(clients, result, to)
    }
    if (action.kind !== 'renew') continue
    if (result.kind === 'grantRenewed') clients = renewed(clients, action.client, state.time + result.validForMs)
    if (result.kind !== 'sessionsRenewed') continue
    for (const renewal of result.renewals) {
      if ('validForMs' in renewal) clients = renewed(clients, action.client, state.time + renewal.validForMs)
    }
  }
  checkBeliefs(state, clients)
  const { commands, passes } = world.left
  const left = sending === null ? { commands, passes: passes - 1 } : { commands: commands - 1, passes }
  const isFirstNamed = world.isFirstNamed || isAboutLock(action)
  return { records: textsOf(state), nodes: seen, clients, left, lastToken, isFirstNamed }
}

function applyTo(
  { nodes: before }: LockWorld,
  state: LockState,
  { sending, table }: { sending: Sending | null; table: Table },
): { outcomes: readonly Outcome[]; seen: LockWorld['nodes'] } {
  if (sending === null) {
    const due = nextDeadline(state)
    const time = asClusterTime(due === null ? state.time + 1_000 : Math.max(due, state.time))
    return { outcomes: table(state, { time, commands: [] }), seen: before }
  }
  const { node, run, number, command } = sending
  return { outcomes: table(state, entryOf(state, sending, command)), seen: before.with(node, { run, number }) }
}

interface Sending {
  readonly node: number
  readonly run: number
  readonly number: number
  readonly command: Command
}

function commandOf(world: LockWorld, state: LockState, action: Exclude<LockAction, { kind: 'pass' }>): Sending {
  const node = action.kind === 'nodeStarted' ? action.node : at(profiles, action.client).node
  const { run, number } = at(world.nodes, node)
  if (action.kind === 'nodeStarted') return { node, run: run + 1, number: 1, command: { kind: 'nodeStarted' } }
  return { node, run, number: number + 1, command: clientCommand(world, state, action) }
}

function clientCommand(
  { clients }: LockWorld,
  state: LockState,
  action: Exclude<LockAction, { kind: 'pass' | 'nodeStarted' }>,
): Command {
  const { session, attempts, beliefs } = at(clients, action.client)
  if (!isAboutLock(action)) {
    if (action.kind === 'close') return { kind: 'closeSession', session: known(session) }
    if (session !== null) return { kind: 'renewSessions', renewals: [{ session, ttlMs: null }] }
    const held = beliefs.findIndex((belief) => belief !== null)
    return { kind: 'renewGrant', lock: at(locks, held), token: known(at(beliefs, held)).token, ttlMs: null }
  }
  const lock = at(locks, action.lock)
  const requestId = requestIdOf(action.client, action.lock)
  const { kind } = action
  switch (kind) {
    case 'acquire': {
      const ttlMs = session === null ? at(profiles, action.client).ttlMs : null
      const waiting = { waitMs: 10_000, pollMs: 3_000, owner: null, metadata: null, takenInAt: state.time }
      return { kind: 'acquire', lock, session, requestId, mode: 'exclusive', ttlMs, ...waiting }
    }
    case 'cancel':
      return { kind: 'cancelRequest', lock, session, requestId }
    case 'release':
      return { kind: 'release', lock, token: known(at(beliefs, action.lock)).token, session }
    case 'withdraw': {
      const { number } = known(at(attempts, action.lock).at(-1) ?? null)
      return { kind: 'withdraw', attempts: [{ of: 'acquire', session, requestId, number }] }
    }
    default:
      return unreachable(kind)
  }
}

function isAboutLock(action: LockAction): action is LockOfClient {
  return 'lock' in action
}

function known<Each>(each: Each | null): Each {
  assert(each !== null, 'only what a client knows is chosen')
  return each
}

/** What the clients know when the command has been sent and nothing has come of it. */
function givenUp({ clients, nodes: seen }: LockWorld, state: LockState, action: LockAction): readonly Client[] {
  if (action.kind === 'pass' || action.kind === 'renew') return clients
  if (action.kind === 'nodeStarted') {
    const isThere = (client: number): boolean => at(profiles, client).node === action.node
    return clients.map((each, client) => (isThere(client) ? { ...each, attempts: locks.map(() => []) } : each))
  }
  const { client } = action
  const { session, attempts, beliefs } = at(clients, client)
  if (!('lock' in action)) return clients.with(client, { session, attempts, beliefs: locks.map(() => null) })
  const { lock } = action
  const own = at(attempts, lock)
  if (action.kind === 'acquire') {
    const attempt: Attempt = { number: at(seen, at(profiles, client).node).number + 1, at: state.time }
    return clients.with(client, { session, beliefs, attempts: attempts.with(lock, [...own, attempt]) })
  }
  if (action.kind === 'withdraw') {
    // It was not answered, so what it would have said was never believed.
    const isOf = at(beliefs, lock)?.number === own.at(-1)?.number
    const left = isOf ? beliefs.with(lock, null) : beliefs
    return clients.with(client, { session, attempts: attempts.with(lock, own.slice(0, -1)), beliefs: left })
  }
  return clients.with(client, { session, attempts, beliefs: beliefs.with(lock, null) })
}

/** Who asked hears of the grant, unless the node that it asked has started again. */
function told(clients: readonly Client[], grant: Granted, to: Outcome['to']): readonly Client[] {
  return clients.map((client, place) => {
    const lock = locks.findIndex((_, each) => requestIdOf(place, each) === grant.requestId)
    const attempt = lock === -1 ? undefined : at(client.attempts, lock).find(({ number }) => number === to.number)
    if (attempt === undefined || at(nodes, at(profiles, place).node) !== to.node) return client
    const before = at(client.beliefs, lock)
    const until = attempt.at + grant.validForMs
    const belief: Belief =
      before?.token === grant.token
        ? { ...before, until: Math.max(before.until, until) }
        : { token: grant.token, until, number: to.number }
    return { ...client, beliefs: client.beliefs.with(lock, belief) }
  })
}

function renewed(clients: readonly Client[], place: number, until: number): readonly Client[] {
  const client = at(clients, place)
  const isSession = client.session !== null
  const first = client.beliefs.findIndex((belief) => belief !== null)
  const beliefs = client.beliefs.map((belief, lock) =>
    belief !== null && (isSession || lock === first) ? { ...belief, until: Math.max(belief.until, until) } : belief,
  )
  return clients.with(place, { ...client, beliefs })
}

// ---- checks

function checkGrant(state: LockState, { lock, token, session }: Granted, lastToken: number): void {
  const isRepeated = state.locks.get(lock)?.holder?.token === token && token <= lastToken
  assert(isRepeated || token > lastToken, `token ${token} is granted after ${lastToken}`)
  assert(session === null || state.sessions.has(session), `a request of ${session}, which has ended, is granted`)
}

/** S5, and with it S1: as long as a client may believe that it holds a lock, it does. */
function checkBeliefs(state: LockState, clients: readonly Client[]): void {
  clients.forEach(({ beliefs }, place) => {
    beliefs.forEach((belief, lock) => {
      if (belief === null || belief.until <= state.time) return
      const holds = state.locks.get(at(locks, lock))?.holder?.token === belief.token
      assert(
        holds,
        `${at(profiles, place).name} holds ${locks[lock]} no more, but may believe so until ${belief.until}`,
      )
    })
  })
}

/** Records make the state again that they were taken from (H25); of some states, because it costs as much as a step. */
function checkLoaded(state: LockState): void {
  if ((state.nextToken + state.nextSequence) % 4 !== 0) return
  const texts = textsOf(state)
  const again = tableOf(texts)
  checkState(again)
  assert(textsOf(again).join('\n') === texts.join('\n'), 'records make the state that they were taken from')
}

function tell({ clients, left }: LockWorld, action: LockAction): string {
  switch (action.kind) {
    case 'pass':
      return `time passes until something is due (${left.passes - 1} times more at most)`
    case 'nodeStarted':
      return `${nodes[action.node]} starts again`
    case 'renew':
    case 'close': {
      const session: SessionId | null = at(clients, action.client).session
      return `${at(profiles, action.client).name}: ${action.kind} ${session ?? 'the grant'}`
    }
    default:
      return `${at(profiles, action.client).name}: ${action.kind} ${locks[action.lock]}`
  }
}
