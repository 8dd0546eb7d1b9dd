// The simulated network under the Wire port. A link is a pair of directed streams, as TCP gives it: frames arrive in order
// while it lives. What can go wrong: a direction between two machines is cut (frames lie in the kernel and arrive when it
// heals, minutes later if need be), a direction is so slow that one end lags far behind the other, a link is reset with
// frames under way, one of them half sent, a process dies with and without telling, and, in worlds that ask for more than
// TCP would ever do, single frames are lost, doubled or overtaken.
import { FrameReader, FrameWriter } from '../../src/node/frame.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Link, LinkClosed, LinkHandlers, Wire } from '../../src/node/wire.ts'
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
}

/** What the checks see of every frame: when it is sent, and when the process at the other end reads it. */
export interface FrameObserver {
  sent(from: NodeId, to: NodeId, bytes: Uint8Array): void
  read(from: NodeId, to: NodeId): void
}

const unreachableAfterMs = 2000
const frameBytesMax = 16 * 1024 * 1024
const heldBytesMax = 64 * 1024 * 1024

/** One end's view of the process it runs in. */
interface Place {
  readonly node: NodeId
  readonly process: SimProcess
}

interface Listener extends Place {
  readonly accept: (link: Link) => LinkHandlers
}

export class SimNetwork {
  readonly timeline: Timeline
  readonly random: Random
  faults: NetworkFaults
  /** Frames that were handed to a link, and that arrived. */
  sent = 0
  arrived = 0
  readonly #observer: FrameObserver
  readonly #listeners = new Map<NodeId, Listener>()
  readonly #cuts = new Set<string>()
  /** Directions that take so many milliseconds more. */
  readonly #slow = new Map<string, number>()
  readonly #connections = new Set<Connection>()
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
    return this.#cuts.has(`${from}>${to}`) || this.#dark.has(from) || this.#dark.has(to)
  }

  /** Cuts one direction. What is sent meanwhile arrives after `heal`, unless the link is reset. */
  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`)
  }

  heal(from: NodeId, to: NodeId): void {
    this.#cuts.delete(`${from}>${to}`)
    for (const connection of this.#connections) connection.flushHeld()
  }

  /** Makes one direction slow, for what is sent from now on; 0 ends that. */
  slow(from: NodeId, to: NodeId, extraMs: number): void {
    this.#slow.set(`${from}>${to}`, extraMs)
  }

  healAll(): void {
    this.#cuts.clear()
    this.#slow.clear()
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

  observeRead(from: NodeId, to: NodeId): void {
    this.#observer.read(from, to)
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }

  delay(from: NodeId, to: NodeId): number {
    const slow = this.#slow.get(`${from}>${to}`) ?? 0
    return this.faults.delayMinMs + this.random.exponential(this.faults.delayMeanMs) + slow
  }

  #dial(from: Place, to: NodeId, handlers: LinkHandlers): Link {
    const connection = new Connection(this, from, to, handlers)
    this.#connections.add(connection)
    this.timeline.after(this.delay(from.node, to), () => {
      if (this.isCut(from.node, to) || this.isCut(to, from.node)) {
        this.timeline.after(unreachableAfterMs, () => connection.failed('unreachable'))
        return
      }
      const listener = this.#listeners.get(to)
      if (listener === undefined) connection.failed('refused')
      else connection.accepted(listener, listener.accept)
    })
    return connection.dialler
  }
}

/** A link between two processes: two ends, two streams. */
class Connection {
  readonly #network: SimNetwork
  readonly #from: End
  #to: End | null = null
  readonly #toNode: NodeId

  constructor(network: SimNetwork, from: Place, toNode: NodeId, handlers: LinkHandlers) {
    this.#network = network
    this.#toNode = toNode
    this.#from = new End(network, from, toNode, handlers)
  }

  get dialler(): Link {
    return this.#from
  }

  joins(a: NodeId, b: NodeId): boolean {
    const from = this.#from.place.node
    return (from === a && this.#toNode === b) || (from === b && this.#toNode === a)
  }

  failed(why: 'refused' | 'unreachable'): void {
    if (this.#to === null) this.#from.closedBy(why)
    this.#network.forget(this)
  }

  accepted(listener: Place, accept: (link: Link) => LinkHandlers): void {
    const network = this.#network
    if (this.#from.isClosed) return network.forget(this)
    const to = new End(network, listener, this.#from.place.node, null)
    this.#to = to
    this.#from.other = to
    to.other = this.#from
    listener.process.arrive(() => to.attach(accept(to)))
    network.timeline.after(network.delay(listener.node, this.#from.place.node), () => this.#from.opened())
  }

  reset(): void {
    const network = this.#network
    for (const end of [this.#from, this.#to]) {
      if (end === null) continue
      const delayMs = network.faults.delayMinMs + network.random.exponential(network.faults.delayMeanMs)
      network.timeline.after(delayMs, () => end.closedBy('closed'))
    }
    network.forget(this)
  }

  breakOff(from: NodeId): void {
    for (const end of [this.#from, this.#to]) if (end?.place.node === from) end.breakOff()
  }

  /** The process at `node` is gone: its end is closed at once, the other when a reset gets through. */
  endDied(node: NodeId): void {
    for (const end of [this.#from, this.#to]) {
      if (end === null || end.place.node !== node || end.place.process.alive) continue
      end.die()
      this.flushHeld()
    }
  }

  /** A cut has healed, or an end has died: what lay in the kernel goes on its way. */
  flushHeld(): void {
    this.#from.flushHeld()
    this.#to?.flushHeld()
    if (this.#from.isClosed && (this.#to?.isClosed ?? true)) this.#network.forget(this)
  }
}

class End implements Link {
  readonly place: Place
  readonly #network: SimNetwork
  readonly #toward: NodeId
  other: End | null = null
  isClosed = false
  #handlers: LinkHandlers | null
  #isDead = false
  /** What has arrived and was not read will not be. */
  #isVoid = false
  #held: Uint8Array[] = []
  #heldBytes = 0
  #lastArrival = 0
  #closeSent = false
  #breaksOff = false
  /** Reads what comes behind a frame that broke off, as a stream of bytes. */
  #broken: FrameReader | null = null

  constructor(network: SimNetwork, place: Place, toward: NodeId, handlers: LinkHandlers | null) {
    this.#network = network
    this.place = place
    this.#toward = toward
    this.#handlers = handlers
  }

  get remote(): string {
    return this.#toward
  }

  get queuedBytes(): number {
    return this.#heldBytes
  }

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers
  }

  opened(): void {
    this.#deliver(() => this.#handlers?.onOpen())
  }

  send(frame: Uint8Array): void {
    this.place.process.burn()
    if (this.isClosed) return
    this.#network.observe(this.place.node, this.#toward, frame)
    // A copy, as the kernel takes one: whoever reuses the buffer afterwards changes nothing here.
    this.#hold(Uint8Array.from(frame))
    this.flushHeld()
    if (this.#heldBytes > heldBytesMax) this.close()
  }

  close(): void {
    if (this.isClosed) return
    this.#tellClosed()
    this.closedBy('local')
  }

  /**
   * Nothing more is sent; the handlers hear of it in the process's next poll phase. An orderly end comes behind what has
   * arrived but was not read yet, a reset and a close of our own make that void.
   */
  closedBy(why: LinkClosed['why'], inOrder = false): void {
    if (this.isClosed) return
    this.isClosed = true
    if (!inOrder) this.#isVoid = true
    this.place.process.arrive(() => {
      this.#isVoid = true
      this.#handlers?.onClose({ why, detail: `${why} (simulated)` })
    })
  }

  /** The next frame is sent in part only. */
  breakOff(): void {
    this.#breaksOff = true
  }

  /** The process is gone without a word; its kernel speaks for it when it can. */
  die(): void {
    this.isClosed = true
    this.#isVoid = true
    this.#isDead = true
    this.#tellClosed()
  }

  flushHeld(): void {
    if (this.other === null || this.#network.isCut(this.place.node, this.#toward)) return
    const frames = this.#held
    this.#held = []
    this.#heldBytes = 0
    for (const frame of frames) this.#transmit(frame)
    if (this.#closeSent) {
      this.#closeSent = false
      const other = this.other
      this.#network.timeline.at(this.#arrivalTime(), () => other.closedBy('closed', true))
    }
  }

  #tellClosed(): void {
    this.#closeSent = true
    if (!this.#isDead) this.flushHeld()
  }

  #hold(frame: Uint8Array): void {
    this.#held.push(frame)
    this.#heldBytes += frame.length
  }

  #transmit(frame: Uint8Array): void {
    const { faults, random, timeline } = this.#network
    if (this.#breaksOff) return this.#transmitPart(frame)
    if (random.chance(faults.loss)) return
    const copies = random.chance(faults.duplicate) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const at = random.chance(faults.reorder)
        ? timeline.now + this.#network.delay(this.place.node, this.#toward) * 3
        : this.#arrivalTime()
      timeline.at(at, () => this.other?.receive(frame))
    }
  }

  #transmitPart(frame: Uint8Array): void {
    this.#breaksOff = false
    const bytes = framed(frame)
    const part = bytes.subarray(0, this.#network.random.whole(1, bytes.length - 1))
    this.#network.timeline.at(this.#arrivalTime(), () => this.other?.receivePart(part))
  }

  /** Not before what was sent earlier. */
  #arrivalTime(): number {
    const delayMs = this.#network.delay(this.place.node, this.#toward)
    this.#lastArrival = Math.max(this.#lastArrival, this.#network.timeline.now + delayMs)
    return this.#lastArrival
  }

  receivePart(bytes: Buffer): void {
    this.#broken ??= new FrameReader(frameBytesMax)
    const problem = this.#broken.read(bytes, (frame) => {
      this.#deliver(() => this.#handlers?.onFrame(frame))
      return true
    })
    if (problem === null || this.isClosed) return
    this.#tellClosed()
    this.closedBy('garbage')
  }

  receive(frame: Uint8Array): void {
    if (this.isClosed) return
    if (this.#broken !== null) return this.receivePart(framed(frame))
    this.#network.arrived++
    this.#deliver(() => {
      this.#network.observeRead(this.#toward, this.place.node)
      this.#handlers?.onFrame(frame)
    })
  }

  #deliver(run: () => void): void {
    this.place.process.arrive(() => {
      if (!this.#isVoid) run()
    })
  }
}

/** The frame as it travels in production. */
function framed(frame: Uint8Array): Buffer {
  const writer = new FrameWriter()
  writer.add(frame)
  return Buffer.concat(writer.take())
}
