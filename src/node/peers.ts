// Links to the other members, one for each direction: we send over the link that we dialled and receive over the one that
// the peer dialled. Both ends introduce themselves and are judged (protocol version, cluster, incarnation, run) before a
// frame counts. A newer link of the same or a later run replaces the older, whose remaining frames are dropped.
//
// When an established link closes we dial at once: refused, or accepted by a later run, proves that the process we knew
// is gone; accepted by the same run, or no answer, proves nothing (H34). A link that says nothing is given up at either end
// (link-watch.ts) and dialled a moment later.
import { decodeFrame, encodeFrame } from '../codec/frame.ts'
import type { Frame, LinkFrame, RejectReason } from '../codec/frame.ts'
import type { Introduction } from '../codec/introduction.ts'
import { FormatError } from '../codec/packr.ts'
import type { Incarnation, NodeId, Run } from '../ids.ts'
import type { Host, Timer } from './host.ts'
import { LinkWatch } from './link-watch.ts'
import type { Link, LinkClosed, LinkHandlers, Wire } from './wire.ts'

const redialMinMs = 50
const redialMaxMs = 1000
/** A link that lived so long was a good one: after it the next dial does not wait. */
const settledMs = 500

export interface PeersParts {
  readonly self: NodeId
  readonly members: readonly NodeId[]
  readonly host: Host
  readonly wire: Wire
  introduce(): Introduction
  /** Why the peer must be refused; null when it is one of us. */
  judge(peer: Introduction): RejectReason | null
  /** The peer introduced itself and was not refused. */
  met(peer: Introduction): void
  /** The peer refused us. */
  rejected(peer: NodeId, reason: RejectReason, detail: string): void
  /** The link we send over is new. `restarted`: the peer's process or disk is not the one we knew. */
  connected(peer: NodeId, restarted: boolean, introduction: Introduction): void
  /** The process that we knew is gone for certain. */
  gone(peer: NodeId): void
  frame(from: NodeId, frame: Frame): void
}

interface Life {
  readonly incarnation: Incarnation
  readonly run: Run
}

interface Peer {
  readonly id: NodeId
  dialled: Link | null
  /** When it was dialled last. */
  dialledAt: number
  watch: LinkWatch | null
  /** When the handshake on `dialled` was done; null before. */
  establishedAt: number | null
  /** Whom `dialled` led to when it was last established. */
  dialledLife: Life | null
  accepted: Link | null
  /** The newest that introduced itself, over either link. */
  life: Life | null
  httpUrl: string | null
  /** Begins the next dial. */
  timer: Timer | null
  failures: number
  /** The last complaint about it, so that a lasting one is logged once. */
  complaint: string
}

export class Peers {
  readonly #parts: PeersParts
  readonly #peers = new Map<NodeId, Peer>()
  readonly #strangers = new Set<Link>()
  #stopped = false

  constructor(parts: PeersParts) {
    this.#parts = parts
    for (const id of parts.members) {
      if (id === parts.self) continue
      this.#peers.set(id, {
        id,
        dialled: null,
        dialledAt: 0,
        watch: null,
        establishedAt: null,
        dialledLife: null,
        accepted: null,
        life: null,
        httpUrl: null,
        timer: null,
        failures: 0,
        complaint: '',
      })
    }
  }

  start(): void {
    this.#parts.wire.listen((link) => this.#accept(link))
    for (const peer of this.#peers.values()) this.#dial(peer)
  }

  stop(): void {
    this.#stopped = true
    for (const peer of this.#peers.values()) {
      peer.timer?.cancel()
      peer.dialled?.close()
      peer.accepted?.close()
    }
    for (const link of this.#strangers) link.close()
  }

  /** Sends when there is a link; otherwise the frame is lost, as on any network. */
  send(to: NodeId, frame: Frame): void {
    const peer = this.#peers.get(to)
    if (peer !== undefined && peer.establishedAt !== null) peer.dialled?.send(encodeFrame(frame))
  }

  broadcast(frame: Frame): void {
    const bytes = encodeFrame(frame)
    for (const peer of this.#peers.values()) if (peer.establishedAt !== null) peer.dialled?.send(bytes)
  }

  isConnected(peer: NodeId): boolean {
    return (this.#peers.get(peer)?.establishedAt ?? null) !== null
  }

  httpUrlOf(peer: NodeId): string | null {
    return this.#peers.get(peer)?.httpUrl ?? null
  }

  // ---- the link that we dial

  #dial(peer: Peer): void {
    if (this.#stopped) return
    peer.timer = null
    const handlers: LinkHandlers = {
      onOpen: () => {
        if (peer.dialled !== link) return
        link.send(encodeFrame({ kind: 'hello', to: peer.id, from: this.#parts.introduce() }))
      },
      onFrame: (bytes) => {
        if (peer.dialled === link) this.#onAnswer(peer, link, bytes)
      },
      onClose: (closed) => {
        if (peer.dialled === link) this.#onDialledClosed(peer, closed)
      },
    }
    const link = this.#parts.wire.dial(peer.id, handlers)
    peer.dialled = link
    peer.dialledAt = this.#parts.host.now()
    peer.watch = new LinkWatch(this.#parts.host, link)
  }

  #onAnswer(peer: Peer, link: Link, bytes: Uint8Array): void {
    const frame = this.#decode(link, bytes)
    if (frame === null) return
    peer.watch?.heard()
    if (frame.kind === 'keepalive') return
    if (frame.kind === 'rejected') {
      this.#complain(peer, `${peer.id} refuses us: ${frame.reason}`, frame.detail)
      this.#parts.rejected(peer.id, frame.reason, frame.detail)
      link.close()
    } else if (frame.kind === 'welcome' && peer.establishedAt === null) {
      this.#onWelcome(peer, link, frame.from)
    } else {
      this.#drop(link, `a ${frame.kind} frame on a link that we dialled`)
    }
  }

  #onWelcome(peer: Peer, link: Link, introduction: Introduction): void {
    const reason = introduction.node === peer.id ? this.#judge(peer, introduction) : 'wrong_address'
    if (reason !== null) {
      this.#complain(peer, `we refuse ${peer.id}: ${reason}`, `it answered as ${introduction.node} at ${link.remote}`)
      link.close()
      return
    }
    peer.watch?.established()
    peer.establishedAt = this.#parts.host.now()
    const restarted = peer.dialledLife !== null && !isSameLife(peer.dialledLife, introduction)
    peer.dialledLife = introduction
    this.#noteLife(peer, introduction)
    this.#parts.met(introduction)
    this.#parts.connected(peer.id, restarted, introduction)
  }

  #onDialledClosed(peer: Peer, closed: LinkClosed): void {
    const { establishedAt } = peer
    const { host } = this.#parts
    peer.dialled = null
    peer.establishedAt = null
    peer.watch?.stop()
    peer.watch = null
    if (this.#stopped) return
    if (closed.why === 'refused') this.#parts.gone(peer.id)
    if (closed.why === 'garbage') this.#complain(peer, `${peer.id} sent garbage`, closed.detail)
    if (establishedAt !== null) {
      host.report({ level: 'info', message: `link to ${peer.id} closed`, details: { why: closed.why } })
      // Two processes that claim one id would otherwise replace each other's links as fast as they can dial.
      if (host.now() - establishedAt >= settledMs) {
        peer.failures = 0
        // An outage silences all links at once: who has been waiting for seconds can do so a moment more, each another.
        if (closed.why !== 'silent') return this.#dial(peer)
      }
    }
    // From dial to dial: one that got no answer for seconds was pause enough, and the network may have healed by now.
    const backoffMs = Math.min(redialMaxMs, redialMinMs * 2 ** Math.min(peer.failures++, 10))
    const pauseMs = Math.max(redialMinMs, backoffMs - (host.now() - peer.dialledAt))
    peer.timer = host.setTimer(pauseMs * (0.5 + host.random() / 2), () => this.#dial(peer))
  }

  // ---- the link that the peer dials

  #accept(link: Link): LinkHandlers {
    this.#strangers.add(link)
    let from: Peer | null = null
    const watch = new LinkWatch(this.#parts.host, link)
    return {
      onOpen: () => {},
      onFrame: (bytes) => {
        if (this.#stopped || (from !== null && from.accepted !== link)) return
        const frame = this.#decode(link, bytes)
        if (frame === null) return
        watch.heard()
        if (from !== null) {
          this.#onFrame(from, link, frame)
        } else if (frame.kind === 'hello') {
          from = this.#onHello(link, frame.to, frame.from)
          if (from !== null) watch.established()
        } else {
          this.#drop(link, 'no hello')
        }
      },
      onClose: (closed) => {
        watch.stop()
        this.#strangers.delete(link)
        if (closed.why === 'garbage') this.#report('dropped a link that is not ours', link, closed.detail)
        if (from?.accepted === link) this.#onAcceptedClosed(from, closed)
      },
    }
  }

  #onHello(link: Link, to: NodeId, introduction: Introduction): Peer | null {
    const peer = this.#peers.get(introduction.node)
    const reason = to === this.#parts.self ? this.#judge(peer, introduction) : 'wrong_address'
    if (reason !== null || peer === undefined) {
      const detail = this.#explain(reason ?? 'not_a_member', introduction)
      this.#report(`refused a link: ${reason}`, link, detail)
      link.send(encodeFrame({ kind: 'rejected', reason: reason ?? 'not_a_member', detail }))
      link.close()
      return null
    }
    this.#strangers.delete(link)
    this.#noteLife(peer, introduction)
    const older = peer.accepted
    peer.accepted = link
    older?.close()
    link.send(encodeFrame({ kind: 'welcome', from: this.#parts.introduce() }))
    this.#parts.met(introduction)
    return peer
  }

  #onFrame(from: Peer, link: Link, frame: LinkFrame): void {
    if (frame.kind === 'keepalive') return
    if (frame.kind === 'hello' || frame.kind === 'welcome' || frame.kind === 'rejected') {
      this.#drop(link, `a second ${frame.kind}`)
      return
    }
    try {
      this.#parts.frame(from.id, frame)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      this.#drop(link, error.message)
    }
  }

  #onAcceptedClosed(peer: Peer, closed: LinkClosed): void {
    peer.accepted = null
    // A process that dies closes both links; if only this one was reset, dialling again costs a handshake. That this one
    // is silent says nothing of ours, which is watched by itself.
    if (!this.#stopped && closed.why !== 'silent' && peer.establishedAt !== null) peer.dialled?.close()
  }

  // ---- both

  #judge(peer: Peer | undefined, introduction: Introduction): RejectReason | null {
    if (peer === undefined) return 'not_a_member'
    const { life } = peer
    const isOldRun = life !== null && life.incarnation === introduction.incarnation && introduction.run < life.run
    return this.#parts.judge(introduction) ?? (isOldRun ? 'old_run' : null)
  }

  /** Remembers who the peer is now. With another process or disk than before, the links of that one are void. */
  #noteLife(peer: Peer, introduction: Introduction): void {
    const { life } = peer
    const { incarnation, run, httpUrl } = introduction
    peer.httpUrl = httpUrl
    peer.complaint = ''
    peer.life = { incarnation, run }
    if (life === null || isSameLife(life, introduction)) return
    this.#parts.gone(peer.id)
    peer.accepted?.close()
    peer.accepted = null
    if (peer.dialledLife !== null && !isSameLife(peer.dialledLife, introduction)) peer.dialled?.close()
  }

  #decode(link: Link, bytes: Uint8Array): LinkFrame | null {
    try {
      return decodeFrame(bytes)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      this.#drop(link, error.message)
      return null
    }
  }

  #drop(link: Link, why: string): void {
    this.#report('dropped a link that is not ours', link, why)
    link.close()
  }

  #explain(reason: RejectReason, { node, incarnation, founding }: Introduction): string {
    const ours = this.#parts.introduce()
    switch (reason) {
      case 'foreign_cluster':
        return `${node} belongs to cluster ${founding.clusterId}, ${ours.node} to ${ours.founding.clusterId}`
      case 'stranger':
        return `${node} comes with disk ${incarnation}, which is not the one that took part in founding ${ours.founding.clusterId}`
      case 'other_members':
        return `${node} is configured with members ${founding.members}, ${ours.node} with ${ours.founding.members}`
      default:
        return `${node} is not welcome at ${ours.node}`
    }
  }

  #complain(peer: Peer, message: string, detail: string): void {
    if (peer.complaint === message) return
    peer.complaint = message
    this.#parts.host.report({ level: 'warn', message, details: { detail } })
  }

  #report(message: string, link: Link, detail: string): void {
    this.#parts.host.report({ level: 'warn', message, details: { remote: link.remote, detail } })
  }
}

function isSameLife(a: Life, b: Life): boolean {
  return a.incarnation === b.incarnation && a.run === b.run
}
