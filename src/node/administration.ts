// What operators ask of the cluster: that leadership goes to another member, and that a member has another disk from now
// on. Any node takes both; the leader acts, and everybody sees in the log, or by the next leader, what became of it.
import type { Frame } from '../codec/frame.ts'
import type { Incarnation, NodeId } from '../ids.ts'
import type { RefuseReplacement, RefuseTransfer } from '../raft/effect.ts'
import { incarnationsAt } from '../raft/members.ts'
import type { Core } from './core.ts'
import type { Host } from './host.ts'
import { Replacements } from './replacements.ts'
import type { Refused, ReplaceCall } from './replacements.ts'
import { transferWaitMs, Transfers } from './transfers.ts'
import type { TransferCall } from './transfers.ts'

export interface AdministrationParts {
  readonly self: NodeId
  readonly host: Host
  readonly core: Core
  readonly leader: () => NodeId | null
  readonly send: (to: NodeId, frame: Frame) => void
}

export class Administration {
  readonly #parts: AdministrationParts
  readonly #transfers = new Transfers()
  readonly #replacements = new Replacements()

  constructor(parts: AdministrationParts) {
    this.#parts = parts
  }

  /** Hands leadership over; any node may be asked. */
  transfer(call: TransferCall): void {
    const { to } = call
    const leader = this.#parts.leader()
    if (to !== null && !this.#parts.core.raft.members.includes(to)) return call.done('unknownMember')
    if (to !== null && to === leader) return call.done('done')
    this.#transfers.add(call, leader, this.#parts.host.now() + transferWaitMs)
    if (leader !== null) this.#askToHandOver(leader, to)
  }

  /** We lead and stop: to whom it likes, within `waitMs`. */
  handOver(waitMs: number, done: () => void): void {
    const { core, host, leader } = this.#parts
    this.#transfers.add({ to: null, done }, leader(), host.now() + waitMs)
    core.receive({ kind: 'transferLeadership', to: null })
  }

  /** Has `member` be who has that disk; any node may be asked. */
  replace(call: ReplaceCall): void {
    const { core, self, host, send } = this.#parts
    const { member, incarnation } = call
    const leader = this.#parts.leader()
    if (!core.raft.members.includes(member)) return call.done('unknownMember')
    // Without its state this node does not know who has which disk.
    if (!core.raft.canServe) return call.done('noLeader')
    if (incarnationsAt(core.raft, core.raft.commitIndex).get(member) === incarnation) return call.done('done')
    if (leader === null) return call.done('noLeader')
    this.#replacements.add(call, leader, host.now())
    if (leader === self) core.receive({ kind: 'replaceMember', member, incarnation })
    else send(leader, { kind: 'replaceRequest', member, incarnation })
  }

  /** A frame of a peer about one of the two. */
  receive(
    from: NodeId,
    frame: Extract<Frame, { kind: 'transferRequest' | 'replaceRequest' | 'replaceRefused' }>,
  ): void {
    const { core, self } = this.#parts
    const leads = this.#parts.leader() === self
    if (frame.kind === 'transferRequest') {
      if (leads) core.receive({ kind: 'transferLeadership', to: frame.to })
    } else if (frame.kind === 'replaceRequest') {
      if (!leads) return this.#tell([from], { ...frame, reason: 'notLeader' })
      this.#replacements.asked(from, frame)
      core.receive({ kind: 'replaceMember', member: frame.member, incarnation: frame.incarnation })
    } else {
      this.#replacements.refused(frame, from)
    }
  }

  leaderChanged(leader: NodeId): void {
    for (const to of this.#transfers.leaderChanged(leader)) this.#askToHandOver(leader, to)
  }

  transferRefused(reason: RefuseTransfer['reason']): void {
    this.#parts.host.report({ level: 'info', message: `transfer of leadership: ${reason}` })
    // When we do not lead any more, whoever leads now is asked or has settled it.
    if (reason !== 'notLeader') this.#transfers.refused()
  }

  replacementRefused(refusal: RefuseReplacement): void {
    this.#tell(this.#replacements.refused(refusal, this.#parts.self), refusal)
  }

  replaced(member: NodeId, incarnation: Incarnation): void {
    this.#parts.host.report({ level: 'info', message: `${member} has another disk`, details: { incarnation } })
    this.#replacements.applied(member, incarnation)
  }

  expire(now: number): void {
    this.#transfers.expire(now)
    this.#replacements.expire(now)
  }

  stop(): void {
    this.#transfers.stop()
    this.#replacements.stop()
  }

  #askToHandOver(leader: NodeId, to: NodeId | null): void {
    const { self, core, send } = this.#parts
    if (leader === self) core.receive({ kind: 'transferLeadership', to })
    else send(leader, { kind: 'transferRequest', to })
  }

  #tell(askers: readonly NodeId[], { member, incarnation, reason }: Refused): void {
    for (const asker of askers) this.#parts.send(asker, { kind: 'replaceRefused', member, incarnation, reason })
  }
}
