// The simulated network under the Wire port. A link is a pair of directed streams, as TCP gives it: frames arrive in order
// while it lives. What can go wrong: a direction between two machines is cut (frames lie in the kernel and arrive when it
// heals, or as much later as the cut was long), a direction is so slow that one end lags far behind the other, a link is
// reset with frames under way, one of them half sent, a process dies with and without telling, and, in worlds that ask for more than
// TCP would ever do, single frames are lost, doubled or overtaken.
import { assert } from '../../src/assert.ts'
import { asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Link, LinkHandlers, Wire } from '../../src/node/wire.ts'
import { Connection } from './connection.ts'
import type { Medium, Place } from './connection.ts'
import type { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

export interface NetworkFaults {
  /** Delay of a frame: at least the first, in the mean the second more. */
  readonly delayMinMs: number
  readonly delayMeanMs: number
  /** Chances for a single frame; all 0 is what TCP promises. */
  readonly loss: number
  readonly duplicate: number
  readonly reorder: number
  /** TCP's retransmissions back off: a link that lived through a cut carries nothing for up to as long again. */
  readonly backoff: boolean
}

/** What the checks see of every frame: when it is sent, and when the process at the other end reads it. */
export interface FrameObserver {
  sent(from: NodeId, to: NodeId, bytes: Uint8Array): void
  read(from: NodeId, to: NodeId): void
}

const unreachableAfterMs = 2000
const knockAgainAfterMs = 1000

interface Listener extends Place {
  readonly accept: (link: Link) => LinkHandlers
}

export class SimNetwork implements Medium {
  readonly timeline: Timeline
  readonly random: Random
  faults: NetworkFaults
  /** What a node that is not ours would send in place of a frame: histories of peers that lie. */
  alter: (from: NodeId, to: NodeId, bytes: Uint8Array) => readonly Uint8Array[] = (_from, _to, bytes) => [bytes]
  /** Frames that were handed to a link, and that arrived. */
  sent = 0
  arrived = 0
  readonly #observer: FrameObserver
  readonly #listeners = new Map<NodeId, Listener>()
  /** Directions, and since when they have been cut. */
  readonly #cuts = new Map<string, number>()
  /** Directions that take so many milliseconds more, at last, and since when. */
  readonly #slow = new Map<string, { readonly extraMs: number; readonly since: number }>()
  readonly #connections = new Set<Connection>()
  /** Machines that reach one other only, and which. */
  readonly #confined = new Map<NodeId, NodeId>()
  /** Machines without power: nobody answers, not even with a reset. */
  readonly #dark = new Set<NodeId>()

  constructor(parts: { timeline: Timeline; random: Random; faults: NetworkFaults; observer: FrameObserver }) {
    this.timeline = parts.timeline
    this.random = parts.random
    this.faults = parts.faults
    this.#observer = parts.observer
  }

  wireOf(node: NodeId, process: SimProcess): Wire {
    return {
      listen: (accept) => {
        process.burn()
        this.#listeners.set(node, { node, process, accept })
      },
      dial: (peer, handlers) => {
        process.burn()
        return this.#dial({ node, process }, peer, handlers)
      },
    }
  }

  isCut(from: NodeId, to: NodeId): boolean {
    // Asked for every frame, and nearly always nothing is wrong.
    if (this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`)) return true
    if (this.#dark.size > 0 && (this.#dark.has(from) || this.#dark.has(to))) return true
    if (this.#confined.size === 0) return false
    return (this.#confined.get(from) ?? to) !== to || (this.#confined.get(to) ?? from) !== from
  }

  /** Cuts one direction. What is sent meanwhile arrives after `heal`, unless the link is reset. */
  cut(from: NodeId, to: NodeId): void {
    const direction = `${from}>${to}`
    if (!this.#cuts.has(direction)) this.#cuts.set(direction, this.timeline.now)
  }

  heal(from: NodeId, to: NodeId): void {
    const since = this.#cuts.get(`${from}>${to}`)
    this.#cuts.delete(`${from}>${to}`)
    if (since !== undefined && this.faults.backoff) this.#backOff(from, to, this.timeline.now - since)
    for (const connection of this.#connections) connection.flushHeld()
  }

  #backOff(from: NodeId, to: NodeId, cutMs: number): void {
    for (const connection of this.#connections) {
      if (connection.joins(from, to)) connection.backOff(from, this.timeline.now + this.random.between(0, cutMs))
    }
  }

  /**
   * Makes one direction slow, for what is sent from now on; 0 ends that, and what is under way arrives. It falls behind by
   * a second in a second, as what fills a queue does: a step would be an outage, and its links would be given up.
   */
  slow(from: NodeId, to: NodeId, extraMs: number): void {
    if (extraMs === 0) return this.#hurry(from, to)
    this.#slow.set(`${from}>${to}`, { extraMs, since: this.timeline.now })
  }

  healAll(): void {
    for (const direction of this.#slow.keys()) this.#hurry(...endsOf(direction))
    for (const direction of this.#cuts.keys()) this.heal(...endsOf(direction))
  }

  #hurry(from: NodeId, to: NodeId): void {
    if (!this.#slow.delete(`${from}>${to}`)) return
    for (const connection of this.#connections) if (connection.joins(from, to)) connection.hurry(from)
  }

  /** Whatever else is cut or healed, `node` reaches nobody but `only` from now on; null: whom it likes. */
  confine(node: NodeId, only: NodeId | null): void {
    if (only === null) this.#confined.delete(node)
    else this.#confined.set(node, only)
    for (const connection of this.#connections) connection.flushHeld()
  }

  /** Resets every link between two machines, as a middlebox does; what is under way may be lost. */
  reset(a: NodeId, b: NodeId): void {
    for (const connection of this.#connections) if (connection.joins(a, b)) connection.reset()
  }

  /** The next frame from `from` to `to` breaks off in the middle, and what follows on its link makes no sense. */
  breakOff(from: NodeId, to: NodeId): void {
    for (const connection of this.#connections) if (connection.joins(from, to)) connection.breakOff(from)
  }

  /** The process is gone. Its kernel resets its links, unless the whole machine went dark. */
  processEnded(node: NodeId, dark: boolean): void {
    this.#listeners.delete(node)
    if (dark) this.#dark.add(node)
    for (const connection of this.#connections) connection.endDied(node)
  }

  /** The machine has power: those who still talk to its dead process are told by resets. */
  powered(node: NodeId): void {
    this.#dark.delete(node)
    for (const connection of this.#connections) connection.flushHeld()
  }

  observe(from: NodeId, to: NodeId, bytes: Uint8Array): void {
    this.sent++
    this.#observer.sent(from, to, bytes)
  }

  altered(from: NodeId, to: NodeId, bytes: Uint8Array): readonly Uint8Array[] {
    return this.alter(from, to, bytes)
  }

  observeRead(from: NodeId, to: NodeId): void {
    this.#observer.read(from, to)
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }

  delay(from: NodeId, to: NodeId): number {
    const slow = this.#slow.size === 0 ? undefined : this.#slow.get(`${from}>${to}`)
    const extraMs = slow === undefined ? 0 : Math.min(slow.extraMs, this.timeline.now - slow.since)
    return this.faults.delayMinMs + this.random.exponential(this.faults.delayMeanMs) + extraMs
  }

  #dial(from: Place, to: NodeId, handlers: LinkHandlers): Link {
    const connection = new Connection(this, from, to, handlers)
    this.#connections.add(connection)
    const isCut = () => this.isCut(from.node, to) || this.isCut(to, from.node)
    const knock = () => {
      if (isCut()) return
      const listener = this.#listeners.get(to)
      if (listener === undefined) connection.failed('refused')
      else connection.accepted(listener, listener.accept)
    }
    this.timeline.after(this.delay(from.node, to), () => {
      if (!isCut()) return knock()
      // Kernels try a second time.
      this.timeline.after(knockAgainAfterMs, knock)
      this.timeline.after(unreachableAfterMs, () => connection.failed('unreachable'))
    })
    return connection.dialler
  }
}

function endsOf(direction: string): [from: NodeId, to: NodeId] {
  const [from, to] = direction.split('>')
  assert(from !== undefined && to !== undefined, 'a direction joins two nodes')
  return [asNodeId(from), asNodeId(to)]
}
