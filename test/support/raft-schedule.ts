// Random schedules for a world of Raft cores: what is drawn, how it is played, and the healing afterwards. A schedule
// is plain data, so fast-check can shrink it; its numbers are taken modulo whatever there is to choose from, so that
// every schedule makes sense after any shrinking.
import fc from 'fast-check'
import { assert, unreachable } from '../../src/assert.ts'
import { asNodeId, asTerm } from '../../src/ids.ts'
import { inForce, isCounted } from '../../src/raft/members.ts'
import { wakeAt } from '../../src/raft/step.ts'
import { startWriting } from './raft-disk.ts'
import { cutLink, take } from './raft-network.ts'
import type { Flight } from './raft-network.ts'
import { run } from './raft-run.ts'
import { beginSending } from './raft-sendings.ts'
import { completeSending, makeCheckpoint, trim } from './raft-snapshots.ts'
import {
  changeDisk,
  completeLoad,
  completeWrite,
  crash,
  createWorld,
  deliver,
  give,
  newestLeader,
  restart,
  resume,
} from './raft-world.ts'
import type { Member, World, WorldEvent } from './raft-world.ts'

export interface Schedule {
  readonly memberCount: number
  readonly seed: number
  readonly diskMs: number
  readonly actions: readonly Action[]
}

export interface Action {
  readonly kind: (typeof weights)[number][1]
  /** Chooses a member or a message; `other` a second member. */
  readonly pick: number
  readonly other: number
  /** Milliseconds, bytes, or a count. */
  readonly amount: number
}

const weights = [
  [12, 'live'],
  [10, 'elect'],
  [5, 'elapse'],
  [6, 'tick'],
  [24, 'deliver'],
  [3, 'drop'],
  [3, 'repeat'],
  [4, 'hang'],
  [8, 'write'],
  [4, 'unhang'],
  [4, 'load'],
  [16, 'propose'],
  [5, 'read'],
  [2, 'transfer'],
  [3, 'crash'],
  [5, 'restart'],
  [2, 'stall'],
  [3, 'resume'],
  [2, 'wait'],
  [2, 'gone'],
  [1, 'reconnect'],
  [3, 'isolateLeader'],
  [3, 'cut'],
  [2, 'cutOneWay'],
  [4, 'heal'],
  [3, 'healAll'],
  [8, 'checkpoint'],
  [3, 'snapshot'],
  [2, 'donate'],
  [1, 'loseState'],
  [3, 'wipe'],
  [3, 'remount'],
  [4, 'replace'],
] as const

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.oneof(...weights.map(([weight, kind]) => ({ weight, arbitrary: fc.constant(kind) }))),
  pick: fc.nat(99),
  other: fc.nat(99),
  amount: fc.nat(99),
})

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  memberCount: fc.constantFrom(3, 5),
  seed: fc.nat(),
  diskMs: fc.constantFrom(1, 1, 7, 60),
  actions: fc.array(action, { minLength: 30, maxLength: 300, size: 'max' }),
})

/** Small enough that every limit is met often. */
const options = {
  appendBytesMax: 150,
  inflightMessagesMax: 3,
  inflightBytesMax: 500,
  uncommittedBytesMax: 800,
  uncommittedReserveBytes: 400,
  windowBytesMax: 400,
}

/** How long a healed world may take to elect a leader and to apply a proposal everywhere. */
export const healMs = 6000

/** Plays a schedule, heals the world, and throws at the first thing that is not right. */
export function playSchedule(schedule: Schedule, watch: (event: WorldEvent) => void): World {
  const random = seededRandom(schedule.seed)
  const world = createWorld({
    members: Array.from({ length: schedule.memberCount }, (_, position) => {
      return { id: asNodeId(`n${position + 1}`), random, stored: { term: asTerm(0), votedFor: null, entries: [] } }
    }),
    options,
    networkMs: 1,
    diskMs: schedule.diskMs,
    watch,
  })
  for (const [position, each] of schedule.actions.entries()) play(world, each, position)
  heal(world)
  return world
}

function play(world: World, { kind, pick, other, amount }: Action, position: number): void {
  const member = choose(world.members, pick)
  const peer = choose(world.members, other)
  assert(member !== undefined && peer !== undefined, 'a world has members')
  const bytes = new Uint8Array(amount).fill(97 + (position % 26))
  const proposal = { kind: 'propose', note: null, exempt: pick % 4 === 0 } as const
  switch (kind) {
    case 'live':
      // Mostly a few messages long, sometimes an election or two.
      run(world, world.now + (amount < 75 ? amount / 2 : (amount - 74) * 60))
      return
    case 'elect':
      elapse(world, member)
      run(world, world.now + 5 + amount)
      return
    case 'elapse':
      return elapse(world, member)
    case 'tick':
      return give(world, member, { kind: 'tick' })
    case 'deliver':
      return deliverSome(world, { pick, count: amount % 8, isOrdered: other < 70 })
    case 'drop':
      for (const flight of some(world, pick, amount % 4)) take(world.network, flight)
      return
    case 'repeat':
      for (const flight of some(world, pick, amount % 4)) deliver(world, flight, true)
      return
    case 'write':
      return completeWrite(world, member, Math.min(1 + (amount % 4), member.disk.queue.length))
    case 'load':
      return completeLoad(world, member)
    case 'hang':
      member.disk.latencyMs = null
      member.disk.writing = null
      return
    case 'unhang':
      return unhang(
        world,
        choose(
          world.members.filter(({ disk }) => disk.latencyMs === null),
          pick,
        ),
      )
    case 'propose':
      // To all that lead, however outdated, or to somebody who hardly does.
      for (const each of world.members) {
        if (each === member || each.state.role.kind === 'leader') give(world, each, { ...proposal, payload: bytes })
      }
      return
    case 'read':
      return give(world, member, { kind: 'read', id: position })
    case 'transfer':
      return give(world, newestLeader(world) ?? member, {
        kind: 'transferLeadership',
        to: amount < 50 ? peer.id : null,
      })
    case 'crash':
      return member.isUp ? crash(world, member, amount % 4) : undefined
    case 'restart':
      return revive(
        world,
        choose(
          world.members.filter(({ isUp }) => !isUp),
          pick,
        ),
      )
    case 'stall':
      member.isStalled = member.isUp
      return
    case 'resume':
      return wake(
        world,
        choose(
          world.members.filter(({ isStalled }) => isStalled),
          pick,
        ),
      )
    case 'wait':
      world.now += amount * 20
      return
    case 'gone':
      return give(world, member, { kind: 'peerGone', peer: peer.id })
    case 'reconnect':
      return give(world, member, { kind: 'peerConnected', peer: peer.id, restarted: amount % 2 === 0 })
    case 'isolateLeader': {
      const leader = newestLeader(world)
      for (const each of world.members) if (leader !== null) cutLink(world.network, { from: each.id, to: leader.id })
      for (const each of world.members) if (leader !== null) cutLink(world.network, { from: leader.id, to: each.id })
      return
    }
    case 'cut':
      cutLink(world.network, { from: peer.id, to: member.id })
      return cutLink(world.network, { from: member.id, to: peer.id })
    case 'cutOneWay':
      return cutLink(world.network, { from: member.id, to: peer.id })
    case 'heal':
      world.network.cut.delete(choose([...world.network.cut], pick) ?? '')
      return
    case 'healAll':
      return world.network.cut.clear()
    case 'checkpoint':
      if (makeCheckpoint(world, member)) trim(world, member, amount % 4)
      return
    case 'snapshot': {
      const sending = choose(
        member.sendings.filter(({ isThere }) => !isThere),
        other,
      )
      return sending === undefined ? undefined : completeSending(world, member, sending)
    }
    case 'donate':
      return member === peer ? undefined : beginSending(world, member, peer.id, amount)
    case 'loseState':
      if (!member.isUp && mayLose(world, member)) member.disk.checkpoint = null
      return
    case 'wipe':
      return changeDiskIfAllowed(world, member, 'empty')
    case 'remount':
      return changeDiskIfAllowed(world, member, 'former')
    case 'replace':
      return replaceWiped(world, newestLeader(world) ?? peer, member)
    default:
      return unreachable(kind)
  }
}

/** As many as a cluster can lose for ever at a time, and no more until they are back. Who cannot lead is lost as well. */
function mayLose(world: World, member: Member): boolean {
  const lost = world.members.filter((each) => each === member || !isWhole(world, each) || each.disk.checkpoint === null)
  return lost.length <= (world.members.length - 1) / 2
}

function changeDiskIfAllowed(world: World, member: Member, to: 'empty' | 'former'): void {
  if (!mayLose(world, member) || (to === 'former' && member.disk.lost.length === 0)) return
  if (member.isUp) crash(world, member)
  changeDisk(world, member, { to, dropOldFrames: true })
  revive(world, member)
}

/** An operator has read on the console which disk it has now. */
function replaceWiped(world: World, leader: Member, { id, disk }: Member): void {
  if (disk.lost.length > 0) give(world, leader, { kind: 'replaceMember', member: id, incarnation: disk.incarnation })
}

/** Only this member's election timeout passes. */
function elapse(world: World, member: Member): void {
  if (!member.isUp || member.isStalled || member.state.role.kind === 'leader') return
  member.clockAhead = Math.max(member.clockAhead, wakeAt(member.state) - world.now)
  give(world, member, { kind: 'tick' })
}

/** In order, or from somewhere in the middle; the receivers' turns end as the test wishes, by `tick`. */
function deliverSome(
  world: World,
  { pick, count, isOrdered }: { pick: number; count: number; isOrdered: boolean },
): void {
  for (const flight of some(world, isOrdered ? 0 : pick, count + 1)) deliver(world, flight)
}

function some(world: World, pick: number, count: number): Flight[] {
  const { flights } = world.network
  const start = flights.length === 0 ? 0 : pick % flights.length
  return flights.slice(start, start + count)
}

function choose<Each>(from: readonly Each[], pick: number): Each | undefined {
  return from[pick % Math.max(1, from.length)]
}

function unhang(world: World, member: Member | undefined): void {
  if (member === undefined) return
  member.disk.latencyMs = 1
  startWriting(member.disk, world.now)
}

/** Frames of the earlier run still arrive: more than TCP would do to us. */
function revive(world: World, member: Member | undefined): void {
  if (member !== undefined) restart(world, member, { dropOldFrames: false })
}

function wake(world: World, member: Member | undefined): void {
  if (member !== undefined) resume(world, member)
}

/** All faults end. A leader must emerge, commit, and bring everybody to the same log within a bounded time. */
function heal(world: World): void {
  world.network.cut.clear()
  for (const member of world.members) {
    member.disk.latencyMs = 2
    if (!member.isUp) revive(world, member)
    if (member.isStalled) wake(world, member)
    startWriting(member.disk, world.now)
  }
  const before = world.history.committed.length
  // As clients would, again and again: a leader that is about to be deposed takes proposals with it.
  world.timer = { everyMs: 100, dueAt: world.now, act: () => careFor(world) }
  const isServed = run(
    world,
    world.now + healMs,
    () => appliedEverywhere(world) > before && world.members.every((each) => isWhole(world, each)),
  )
  assert(isServed, `no proposal is applied everywhere, or not everybody counts, ${healMs} ms after all faults ended`)
  world.timer = null
  run(world, world.now + 1000)
  const leader = newestLeader(world)
  run(world, world.now + 1000)
  assert(leader !== null && leader === newestLeader(world), 'a healed world keeps its leader')
  for (const { log } of world.members)
    assert(log.prefixes.at(-1) === world.history.committed.at(-1), 'all logs are equal')
  checkNothingLeft(leader)
  for (const { state } of world.members) assert(state.durability.underWay.length === 0, 'no write is under way')
}

/** What operators and shells do all the time. */
function careFor(world: World): void {
  const leader = newestLeader(world)
  if (leader === null) return
  if (makeCheckpoint(world, leader)) trim(world, leader, 5)
  for (const member of world.members) {
    if (!isCounted(member.state)) replaceWiped(world, leader, member)
    if (!member.state.canServe && leader.sendings.length === 0) beginSending(world, leader, member.id, 5)
  }
  give(world, leader, { kind: 'propose', payload: new Uint8Array(3).fill(122), note: null, exempt: true })
}

/** It counts, as everybody has it in his log, and could lead. */
function isWhole(world: World, { id, state, disk }: Member): boolean {
  const isKnown = world.members.every((each) => inForce(each.state, id) === disk.incarnation)
  return isCounted(state) && state.canServe && isKnown
}

function appliedEverywhere(world: World): number {
  return Math.min(...world.members.map(({ appliedIndex }) => appliedIndex))
}

/** Counters return to zero when all is quiet: a leak would refuse or hold back everything some day (B24, B31). */
function checkNothingLeft({ state: { role } }: Member): void {
  assert(role.kind === 'leader', 'the leader leads')
  assert(role.uncommittedBytes === 0, `${role.uncommittedBytes} bytes count as uncommitted when all is committed`)
  for (const progress of role.progress.values()) {
    assert(progress.inflightBytes === 0 && progress.inflight.length === 0, 'nothing is in flight when all is quiet')
  }
}

/** Evenly spread numbers in [0, 1): timers need them, a list drawn by fast-check would be full of zeros (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
