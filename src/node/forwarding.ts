// The way of commands to the leader, from both ends: ours to whoever leads, and what others send us while we do. Who does
// not lead refuses at once, so that the sender knows this copy is in no log; nothing is passed on twice.
import type { Forward, ForwardRefused } from '../codec/frame.ts'
import type { NodeId } from '../ids.ts'
import { roomForProposals } from '../raft/propose.ts'
import type { Core } from './core.ts'
import type { DiskSpace } from './disk-space.ts'
import type { Host } from './host.ts'
import { Intake } from './intake.ts'
import { inParts } from './own-commands.ts'
import type { OwnCommands, Sending } from './own-commands.ts'
import type { Peers } from './peers.ts'
import type { Renewals } from './renewals.ts'
import type { Withdrawals } from './withdrawals.ts'

/** After a leader refused us we ask again so much later, unless we hear of another. */
const refusedPauseMs = { notLeader: 25, overloaded: 50, diskLow: 50 }
/** For what is refused at once. */
const endlessRoom = { ordinary: Infinity, exempt: Infinity, isDiskLow: false }

export interface ForwardingParts {
  readonly self: NodeId
  readonly host: Host
  readonly core: Core
  readonly peers: Pick<Peers, 'send' | 'isConnected'>
  readonly space: Pick<DiskSpace, 'isLow'>
  readonly commands: OwnCommands
  readonly renewals: Renewals
  readonly withdrawals: Withdrawals
  readonly leader: () => NodeId | null
  /** Whether this node may send commands at all. */
  readonly counts: () => boolean
  /** Whether it may bring work. */
  isReady(): boolean
  readonly wake: () => void
}

export class Forwarding {
  readonly intake: Intake
  readonly #parts: ForwardingParts
  #pausedUntil = -Infinity

  constructor(parts: ForwardingParts) {
    this.#parts = parts
    this.intake = new Intake((node, sending, reason, numbers) =>
      this.#refuse(node, { kind: 'forwardRefused', sending, reason, numbers }),
    )
  }

  /** Sends what is to be sent now. */
  turn(now: number): void {
    const { self, peers, commands, renewals, withdrawals } = this.#parts
    const leader = this.#route()
    if (leader === null || now < this.#pausedUntil) return
    renewals.flush(now)
    withdrawals.flush()
    const next = commands.nextSending(this.#parts.isReady())
    if (next === null) return
    if (leader === self) return this.#takeIn(self, next)
    for (const part of inParts(next)) peers.send(leader, { kind: 'forward', ...part })
  }

  /** When there is something to send, as far as that is known now. */
  wakeAt(): number {
    return this.#route() === null ? Infinity : Math.max(this.#parts.renewals.wakeAt, this.#pausedUntil)
  }

  /** The leader is another, or the link to it is new. */
  routeChanged(): void {
    this.#pausedUntil = -Infinity
    this.#parts.commands.routeChanged()
  }

  receive(from: NodeId, frame: Forward | ForwardRefused): void {
    if (frame.kind === 'forward') this.#takeIn(from, frame)
    else this.#onRefused(frame)
  }

  /** Whom commands can be sent to: a leader is known, and is ourselves or at the other end of a link. */
  #route(): NodeId | null {
    const { self, peers, counts } = this.#parts
    const leader = this.#parts.leader()
    if (leader === null || !counts()) return null
    return leader === self || peers.isConnected(leader) ? leader : null
  }

  #takeIn(node: NodeId, { sending, commands }: Sending): void {
    const { raft } = this.#parts.core
    const leads = raft.role.kind === 'leader'
    const [ordinary, exempt] = [roomForProposals(raft, false), roomForProposals(raft, true)]
    const { isLow: isDiskLow } = this.#parts.space
    // Who does not lead refuses at once, and nothing else, so that the sender knows this copy is in no log.
    this.intake.take(node, { sending, commands }, leads ? { ordinary, exempt, isDiskLow } : endlessRoom)
    if (!leads) this.intake.refuseAll()
    this.#parts.wake()
  }

  #refuse(node: NodeId, refusal: ForwardRefused): void {
    if (node === this.#parts.self) this.#onRefused(refusal)
    else this.#parts.peers.send(node, refusal)
  }

  #onRefused({ sending, reason, numbers }: ForwardRefused): void {
    const { commands, host, wake } = this.#parts
    const shouldWait = commands.refused(sending, reason, numbers)
    if (shouldWait) this.#pausedUntil = host.now() + refusedPauseMs[reason]
    wake()
  }
}
