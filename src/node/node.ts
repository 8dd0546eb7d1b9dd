// One process of the cluster from its start to its end: it stores its new run before anybody hears of it, takes part in
// the founding or finds that the cluster is founded, and then is a replica. Here the turns are scheduled; what a turn does
// is in replica.ts.
import type { FoundingNews, Frame, RejectReason } from '../codec/frame.ts'
import type { Introduction } from '../codec/introduction.ts'
import { protocolVersion } from '../codec/introduction.ts'
import { asIncarnation, asRun } from '../ids.ts'
import type { Incarnation, NodeId } from '../ids.ts'
import { createState } from '../lockfsm/state.ts'
import type { Limits, LockState } from '../lockfsm/state.ts'
import { incarnationsAt } from '../raft/members.ts'
import { createRaft } from '../raft/state.ts'
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
import type { Host, Timer } from './host.ts'
import { Peers } from './peers.ts'
import type { KeepingOptions } from './keeping.ts'
import { Replica } from './replica.ts'
import { firstCounters } from './restore.ts'
import { begin } from './starting.ts'
import type { Begun } from './starting.ts'
import type { Wire } from './wire.ts'
import { Witnesses } from './witnesses.ts'

/** A turn that begins so long after it was asked for has a stall behind it. */
const stallMs = 100
/** So long a new disk waits for a member that knows it, after one said that it does not. */
const strangerMs = 500

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
  resetState(done: (error: Error | null, state: StateStore | null) => void): void
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
  #turnDue = false
  #timer: Timer | null = null
  #timerAt = Infinity
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
      run: asRun((meta?.run ?? 0) + 1),
      founded: meta?.founded ?? false,
      counted: meta?.counted ?? true,
    }
    this.space = new DiskSpace({ host: parts.host, volume: parts.volume, lowBytes: setup.diskLowBytes })
    this.#state = parts.state
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
      this.#timer?.cancel()
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
    const parts = { self, host, store, state: this.#state, disk: this.#disk, limits, newLock, founders }
    begin(parts, (error, begun) => {
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
    const { incarnation, counted, run } = this.#meta
    const { applied, incarnations, canServe, lock, tally } = begun
    const raft = createRaft({
      self,
      members,
      options: this.setup.raft,
      random: () => host.random(),
      now: host.now(),
      stored: { ...begun.log, hardState: store.stored.hardState },
      applied,
      incarnations,
      incarnation,
      counted,
      canServe,
    })
    const parts = {
      self,
      starts: run,
      incarnation,
      clusterId,
      limits,
      keeping: this.setup.keeping,
      host,
      store,
      state: this.#state,
      disk: this.#disk,
      peers: this.peers,
      raft,
      lock,
      tally,
      witnesses: this.#witnesses,
      space: this.space,
      storeCounted: (stored: () => void) => {
        this.#meta = { ...this.#meta, counted: true }
        this.#disk.store({ meta: this.#meta }, stored)
      },
      failed: (error: Error) => this.#diskFailed(error),
      backups: new Backups({
        host,
        founding: record,
        store,
        state: this.#state,
        log: () => ({ start: raft.log.start.index, durable: raft.durability.durableIndex }),
      }),
    }
    this.replica = new Replica(parts, () => this.#wake())
    for (const peer of members) if (this.peers.isConnected(peer)) this.replica.connected(peer, false)
    host.report({ level: 'info', message: `member of cluster ${clusterId}`, details: { run, applied, canServe } })
    serving()
    this.#wake()
  }

  #pursueFounding(): void {
    const duty = this.#founding.nextDuty()
    if (duty === null) return
    if (duty.kind === 'join') {
      // First that we do not count: beside a founding file of other disks anything else would be damage.
      this.#storeMeta({ counted: false }, () => this.#storeRecord(duty.record))
    } else if (duty.kind === 'storeRecord') {
      this.#storeRecord(duty.record)
    } else {
      this.#storeMeta({ founded: true, counted: this.#founding.isFounder }, () => {
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
    const { incarnation, run } = this.#meta
    if (reason === 'stranger' && this.#founding.record === null) {
      // A member that lags behind may not know yet that our disk was taken in; the others do.
      host.setTimer(strangerMs, () => {
        if (this.#founding.isJoining || this.#founding.record !== null) return
        host.fatal({
          code: 'stranger',
          message: `${peer} does not know disk ${incarnation} as a member: ${detail}`,
          advice: adviceToReplace(this.setup.self, incarnation, this.peers.httpUrlOf(peer)),
        })
      })
    } else if (reason === 'old_run') {
      host.fatal({
        code: 'old_run',
        message: `${peer} has met a later run of disk ${incarnation} than ${run}`,
        advice:
          'Another process uses a copy of this data, or the data is an old copy. Stop the other, or wipe this one.',
      })
    } else if (reason === 'lost_data') {
      host.fatal({
        code: 'damaged',
        message: `${peer} was told that disk ${incarnation} had entries that it has no more: ${detail}`,
        advice: 'It must neither vote nor serve. Move its data folder away and replace the member with an empty one.',
      })
    }
  }

  // ---- turns

  #wake(): void {
    if (this.#turnDue || this.#stopped) return
    this.#turnDue = true
    const wokenAt = this.#parts.host.now()
    this.#parts.host.defer(() => this.#turnUnlessLate(wokenAt))
  }

  /** Behind a stall it has not read what came meanwhile: the loop looks at its sockets once more before time counts. */
  #turnUnlessLate(wokenAt: number): void {
    const { host } = this.#parts
    if (host.now() - wokenAt < stallMs) this.#turn()
    else host.defer(() => this.#turn())
  }

  #turn(): void {
    this.#turnDue = false
    const { replica } = this
    if (this.#stopped || replica === null) return
    // Read after everything that this turn covers was read from its socket.
    const now = this.#parts.host.now()
    replica.turn(now)
    // The turn may have been the last of an orderly stop.
    if (!this.#stopped) this.#setTimer(replica.wakeAt(now), now)
  }

  #setTimer(at: number, now: number): void {
    // An earlier timer only brings an earlier look.
    if (this.#timer !== null && this.#timerAt <= at) return
    this.#timer?.cancel()
    this.#timerAt = at
    // Not at once: a turn that has nothing to do must not cause the next.
    this.#timer = this.#parts.host.setTimer(Math.max(1, at - now), () => {
      this.#timer = null
      this.#wake()
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

/** How an operator tells the cluster that the disk of a member was lost. */
function adviceToReplace(self: NodeId, incarnation: string, url: string | null): string {
  const call = `curl -X POST ${url ?? 'http://MEMBER'}/v1/cluster/members/${self}/replace`
  const body = `-H 'content-type: application/json' -d '{"incarnation":"${incarnation}"}'`
  return (
    'The cluster was founded with another disk of this node, and an empty disk must not vote in it. If that disk is lost, ' +
    `tell the cluster and start this node again: ${call} ${body} (for a node of cluster.sh: ./cluster.sh replace ${self.replace(/^n/, '')})`
  )
}
