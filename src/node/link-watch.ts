// Whether there is somebody at the other end of a link: the handshake is done in time, and from then on each end says
// something at least every 500 ms and gives the link up when it has heard nothing for 2.5 s. TCP alone would not notice:
// after an outage its retransmissions have backed off and come as much later as the outage was long, up to two minutes,
// and an end that sends nothing never learns that the other is gone.
//
// That a link is silent proves nothing about the process at its other end, and nothing is concluded from it.
import { encodeFrame } from '../codec/frame.ts'
import type { Host, Timer } from './host.ts'
import type { Link } from './wire.ts'

const handshakeMs = 3000
const tickMs = 500
/**
 * The link is given up at the sixth tick in a row behind what was heard last, 2.5 to 3 s later. Ticks are counted, not
 * milliseconds: a process that was paused itself has asked for no sign of life meanwhile, and must not miss one.
 */
const silentTicksMax = 5
const keepalive = encodeFrame({ kind: 'keepalive' })

export class LinkWatch {
  readonly #host: Host
  readonly #link: Link
  #timer: Timer | null = null
  #silentTicks = 0

  /** Begins with the handshake. */
  constructor(host: Host, link: Link) {
    this.#host = host
    this.#link = link
    this.#after(handshakeMs, () => link.abort({ why: 'unreachable', detail: `no handshake within ${handshakeMs} ms` }))
  }

  /** The handshake is done. */
  established(): void {
    this.stop()
    this.#after(tickMs, () => this.#tick())
  }

  /** Anything has come over the link. */
  heard(): void {
    this.#silentTicks = 0
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #tick(): void {
    if (this.#silentTicks >= silentTicksMax) {
      this.stop()
      this.#link.abort({ why: 'silent', detail: `nothing was heard for ${silentTicksMax * tickMs} ms` })
      return
    }
    this.#silentTicks++
    this.#link.send(keepalive)
    this.#after(tickMs, () => this.#tick())
  }

  /** Deferred: behind a stall, what lies in the socket is read before it is missed. */
  #after(delayMs: number, act: () => void): void {
    const timer = this.#host.setTimer(delayMs, () =>
      this.#host.defer(() => {
        if (this.#timer === timer) act()
      }),
    )
    this.#timer = timer
  }
}
