// One process of the cluster from its start to its end: it stores its new run before anybody hears of it, takes part in
// the founding or finds that the cluster is founded, and then is a replica. Here the turns are scheduled; what a turn does
// is in replica.ts.
import type { FoundingNews, Frame, Introduction, RejectReason } from '../codec/frame.ts'
import { protocolVersion } from '../codec/frame.ts'
import { asClusterTime, asIncarnation, asIndex, asRun, asTerm } from '../ids.ts'
import type { NodeId } from '../ids.ts'
import { createState } from '../lockfsm/state.ts'
import type { Limits } from '../lockfsm/state.ts'
import { createRaft } from '../raft/state.ts'
import type { RaftOptions } from '../raft/state.ts'
import type { FoundingRecord, FoundingStore, Restored } from '../storage/founding-store.ts'
import { judgeDisk } from '../storage/identity.ts'
import type { LogMeta, LogStore } from '../storage/log-store.ts'
import { Backups } from './backup.ts'
import { DiskSpace } from './disk-space.ts'
import type { Volume } from './disk-space.ts'
import { DiskWriter } from './disk-writer.ts'
import { Founding } from './founding.ts'
import type { Host, Timer } from './host.ts'
import { Peers } from './peers.ts'
import { Replica } from './replica.ts'
import { firstCounters } from './restore.ts'
import type { Wire } from './wire.ts'

/** A turn that begins so long after it was asked for has a stall behind it. */
const stallMs = 100

export interface NodeSetup {
  readonly self: NodeId
  /** All members, self included. */
  readonly members: readonly NodeId[]
  /** Where clients reach this node. */
  readonly httpUrl: string
  readonly limits: Limits
  readonly raft: RaftOptions
  /** Free disk space below which new work is refused; 0: never. */
  readonly diskLowBytes: number
  /** What to take over if the cluster is founded now; null: begin with nothing. */
  readonly restored: Restored | null
}

export interface NodeParts {
  readonly host: Host
  readonly wire: Wire
  readonly store: LogStore
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
    this.#disk = new DiskWriter(parts.store, {
      durable: (io) => this.replica?.core.durable(io),
      failed: (error) => this.#writeFailed(error),
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
    this.#disk.storeMeta(this.#meta, () => {
      if (this.#founding.founded) this.#serve()
      this.peers.start()
      this.#pursueFounding()
    })
  }

  get founding(): FoundingRecord | null {
    return this.#founding.record
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
        this.peers.stop()
        this.#parts.store.close().then(stopped, (error: unknown) => this.#writeFailed(asError(error)))
      })
    }
    if (this.replica === null) close()
    else this.replica.stop(close)
  }

  // ---- founding

  #serve(): void {
    const { host, store } = this.#parts
    const record = this.#founding.record
    if (record === null || this.replica !== null) return
    const { self, members } = this.setup
    const stored = store.stored
    const raft = createRaft({
      self,
      members,
      options: this.setup.raft,
      random: () => host.random(),
      now: host.now(),
      stored: { ...stored, start: { index: asIndex(0), term: asTerm(0), time: asClusterTime(0) }, notes: [] },
      applied: asIndex(0),
      incarnations: new Map(record.members.map(({ id, incarnation }) => [id, incarnation])),
      incarnation: this.#meta.incarnation,
      counted: true,
      canServe: true,
    })
    // The limits of the founding count, whatever this process was configured with.
    const lock = createState({ ...this.setup.limits, ...record.limits }, firstCounters(record))
    const parts = {
      self,
      run: this.#meta.run,
      host,
      store,
      disk: this.#disk,
      peers: this.peers,
      raft,
      lock,
      space: this.space,
      backups: new Backups({
        host,
        founding: record,
        store,
        state: { openView: () => null },
        log: () => ({ start: stored.start.index, durable: raft.durability.durableIndex }),
      }),
    }
    this.replica = new Replica(parts, () => this.#wake())
    for (const peer of members) if (this.peers.isConnected(peer)) this.replica.connected(peer, false)
    host.report({ level: 'info', message: `member of cluster ${record.clusterId}`, details: { run: this.#meta.run } })
    this.#wake()
  }

  #pursueFounding(): void {
    const duty = this.#founding.nextDuty()
    if (duty === null) return
    if (duty.kind === 'storeRecord') {
      this.#parts.foundingStore.write(duty.record, (error) => {
        if (error !== null) return this.#writeFailed(error)
        this.#founding.recordStored(duty.record)
        this.#tellFounding()
      })
    } else {
      this.#meta = { ...this.#meta, founded: true }
      this.#disk.storeMeta(this.#meta, () => {
        this.#founding.foundedStored()
        this.#tellFounding()
        this.#serve()
      })
    }
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
        this.#founding.introduced(peer)
        this.#pursueFounding()
      },
      rejected: (peer, reason, detail) => this.#onRejected(peer, reason, detail),
      connected: (peer, restarted) => {
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
      founding: this.#founding.view(),
    }
  }

  #judge(peer: Introduction): RejectReason | null {
    const reason = this.#founding.judge(peer)
    if (reason === null && this.#founding.isStrangerTo(peer)) this.#onRejected(peer.node, 'stranger', 'it is founded')
    return reason
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
    const { incarnation } = this.#meta
    if (reason === 'stranger' && this.#founding.record === null) {
      this.#parts.host.fatal({
        code: 'stranger',
        message: `${peer} does not know disk ${incarnation} as a member: ${detail}`,
        advice: 'The cluster was founded with another disk of this node. An empty disk must not vote in it.',
      })
    } else if (reason === 'old_run') {
      this.#parts.host.fatal({
        code: 'old_run',
        message: `${peer} has met a later run of disk ${incarnation} than ${this.#meta.run}`,
        advice:
          'Another process uses a copy of this data, or the data is an old copy. Stop the other, or wipe this one.',
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

  #writeFailed(error: Error): void {
    const advice = 'Nothing unconfirmed was promised. Repair or replace the disk, then start the node again.'
    this.#parts.host.fatal({ code: 'write_failed', message: `writing to disk failed: ${error.message}`, advice })
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
