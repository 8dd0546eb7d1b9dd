// A small cluster as the exploration sees it: for every member the core's own state, its disk and what waits for that;
// the links between them; what may still happen; and what was said and committed so far, because promises are about
// the whole past and not only about now. Records here are replaced, not changed, but for the members that a step is
// about to change, which are made anew from the bytes first.
import { assert } from '../../src/assert.ts'
import { asIncarnation, asNodeId } from '../../src/ids.ts'
import type { Incarnation, Index, Io, NodeId, Term } from '../../src/ids.ts'
import type { Effect, Persist } from '../../src/raft/effect.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { Input } from '../../src/raft/input.ts'
import { windowFirst } from '../../src/raft/log.ts'
import { defaultRaftOptions } from '../../src/raft/state.ts'
import type { RaftOptions, RaftState } from '../../src/raft/state.ts'

/** `step`, or what a test puts in its place. */
export type Core = (state: RaftState, input: Input) => readonly Effect[]

export const memberIds: readonly NodeId[] = ['n1', 'n2', 'n3'].map(asNodeId)
export const memberCount = memberIds.length
export const incarnations = new Map(memberIds.map((id) => [id, incarnationOf(id)]))

export const raftOptions: RaftOptions = { ...defaultRaftOptions, commitNews: 'always' }
/** What every draw gives: timeouts in the middle of their range. */
export const draw = (): number => 0.5
export const drawnTimeoutMs = (raftOptions.electionTimeoutMinMs + raftOptions.electionTimeoutMaxMs) / 2

export const roleKinds = ['follower', 'preCandidate', 'candidate', 'leader'] as const
export const modes = ['probe', 'replicate', 'snapshot'] as const

export function idAt(place: number): NodeId {
  const id = memberIds[place]
  assert(id !== undefined, `there is a member at ${place}`)
  return id
}

export function incarnationOf(id: NodeId): Incarnation {
  return asIncarnation(`${id}.1`)
}

export function memberAt<Each>(members: readonly Each[], place: number): Each {
  const member = members[place]
  assert(member !== undefined, `there is a member at ${place}`)
  return member
}

/** Its position among the members. */
export function placeOf(id: NodeId): number {
  return memberIds.indexOf(id)
}

export interface World {
  readonly members: readonly Member[]
  /** What is under way from member to member, at `linkOf`: numbers of messages (raft-messages.ts), oldest first. */
  readonly links: readonly (readonly number[])[]
  readonly left: Left
  readonly past: Past
  /** Where the members stand in the encoding that this was decoded from. */
  readonly source: { readonly bytes: Uint8Array; readonly offsets: readonly number[] }
}

export interface Member {
  readonly state: RaftState
  disk: Disk
  /** Writes that are not durable, oldest first. */
  readonly queue: Persist[]
  /** Messages that wait for a write. */
  readonly outbox: Waiting[]
}

/** What survives a crash. */
export interface Disk {
  readonly term: Term
  readonly votedFor: NodeId | null
  readonly entries: readonly Entry[]
}

export interface Waiting {
  readonly to: number
  readonly after: Io
  readonly message: number
}

/** How often each may still happen. */
export interface Left {
  readonly commands: number
  readonly drops: number
  readonly duplicates: number
  readonly crashes: number
  readonly heartbeats: number
}

export interface Past {
  /** Who led term 1, 2, ...; null while nobody has. */
  readonly leaders: readonly (NodeId | null)[]
  /** Whom each member voted for in term 1, 2, ..., as it *said*. */
  readonly votes: readonly (readonly (NodeId | null)[])[]
  /** All that was ever committed, and the term of the leader that committed it. */
  readonly committed: readonly Entry[]
  readonly committedIn: readonly Term[]
}

export function linkOf(from: number, to: number): number {
  return from * memberCount + to
}

/** The whole log as its member sees it: bodies that are not in memory are on its disk. */
export function logOf({ state, disk }: Member): readonly Entry[] {
  const { window } = state.log
  const first = windowFirst(state.log)
  return first === 1 ? window : [...disk.entries.slice(0, first - 1), ...window]
}

/** Whether two logs are the same up to `index`, and reach it. */
export function agreeUpTo(a: readonly Entry[], b: readonly Entry[], index: Index | number): boolean {
  if (a.length < index || b.length < index) return false
  for (let position = 0; position < index; position++) {
    const [left, right] = [a[position], b[position]]
    if (left !== right && (left?.term !== right?.term || left?.payload[0] !== right?.payload[0])) return false
  }
  return true
}
