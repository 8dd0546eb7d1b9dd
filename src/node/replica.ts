// One member of a founded cluster: the loop in which the pure core and the lock table meet clock, disk, peers and
// clients. What arrives goes into inboxes; a turn takes all of it, steps the core once per input, sends on what clients
// asked for, and closes with a tick. Nothing in a turn waits between reading state and acting on it.
//
// A call's way: `call` -> own-commands (numbered) -> the leader's intake -> an entry -> apply here -> the call's answer.
import { unreachable } from '../assert.ts'
import { decodePayload } from '../codec/command.ts'
import type { ForwardRefused, Frame } from '../codec/frame.ts'
import { FormatError } from '../codec/packr.ts'
import type { ClusterTime, Index, NodeId, Run, Term } from '../ids.ts'
import { apply } from '../lockfsm/apply.ts'
import type { LockState } from '../lockfsm/state.ts'
import type { RefuseTransfer, RoleChanged } from '../raft/effect.ts'
import type { Entry } from '../raft/entry.ts'
import { roomForProposals } from '../raft/propose.ts'
import type { RaftState } from '../raft/state.ts'
import { wakeAt } from '../raft/step.ts'
import type { LogStore } from '../storage/log-store.ts'
import { refusalOf } from './admission.ts'
import type { Backups } from './backup.ts'
import { Calls } from './calls.ts'
import type { CallRequest } from './calls.ts'
import { Core } from './core.ts'
import type { DiskSpace } from './disk-space.ts'
import type { DiskWriter } from './disk-writer.ts'
import type { Host } from './host.ts'
import { Intake } from './intake.ts'
import { Leading } from './leading.ts'
import { Leaving } from './leaving.ts'
import { inParts, OwnCommands } from './own-commands.ts'
import type { Sending } from './own-commands.ts'
import type { Peers } from './peers.ts'
import { ReadRounds } from './read-rounds.ts'
import type { ReadRequest } from './read-rounds.ts'
import { Renewals } from './renewals.ts'
import { transferWaitMs, Transfers } from './transfers.ts'
import type { TransferCall } from './transfers.ts'
import { Withdrawals } from './withdrawals.ts'

/** After a leader refused us we ask again so much later, unless we hear of another. */
const refusedPauseMs = { notLeader: 25, overloaded: 50, diskLow: 50 }
/** A node that is further behind than this is not ready. */
const entriesBehindMax = 1000
/** For what is refused at once. */
const endlessRoom = { ordinary: Infinity, exempt: Infinity, isDiskLow: false }
/** An orderly stop waits so long for another leader. */
const stopTransferMs = 1500

export interface ReplicaParts {
  readonly self: NodeId
  readonly run: Run
  readonly host: Host
  readonly store: LogStore
  readonly disk: DiskWriter
  readonly peers: Peers
  readonly raft: RaftState
  readonly lock: LockState
  readonly space: DiskSpace
  readonly backups: Backups
}

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string }

export class Replica {
  readonly core: Core
  readonly lock: LockState
  readonly calls: Calls
  readonly leading: Leading
  readonly backups: Backups
  readonly #parts: ReplicaParts
  readonly #commands: OwnCommands
  readonly #renewals: Renewals
  readonly #withdrawals: Withdrawals
  readonly #intake: Intake
  readonly #reads: ReadRounds
  readonly #transfers: Transfers
  #leader: NodeId | null = null
  #term: Term | null = null
  #pausedUntil = -Infinity
  #wake: () => void
  #stopping = false
  readonly #leaving: Leaving
  #appliedIndex: Index

  constructor(parts: ReplicaParts, wake: () => void) {
    this.#parts = parts
    this.#wake = wake
    this.lock = parts.lock
    this.backups = parts.backups
    this.#appliedIndex = parts.raft.appliedIndex
    this.core = this.#createCore()
    // Far from the names of other runs of this node: an answer to one of theirs must not be taken for ours (B71).
    const farAway = () => Math.floor(parts.host.random() * 2 ** 48)
    this.#commands = new OwnCommands({
      node: parts.self,
      run: parts.run,
      clusterTime: () => this.clusterTime,
      lastSending: farAway(),
    })
    this.#renewals = new Renewals(this.#commands)
    this.#withdrawals = new Withdrawals(this.#commands, ({ number }) => this.#commands.forget(number))
    this.#intake = new Intake((node, sending, reason, numbers) =>
      this.#refuse(node, { kind: 'forwardRefused', sending, reason, numbers }),
    )
    this.leading = new Leading({
      core: this.core,
      intake: this.#intake,
      lock: parts.lock,
      commands: this.#commands,
      wake,
    })
    this.#reads = new ReadRounds(farAway(), (id) => this.core.step({ kind: 'read', id, now: this.core.raft.now }))
    this.#transfers = new Transfers()
    this.calls = new Calls({
      now: () => parts.host.now(),
      submitterOf: (command) => (command.kind === 'renewSessions' ? this.#renewals : this.#commands),
      withdraw: (attempt) => this.#withdrawals.add(attempt),
    })
    this.#leaving = new Leaving({
      lock: parts.lock,
      calls: this.calls,
      reads: this.#reads,
      transfers: this.#transfers,
      withdrawals: this.#withdrawals,
      commands: this.#commands,
      appliedIndex: () => this.#appliedIndex,
    })
    this.#announceRun()
  }

  // ---- what clients ask

  /** Cluster time that this node has applied; an acquire, and the opening of a session, is stamped with it when it leaves. */
  get clusterTime(): ClusterTime {
    return this.lock.time
  }

  /**
   * Index of the last entry that the lock table of this node has applied. The core's own index can be ahead of it: it
   * says what was handed out, and one step may hand out twice, what was read from disk and what was in memory behind it.
   */
  get appliedIndex(): Index {
    return this.#appliedIndex
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
    if (this.#stopping) return request.noLeader()
    this.#reads.read(request, this.#parts.host.now())
    this.#wake()
  }

  /** Hands leadership over; any node may be asked. */
  transfer(call: TransferCall): void {
    const { to } = call
    if (this.#stopping) return call.done('noLeader')
    if (to !== null && !this.core.raft.members.includes(to)) return call.done('unknownMember')
    if (to !== null && to === this.#leader) return call.done('done')
    this.#transfers.add(call, this.#leader, this.#parts.host.now() + transferWaitMs)
    if (this.#leader !== null) this.#askToHandOver(this.#leader, to)
  }

  #askToHandOver(leader: NodeId, to: NodeId | null): void {
    const { self, peers } = this.#parts
    if (leader === self) this.core.receive({ kind: 'transferLeadership', to })
    else peers.send(leader, { kind: 'transferRequest', to })
  }

  get leader(): NodeId | null {
    return this.#leader
  }

  /** Whether clients should come here: a leader is known and nearly everything committed has been applied. */
  readiness(): Readiness {
    const { raft } = this.core
    const { role } = raft
    if (this.#stopping) return { ready: false, reason: 'stopping' }
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
      case 'raft':
        return this.core.receive({ kind: 'message', from, as: frame.as, message: frame.message })
      case 'forward':
        return this.#takeIn(from, frame)
      case 'forwardRefused':
        return this.#onRefused(frame)
      case 'transferRequest':
        if (this.#leader === this.#parts.self) this.core.receive({ kind: 'transferLeadership', to: frame.to })
        return
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
    this.#sendCommands(now)
    this.leading.turn(now)
    if (this.#leader !== null) this.#reads.flush(now)
    this.core.step({ kind: 'tick', now })
    this.#reads.expire(now)
    this.#transfers.expire(now)
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
    const renewals = this.#hasRoute() ? Math.max(this.#renewals.wakeAt, this.#pausedUntil) : Infinity
    return Math.min(now + 50, wakeAt(this.core.raft), this.leading.wakeAt(now), renewals)
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
    this.#transfers.add({ to: null, done: leave }, this.#leader, this.#parts.host.now() + stopTransferMs)
    this.core.receive({ kind: 'transferLeadership', to: null })
  }

  #sendCommands(now: number): void {
    const { self, peers } = this.#parts
    const leader = this.#leader
    if (leader === null || !this.#hasRoute() || now < this.#pausedUntil) return
    this.#renewals.flush(now)
    this.#withdrawals.flush()
    const next = this.#commands.nextSending(this.readiness().ready)
    if (next === null) return
    if (leader === self) return this.#takeIn(self, next)
    for (const part of inParts(next)) peers.send(leader, { kind: 'forward', ...part })
  }

  /** Whether commands can be sent: a leader is known, and is ourselves or at the other end of a link. */
  #hasRoute(): boolean {
    const leader = this.#leader
    return leader !== null && (leader === this.#parts.self || this.#parts.peers.isConnected(leader))
  }

  #takeIn(node: NodeId, { sending, commands }: Sending): void {
    const { raft } = this.core
    const leads = raft.role.kind === 'leader'
    const [ordinary, exempt] = [roomForProposals(raft, false), roomForProposals(raft, true)]
    const { isLow: isDiskLow } = this.#parts.space
    // Who does not lead refuses at once, and nothing else, so that the sender knows this copy is in no log.
    this.#intake.take(node, { sending, commands }, leads ? { ordinary, exempt, isDiskLow } : endlessRoom)
    if (!leads) this.#intake.refuseAll()
    this.#wake()
  }

  #refuse(node: NodeId, refusal: ForwardRefused): void {
    if (node === this.#parts.self) this.#onRefused(refusal)
    else this.#parts.peers.send(node, refusal)
  }

  #onRefused({ sending, reason, numbers }: ForwardRefused): void {
    const shouldWait = this.#commands.refused(sending, reason, numbers)
    if (shouldWait) this.#pausedUntil = this.#parts.host.now() + refusedPauseMs[reason]
    this.#wake()
  }

  #applyEntries(entries: readonly Entry[]): void {
    const { self, run } = this.#parts
    /** By other nodes, whose clients wait for what was applied here: up to which index. */
    const awaited = new Map<NodeId, Index>()
    for (const { index, time, payload } of entries) {
      const outcomes = apply(this.lock, { time, commands: decodePayload(payload) })
      this.#appliedIndex = index
      for (const outcome of outcomes) {
        if (outcome.to.node !== self) awaited.set(outcome.to.node, index)
        else if (outcome.to.run === run) this.#commands.applied(outcome, index)
      }
    }
    if (this.#leader === self) this.#announceCommits(awaited)
    this.#reads.applied(this.#appliedIndex)
  }

  #announceCommits(awaited: ReadonlyMap<NodeId, Index>): void {
    const { now } = this.core.raft
    for (const [by, index] of awaited) this.core.step({ kind: 'commitAwaited', by, index, now })
  }

  #onRoleChanged({ term, leader }: RoleChanged): void {
    if (leader === this.#leader && term === this.#term) return
    const changed = leader !== this.#leader
    this.#leader = leader
    this.#term = term
    if (leader !== this.#parts.self) {
      this.#intake.refuseAll()
      this.leading.ended()
    }
    this.#routeChanged()
    if (changed && leader !== null) {
      this.#parts.host.report({ level: 'info', message: `${leader} leads term ${term}` })
      for (const to of this.#transfers.leaderChanged(leader)) this.#askToHandOver(leader, to)
    }
  }

  #onTransferRefused(reason: RefuseTransfer['reason']): void {
    this.#parts.host.report({ level: 'info', message: `transfer of leadership: ${reason}` })
    // When we do not lead any more, whoever leads now is asked or has settled it.
    if (reason !== 'notLeader') this.#transfers.refused()
  }

  #routeChanged(): void {
    this.#pausedUntil = -Infinity
    this.#commands.routeChanged()
    this.#reads.refused(null)
  }

  /** First command of this run: nobody answers for the attempts of earlier ones any more. */
  #announceRun(): void {
    this.#commands.submit({
      command: { kind: 'nodeStarted' },
      learn: (fate) => {
        if (fate.kind === 'notDone') this.#announceRun()
      },
    })
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
        apply: (entries) => this.#applyEntries(entries),
        readReady: (id, index) => this.#reads.answered(id, index, this.#appliedIndex),
        readRefused: (id) => this.#reads.refused(id),
        transferRefused: (reason) => this.#onTransferRefused(reason),
        roleChanged: (change) => this.#onRoleChanged(change),
        wake: () => this.#wake(),
      },
    })
  }
}
