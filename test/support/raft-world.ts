// A world of Raft cores on virtual time: for every member a core, a disk and a clock of its own, and a network between
// them. It does what the shell does with effects, runs the checks after every step, and does nothing by chance:
// whatever is random is handed in. Here stand the verbs by which a test chooses what happens next; `raft-run.ts` lets
// the world live by itself.
import { assert, unreachable } from '../../src/assert.ts'
import { asClusterTime, asIndex } from '../../src/ids.ts'
import type { Index, Io, NodeId } from '../../src/ids.ts'
import type { Effect, InstallSnapshot, LoadEntries, Send, StoreCounted } from '../../src/raft/effect.ts'
import type { Entry, SnapshotMeta } from '../../src/raft/entry.ts'
import type { Input } from '../../src/raft/input.ts'
import { checkState } from '../../src/raft/invariants.ts'
import type { Message, Standing } from '../../src/raft/message.ts'
import { createRaft, defaultRaftOptions } from '../../src/raft/state.ts'
import type { RaftOptions, RaftState } from '../../src/raft/state.ts'
import { step } from '../../src/raft/step.ts'
import {
  checkApply,
  checkLogMatching,
  checkMatch,
  checkMember,
  checkPersist,
  checkRead,
  checkSent,
  checkStillDurable,
  createHistory,
  promisedPrefix,
  reckonTime,
} from './raft-checks.ts'
import type { History, Observed } from './raft-checks.ts'
import { completeWrites, createDisk, startWriting, remountDisk, wipeDisk } from './raft-disk.ts'
import type { Disk, StoredAtFirst } from './raft-disk.ts'
import { firstDiskOf, foundedWith } from './raft-founding.ts'
import { copyImage, installedImage, snapshotAt, storedLogOf, writeImage } from './raft-log-image.ts'
import type { LogImage, PrefixNames } from './raft-log-image.ts'
import { createNetwork, linkName, loseAll, post, take } from './raft-network.ts'
import type { Flight, Network } from './raft-network.ts'
import { beginSending, forget } from './raft-sendings.ts'
import type { Sending } from './raft-sendings.ts'

/** An input without its time, which the world gives. */
export type Happening = Input extends infer Each ? (Each extends Input ? Omit<Each, 'now'> : never) : never

export interface Member extends Observed {
  readonly id: NodeId
  isUp: boolean
  /** Its disk was wiped, and it was not started since. */
  isNew: boolean
  state: RaftState
  readonly disk: Disk
  log: LogImage
  /** Messages that wait for a write. */
  readonly outbox: { readonly send: Send; readonly after: Io; readonly promised: number | null }[]
  /** What it asked its disk for, oldest first, beside writes. */
  readonly loads: { readonly effect: LoadEntries | StoreCounted; readonly dueAt: number }[]
  readonly sendings: Sending[]
  /** Which sending brought a snapshot. */
  readonly received: Map<SnapshotMeta, Sending>
  /** What its process has not seen because it does not run. */
  readonly inbox: Happening[]
  isStalled: boolean
  readonly random: () => number
  /** Its clock, less the world's: it leaps when a test lets only this member's timeout pass. */
  clockAhead: number
  lastTickAt: number
  appliedIndex: Index
}

export type WorldEvent =
  | { readonly kind: 'given'; readonly member: Member; readonly happening: Happening }
  | { readonly kind: 'effect'; readonly member: Member; readonly effect: Effect }
  | {
      readonly kind: 'sent'
      readonly from: NodeId
      readonly to: NodeId
      readonly as: Standing | null
      readonly message: Message
      readonly isLost: boolean
    }
  | { readonly kind: 'written'; readonly member: Member; readonly io: Io }

export interface World {
  now: number
  readonly options: RaftOptions
  /** How long it takes to send a snapshot; null: until a test completes it. */
  snapshotMs: number | null
  readonly members: readonly Member[]
  readonly network: Network
  readonly history: History
  /** Acts at a fixed interval while the world runs by itself. */
  timer: { readonly everyMs: number; dueAt: number; readonly act: () => void } | null
  readonly watch: (event: WorldEvent) => void
}

export interface WorldSetup {
  readonly members: readonly { readonly id: NodeId; readonly random: () => number; readonly stored: StoredAtFirst }[]
  readonly options?: Partial<RaftOptions>
  readonly networkMs: number
  readonly diskMs: number | null
  readonly watch?: (event: WorldEvent) => void
}

export function createWorld(setup: WorldSetup): World {
  const names: PrefixNames = new Map()
  const options: RaftOptions = { ...defaultRaftOptions, commitNews: 'always', ...setup.options }
  const ids = setup.members.map(({ id }) => id)
  const members = setup.members.map(({ id, random, stored }): Member => {
    const disk = createDisk(names, firstDiskOf(id), stored, setup.diskMs)
    const state = load({ id, random, disk }, { members: ids, options, now: 0 })
    const queues = { outbox: [], loads: [], inbox: [], sendings: [], received: new Map() }
    const clock = { isStalled: false, clockAhead: 0, lastTickAt: 0, reckoned: null }
    return {
      ...queues,
      ...clock,
      id,
      isUp: true,
      isNew: false,
      state,
      disk,
      log: copyImage(disk.log),
      random,
      appliedIndex: asIndex(0),
    }
  })
  const startTime = Math.max(0, ...members.map(({ state }) => state.log.lastTime))
  const history = createHistory(names, asClusterTime(startTime))
  for (const { log } of members) for (const entry of log.entries) checkLogMatching(history, log, entry)
  const network = createNetwork(setup.networkMs)
  return {
    now: 0,
    options,
    snapshotMs: 5,
    members,
    network,
    history,
    timer: null,
    watch: setup.watch ?? (() => undefined),
  }
}

function load(
  { id, random, disk }: Pick<Member, 'id' | 'random' | 'disk'>,
  setup: { members: readonly NodeId[]; options: RaftOptions; now: number },
): RaftState {
  const { incarnation, counted, checkpoint, log, hardState } = disk
  const stored = { ...storedLogOf(log), hardState }
  // Records that are lost can be made again as long as the log begins at the beginning.
  const canServe = checkpoint !== null || log.start === 0
  const applied = checkpoint ?? log.start
  const { incarnations } = snapshotAt(log, applied, foundedWith(setup.members))
  return createRaft({ ...setup, self: id, random, stored, incarnation, counted, applied, incarnations, canServe })
}

export function memberOf(world: World, id: NodeId): Member {
  const member = world.members.find((candidate) => candidate.id === id)
  assert(member !== undefined, `${id} is a member`)
  return member
}

/** The leader of the newest term, if there is one that runs. */
export function newestLeader(world: World): Member | null {
  const leaders = world.members.filter(({ isUp, state }) => isUp && state.role.kind === 'leader')
  return leaders.sort((a, b) => b.state.currentTerm - a.state.currentTerm)[0] ?? null
}

/** Something happens to a member; a process that does not run sees it later, one that is down never. */
export function give(world: World, member: Member, happening: Happening): void {
  if (!member.isUp) return
  if (member.isStalled) {
    if (happening.kind !== 'tick') member.inbox.push(happening)
    return
  }
  if (happening.kind === 'persisted') releaseSends(world, member, happening.io)
  world.watch({ kind: 'given', member, happening })
  const now = world.now + member.clockAhead
  if (happening.kind === 'tick') member.lastTickAt = now
  if (happening.kind === 'read') world.history.readsAt.set(happening.id, world.history.committed.length)
  if (happening.kind === 'peerConnected') forget(member, ({ to }) => to === happening.peer)
  reckonTime(member, now)
  const commitBefore = member.state.commitIndex
  const effects = step(member.state, { ...happening, now } as Input)
  checkState(member.state)
  for (const effect of effects) carryOut(world, member, effect)
  startWriting(member.disk, world.now)
  checkMember(world.history, member, world.members, commitBefore)
  if (happening.kind === 'message') checkMatch(member, happening.from, memberOf(world, happening.from).disk)
}

function carryOut(world: World, member: Member, effect: Effect): void {
  const { history } = world
  freeze(effect)
  world.watch({ kind: 'effect', member, effect })
  switch (effect.kind) {
    case 'persist':
      writeImage(member.log, history.names, effect)
      checkPersist(history, member, effect, world.now)
      member.disk.queue.push(effect)
      return
    case 'send': {
      const promised = promisedPrefix(member.log, effect.message)
      if (effect.after === null) return send(world, member, effect, promised)
      member.outbox.push({ send: effect, after: effect.after, promised })
      return
    }
    case 'apply':
      checkApply(member, effect, member.appliedIndex)
      member.appliedIndex = effect.entries.at(-1)?.index ?? member.appliedIndex
      return
    case 'loadEntries':
      member.loads.push({ effect, dueAt: world.now + 1 })
      return
    case 'readReady':
      return checkRead(history, effect)
    case 'refuseProposal':
    case 'refuseRead':
    case 'refuseTransfer':
    case 'roleChanged':
    case 'refuseReplacement':
      return
    case 'sendSnapshot':
      return beginSending(world, member, effect.to, world.snapshotMs ?? Infinity)
    case 'installSnapshot':
      return install(world, member, effect)
    case 'ignoreSnapshot': {
      // It has that much already.
      const sending = member.received.get(effect.snapshot)
      return sending === undefined ? undefined : endSending(world, sending, effect.snapshot.index)
    }
    case 'storeCounted':
      member.loads.push({ effect, dueAt: world.now + 1 })
      return
    default:
      return unreachable(effect)
  }
}

/** The shell swaps the records at once; the log follows in the order of its writes. */
function install({ history }: World, member: Member, effect: InstallSnapshot): void {
  const { snapshot, keepsTail } = effect
  member.log = installedImage(member.log, history.committedLog, { index: snapshot.index, keepsTail })
  member.appliedIndex = snapshot.index
  member.disk.queue.push({ install: effect, committed: history.committedLog })
}

/** Whoever changed an effect after handing it out would change what is being written or sent (B39). */
function freeze(effect: Effect): void {
  Object.freeze(effect)
  const carrier = effect.kind === 'send' ? Object.freeze(effect.message) : effect
  if (!('entries' in carrier)) return
  Object.freeze(carrier.entries)
  for (const entry of carrier.entries) Object.freeze(entry)
}

function send(world: World, member: Member, { to, as, message }: Send, promised: number | null): void {
  checkSent(world.history, member.disk, { from: member.id, to, as, message, promised })
  const isPosted = post(world.network, { from: member.id, to, as, message, dueAt: world.now + world.network.latencyMs })
  world.watch({ kind: 'sent', from: member.id, to, as, message, isLost: !isPosted })
}

/** Its sender hears that the snapshot is installed up to `index`, or not at all. */
export function endSending(world: World, sending: Sending, index: Index | null): void {
  for (const member of world.members) {
    if (!member.sendings.includes(sending)) continue
    forget(member, (each) => each === sending)
    give(world, member, { kind: 'snapshotEnded', to: sending.to, index })
  }
}

/** The connection to `peer` is lost, and with it whatever went over it. */
export function loseSendings(world: World, peer: NodeId): void {
  for (const { sendings } of world.members) {
    for (const sending of sendings) if (sending.to === peer && sending.isThere) endSending(world, sending, null)
  }
}

function releaseSends(world: World, member: Member, io: Io): void {
  const free = member.outbox.filter(({ after }) => after <= io)
  member.outbox.splice(0, member.outbox.length, ...member.outbox.filter(({ after }) => after > io))
  for (const waiting of free) send(world, member, waiting.send, waiting.promised)
}

// ---- what a test can do

/** The message arrives; with `keep` a copy of it stays under way. */
export function deliver(world: World, flight: Flight, keep = false): void {
  if (!keep) take(world.network, flight)
  give(world, memberOf(world, flight.to), {
    kind: 'message',
    from: flight.from,
    as: flight.as,
    message: flight.message,
  })
}

/** The oldest `count` writes become durable together, and the process hears of it. */
export function completeWrite(world: World, member: Member, count: number): void {
  const io = writeToDisk(world, member, count)
  if (io === null) return
  world.watch({ kind: 'written', member, io })
  give(world, member, { kind: 'persisted', io })
  startWriting(member.disk, world.now)
}

function writeToDisk(world: World, member: Member, count: number): Io | null {
  const writes = member.disk.queue.slice(0, count)
  const drops = writes.some((write) => 'install' in write || write.truncateFrom !== null)
  const io = completeWrites(member.disk, world.history.names, count)
  if (drops) checkDisks(world)
  for (const write of writes) {
    const sending = 'install' in write ? member.received.get(write.install.snapshot) : undefined
    if (sending !== undefined) endSending(world, sending, sending.snapshot.index)
  }
  return io
}

function checkDisks(world: World): void {
  checkStillDurable(world.history, world.members)
  for (const leader of world.members) {
    for (const { id, disk } of world.members) if (leader.isUp && id !== leader.id) checkMatch(leader, id, disk)
  }
}

/** Answers the oldest request to the disk, from what is on it now. */
export function completeLoad(world: World, member: Member): void {
  const request = member.loads.shift()
  if (request === undefined) return
  if (request.effect.kind === 'storeCounted') {
    member.disk.counted = request.effect.by
    return give(world, member, { kind: 'countedStored' })
  }
  const { from, to, bytesMax, load: number } = request.effect
  // A snapshot has taken the place of what it should read.
  if (!member.state.loads.has(number)) return
  assert(from > member.disk.log.start, `${member.id} reads entry ${from}, which it has trimmed`)
  const entries: Entry[] = []
  let bytes = 0
  for (const entry of member.disk.log.entries.slice(from - 1, to)) {
    entries.push(entry)
    bytes += entry.payload.length
    if (bytes > bytesMax) break
  }
  assert(entries.length > 0, `${member.id} reads entry ${from} which is not on its disk`)
  give(world, member, { kind: 'entriesLoaded', load: number, entries })
}

/** The process ends. Of the writes under way the oldest `durable` were done, without its knowing. */
export function crash(world: World, member: Member, durable = 0): void {
  writeToDisk(world, member, Math.min(durable, member.disk.queue.length))
  for (const queue of [member.disk.queue, member.outbox, member.loads, member.inbox, member.sendings]) queue.length = 0
  member.isUp = false
  member.isStalled = false
  member.reckoned = null
  member.received.clear()
  loseSendings(world, member.id)
}

/** Its disk is replaced by an empty one, or by one that it has had, of which the others must be told. Only while it is down. */
export function changeDisk(
  world: World,
  member: Member,
  options: { to: 'empty' | 'former'; dropOldFrames: boolean },
): void {
  assert(!member.isUp, 'a running process would notice')
  if (options.to === 'empty') wipeDisk(member.disk, member.id)
  else remountDisk(member.disk)
  // Whoever meets it again does so over new connections, and drops what came over the old ones.
  if (options.dropOldFrames) {
    loseAll(world.network, ({ from, to }) => from === member.id || to === member.id)
  }
  member.isNew = true
}

/** A new run begins with what is on disk. Whoever it can talk with gets a new connection and learns that it is another. */
export function restart(world: World, member: Member, options: { dropOldFrames: boolean }): void {
  const { id } = member
  if (options.dropOldFrames) loseAll(world.network, ({ from, to }) => from === id || to === id)
  const now = world.now + member.clockAhead
  member.state = load(member, { members: world.members.map((other) => other.id), options: world.options, now })
  member.log = copyImage(member.disk.log)
  member.appliedIndex = member.state.appliedIndex
  member.lastTickAt = now
  member.isUp = true
  for (const other of world.members) {
    const links = [linkName({ from: id, to: other.id }), linkName({ from: other.id, to: id })]
    if (other === member || (!member.isNew && links.some((link) => world.network.cut.has(link)))) continue
    // A later run answers, so the one before is gone.
    give(world, other, { kind: 'peerGone', peer: id })
    give(world, other, { kind: 'peerConnected', peer: id, restarted: true })
    if (other.isUp) give(world, member, { kind: 'peerConnected', peer: other.id, restarted: true })
  }
  member.isNew = false
}

/** The process runs again and finds everything that has arrived meanwhile, then ends its turn. */
export function resume(world: World, member: Member): void {
  member.isStalled = false
  for (const happening of member.inbox.splice(0)) give(world, member, happening)
  give(world, member, { kind: 'tick' })
}
