// One Raft core for unit tests, n1 of a cluster whose other members are the test itself: a state is reached by inputs
// that can really happen, then one input is given and its effects are looked at, as short lines. `checkState` runs
// after each.
import { asClusterTime, asIncarnation, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import type { Index, Io, NodeId } from '../../src/ids.ts'
import type { Effect } from '../../src/raft/effect.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { Input } from '../../src/raft/input.ts'
import { checkState } from '../../src/raft/invariants.ts'
import type {
  AppendAccepted,
  AppendEntries,
  AppendRejected,
  Message,
  PreVote,
  PreVoteResponse,
  RequestVote,
  RequestVoteResponse,
} from '../../src/raft/message.ts'
import { createRaft, defaultRaftOptions } from '../../src/raft/state.ts'
import type { RaftOptions, RaftState } from '../../src/raft/state.ts'
import { step } from '../../src/raft/step.ts'
import { firstDiskOf } from './raft-founding.ts'
import { printEffect, printMessage } from './raft-print.ts'
import { createImage, storedLogOf } from './raft-log-image.ts'
import type { Happening } from './raft-world.ts'

export interface Core {
  readonly state: RaftState
  now: number
  /** The newest write asked for. */
  lastIo: Io | null
}

export interface Start {
  readonly members?: number
  readonly term?: number
  readonly votedFor?: string
  /** Terms of the entries on its disk; with `start` those behind it. */
  readonly log?: readonly number[]
  /** Index and term of what its log and its checkpoint start at. */
  readonly start?: readonly [index: number, term: number]
  /** By which entry it knows that it counts. */
  readonly counted?: Index | null
  readonly canServe?: boolean
  /** Which disk it has, and which of others are in force at the start, when not those of the founding. */
  readonly disk?: string
  readonly inForce?: Readonly<Record<string, string>>
  readonly options?: Partial<RaftOptions>
  readonly random?: () => number
}

/** n1 as it boots with what is on its disk. Its election timeout is 500 ms unless `random` says otherwise. */
export function startCore({
  members = 3,
  term = 0,
  votedFor,
  log = [],
  start = [0, 0],
  counted = asIndex(0),
  canServe = true,
  disk = 'n1.1',
  inForce = {},
  options = {},
  random = () => 0,
}: Start = {}): Core {
  const hardState = { currentTerm: asTerm(term), votedFor: votedFor === undefined ? null : asNodeId(votedFor) }
  const ids = Array.from({ length: members }, (_, position) => asNodeId(`n${position + 1}`))
  const trimmed = Array.from({ length: start[0] }, () => start[1])
  const image = createImage(new Map(), entriesFrom(1, [...trimmed, ...log]))
  image.start = asIndex(start[0])
  const stored = { ...storedLogOf(image), hardState }
  const setup = {
    self: asNodeId('n1'),
    members: ids,
    options: { ...defaultRaftOptions, commitNews: 'always' as const, ...options },
    random,
    now: 0,
    stored,
    applied: image.start,
    incarnation: asIncarnation(disk),
    incarnations: new Map(ids.map((id) => [id, asIncarnation(inForce[id] ?? firstDiskOf(id))])),
    counted,
    canServe,
  }
  return { state: createRaft(setup), now: 0, lastIo: null }
}

/** Entries of the given terms from `index` on. */
export function entriesFrom(index: number, terms: readonly number[], payload = ''): Entry[] {
  return terms.map((term, position) => {
    const bytes = new Uint8Array(Buffer.from(payload, 'latin1'))
    return { index: asIndex(index + position), term: asTerm(term), time: asClusterTime(0), payload: bytes }
  })
}

/** One input, at the core's present time. */
export function give(core: Core, happening: Happening): readonly Effect[] {
  const effects = step(core.state, { ...happening, now: core.now } as Input)
  checkState(core.state)
  for (const effect of effects) if ('io' in effect) core.lastIo = effect.io
  return effects
}

/** From `from` as it was founded, or as another of its disks, or as none. */
export function receive(
  core: Core,
  from: string,
  message: Message,
  as: string | null = `${from}.1`,
  since = core.state.log.lastIndex,
): readonly Effect[] {
  const standing = as === null ? null : { disk: asIncarnation(as), since }
  return give(core, { kind: 'message', from: asNodeId(from), as: standing, message })
}

/** `ms` later the turn ends. */
export function tickAfter(core: Core, ms: number): readonly Effect[] {
  core.now += ms
  return give(core, { kind: 'tick' })
}

/** A snapshot has come that ends with that entry, and says whose disks count there. */
export function receiveSnapshot(
  core: Core,
  [index, term]: readonly [index: number, term: number],
  given: { senderTerm?: number; inForce?: Readonly<Record<string, string>> } = {},
): readonly Effect[] {
  const { inForce = {}, senderTerm = core.state.currentTerm } = given
  const incarnations = new Map(core.state.members.map((id) => [id, asIncarnation(inForce[id] ?? firstDiskOf(id))]))
  const snapshot = { index: asIndex(index), term: asTerm(term), time: asClusterTime(0), incarnations }
  return give(core, { kind: 'snapshotReceived', snapshot, senderTerm: asTerm(senderTerm) })
}

/** Every write asked for so far is durable. */
export function persistAll(core: Core): readonly Effect[] {
  const { lastIo } = core
  return lastIo === null || lastIo === core.state.durability.doneIo ? [] : give(core, { kind: 'persisted', io: lastIo })
}

export function propose(core: Core, payload: string, exempt = false): readonly Effect[] {
  return give(core, { kind: 'propose', payload: new Uint8Array(Buffer.from(payload, 'latin1')), note: null, exempt })
}

// ---- reaching a role, by the road that leads there

export function becomeFollowerOf(core: Core, leader: string, term: number): void {
  receive(core, leader, append({ term, round: 1 }))
  persistAll(core)
}

export function becomePreCandidate(core: Core): void {
  tickAfter(core, 1000)
}

export function becomeCandidate(core: Core): void {
  becomePreCandidate(core)
  const term = core.state.currentTerm + 1
  for (const peer of majorityOfPeers(core)) {
    receive(core, peer, preVoteResponse({ term, poll: core.state.poll, granted: true }))
  }
}

/** Leads the next term; its own writes are durable, nobody has acknowledged anything, the first round is on its way. */
export function becomeLeader(core: Core): readonly Effect[] {
  becomeCandidate(core)
  persistAll(core)
  for (const peer of majorityOfPeers(core)) {
    receive(core, peer, requestVoteResponse({ term: core.state.currentTerm, granted: true }))
  }
  persistAll(core)
  return tickAfter(core, 0)
}

/** The fewest peers that make a majority together with n1. */
export function majorityOfPeers({ state }: Core): NodeId[] {
  return state.members.slice(1, Math.floor(state.members.length / 2) + 1)
}

/** The role under its name, for a test that knows it. */
export function roleOf<Kind extends RaftState['role']['kind']>(
  { state }: Core,
  kind: Kind,
): Extract<RaftState['role'], { kind: Kind }> {
  if (state.role.kind !== kind) throw new Error(`n1 is ${state.role.kind}, not ${kind}`)
  return state.role as Extract<RaftState['role'], { kind: Kind }>
}

// ---- messages

export function append(given: {
  term: number
  round?: number
  after?: readonly [index: number, term: number]
  entries?: readonly Entry[]
  commit?: number
}): AppendEntries {
  const [prevLogIndex, prevLogTerm] = given.after ?? [0, 0]
  return {
    kind: 'appendEntries',
    term: asTerm(given.term),
    prevLogIndex: asIndex(prevLogIndex),
    prevLogTerm: asTerm(prevLogTerm),
    entries: given.entries ?? [],
    leaderCommit: asIndex(given.commit ?? 0),
    round: given.round ?? 1,
  }
}

export function accepted(given: { term: number; match: number; round?: number }): AppendAccepted {
  return { kind: 'appendAccepted', term: asTerm(given.term), round: given.round ?? 1, matchIndex: asIndex(given.match) }
}

export function rejected(given: {
  term: number
  at: number
  hint: readonly [number, number]
  round?: number
}): AppendRejected {
  const [hintIndex, hintTerm] = given.hint
  return {
    kind: 'appendRejected',
    term: asTerm(given.term),
    round: given.round ?? 1,
    rejectedIndex: asIndex(given.at),
    hintIndex: asIndex(hintIndex),
    hintTerm: asTerm(hintTerm),
  }
}

export function preVote(given: { term: number; last?: readonly [number, number]; poll?: number }): PreVote {
  const [lastLogIndex, lastLogTerm] = given.last ?? [0, 0]
  const last = { lastLogIndex: asIndex(lastLogIndex), lastLogTerm: asTerm(lastLogTerm) }
  return { kind: 'preVote', term: asTerm(given.term), poll: given.poll ?? 1, ...last }
}

export function preVoteResponse(given: { term: number; poll: number; granted: boolean }): PreVoteResponse {
  return { kind: 'preVoteResponse', ...given, term: asTerm(given.term) }
}

export function requestVote(given: {
  term: number
  last?: readonly [number, number]
  transfer?: boolean
}): RequestVote {
  const [lastLogIndex, lastLogTerm] = given.last ?? [0, 0]
  const last = { lastLogIndex: asIndex(lastLogIndex), lastLogTerm: asTerm(lastLogTerm) }
  return { kind: 'requestVote', term: asTerm(given.term), ...last, transfer: given.transfer ?? false }
}

export function requestVoteResponse(given: { term: number; granted: boolean }): RequestVoteResponse {
  return { kind: 'requestVoteResponse', ...given, term: asTerm(given.term) }
}

// ---- effects as lines

/** `-> n2 requestVote ...` for a message, `... (after write 3)` for one that waits, the script's words for the rest. */
export function lines(effects: readonly Effect[]): string[] {
  return effects.map((effect) => {
    if (effect.kind !== 'send') return printEffect(effect)?.text ?? effect.kind
    return `-> ${effect.to} ${printMessage(effect.message)}${effect.after === null ? '' : ` (after write ${effect.after})`}`
  })
}

/** Only the messages. */
export function sent(effects: readonly Effect[]): string[] {
  return lines(effects.filter(({ kind }) => kind === 'send'))
}
