// The Raft core with what it needs to be real: its disk, the messages that wait for a write, and the entries it asks to
// be read back. Inputs in, effects carried out in their order, each step's before the next input.
import { unreachable } from '../assert.ts'
import { asIo } from '../ids.ts'
import type { Index, Io, NodeId } from '../ids.ts'
import type {
  Effect,
  IgnoreSnapshot,
  InstallSnapshot,
  LoadEntries,
  RefuseReplacement,
  RefuseTransfer,
  RoleChanged,
  Send,
} from '../raft/effect.ts'
import type { CheckpointMark, Entry } from '../raft/entry.ts'
import type { Input } from '../raft/input.ts'
import type { Message, Standing } from '../raft/message.ts'
import type { RaftState } from '../raft/state.ts'
import { step } from '../raft/step.ts'
import type { LogStore } from '../storage/log-store.ts'
import type { DiskWriter } from './disk-writer.ts'
import type { Host } from './host.ts'

export interface CoreEvents {
  send(to: NodeId, as: Standing | null, message: Message): void
  apply(entries: readonly Entry[]): void
  readReady(id: number, index: Index): void
  readRefused(id: number): void
  transferRefused(reason: RefuseTransfer['reason']): void
  roleChanged(change: RoleChanged): void
  sendSnapshot(to: NodeId): void
  installSnapshot(effect: InstallSnapshot): void
  ignoreSnapshot(effect: IgnoreSnapshot): void
  storeCounted(by: Index): void
  replacementRefused(refusal: RefuseReplacement): void
  /** Something arrived from the disk: a turn is due. */
  wake(): void
}

export type ProposalFate = 'appended' | 'notLeader' | 'transferring' | 'overloaded'

export class Core {
  readonly raft: RaftState
  readonly disk: DiskWriter
  readonly #host: Host
  readonly #store: LogStore
  readonly #events: CoreEvents
  /** Waiting for a write, in the order they were asked for. */
  #held: Send[] = []
  #inbox: WithoutNow<Input>[] = []
  /** Writes up to here are durable; the core learns of it with the next turn. */
  #durableIo = asIo(0)
  #proposal: ProposalFate = 'appended'

  constructor(parts: { raft: RaftState; host: Host; store: LogStore; disk: DiskWriter; events: CoreEvents }) {
    this.raft = parts.raft
    this.disk = parts.disk
    this.#host = parts.host
    this.#store = parts.store
    this.#events = parts.events
  }

  /** Puts an input, whose time is that of the coming turn, into the inbox. */
  receive(input: WithoutNow<Input>): void {
    this.#inbox.push(input)
    this.#events.wake()
  }

  /** Every write up to `io` is durable: says what waited for it, then tells the core. */
  durable(io: Io): void {
    this.#durableIo = io
    const ready = this.#held.filter(({ after }) => after !== null && after <= io)
    this.#held = this.#held.filter(({ after }) => after === null || after > io)
    for (const { to, as, message } of ready) this.#events.send(to, as, message)
    this.receive({ kind: 'persisted', io })
  }

  /** Steps through everything in the inbox. */
  drain(now: number): void {
    // What comes in meanwhile belongs to the next turn, with a clock read after it.
    const inputs = this.#inbox
    this.#inbox = []
    for (const input of inputs) this.step(timed(input, now))
  }

  step(input: Input): void {
    for (const effect of step(this.raft, input)) this.#carryOut(effect)
  }

  propose(payload: Uint8Array, now: number, note: CheckpointMark | null = null): ProposalFate {
    this.#proposal = 'appended'
    // Whether there is room was judged command by command (intake.ts); here only the reserve is the limit.
    this.step({ kind: 'propose', payload, note, exempt: true, now })
    return this.#proposal
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case 'persist':
        return this.disk.persist(effect)
      case 'send':
        // What is said between the completion of a write and the turn in which the core learns of it waits for nothing.
        if (effect.after === null || effect.after <= this.#durableIo)
          this.#events.send(effect.to, effect.as, effect.message)
        else this.#held.push(effect)
        return
      case 'apply':
        return this.#events.apply(effect.entries)
      case 'readReady':
        return this.#events.readReady(effect.id, effect.index)
      case 'refuseRead':
        return this.#events.readRefused(effect.id)
      case 'refuseProposal':
        this.#proposal = effect.reason
        return
      case 'refuseTransfer':
        return this.#events.transferRefused(effect.reason)
      case 'loadEntries':
        return this.#load(effect)
      case 'roleChanged':
        return this.#events.roleChanged(effect)
      case 'sendSnapshot':
        return this.#events.sendSnapshot(effect.to)
      case 'installSnapshot':
        return this.#events.installSnapshot(effect)
      case 'ignoreSnapshot':
        return this.#events.ignoreSnapshot(effect)
      case 'storeCounted':
        return this.#events.storeCounted(effect.by)
      case 'refuseReplacement':
        return this.#events.replacementRefused(effect)
      default:
        return unreachable(effect)
    }
  }

  #load({ load, from, to, bytesMax }: LoadEntries): void {
    this.#store.read({ from, to, bytesMax }, (error, entries) => {
      // A snapshot may have taken the place of what was being read.
      if (!this.raft.loads.has(load)) return
      if (error === null) this.receive({ kind: 'entriesLoaded', load, entries })
      else {
        const advice =
          'The disk holds something else than what was written: wipe it and let the node rejoin as a new one.'
        this.#host.fatal({ code: 'damaged', message: `reading the log: ${error.message}`, advice })
      }
    })
  }
}

/** Nearly all are messages, and a copy whose fields are known costs a fifth of one whose fields are not. */
function timed(input: WithoutNow<Input>, now: number): Input {
  if (input.kind !== 'message') return { ...input, now }
  const { kind, from, as, message } = input
  return { kind, from, as, message, now }
}

/** `Omit` that keeps a union a union. */
type WithoutNow<T> = T extends unknown ? Omit<T, 'now'> : never
