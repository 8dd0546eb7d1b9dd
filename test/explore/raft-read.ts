// Bytes to a world (raft-write.ts says what is in them). It makes whole records, so that a field that is added to the core's
// state fails to compile here, and whoever adds it thinks about whether it must be in the bytes.
import { asClusterTime, asIndex, asIo, asTerm } from '../../src/ids.ts'
import type { Index, NodeId, Term } from '../../src/ids.ts'
import type { Persist } from '../../src/raft/effect.ts'
import type { Entry } from '../../src/raft/entry.ts'
import { entryBytes } from '../../src/raft/log.ts'
import type { TermSpan } from '../../src/raft/log.ts'
import type { Progress } from '../../src/raft/progress.ts'
import type { Leader, RaftState, Role } from '../../src/raft/state.ts'
import { entryOf } from './raft-messages.ts'
import {
  draw,
  drawnTimeoutMs,
  idAt,
  incarnationOf,
  incarnations,
  memberCount,
  memberIds,
  modes,
  raftOptions,
  roleKinds,
} from './raft-world.ts'
import type { Member, World } from './raft-world.ts'

class Reader {
  readonly bytes: Uint8Array
  position: number

  constructor(bytes: Uint8Array, position = 0) {
    this.bytes = bytes
    this.position = position
  }

  byte(): number {
    return this.bytes[this.position++] ?? 0
  }
}

export function decodeWorld(bytes: Uint8Array): World {
  const reader = new Reader(bytes)
  const offsets: number[] = []
  const members: Member[] = []
  for (let place = 0; place < memberCount; place++) {
    offsets.push(reader.position)
    members.push(readMember(reader, place))
  }
  const links: number[][] = []
  for (let from = 0; from < memberCount; from++) {
    for (let to = 0; to < memberCount; to++) links.push(from === to ? [] : readList(reader, readPair))
  }
  const [commands, drops, duplicates, crashes, heartbeats] = [
    reader.byte(),
    reader.byte(),
    reader.byte(),
    reader.byte(),
    reader.byte(),
  ]
  const leaders = readList(reader, readId)
  const votes = memberIds.map(() => leaders.map(() => readId(reader)))
  const committed = readEntries(reader, 1)
  const committedIn = committed.map(() => asTerm(reader.byte()))
  return {
    members,
    links,
    left: { commands, drops, duplicates, crashes, heartbeats },
    past: { leaders, votes, committed, committedIn },
    source: { bytes, offsets },
  }
}

/** A record of its own of the member at `place`, as `world` has it. */
export function thaw({ source }: World, place: number): Member {
  return readMember(new Reader(source.bytes, source.offsets[place]), place)
}

function readList<Item>(reader: Reader, read: (reader: Reader) => Item): Item[] {
  const items: Item[] = []
  for (let left = reader.byte(); left > 0; left--) items.push(read(reader))
  return items
}

function readId(reader: Reader): NodeId | null {
  return memberIds[reader.byte() - 1] ?? null
}

function readPair(reader: Reader): number {
  return reader.byte() * 256 + reader.byte()
}

function readEntries(reader: Reader, first: number): Entry[] {
  const entries: Entry[] = []
  for (let left = reader.byte(); left > 0; left--) entries.push(entryOf(first + entries.length, reader.byte()))
  return entries
}

function readMember(reader: Reader, place: number): Member {
  const disk = { term: asTerm(reader.byte()), votedFor: readId(reader), entries: readEntries(reader, 1) }
  const self = idAt(place)
  const currentTerm = asTerm(reader.byte())
  const votedFor = readId(reader)
  const leaderOfTerm = readId(reader)
  const count = reader.bytes[reader.position] ?? 0
  const lastIndex = reader.bytes[reader.position + count + 1] ?? 0
  const window = readEntries(reader, lastIndex + 1 - count)
  reader.byte()
  const log = [...disk.entries.slice(0, lastIndex - count), ...window]
  const hardStateIo = asIo(reader.byte())
  const durableIndex = asIndex(reader.byte())
  const unsynced = readList(reader, () => ({ firstIndex: asIndex(reader.byte()), io: asIo(reader.byte()) }))
  const commitIndex = asIndex(reader.byte())
  const roundHeard = reader.byte() - 1
  const role = readRole(reader, place, { log, commitIndex })
  let io = 0
  const queue = readList(reader, () => readPersist(reader, ++io))
  const outbox = readList(reader, () => ({ to: reader.byte(), after: asIo(reader.byte()), message: readPair(reader) }))
  const underWay = queue.map((write) => ({ io: write.io, since: 0 }))
  const state: RaftState = {
    self,
    members: memberIds,
    options: raftOptions,
    incarnation: incarnationOf(self),
    ownCount: 'stored',
    incarnations,
    canServe: true,
    random: draw,
    now: 0,
    currentTerm,
    votedFor,
    leaderOfTerm,
    log: {
      start: { index: asIndex(0), term: asTerm(0) },
      lastIndex: asIndex(lastIndex),
      lastTime: asClusterTime(0),
      spans: spansOf(log),
      window,
      windowBytes: bytesOf(window),
      replacements: [],
    },
    durability: { lastIo: asIo(queue.length), doneIo: asIo(0), hardStateIo, durableIndex, unsynced, underWay },
    commitIndex,
    appliedIndex: commitIndex,
    applyLoad: null,
    nextLoad: 1,
    loads: new Map(),
    poll: 0,
    roundHeard,
    role,
  }
  return { state, disk, queue, outbox }
}

function readPersist(reader: Reader, io: number): Persist {
  const term = reader.byte()
  const hardState = term === 255 ? null : { currentTerm: asTerm(term), votedFor: readId(reader) }
  const truncateFrom = reader.byte()
  const entries = readEntries(reader, reader.byte())
  return {
    kind: 'persist',
    io: asIo(io),
    hardState,
    truncateFrom: truncateFrom === 0 ? null : asIndex(truncateFrom),
    entries,
    trimTo: null,
  }
}

function readRole(reader: Reader, place: number, known: { log: readonly Entry[]; commitIndex: Index }): Role {
  const hurryUntil = -Infinity
  const electionDeadline = drawnTimeoutMs
  switch (roleKinds[reader.byte()]) {
    case 'candidate': {
      const voteIo = asIo(reader.byte())
      const grants = reader.byte()
      const grantedBy = new Set(memberIds.filter((_, at) => (grants & (1 << at)) !== 0))
      return { kind: 'candidate', voteIo, grantedBy, electionDeadline, hurryUntil }
    }
    case 'leader':
      return readLeader(reader, place, known)
    default: {
      const leader = readId(reader)
      const [verifiedIndex, acknowledgedIndex] = [asIndex(reader.byte()), asIndex(reader.byte())]
      const leaderHeardAt = leader === null ? -Infinity : 0
      const times = { leaderHeardAt, electionDeadline, hurryUntil }
      return {
        kind: 'follower',
        leader,
        ...times,
        verifiedIndex,
        acknowledgedIndex,
        leaderCommit: asIndex(reader.byte()),
      }
    }
  }
}

function readLeader(
  reader: Reader,
  place: number,
  { log, commitIndex }: { log: readonly Entry[]; commitIndex: Index },
): Leader {
  const termStart = asIndex(reader.byte())
  const current = reader.byte()
  const progress = new Map<NodeId, Progress>()
  memberIds.forEach((id, at) => {
    if (at !== place) progress.set(id, readProgress(reader))
  })
  return {
    kind: 'leader',
    termStart,
    progress,
    clock: { time: 0, steppedAt: 0, limit: 0 },
    rounds: { current, startedAt: Array.from({ length: current }, () => 0) },
    reads: { waiting: [], confirming: null },
    transfer: null,
    heartbeatDueAt: raftOptions.heartbeatMs,
    nextOfferAt: -Infinity,
    uncommittedBytes: bytesOf(log.slice(Math.max(commitIndex, termStart - 1))),
  }
}

function readProgress(reader: Reader): Progress {
  const mode = modes[reader.byte()] ?? 'probe'
  const matchIndex = asIndex(reader.byte())
  const nextIndex = asIndex(reader.byte())
  const readSent = (): { lastIndex: Index; bytes: number } => ({
    lastIndex: asIndex(reader.byte()),
    bytes: reader.byte() * 48 + reader.byte(),
  })
  const inflight = readList(reader, readSent)
  const [probe] = readList(reader, readSent)
  return {
    mode,
    matchIndex,
    countedIndex: matchIndex,
    nextIndex,
    inflight,
    inflightBytes: inflight.reduce((sum, { bytes }) => sum + bytes, 0),
    probe: probe ?? null,
    roundSent: reader.byte(),
    commitSent: asIndex(reader.byte()),
    commitAwaited: asIndex(0),
    roundAnswered: reader.byte(),
    contactAt: 0,
    load: null,
  }
}

function spansOf(log: readonly Entry[]): TermSpan[] {
  const spans: TermSpan[] = []
  let term: Term | null = null
  for (const entry of log) {
    if (entry.term === term) continue
    ;({ term } = entry)
    spans.push({ term, firstIndex: entry.index })
  }
  return spans
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + entryBytes(entry), 0)
}
