// What this node keeps for a restart, and for those who lack it (DESIGN 6): checkpoints of the lock table, as much of the
// log as somebody may still need, snapshots sent and taken in, and the proof that all members keep the same. Here these
// parts are put together; each is in a file of its own.
import type { DigestNews } from '../codec/frame.ts'
import type { Tally } from '../codec/digest.ts'
import type { SnapshotFrame } from '../codec/snapshot-frame.ts'
import { unreachable } from '../assert.ts'
import { asNodeId } from '../ids.ts'
import type { ClusterId, Index, NodeId } from '../ids.ts'
import { changedCount } from '../lockfsm/cut.ts'
import { replaceState } from '../lockfsm/replace-state.ts'
import type { Limits, LockState } from '../lockfsm/state.ts'
import type { InstallSnapshot } from '../raft/effect.ts'
import type { Entry } from '../raft/entry.ts'
import { incarnationsAt } from '../raft/members.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { Checkpoint, StateStore } from '../storage/state-store.ts'
import { Checkpoints } from './checkpoints.ts'
import type { Core } from './core.ts'
import type { DiskWriter } from './disk-writer.ts'
import { Digests } from './digests.ts'
import type { Divergence } from './digests.ts'
import type { Host } from './host.ts'
import { LoadingState } from './loading-state.ts'
import { defaultLogKeeping, LogKeeping } from './log-keeping.ts'
import type { LogKeepingOptions } from './log-keeping.ts'
import { defaultMarks, Marks } from './marks.ts'
import type { MarkOptions } from './marks.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'
import type { Received } from './snapshot-receiver.ts'
import { SnapshotSender } from './snapshot-sender.ts'

/** A node whose state is damaged asks for a snapshot so often. */
const askAgainMs = 2000

export interface KeepingOptions extends MarkOptions, LogKeepingOptions {}

export const defaultKeeping: KeepingOptions = { ...defaultLogKeeping, ...defaultMarks }

export interface KeepingParts {
  readonly self: NodeId
  readonly members: readonly NodeId[]
  readonly clusterId: ClusterId
  readonly limits: Limits
  readonly options: KeepingOptions
  readonly host: Host
  readonly core: Core
  readonly store: LogStore
  readonly state: StateStore
  readonly disk: DiskWriter
  readonly lock: LockState
  /** Of the state as it was loaded. */
  readonly tally: Tally
  /** Far from those of other runs. */
  readonly firstTransfer: number
  readonly leader: () => NodeId | null
  readonly send: (to: NodeId, frame: SnapshotFrame | DigestNews) => void
  /** The lock table is that of a snapshot at `index` now. */
  installed(index: Index): void
  failed(error: Error): void
  wake(): void
}

export class Keeping {
  readonly checkpoints: Checkpoints
  readonly marks: Marks
  readonly digests: Digests
  readonly sender: SnapshotSender
  readonly receiver: SnapshotReceiver
  /** Others who read the log: up to where it may not go. */
  readonly holds = new Set<() => Index | null>()
  readonly #parts: KeepingParts
  readonly #log: LogKeeping
  #received: Received | null = null
  #nextAskAt = -Infinity

  constructor(parts: KeepingParts) {
    this.#parts = parts
    const { host, store, state, lock, clusterId, core } = parts
    const failed = (error: Error): void => parts.failed(error)
    this.marks = new Marks(parts.options, { changed: () => changedCount(lock), isBusy: () => this.checkpoints.isBusy })
    this.#log = new LogKeeping(parts.options, core.raft.log.start.index)
    this.digests = new Digests(parts.self, parts.members.length)
    const { checkpoint } = state.stored
    // What we begin with may be what differed when we stopped.
    if (core.raft.canServe && checkpoint !== null) this.digests.made(checkpoint.index, checkpoint.digest, host.now())
    this.checkpoints = new Checkpoints(
      {
        host,
        log: store,
        state,
        lock,
        durableIndex: () => core.raft.durability.durableIndex,
        made: (checkpoint) => this.#checkpointMade(checkpoint),
        failed,
      },
      parts.tally,
    )
    this.sender = new SnapshotSender(
      {
        host,
        state,
        clusterId,
        currentTerm: () => core.raft.currentTerm,
        send: (to, frame) => parts.send(to, frame),
        ended: (to, index) => core.receive({ kind: 'snapshotEnded', to, index }),
        failed,
      },
      parts.firstTransfer,
    )
    this.holds.add(() => this.sender.holdsFrom)
    this.receiver = new SnapshotReceiver({
      host,
      state,
      clusterId,
      isNews: (checkpoint) => this.#isNews(checkpoint),
      newLoading: ({ oldestBucket }) => new LoadingState(host, parts.limits, oldestBucket),
      mark: (installing, stored) => parts.disk.store({ installing }, stored),
      send: (to, frame) => parts.send(to, frame),
      received: (received) => this.#onReceived(received),
      failed,
    })
  }

  /** The entry has just been applied, and none behind it. */
  applied(entry: Entry): void {
    const { index, term, time, note } = entry
    this.marks.applied(entry)
    if (note?.kind !== 'checkpoint') return
    this.checkpoints.marked({ index, term, time }, incarnationsAt(this.#parts.core.raft, index))
  }

  /** Of the entries in the log, about. */
  get logBytes(): number {
    return this.#parts.store.bytes
  }

  /** A frame of a peer about snapshots or digests. */
  receive(from: NodeId, frame: SnapshotFrame | DigestNews): void {
    switch (frame.kind) {
      case 'digest':
        return this.#judge(this.digests.heard(from, frame.index, frame.digest, this.#parts.host.now()))
      case 'snapshotOffer':
        return this.receiver.onOffer(from, frame)
      case 'snapshotChunk':
        return this.receiver.onChunk(from, frame)
      case 'snapshotEnd':
        return this.receiver.onEnd(from, frame)
      case 'snapshotReply':
        return this.sender.onReply(from, frame)
      case 'snapshotWanted':
        if (this.#parts.leader() !== this.#parts.self || this.sender.sending(from) !== null) return
        this.marks.wanted()
        return this.sender.begin(from)
      default:
        return unreachable(frame)
    }
  }

  connected(peer: NodeId): void {
    this.sender.linkChanged(peer)
    this.receiver.linkChanged(peer)
    for (const { index, digest } of this.digests.own()) this.#parts.send(peer, { kind: 'digest', index, digest })
  }

  turn(now: number): void {
    const { core, self } = this.#parts
    this.checkpoints.logDurable()
    if (this.#parts.leader() !== self) this.sender.stop()
    this.sender.expire(now)
    this.receiver.expire(now)
    this.#judge(this.digests.expire(now))
    if (!core.raft.canServe && !this.receiver.isBusy && now >= this.#nextAskAt) this.#ask(now)
  }

  /** The disks are about to be closed. */
  stop(): void {
    this.checkpoints.stop()
    this.sender.stop()
    this.receiver.stop()
  }

  // ---- taking a snapshot in

  #isNews({ index }: Checkpoint): boolean {
    const { raft } = this.#parts.core
    return raft.canServe ? index > raft.commitIndex : index >= raft.log.start.index
  }

  #onReceived(received: Received): void {
    const { checkpoint, senderTerm } = received
    const { index, term, time } = checkpoint
    const incarnations = new Map(Object.entries(checkpoint.incarnations).map(([id, disk]) => [asNodeId(id), disk]))
    this.#received = received
    this.#parts.core.receive({ kind: 'snapshotReceived', snapshot: { index, term, time, incarnations }, senderTerm })
  }

  /** The core does not need what was received any more. */
  ignore(): void {
    this.#received = null
    this.receiver.decided(false)
  }

  /** The core wants what was received: from now on our lock table is that of the snapshot. */
  install({ io, keepsTail }: InstallSnapshot): void {
    const received = this.#received
    if (received === null) return
    this.#received = null
    const { checkpoint, install, loaded } = received
    const { disk, lock, host } = this.#parts
    const { index, term, time, chain } = checkpoint
    replaceState(lock, loaded.lock)
    let [isIdle, flip] = [false, (): void => {}]
    this.checkpoints.replaced(loaded.tally, () => {
      isIdle = true
      flip()
    })
    disk.install({
      io,
      installed: { start: { index, term, time, chain, generation: install.generation }, keepsTail },
      prepare: (done) => {
        // A checkpoint that is being written is still one of the state before.
        flip = () => install.flip(done)
        if (isIdle) flip()
      },
      durable: () => {
        this.#log.installed(index)
        this.checkpoints.settled()
        this.receiver.durable()
      },
    })
    this.receiver.decided(true)
    host.report({ level: 'info', message: 'a snapshot took the place of the state', details: { index } })
    this.#parts.installed(index)
  }

  #ask(now: number): void {
    const { self, send } = this.#parts
    const leader = this.#parts.leader()
    if (leader === null || leader === self) return
    this.#nextAskAt = now + askAgainMs
    send(leader, { kind: 'snapshotWanted' })
  }

  // ---- checkpoints

  #checkpointMade({ index, digest }: Checkpoint): void {
    const { core, store, host, members, self } = this.#parts
    const held = [...this.holds].map((hold) => hold()).filter((from) => from !== null)
    const upTo = this.#log.checkpointMade(index, store.bytes, held.length === 0 ? null : asLeast(held))
    if (upTo !== null) core.receive({ kind: 'trimLog', upTo })
    for (const member of members) if (member !== self) this.#parts.send(member, { kind: 'digest', index, digest })
    this.#judge(this.digests.made(index, digest, host.now()))
    this.#parts.wake()
  }

  #judge(divergence: Divergence | null): void {
    if (divergence === null) return
    const index = this.digests.newest?.index ?? 0
    const message =
      divergence === 'differs'
        ? `the state of this node at index ${index} differs from that of a majority`
        : `the states of the members at index ${index} differ, and none is that of a majority`
    const advice =
      divergence === 'differs'
        ? 'Keep the data folder for inspection and report it. Then delete its folder state and start the node: it takes a snapshot.'
        : 'Nobody can say which is right. Keep the data folders, report it, and restore a backup.'
    this.#parts.host.fatal({ code: 'diverged', message, advice })
  }
}

function asLeast(indices: readonly Index[]): Index {
  return indices.reduce((a, b) => (a < b ? a : b))
}
