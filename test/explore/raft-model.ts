// Every interleaving of a small cluster: which choices there are in a world, and what becomes of it. The README says what
// is bounded, what is left out, and why.
import { unreachable } from '../../src/assert.ts'
import { asClusterTime, asIndex, asTerm } from '../../src/ids.ts'
import type { Term } from '../../src/ids.ts'
import { createRaft } from '../../src/raft/state.ts'
import type { RaftState } from '../../src/raft/state.ts'
import { step } from '../../src/raft/step.ts'
import { printEntries, printMessage } from '../support/raft-print.ts'
import { messageOf, payloadOf } from './raft-messages.ts'
import { decodeWorld, thaw } from './raft-read.ts'
import { Turn } from './raft-steps.ts'
import { encodeLeast } from './raft-symmetry.ts'
import {
  draw,
  drawnTimeoutMs,
  idAt,
  incarnationOf,
  incarnations,
  linkOf,
  memberAt,
  memberCount,
  memberIds,
  raftOptions,
} from './raft-world.ts'
import type { Core, Left, Member, World } from './raft-world.ts'
import { encodeWorld } from './raft-write.ts'
import type { Model } from './search.ts'

export interface RaftBounds extends Left {
  readonly terms: number
  /** `fifo`: a link keeps its order, like a connection. `any`: whatever is under way may arrive next. */
  readonly network: 'fifo' | 'any'
  /**
   * `nothing`: as founded. `elected`: n1 leads term 1, and everybody knows its first entry to be committed.
   * `uncommitted`: there is a second one on the disks of n1 and n2, of which nobody has heard since (Figure 8).
   */
  readonly from: 'nothing' | 'elected' | 'uncommitted'
}

export const smallestBounds: RaftBounds = {
  terms: 2,
  commands: 1,
  drops: 0,
  duplicates: 0,
  crashes: 0,
  heartbeats: 0,
  network: 'fifo',
  from: 'nothing',
}

export type RaftAction =
  | { readonly kind: 'deliver'; readonly link: number; readonly position: number; readonly late: boolean }
  | { readonly kind: 'duplicate' | 'drop'; readonly link: number; readonly position: number }
  | { readonly kind: 'write' | 'timeout' | 'heartbeat' | 'propose'; readonly place: number }
  | { readonly kind: 'crash'; readonly place: number; readonly durable: number }

// Beyond the drawn timeout, but short of what makes a disk slow; beyond any timeout; within one.
const timeoutMs = drawnTimeoutMs + 50
const quorumLostMs = raftOptions.electionTimeoutMaxMs + 100
const notStickyMs = raftOptions.electionTimeoutMinMs + 100

export function raftModel(bounds: RaftBounds, core: Core = step): Model<World, RaftAction> {
  const options = { core, sorted: bounds.network === 'any' }
  return {
    start: () => startOf(bounds),
    actions: (world) => actionsOf(world, bounds),
    perform: (world, action) => performOn(world, action, new Turn(world, options)),
    encode: encodeLeast,
    decode: decodeWorld,
    settle,
    tell: tellAction,
  }
}

/** Bytes that stay, with everybody at his place. */
function settle(world: World): World {
  return decodeWorld(encodeWorld(world, [0, 1, 2]).slice())
}

function founded({ terms, commands, drops, duplicates, crashes, heartbeats }: RaftBounds): World {
  const time = asClusterTime(0)
  const start = { index: asIndex(0), term: asTerm(0), time }
  const hardState = { currentTerm: asTerm(0), votedFor: null }
  const members = memberIds.map((self) => ({
    state: createRaft({
      self,
      members: memberIds,
      options: raftOptions,
      random: draw,
      now: 0,
      stored: { start, lastIndex: asIndex(0), lastTime: time, spans: [], notes: [], hardState },
      applied: asIndex(0),
      incarnations,
      incarnation: incarnationOf(self),
      counted: true,
      canServe: true,
    }),
    disk: { term: asTerm(0), votedFor: null, entries: [] },
    queue: [],
    outbox: [],
  }))
  const nobody = Array.from({ length: terms }, () => null)
  return settle({
    members,
    links: Array.from({ length: memberCount ** 2 }, () => []),
    left: { commands, drops, duplicates, crashes, heartbeats },
    past: { leaders: nobody, votes: memberIds.map(() => nobody), committed: [], committedIn: [] },
    source: { bytes: new Uint8Array(0), offsets: [] },
  })
}

function startOf(bounds: RaftBounds): World {
  if (bounds.from === 'nothing') return founded(bounds)
  const { left } = founded(bounds)
  const walk: Model<World, RaftAction> = raftModel({ ...bounds, commands: 1, from: 'nothing' })
  const act = (world: World, action: RaftAction): World => settle(walk.perform(world, action))
  let world = act(walk.start(), { kind: 'timeout', place: 0 })
  for (;;) {
    const next = walk.actions(world).find(({ kind }) => kind === 'deliver' || kind === 'write')
    if (next === undefined) break
    world = act(world, next)
  }
  if (bounds.from === 'elected') return settle({ ...world, left })
  world = act(world, { kind: 'propose', place: 0 })
  world = act(world, { kind: 'write', place: 0 })
  world = act(world, { kind: 'deliver', link: linkOf(0, 1), position: 0, late: false })
  world = act(world, { kind: 'write', place: 1 })
  return settle({ ...world, left, links: world.links.map(() => []) })
}

function actionsOf({ members, links, left }: World, bounds: RaftBounds): readonly RaftAction[] {
  const actions: RaftAction[] = []
  links.forEach((numbers, link) => {
    const last = bounds.network === 'fifo' ? Math.min(1, numbers.length) : numbers.length
    for (let position = 0; position < last; position++) {
      // The same message twice is one choice.
      if (numbers[position] === numbers[position - 1]) continue
      actions.push({ kind: 'deliver', link, position, late: false })
      if (isSticky(memberAt(members, link % memberCount), numbers[position] ?? 0)) {
        actions.push({ kind: 'deliver', link, position, late: true })
      }
      if (left.duplicates > 0) actions.push({ kind: 'duplicate', link, position })
      if (left.drops > 0) actions.push({ kind: 'drop', link, position })
    }
  })
  members.forEach(({ state, queue }, place) => {
    const { role } = state
    if (queue.length > 0) actions.push({ kind: 'write', place })
    if (mayTimeOut(state, bounds.terms)) actions.push({ kind: 'timeout', place })
    if (role.kind === 'leader' && left.heartbeats > 0) actions.push({ kind: 'heartbeat', place })
    if (role.kind === 'leader' && left.commands > 0) actions.push({ kind: 'propose', place })
    if (left.crashes === 0) return
    for (let durable = 0; durable <= queue.length; durable++) actions.push({ kind: 'crash', place, durable })
  })
  return actions
}

/** Whether it matters how long the receiver has heard nothing from its leader. */
function isSticky(receiver: Member, number: number): boolean {
  const message = messageOf(number)
  if (message.kind !== 'requestVote') return false
  const { role, currentTerm } = receiver.state
  return role.kind === 'follower' && role.leader !== null && message.term > currentTerm
}

function mayTimeOut({ role, currentTerm, self }: RaftState, terms: number): boolean {
  if (role.kind === 'leader') return true
  // A candidate whose vote is not stored waits on.
  return currentTerm < terms && (role.kind !== 'candidate' || role.grantedBy.has(self))
}

function performOn(world: World, action: RaftAction, turn: Turn): World {
  switch (action.kind) {
    case 'deliver':
    case 'duplicate': {
      const { link, position } = action
      const number = turn.take(link, position, action.kind === 'duplicate')
      if (action.kind === 'duplicate') turn.left = { ...turn.left, duplicates: turn.left.duplicates - 1 }
      const member = turn.thaw(world, link % memberCount)
      const now = action.kind === 'deliver' && action.late ? notStickyMs : 0
      turn.deliver(member, idAt(Math.floor(link / memberCount)), number, now)
      return turn.finish()
    }
    case 'drop':
      turn.take(action.link, action.position)
      turn.left = { ...turn.left, drops: turn.left.drops - 1 }
      return turn.finish()
    case 'write': {
      const member = turn.thaw(world, action.place)
      const { io } = member.queue[0] ?? { io: member.state.durability.doneIo }
      turn.write(member, 1)
      turn.give(member, { kind: 'persisted', io })
      return turn.finish()
    }
    case 'timeout': {
      const member = turn.thaw(world, action.place)
      turn.passTimeout(member, member.state.role.kind === 'leader' ? quorumLostMs : timeoutMs)
      return turn.finish()
    }
    case 'heartbeat':
      turn.left = { ...turn.left, heartbeats: turn.left.heartbeats - 1 }
      turn.give(turn.thaw(world, action.place), { kind: 'tick' }, raftOptions.heartbeatMs)
      return turn.finish()
    case 'propose': {
      const payload = payloadOf(turn.left.commands)
      turn.left = { ...turn.left, commands: turn.left.commands - 1 }
      turn.give(turn.thaw(world, action.place), { kind: 'propose', payload, note: null, exempt: false })
      return turn.finish()
    }
    case 'crash':
      turn.left = { ...turn.left, crashes: turn.left.crashes - 1 }
      turn.write(turn.thaw(world, action.place), action.durable)
      turn.restart(world, action.place)
      return turn.finish()
    default:
      return unreachable(action)
  }
}

function tellAction(world: World, action: RaftAction): string {
  if ('link' in action) {
    const { kind, link, position } = action
    const message = messageOf(world.links[link]?.[position] ?? 0)
    const [from, to] = [idAt(Math.floor(link / memberCount)), idAt(link % memberCount)]
    const how = { deliver: 'arrives', duplicate: 'arrives, and stays under way', drop: 'is lost' }[kind]
    const late = action.kind === 'deliver' && action.late ? ` after ${to} has heard no leader for a while` : ''
    return `${from} > ${to} ${how}${late}: ${printMessage(message)}`
  }
  const { kind, place } = action
  const id = idAt(place)
  const member = thaw(world, place)
  const term: Term = member.state.currentTerm
  switch (kind) {
    case 'write': {
      const { hardState, entries } = member.queue[0] ?? { hardState: null, entries: [] }
      const vote = hardState === null ? '' : ` term ${hardState.currentTerm} vote ${hardState.votedFor ?? 'none'}`
      return `${id} has stored${vote}${entries.length === 0 ? '' : ` entries ${printEntries(entries)}`}`
    }
    case 'timeout':
      return member.state.role.kind === 'leader' ? `${id} leads term ${term} unheard` : `${id} times out`
    case 'heartbeat':
      return `${id} begins a heartbeat round`
    case 'propose':
      return `${id} is given a command`
    case 'crash':
      return `${id} crashes, with ${action.durable} of ${member.queue.length} writes done, and starts again`
    default:
      return unreachable(kind)
  }
}
