// A wire whose other end is the test: it says when a link opens, what comes over it and why it closes, and sees what was
// sent into it.
import { decodeFrame, encodeFrame } from '../../src/codec/frame.ts'
import type { LinkFrame } from '../../src/codec/frame.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Link, LinkClosed, LinkHandlers, Wire } from '../../src/node/wire.ts'

export class FakeLink implements Link {
  readonly remote = 'somewhere'
  readonly queuedBytes = 0
  readonly sent: LinkFrame[] = []
  isClosed = false
  aborted: LinkClosed['why'] | null = null
  #handlers: LinkHandlers | null = null

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers
  }

  send(bytes: Uint8Array): void {
    if (!this.isClosed) this.sent.push(decodeFrame(bytes))
  }

  /** Closed by the node: as the port says, `onClose` follows later, when the test calls `closed('local')`. */
  close(): void {
    this.isClosed = true
  }

  /** Given up by the node: `onClose` follows later, when the test calls `closed` with this reason. */
  abort(reason: LinkClosed): void {
    this.isClosed = true
    this.aborted ??= reason.why
  }

  open(): void {
    this.#handlers?.onOpen()
  }

  frame(frame: LinkFrame): void {
    this.bytes(encodeFrame(frame))
  }

  bytes(bytes: Uint8Array): void {
    this.#handlers?.onFrame(bytes)
  }

  closed(why: LinkClosed['why']): void {
    this.isClosed = true
    this.#handlers?.onClose({ why, detail: 'said the test' })
  }

  get kinds(): string[] {
    return this.sent.map(({ kind }) => kind)
  }
}

export class FakeWire implements Wire {
  /** Dialled links, by peer, the newest last. */
  readonly dialled = new Map<NodeId, FakeLink[]>()
  #accept: ((link: Link) => LinkHandlers) | null = null

  listen(accept: (link: Link) => LinkHandlers): void {
    this.#accept = accept
  }

  dial(peer: NodeId, handlers: LinkHandlers): Link {
    const link = new FakeLink()
    link.attach(handlers)
    this.dialled.set(peer, [...(this.dialled.get(peer) ?? []), link])
    return link
  }

  /** The newest link that was dialled to `peer`. */
  newest(peer: NodeId): FakeLink {
    const link = this.dialled.get(peer)?.at(-1)
    if (link === undefined) throw new Error(`${peer} was never dialled`)
    return link
  }

  /** Somebody dials the node. */
  arrive(): FakeLink {
    const link = new FakeLink()
    const handlers = this.#accept?.(link)
    if (handlers === undefined) throw new Error('nobody listens')
    link.attach(handlers)
    return link
  }
}
