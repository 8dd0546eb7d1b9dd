// A world to bytes. What is not in the bytes does not matter, because every step begins with what was made from them
// (raft-read.ts); it is left out on purpose:
//
// - Time. Every member's clock stands at 0 with all deadlines in the future; what time brings comes as a choice.
// - Numbers of writes count from the last completed one.
// - Polls: they find a majority at once (raft-steps.ts).
//
// What the exploration does not reach (snapshots, reads, transfers, replaced disks) is asserted to be absent.
import { assert, unreachable } from '../../src/assert.ts'
import type { Index, NodeId } from '../../src/ids.ts'
import type { Persist } from '../../src/raft/effect.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { Leader, RaftState } from '../../src/raft/state.ts'
import { codeOf } from './raft-messages.ts'
import { linkOf, memberIds, modes, placeOf, roleKinds } from './raft-world.ts'
import type { World } from './raft-world.ts'

/** One buffer for all: what `finish` returns is to be used before the next `begin`. */
class Writer {
  readonly #bytes = new Uint8Array(65_536)
  #length = 0

  begin(): void {
    this.#length = 0
  }

  byte(value: number): void {
    assert(value >= 0 && value < 256, `${value} fits into a byte`)
    this.#bytes[this.#length++] = value
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}

const writer = new Writer()

/** `order` says which member stands at each place. */
export function encodeWorld(world: World, order: readonly number[]): Uint8Array {
  const rank: number[] = []
  order.forEach((place, at) => (rank[place] = at))
  writer.begin()
  const out = new Out(rank)
  for (const place of order) writeMember(out, world, place, order)
  for (const from of order) {
    for (const to of order) {
      if (from === to) continue
      const link = world.links[linkOf(from, to)] ?? []
      writer.byte(link.length)
      for (const number of link) out.pair(number)
    }
  }
  const { left, past } = world
  for (const count of [left.commands, left.drops, left.duplicates, left.crashes, left.heartbeats]) writer.byte(count)
  writer.byte(past.leaders.length)
  for (const id of past.leaders) out.id(id)
  for (const place of order) for (const id of past.votes[place] ?? []) out.id(id)
  out.entries(past.committed)
  for (const term of past.committedIn) writer.byte(term)
  return writer.finish()
}

class Out {
  readonly #rank: readonly number[]

  constructor(rank: readonly number[]) {
    this.#rank = rank
  }

  id(id: NodeId | null): void {
    writer.byte(id === null ? 0 : 1 + this.place(placeOf(id)))
  }

  place(place: number): number {
    return this.#rank[place] ?? 0
  }

  pair(value: number): void {
    writer.byte(value >>> 8)
    writer.byte(value & 255)
  }

  entries(entries: readonly Entry[]): void {
    writer.byte(entries.length)
    for (const entry of entries) writer.byte(codeOf(entry))
  }
}

function writeMember(out: Out, world: World, place: number, order: readonly number[]): void {
  const member = world.members[place]
  assert(member !== undefined, 'every place has a member')
  const { state, disk, queue, outbox } = member
  const { durability } = state
  const done = durability.doneIo
  writer.byte(disk.term)
  out.id(disk.votedFor)
  out.entries(disk.entries)
  writer.byte(state.currentTerm)
  out.id(state.votedFor)
  out.id(state.leaderOfTerm)
  out.entries(state.log.window)
  writer.byte(state.log.lastIndex)
  assert(durability.lastIo - done === queue.length, 'every write that is not done is in the queue')
  writer.byte(Math.max(0, durability.hardStateIo - done))
  writer.byte(durability.durableIndex)
  writer.byte(durability.unsynced.length)
  for (const { firstIndex, io } of durability.unsynced) {
    writer.byte(firstIndex)
    writer.byte(io - done)
  }
  assert(state.appliedIndex === state.commitIndex && state.loads.size === 0, 'what is committed is applied at once')
  writer.byte(state.commitIndex)
  writer.byte(state.roundHeard + 1)
  writeRole(out, state, order)
  writer.byte(queue.length)
  for (const write of queue) writePersist(out, write)
  writer.byte(outbox.length)
  // Only among those to one member does the order matter.
  for (const { to, after, message } of outbox.toSorted((a, b) => out.place(a.to) - out.place(b.to))) {
    writer.byte(out.place(to))
    writer.byte(after - done)
    out.pair(message)
  }
}

function writePersist(out: Out, { hardState, truncateFrom, entries, trimTo }: Persist): void {
  assert(trimTo === null, 'trims are not explored')
  writer.byte(hardState === null ? 255 : hardState.currentTerm)
  if (hardState !== null) out.id(hardState.votedFor)
  writer.byte(truncateFrom ?? 0)
  writer.byte(entries[0]?.index ?? 0)
  out.entries(entries)
}

function writeRole(out: Out, state: RaftState, order: readonly number[]): void {
  const { role } = state
  writer.byte(roleKinds.indexOf(role.kind))
  switch (role.kind) {
    case 'follower':
      out.id(role.leader)
      writer.byte(role.verifiedIndex)
      writer.byte(role.acknowledgedIndex)
      writer.byte(role.leaderCommit)
      return
    case 'preCandidate':
      assert(false, 'a poll finds a majority at once')
      return
    case 'candidate': {
      writer.byte(Math.max(0, role.voteIo - state.durability.doneIo))
      let grants = 0
      for (const id of role.grantedBy) grants |= 1 << out.place(placeOf(id))
      writer.byte(grants)
      return
    }
    case 'leader':
      return writeLeader(state, role, order)
    default:
      unreachable(role)
  }
}

function writeLeader(state: RaftState, role: Leader, order: readonly number[]): void {
  assert(role.transfer === null && role.reads.confirming === null, 'transfers and reads are not explored')
  writer.byte(role.termStart)
  writer.byte(role.rounds.current)
  for (const place of order) {
    const progress = role.progress.get(memberIds[place] ?? state.self)
    if (progress === undefined) continue
    assert(progress.load === null && progress.countedIndex === progress.matchIndex, 'every member counts')
    writer.byte(modes.indexOf(progress.mode))
    writer.byte(progress.matchIndex)
    writer.byte(progress.nextIndex)
    writer.byte(progress.inflight.length)
    for (const append of progress.inflight) writeSent(append)
    writer.byte(progress.probe === null ? 0 : 1)
    if (progress.probe !== null) writeSent(progress.probe)
    writer.byte(progress.roundSent)
    writer.byte(progress.commitSent)
    writer.byte(progress.roundAnswered)
  }
}

/** Bytes are 48 for each entry and 1 for each command. */
function writeSent({ lastIndex, bytes }: { readonly lastIndex: Index; readonly bytes: number }): void {
  writer.byte(lastIndex)
  writer.byte(Math.floor(bytes / 48))
  writer.byte(bytes % 48)
}
