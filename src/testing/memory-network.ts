// The network between members that are objects in one process: the port of node/wire.ts. A link is two queues of what one
// end wants the other to know: that it was accepted, frames, that it is closed. They arrive in order and at once. A cut is
// no more than a queue that waits: what is sent meanwhile arrives when it heals, as TCP has it, unless the link was given up.
import type { NodeId } from '../ids.ts'
import type { Link, LinkClosed, LinkHandlers, Wire } from '../node/wire.ts'
import type { MemberProcess } from './member-process.ts'

export interface NetworkParts {
  isCut(a: NodeId, b: NodeId): boolean
}

interface Listener {
  readonly process: MemberProcess
  readonly accept: (link: Link) => LinkHandlers
}

export class MemoryNetwork {
  readonly #parts: NetworkParts
  readonly #listeners = new Map<NodeId, Listener>()
  readonly #links = new Set<End>()
  /** Dials that wait behind a cut. */
  readonly #dials = new Set<End>()

  constructor(parts: NetworkParts) {
    this.#parts = parts
  }

  wireOf(process: MemberProcess): Wire {
    return {
      listen: (accept) => void this.#listeners.set(process.id, { process, accept }),
      dial: (peer, handlers) => {
        const end = new End({ process, toward: peer, handlers, network: this.#passage })
        this.#links.add(end)
        this.#dials.add(end)
        process.arrive(() => this.#knock(end))
        return end
      },
    }
  }

  /** A cut has healed, or an end is gone: what waited goes on its way. */
  flush(): void {
    for (const end of this.#dials) this.#knock(end)
    for (const end of this.#links) end.flush()
  }

  /** Its links are reset, and nobody listens there any more. */
  processEnded(process: MemberProcess): void {
    if (this.#listeners.get(process.id)?.process === process) this.#listeners.delete(process.id)
    for (const end of this.#links) if (end.process === process) end.close()
  }

  #knock(end: End): void {
    if (!this.#dials.has(end) || this.#parts.isCut(end.process.id, end.toward)) return
    this.#dials.delete(end)
    const listener = this.#listeners.get(end.toward)
    if (end.isClosed) return this.#passage.forget(end)
    if (listener === undefined) return end.ended('refused')
    const { process, accept } = listener
    const other = new End({ process, toward: end.process.id, handlers: null, network: this.#passage })
    this.#links.add(other)
    end.join(other)
    process.arrive(() => {
      other.attach(accept(other))
      other.say((handlers) => handlers.onOpen())
    })
  }

  readonly #passage: Passage = {
    isCut: (a, b) => this.#parts.isCut(a, b),
    forget: (end) => {
      this.#links.delete(end)
      this.#dials.delete(end)
    },
  }
}

interface Passage extends NetworkParts {
  forget(end: End): void
}

type News = (handlers: LinkHandlers) => void

class End implements Link {
  readonly process: MemberProcess
  readonly toward: NodeId
  isClosed = false
  readonly #network: Passage
  #handlers: LinkHandlers | null
  #other: End | null = null
  /** What the other end has not been told. */
  #unsaid: News[] = []
  #bytes = 0

  constructor(parts: {
    readonly process: MemberProcess
    readonly toward: NodeId
    readonly handlers: LinkHandlers | null
    readonly network: Passage
  }) {
    this.process = parts.process
    this.toward = parts.toward
    this.#handlers = parts.handlers
    this.#network = parts.network
  }

  get remote(): string {
    return this.toward
  }

  get queuedBytes(): number {
    return this.#bytes
  }

  join(other: End): void {
    this.#other = other
    other.#other = this
  }

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers
  }

  send(frame: Uint8Array): void {
    if (this.isClosed) return
    const copy = Uint8Array.from(frame)
    this.#bytes += copy.length
    this.say((handlers) => handlers.onFrame(copy))
  }

  close(): void {
    this.abort({ why: 'local', detail: 'closed' })
  }

  abort({ why }: LinkClosed): void {
    if (this.isClosed) return
    const other = this.#other
    if (other === null) return this.ended(why)
    this.#shut(why)
    this.say(() => other.ended('closed'))
  }

  say(news: News): void {
    this.#unsaid.push(news)
    this.flush()
  }

  flush(): void {
    const other = this.#other
    if (other === null || this.#network.isCut(this.process.id, this.toward)) return
    for (const news of this.#unsaid) other.#hear(news)
    this.#unsaid = []
    this.#bytes = 0
    if (this.isClosed) this.#network.forget(this)
  }

  /** There is nobody at the other end, or nobody any more. */
  ended(why: LinkClosed['why']): void {
    this.#shut(why)
    this.#network.forget(this)
  }

  #shut(why: LinkClosed['why']): void {
    if (this.isClosed) return
    this.isClosed = true
    this.process.arrive(() => this.#handlers?.onClose({ why, detail: why }))
  }

  #hear(news: News): void {
    this.process.arrive(() => {
      if (!this.isClosed && this.#handlers !== null) news(this.#handlers)
    })
  }
}
