// One simulated link: two ends in two processes, two streams of frames between them, and the kernels that keep what cannot
// leave yet. What the network between them does at a moment is the business of network.ts.
import { FrameReader, FrameWriter } from '../../src/node/frame.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Link, LinkClosed, LinkHandlers } from '../../src/node/wire.ts'
import type { NetworkFaults } from './network.ts'
import type { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

const frameBytesMax = 16 * 1024 * 1024
const heldBytesMax = 64 * 1024 * 1024

/** One end's view of the process it runs in. */
export interface Place {
  readonly node: NodeId
  readonly process: SimProcess
}

/** What a link needs of the network that it goes through. */
export interface Medium {
  readonly timeline: Timeline
  readonly random: Random
  readonly faults: NetworkFaults
  /** Frames that arrived. */
  arrived: number
  isCut(from: NodeId, to: NodeId): boolean
  /** How long a frame that is sent now takes. */
  delay(from: NodeId, to: NodeId): number
  observe(from: NodeId, to: NodeId, bytes: Uint8Array): void
  /** What is sent in place of a frame. */
  altered(from: NodeId, to: NodeId, bytes: Uint8Array): readonly Uint8Array[]
  observeRead(from: NodeId, to: NodeId): void
  forget(connection: Connection): void
}

/** A link between two processes: two ends, two streams. */
export class Connection {
  readonly #network: Medium
  readonly #from: End
  #to: End | null = null
  readonly #toNode: NodeId

  constructor(network: Medium, from: Place, toNode: NodeId, handlers: LinkHandlers) {
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
    if (this.#to !== null) return
    this.#from.closedBy(why)
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

  /** What `from` has sent is tried again at `until` only. */
  backOff(from: NodeId, until: number): void {
    for (const end of [this.#from, this.#to]) if (end?.place.node === from) end.backOff(until)
  }

  hurry(from: NodeId): void {
    for (const end of [this.#from, this.#to]) if (end?.place.node === from) end.hurry()
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
  readonly #network: Medium
  readonly #toward: NodeId
  other: End | null = null
  isClosed = false
  #handlers: LinkHandlers | null
  #isDead = false
  /** What has arrived and was not read will not be. */
  #isVoid = false
  #held: Uint8Array[] = []
  #heldBytes = 0
  /** What has been sent and has not arrived, in that order. */
  readonly #underWay = new Set<() => void>()
  #lastArrival = 0
  /** When its kernel tries again to send what it holds. */
  #retransmitsAt = 0
  #closeSent = false
  /** Given up by its process: its kernel answers whatever still comes with a reset. */
  #isAborted = false
  #breaksOff = false
  /** Reads what comes behind a frame that broke off, as a stream of bytes. */
  #broken: FrameReader | null = null

  constructor(network: Medium, place: Place, toward: NodeId, handlers: LinkHandlers | null) {
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
    const { node } = this.place
    this.#network.observe(node, this.#toward, frame)
    // A copy, as the kernel takes one: whoever reuses the buffer afterwards changes nothing here.
    for (const sent of this.#network.altered(node, this.#toward, frame)) this.#hold(Buffer.from(sent))
    this.flushHeld()
    if (this.#heldBytes > heldBytesMax) this.close()
  }

  close(): void {
    if (this.isClosed) return
    this.#tellClosed()
    this.closedBy('local')
  }

  abort({ why }: LinkClosed): void {
    if (this.isClosed) return
    this.#isAborted = true
    this.#tellClosed()
    this.closedBy(why)
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

  /** Only what was tried in vain waits: nothing is known to be wrong by who had nothing to send. */
  backOff(until: number): void {
    if (this.#held.length === 0 && !this.#closeSent) return
    this.#retransmitsAt = until
    this.#network.timeline.at(until, () => this.flushHeld())
  }

  flushHeld(): void {
    if (this.other === null || this.#network.isCut(this.place.node, this.#toward)) return
    if (this.#network.timeline.now < this.#retransmitsAt) return
    if (this.#held.length > 0) {
      const frames = this.#held
      this.#held = []
      this.#heldBytes = 0
      for (const frame of frames) this.#transmit(frame)
    }
    if (this.#closeSent) {
      this.#closeSent = false
      const other = this.other
      this.#deliverAt(this.#arrivalTime(), () => other.closedBy('closed', true))
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
      this.#deliverAt(at, () => this.other?.receive(frame))
    }
  }

  #transmitPart(frame: Uint8Array): void {
    this.#breaksOff = false
    const bytes = framed(frame)
    const part = bytes.subarray(0, this.#network.random.whole(1, bytes.length - 1))
    this.#deliverAt(this.#arrivalTime(), () => this.other?.receivePart(part))
  }

  /** Not before what was sent earlier. */
  #arrivalTime(): number {
    const delayMs = this.#network.delay(this.place.node, this.#toward)
    this.#lastArrival = Math.max(this.#lastArrival, this.#network.timeline.now + delayMs)
    return this.#lastArrival
  }

  #deliverAt(at: number, run: () => void): void {
    const arrival = () => {
      // It may have come earlier than it was to.
      if (this.#underWay.delete(arrival)) run()
    }
    this.#underWay.add(arrival)
    this.#network.timeline.at(at, arrival)
  }

  /** The way is no longer slow: what is on it arrives now. */
  hurry(): void {
    this.#lastArrival = 0
    for (const arrival of this.#underWay) this.#network.timeline.at(this.#arrivalTime(), arrival)
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
    if (this.isClosed) return this.#reset()
    if (this.#broken !== null) return this.receivePart(framed(frame))
    this.#network.arrived++
    this.#deliver(() => {
      this.#network.observeRead(this.#toward, this.place.node)
      this.#handlers?.onFrame(frame)
    })
  }

  /** Tells the other end that nobody is here any more, if that gets through. */
  #reset(): void {
    const { other, place } = this
    if (!this.#isAborted || other === null || other.isClosed || this.#network.isCut(place.node, this.#toward)) return
    this.#network.timeline.after(this.#network.delay(place.node, this.#toward), () => other.closedBy('closed'))
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
