// One member of a founded cluster: the loop in which the pure core and the lock table meet clock, disk, peers and
// clients. What arrives goes into inboxes; a turn takes all of it, steps the core once per input, sends on what clients
// asked for, and closes with a tick. Nothing in a turn waits between reading state and acting on it.
//
// A call's way: `call` -> own-commands (numbered) -> the leader's intake -> an entry -> apply here -> the call's answer.
import { unreachable } from '../assert.ts'
import type { Tally } from '../codec/digest.ts'
import type { Frame } from '../codec/frame.ts'
import { FormatError } from '../codec/packr.ts'
import { asIndex, asRun } from '../ids.ts'
import type { ClusterId, ClusterTime, Incarnation, Index, NodeId, Run, Term } from '../ids.ts'
import type { Limits, LockState } from '../lockfsm/state.ts'
import type { RoleChanged } from '../raft/effect.ts'
import { isCounted } from '../raft/members.ts'
import type { RaftState } from '../raft/state.ts'
import { wakeAt } from '../raft/step.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { StateStore } from '../storage/state-store.ts'
import { Administration } from './administration.ts'
import { refusalOf } from './admission.ts'
import { Applying } from './applying.ts'
import type { Backups } from './backup.ts'
import { Calls } from './calls.ts'
import type { CallRequest } from './calls.ts'
import { Core } from './core.ts'
import type { DiskSpace } from './disk-space.ts'
import type { DiskWriter } from './disk-writer.ts'
import type { Host } from './host.ts'
import { Forwarding } from './forwarding.ts'
import { Keeping } from './keeping.ts'
import type { KeepingOptions } from './keeping.ts'
import { Leading } from './leading.ts'
import { Leaving } from './leaving.ts'
import { OwnCommands } from './own-commands.ts'
import type { Peers } from './peers.ts'
import { ReadRounds } from './read-rounds.ts'
import type { ReadRequest } from './read-rounds.ts'
import { Renewals } from './renewals.ts'
import type { ReplaceCall } from './replacements.ts'
import type { TransferCall } from './transfers.ts'
import { Withdrawals } from './withdrawals.ts'
import type { Witnesses } from './witnesses.ts'

/** A node that is further behind than this is not ready. */
const entriesBehindMax = 1000
/** An orderly stop waits so long for another leader. */
const stopTransferMs = 1500

export interface ReplicaParts {
  readonly self: NodeId
  /** How often the process was started with this disk. */
  readonly run: Run
  readonly incarnation: Incarnation
  readonly clusterId: ClusterId
  readonly limits: Limits
  readonly keeping: KeepingOptions
  readonly host: Host
  readonly store: LogStore
  readonly disk: DiskWriter
  readonly peers: Peers
  readonly raft: RaftState
  readonly lock: LockState
  readonly state: StateStore
  /** Of the lock table as it was loaded. */
  readonly tally: Tally
  readonly witnesses: Witnesses
  readonly space: DiskSpace
  /** Stores that this disk counts by that entry, then calls `stored`. */
  storeCounted(by: Index, stored: () => void): void
  failed(error: Error): void
  readonly backups: Backups
}

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string }

export class Replica {
  readonly core: Core
  readonly lock: LockState
  readonly calls: Calls
  readonly leading: Leading
  readonly keeping: Keeping
  readonly backups: Backups
  readonly #parts: ReplicaParts
  readonly #commands: OwnCommands
  readonly #renewals: Renewals
  readonly #withdrawals: Withdrawals
  readonly #forwarding: Forwarding
  readonly #reads: ReadRounds
  readonly #administration: Administration
  #leader: NodeId | null = null
  #term: Term | null = null
  #wake: () => void
  #stopping = false
  readonly #leaving: Leaving
  readonly #applying: Applying

  constructor(parts: ReplicaParts, wake: () => void) {
    this.#parts = parts
    this.#wake = wake
    this.lock = parts.lock
    this.backups = parts.backups
    this.core = this.#createCore()
    // Far from the names of other runs of this node: an answer to one of theirs must not be taken for ours (B71).
    const farAway = () => Math.floor(parts.host.random() * 2 ** 48)
    this.#commands = new OwnCommands({
      node: parts.self,
      run: () => this.#applying.run ?? asRun(0),
      clusterTime: () => this.clusterTime,
      lastSending: farAway(),
    })
    this.#renewals = new Renewals(this.#commands)
    this.#withdrawals = new Withdrawals(this.#commands, ({ number }) => this.#commands.forget(number))
    this.#forwarding = this.#createForwarding()
    this.keeping = this.#createKeeping(farAway())
    this.leading = new Leading({
      core: this.core,
      marks: this.keeping.marks,
      intake: this.#forwarding.intake,
      lock: parts.lock,
      commands: this.#commands,
      wake,
    })
    this.#reads = new ReadRounds(farAway(), (id) => this.core.step({ kind: 'read', id, now: this.core.raft.now }))
    this.#administration = new Administration({
      self: parts.self,
      host: parts.host,
      core: this.core,
      leader: () => this.#leader,
      send: (to, frame) => parts.peers.send(to, frame),
    })
    this.calls = new Calls({
      now: () => parts.host.now(),
      submitterOf: (command) => (command.kind === 'renewSessions' ? this.#renewals : this.#commands),
      withdraw: (attempt) => this.#withdrawals.add(attempt),
    })
    this.#leaving = new Leaving({
      lock: parts.lock,
      calls: this.calls,
      reads: this.#reads,
      administration: this.#administration,
      withdrawals: this.#withdrawals,
      commands: this.#commands,
      appliedIndex: () => this.appliedIndex,
    })
    this.#applying = new Applying({
      ...parts,
      core: this.core,
      commands: this.#commands,
      leads: () => this.#leader === parts.self,
      applied: (entry) => this.keeping.applied(entry),
      replaced: (member, incarnation) => this.#administration.replaced(member, incarnation),
      reached: (index) => this.#reads.applied(index),
    })
  }

  // ---- what clients ask

  /** Cluster time that this node has applied; an acquire, and the opening of a session, is stamped with it when it leaves. */
  get clusterTime(): ClusterTime {
    return this.lock.time
  }

  /** Index of the last entry that the lock table of this node has applied (applying.ts). */
  get appliedIndex(): Index {
    return this.#applying.index
  }

  /** False while the records of our state are lost: what the lock table shows then never was. */
  get hasState(): boolean {
    return this.core.raft.canServe
  }

  /** Begins a call. The returned function says that its client is gone. */
  call(request: CallRequest): () => void {
    const { calls } = this
    const refusal = this.#stopping ? 'noLeader' : refusalOf(request.command, { calls, space: this.#parts.space })
    if (refusal !== null) {
      request.answer({ kind: refusal })
      return () => {}
    }
    const call = this.calls.begin(request)
    this.#wake()
    return () => {
      this.calls.abandon(call)
      this.#wake()
    }
  }

  /** Calls `request.ready` when everything committed before now has been applied here. */
  read(request: ReadRequest): void {
    if (this.#stopping || !this.hasState) return request.noLeader()
    this.#reads.read(request, this.#parts.host.now())
    this.#wake()
  }

  /** Hands leadership over; any node may be asked. */
  transfer(call: TransferCall): void {
    if (this.#stopping) call.done('noLeader')
    else this.#administration.transfer(call)
  }

  /** Has a member be who has another disk; any node may be asked. */
  replace(call: ReplaceCall): void {
    if (this.#stopping) call.done('noLeader')
    else this.#administration.replace(call)
  }

  get leader(): NodeId | null {
    return this.#leader
  }

  /** Whether clients should come here: a leader is known and nearly everything committed has been applied. */
  readiness(): Readiness {
    const { raft } = this.core
    const { role } = raft
    if (this.#stopping) return { ready: false, reason: 'stopping' }
    if (!raft.canServe) return { ready: false, reason: 'waiting for a snapshot' }
    if (this.#applying.run === null || !isCounted(raft)) return { ready: false, reason: 'not yet counted as a member' }
    if (this.#leader === null) return { ready: false, reason: 'no leader' }
    const committed = role.kind === 'follower' ? role.leaderCommit : raft.commitIndex
    if (role.kind === 'leader' && raft.appliedIndex < role.termStart) return { ready: false, reason: 'taking over' }
    if (committed - raft.appliedIndex > entriesBehindMax) return { ready: false, reason: 'catching up' }
    return { ready: true }
  }

  // ---- what peers say

  /** A frame of a peer. Throws FormatError when it makes no sense. */
  receive(from: NodeId, frame: Frame): void {
    switch (frame.kind) {
      case 'raft': {
        const { as, message } = frame
        if (message.kind === 'appendAccepted') {
          this.#parts.witnesses.acknowledged(from, message.term, message.matchIndex)
        }
        return this.core.receive({ kind: 'message', from, as, message })
      }
      case 'forward':
      case 'forwardRefused':
        return this.#forwarding.receive(from, frame)
      case 'transferRequest':
      case 'replaceRequest':
      case 'replaceRefused':
        return this.#administration.receive(from, frame)
      case 'digest':
      case 'snapshotOffer':
      case 'snapshotChunk':
      case 'snapshotEnd':
      case 'snapshotReply':
      case 'snapshotWanted':
        return this.keeping.receive(from, frame)
      case 'hello':
      case 'welcome':
      case 'rejected':
      case 'foundingNews':
        throw new FormatError(`${frame.kind} is not for a replica`)
      default:
        return unreachable(frame)
    }
  }

  connected(peer: NodeId, restarted: boolean): void {
    this.core.receive({ kind: 'peerConnected', peer, restarted })
    this.keeping.connected(peer)
    if (peer === this.#leader) this.#routeChanged()
  }

  gone(peer: NodeId): void {
    this.core.receive({ kind: 'peerGone', peer })
  }

  // ---- the turn

  turn(now: number): void {
    this.core.drain(now)
    // Before anything is sent: what has waited here for too long must not leave as if it were new (H15).
    this.calls.expire(now)
    this.#forwarding.turn(now)
    this.leading.turn(now)
    if (this.#leader !== null) this.#reads.flush(now)
    this.core.step({ kind: 'tick', now })
    this.#reads.expire(now)
    this.#administration.expire(now)
    this.keeping.turn(now)
    this.core.disk.start()
    this.#leaving.turn(now)
  }

  /** Commands of this node that have no fate yet, for metrics. */
  get unanswered(): number {
    return this.#commands.size
  }

  /** When the next turn is due if nothing arrives. */
  wakeAt(now: number): number {
    // The core wants a tick every 50 ms, or time would be lost (DESIGN 4).
    return Math.min(now + 50, wakeAt(this.core.raft), this.leading.wakeAt(now), this.#forwarding.wakeAt())
  }

  /** Orderly stop: hands leadership over when we lead, answers what waits (leaving.ts), then calls `stopped`. */
  stop(stopped: () => void): void {
    this.#stopping = true
    let left = false
    const leave = () => {
      if (left) return
      left = true
      this.#leaving.begin(this.#parts.host.now(), stopped)
      this.#wake()
    }
    if (this.#leader !== this.#parts.self || this.core.raft.members.length === 1) return leave()
    this.#administration.handOver(stopTransferMs, leave)
  }

  #onRoleChanged({ term, leader }: RoleChanged): void {
    if (leader === this.#leader && term === this.#term) return
    const changed = leader !== this.#leader
    this.#leader = leader
    this.#term = term
    if (leader !== this.#parts.self) {
      this.#forwarding.intake.refuseAll()
      this.leading.ended()
    }
    this.#routeChanged()
    if (changed && leader !== null) {
      this.#parts.host.report({ level: 'info', message: `${leader} leads term ${term}` })
      this.#administration.leaderChanged(leader)
    }
  }

  #routeChanged(): void {
    this.#forwarding.routeChanged()
    this.#reads.refused(null)
  }

  #createForwarding(): Forwarding {
    return new Forwarding({
      ...this.#parts,
      core: this.core,
      commands: this.#commands,
      renewals: this.#renewals,
      withdrawals: this.#withdrawals,
      leader: () => this.#leader,
      counts: () => this.#applying.run !== null && isCounted(this.core.raft),
      isReady: () => this.readiness().ready,
      wake: () => this.#wake(),
    })
  }

  #createKeeping(firstTransfer: number): Keeping {
    const { raft, peers, backups } = this.#parts
    const keeping = new Keeping({
      ...this.#parts,
      core: this.core,
      members: raft.members,
      options: this.#parts.keeping,
      firstTransfer,
      leader: () => this.#leader,
      send: (to, frame) => peers.send(to, frame),
      installed: (index) => this.#applying.installed(index),
      wake: () => this.#wake(),
    })
    keeping.holds.add(() => {
      const from = backups.holdsLogFrom
      return from === null ? null : asIndex(from - 1)
    })
    return keeping
  }

  #createCore(): Core {
    const { raft, host, store, disk, peers } = this.#parts
    return new Core({
      raft,
      host,
      store,
      disk,
      events: {
        send: (to, as, message) => peers.send(to, { kind: 'raft', as, message }),
        apply: (entries) => this.#applying.entries(entries),
        readReady: (id, index) => this.#reads.answered(id, index, this.appliedIndex),
        readRefused: (id) => this.#reads.refused(id),
        transferRefused: (reason) => this.#administration.transferRefused(reason),
        replacementRefused: (refusal) => this.#administration.replacementRefused(refusal),
        sendSnapshot: (to) => this.keeping.sender.begin(to),
        installSnapshot: (effect) => this.keeping.install(effect),
        ignoreSnapshot: () => this.keeping.ignore(),
        storeCounted: (by) => this.#parts.storeCounted(by, () => this.core.receive({ kind: 'countedStored' })),
        roleChanged: (change) => this.#onRoleChanged(change),
        wake: () => this.#wake(),
      },
    })
  }
}
