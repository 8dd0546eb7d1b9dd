// One process of the cluster from its start to its end: it stores its new run before anybody hears of it, takes part in
// the founding or finds that the cluster is founded, brings back what is on its disk, and then is a replica. When it takes
// its turns is in turns.ts, what a turn does in replica.ts.
import type { FoundingNews, Frame, RejectReason } from '../codec/frame.ts'
import type { Introduction } from '../codec/introduction.ts'
import { protocolVersion } from '../codec/introduction.ts'
import { asIncarnation, asIndex, asRun } from '../ids.ts'
import type { Incarnation, Index, NodeId } from '../ids.ts'
import { createState } from '../lockfsm/state.ts'
import type { Limits, LockState } from '../lockfsm/state.ts'
import { incarnationsAt } from '../raft/members.ts'
import type { RaftOptions } from '../raft/state.ts'
import type { FoundingRecord, FoundingStore, Restored } from '../storage/founding-store.ts'
import { judgeDisk } from '../storage/identity.ts'
import { DamagedError } from '../storage/log-store.ts'
import type { LogMeta, LogStore } from '../storage/log-store.ts'
import { DamagedStateError } from '../storage/state-store.ts'
import type { StateStore } from '../storage/state-store.ts'
import { Backups } from './backup.ts'
import { DiskSpace } from './disk-space.ts'
import type { Volume } from './disk-space.ts'
import { DiskWriter } from './disk-writer.ts'
import { Founding } from './founding.ts'
import type { Host } from './host.ts'
import { Peers } from './peers.ts'
import type { KeepingOptions } from './keeping.ts'
import { failureOf } from './rejected.ts'
import { Replica } from './replica.ts'
import { firstCounters } from './restore.ts'
import { begin, createMember } from './starting.ts'
import type { Begun } from './starting.ts'
import { Turns } from './turns.ts'
import type { Wire } from './wire.ts'
import { Witnesses } from './witnesses.ts'

/** So long a new disk waits for a member that knows it, after one said that it does not. */
const strangerMs = 500

/**
 * Runs go up by chance: a disk that has lost the start of a process, and everything since, does not give the same run
 * again, so that its peers see it (witnesses.ts).
 */
const runStepMax = 65_536

export interface NodeSetup {
  readonly self: NodeId
  /** All members, self included. */
  readonly members: readonly NodeId[]
  /** Where clients reach this node. */
  readonly httpUrl: string
  readonly limits: Limits
  readonly raft: RaftOptions
  readonly keeping: KeepingOptions
  /** Free disk space below which new work is refused; 0: never. */
  readonly diskLowBytes: number
  /** What to take over if the cluster is founded now; null: begin with nothing. */
  readonly restored: Restored | null
}

export interface NodeParts {
  readonly host: Host
  readonly wire: Wire
  readonly store: LogStore
  readonly state: StateStore
  /** Closes the state store, throws what is in it away, and opens it again, empty. */
  readonly resetState: (done: (error: Error | null, state: StateStore | null) => void) => void
  readonly foundingStore: FoundingStore
  /** Where the data lies. */
  readonly volume: Volume
}

export class HoldfastNode {
  readonly setup: NodeSetup
  readonly peers: Peers
  readonly space: DiskSpace
  /** null until the cluster is founded. */
  replica: Replica | null = null
  readonly #parts: NodeParts
  readonly #disk: DiskWriter
  readonly #witnesses: Witnesses
  #state: StateStore
  readonly #founding: Founding
  #meta: LogMeta
  readonly #turns: Turns
  #stopped = false

  /** Throws DamagedError when the disk contradicts itself. */
  constructor(setup: NodeSetup, parts: NodeParts) {
    this.setup = { ...setup, members: [...setup.members].sort() }
    this.#parts = parts
    const disk = judgeDisk(setup.self, parts.store.stored, parts.foundingStore.read())
    const meta = disk.kind === 'empty' ? null : disk.meta
    this.#meta = {
      node: setup.self,
      incarnation: meta?.incarnation ?? asIncarnation(parts.host.randomId()),
      run: asRun((meta?.run ?? 0) + 1 + Math.floor(parts.host.random() * runStepMax)),
      founded: meta?.founded ?? false,
      counted: meta === null ? asIndex(0) : meta.counted,
    }
    this.space = new DiskSpace({ host: parts.host, volume: parts.volume, lowBytes: setup.diskLowBytes })
    this.#state = parts.state
    this.#turns = new Turns(parts.host, (now) => {
      this.replica?.turn(now)
      return this.replica?.wakeAt(now) ?? null
    })
    this.#witnesses = new Witnesses(parts.store.stored.peers)
    this.#disk = new DiskWriter(parts.store, {
      durable: (io) => this.replica?.core.durable(io),
      failed: (error) => this.#diskFailed(error),
    })
    this.#founding = new Founding({
      self: setup.self,
      incarnation: this.#meta.incarnation,
      members: this.setup.members,
      limits: { ...setup.limits },
      restored: setup.restored,
      record: disk.kind === 'empty' ? null : disk.record,
      founded: this.#meta.founded,
    })
    this.peers = this.#createPeers()
  }

  /** Stores the run, then speaks to the peers. */
  start(): void {
    this.space.start()
    this.#disk.takePeers = () => this.#witnesses.takeNews()
    this.#disk.store({ meta: this.#meta }, () => {
      const meet = (): void => {
        this.peers.start()
        this.#pursueFounding()
      }
      if (this.#founding.founded) this.#serve(meet)
      else meet()
    })
  }

  get founding(): FoundingRecord | null {
    return this.#founding.record
  }

  /** The disk of a member that counts, as far as is committed here; null until the cluster is founded. */
  incarnationOf(member: NodeId): Incarnation | null {
    const raft = this.replica?.core.raft
    const founders = this.#founding.record?.members ?? []
    const incarnation =
      raft === undefined
        ? founders.find(({ id }) => id === member)?.incarnation
        : incarnationsAt(raft, raft.commitIndex).get(member)
    return incarnation ?? null
  }

  get run(): LogMeta['run'] {
    return this.#meta.run
  }

  /** Stops in order; `stopped` comes when everything is answered and the disk is closed. */
  stop(stopped: () => void): void {
    const close = () => {
      this.#stopped = true
      this.#turns.stop()
      this.space.stop()
      this.replica?.backups.stop()
      // The replica says so in the middle of a turn, which may still have something to read or write.
      this.#parts.host.defer(() => {
        this.#disk.stop()
        this.replica?.keeping.stop()
        this.peers.stop()
        Promise.all([this.#parts.store.close(), this.#state.close()]).then(
          () => stopped(),
          (error: unknown) => this.#diskFailed(asError(error)),
        )
      })
    }
    if (this.replica === null) close()
    else this.replica.stop(close)
  }

  // ---- founding

  /** The cluster is founded: brings back what is on the disk, and takes part. */
  #serve(serving: () => void): void {
    const { host, store } = this.#parts
    const record = this.#founding.record
    if (record === null) return
    const { self } = this.setup
    // The limits of the founding count, whatever this process was configured with.
    const limits = { ...this.setup.limits, ...record.limits }
    const founders = new Map(record.members.map(({ id, incarnation }) => [id, incarnation]))
    const newLock = (): LockState => createState(limits, firstCounters(record))
    const isStopped = (): boolean => this.#stopped
    const { incarnation } = this.#meta
    const disks = { store, state: this.#state, disk: this.#disk }
    const parts = { self, incarnation, host, ...disks, limits, newLock, founders, isStopped }
    begin(parts, (error, begun) => {
      if (this.#stopped) return
      if (begun !== null) this.#becomeReplica(record, limits, begun, serving)
      else if (error instanceof DamagedStateError) this.#goOnWithoutState(error, () => this.#serve(serving))
      else if (error !== null) this.#diskFailed(error)
    })
  }

  /** Log, term and vote are intact: the node goes on voting, and gets a snapshot. */
  #goOnWithoutState({ message }: DamagedStateError, then: () => void): void {
    const { host, resetState } = this.#parts
    host.report({ level: 'error', message: 'the state is given up, a snapshot will replace it', details: { message } })
    resetState((error, state) => {
      if (this.#stopped) return void state?.close()
      if (state === null) return this.#diskFailed(error ?? new Error('no state'))
      this.#state = state
      then()
    })
  }

  #becomeReplica(record: FoundingRecord, limits: Limits, begun: Begun, serving: () => void): void {
    if (this.#stopped) return
    const { host, store } = this.#parts
    const { self, members } = this.setup
    const { clusterId } = record
    const { applied, canServe } = begun
    const raft = createMember(begun, { host, hardState: store.stored.hardState, meta: this.#meta, ...this.setup })
    const parts = {
      ...this.#meta,
      ...begun,
      self,
      clusterId,
      limits,
      keeping: this.setup.keeping,
      host,
      store,
      state: this.#state,
      disk: this.#disk,
      peers: this.peers,
      raft,
      witnesses: this.#witnesses,
      space: this.space,
      storeCounted: (by: Index, stored: () => void) => this.#storeMeta({ counted: by }, stored),
      failed: (error: Error) => this.#diskFailed(error),
      backups: new Backups({
        host,
        founding: record,
        store,
        state: this.#state,
        log: () => ({ start: raft.log.start.index, durable: raft.durability.durableIndex }),
      }),
    }
    this.replica = new Replica(parts, () => this.#turns.wake())
    for (const peer of members) if (this.peers.isConnected(peer)) this.replica.connected(peer, false)
    host.report({
      level: 'info',
      message: `member of cluster ${clusterId}`,
      details: { run: this.#meta.run, applied, canServe },
    })
    serving()
    this.#turns.wake()
  }

  #pursueFounding(): void {
    const duty = this.#founding.nextDuty()
    if (duty === null) return
    if (duty.kind === 'join') {
      // First that we do not count: beside a founding file of other disks anything else would be damage.
      this.#storeMeta({ counted: null }, () => this.#storeRecord(duty.record))
    } else if (duty.kind === 'storeRecord') {
      this.#storeRecord(duty.record)
    } else {
      this.#storeMeta({ founded: true, counted: this.#founding.isFounder ? asIndex(0) : null }, () => {
        this.#founding.foundedStored()
        this.#tellFounding()
        this.#serve(() => {})
      })
    }
  }

  #storeRecord(record: FoundingRecord): void {
    this.#parts.foundingStore.write(record, (error) => {
      if (error !== null) return this.#diskFailed(error)
      this.#founding.recordStored(record)
      this.#tellFounding()
    })
  }

  #storeMeta(change: Partial<LogMeta>, stored: () => void): void {
    this.#meta = { ...this.#meta, ...change }
    this.#disk.store({ meta: this.#meta }, stored)
  }

  #tellFounding(): void {
    this.peers.broadcast(this.#foundingNews())
    this.#pursueFounding()
  }

  #foundingNews(): FoundingNews {
    const { clusterId, founded } = this.#founding.view()
    return { kind: 'foundingNews', clusterId, founded }
  }

  // ---- peers

  #createPeers(): Peers {
    const { host, wire } = this.#parts
    const { self, members } = this.setup
    return new Peers({
      self,
      members,
      host,
      wire,
      introduce: () => this.#introduce(),
      judge: (peer) => this.#judge(peer),
      met: (peer) => {
        if (this.#founding.hasForgotten(peer)) return this.#refuseToGoOn(peer.node)
        this.#witnesses.met(peer.node, peer.incarnation, peer.run)
        this.#founding.introduced(peer)
        this.#pursueFounding()
      },
      rejected: (peer, reason, detail) => this.#onRejected(peer, reason, detail),
      connected: (peer, restarted, introduction) => {
        this.#founding.welcomedBy(introduction)
        this.#pursueFounding()
        // We may have come further since we introduced ourselves on this link.
        this.peers.send(peer, this.#foundingNews())
        this.replica?.connected(peer, restarted)
      },
      gone: (peer) => this.replica?.gone(peer),
      frame: (from, frame) => this.#onFrame(from, frame),
    })
  }

  #introduce(): Introduction {
    const { node, incarnation, run } = this.#meta
    return {
      version: protocolVersion,
      node,
      incarnation,
      run,
      httpUrl: this.setup.httpUrl,
      disk: { term: this.#parts.store.stored.hardState.currentTerm, lastIndex: this.#parts.store.stored.lastIndex },
      founding: this.#founding.view(),
    }
  }

  #judge(peer: Introduction): RejectReason | null {
    return this.#founding.judge(peer, this.incarnationOf(peer.node)) ?? this.#witnesses.judge(peer)
  }

  #refuseToGoOn(peer: NodeId): void {
    this.#parts.host.fatal({
      code: 'damaged',
      message: `${peer} was told that disk ${this.#meta.incarnation} had stored the founding record, which it has no more`,
      advice: 'It must neither vote nor serve. Move its data folder away and replace the member with an empty one.',
    })
  }

  #onFrame(from: NodeId, frame: Frame): void {
    if (frame.kind === 'foundingNews') {
      this.#founding.news(from, frame)
      this.#pursueFounding()
    } else {
      // Before it is founded nobody votes or serves, so nothing said about that is for us.
      this.replica?.receive(from, frame)
    }
  }

  /** A peer refused us. Only what says that this disk must not take part ends the process. */
  #onRejected(peer: NodeId, reason: RejectReason, detail: string): void {
    const { host } = this.#parts
    const end = (): void => {
      const refusal = { reason, detail, by: peer, httpUrl: this.peers.httpUrlOf(peer) }
      const failure = failureOf(refusal, { ...this.#meta, self: this.setup.self })
      if (failure !== null) host.fatal(failure)
    }
    if (reason !== 'stranger') return end()
    // A disk that was taken in is none. And a member that lags behind may not know yet that ours was; the others do.
    const isTakenIn = (): boolean => this.#founding.isJoining || this.#founding.record !== null
    if (isTakenIn()) return
    host.setTimer(strangerMs, () => {
      if (!this.#stopped && !isTakenIn()) end()
    })
  }

  /** A write failed, or what was read is not what was written. */
  #diskFailed(error: Error): void {
    if (error instanceof DamagedError) {
      // Its message says what to do.
      return this.#parts.host.fatal({ code: 'damaged', message: error.message, advice: '' })
    }
    const advice = 'Nothing unconfirmed was promised. Repair or replace the disk, then start the node again.'
    this.#parts.host.fatal({ code: 'write_failed', message: `writing to disk failed: ${error.message}`, advice })
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
