// The port to the network: frames over links. A link carries whole frames one way or both, in order while it lives, and
// promises nothing else; what was sent into a link that then closes may or may not have arrived. Production has TCP
// under it (tcp.ts), the simulator its own world.
import type { NodeId } from '../ids.ts'

export interface Wire {
  /** From now on `accept` is called for every incoming link. */
  listen(accept: (link: Link) => LinkHandlers): void
  /** Opens a link to a member. Always returns at once; `onOpen` or `onClose` follows, later. */
  dial(peer: NodeId, handlers: LinkHandlers): Link
}

export interface Link {
  /** For log lines only: where the other end is. */
  readonly remote: string
  /** Bytes accepted by `send` that have not left yet. */
  readonly queuedBytes: number
  /** Queues a frame; ignored after the close. The bytes are copied or written before the call returns. */
  send(frame: Uint8Array): void
  /** Sends what is queued, if possible, and closes. `onClose` still follows. */
  close(): void
  /** Gives the link up, and what is queued with it. `onClose` still follows, with the first reason there was. */
  abort(reason: LinkClosed): void
}

export interface LinkHandlers {
  /** Only on dialled links: the other end accepted. Frames may be sent. */
  onOpen(): void
  onFrame(frame: Uint8Array): void
  /** Exactly once, the last call. */
  onClose(reason: LinkClosed): void
}

/**
 * `refused`: nobody listens there, the process is gone. `closed`: the other end closed or reset. `unreachable`: no
 * answer in time. `silent`: established, and nothing heard since. `garbage`: bytes that are not our frames, or a frame
 * over the limit. `local`: we closed it.
 */
export interface LinkClosed {
  readonly why: 'refused' | 'closed' | 'unreachable' | 'silent' | 'garbage' | 'local'
  readonly detail: string
}
