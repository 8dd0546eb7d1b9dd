// A connection without a network: two ends, and what is written into one is read at the other. Node.js speaks HTTP over it
// as over a socket. It takes no time, so requests are answered while virtual time stands still; every movement is told to
// `stir`, because promises go on from it.
import { Duplex } from 'node:stream'

export class PipeEnd extends Duplex {
  readonly #stir: () => void
  #other: PipeEnd | null = null

  private constructor(stir: () => void) {
    super()
    this.#stir = stir
  }

  static pair(stir: () => void): readonly [PipeEnd, PipeEnd] {
    const ends = [new PipeEnd(stir), new PipeEnd(stir)] as const
    ends[0].#other = ends[1]
    ends[1].#other = ends[0]
    return ends
  }

  override _read(): void {
    // The other end pushes: requests and answers are small, and somebody always reads them.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stir()
    this.#other?.push(chunk)
    process.nextTick(done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stir()
    this.#other?.push(null)
    process.nextTick(done)
  }

  /** As of a socket: Node.js ends connections so when all is said. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Whoever is at the other end sees a reset; behind an orderly end there is nothing left to reset. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stir()
    const other = this.#other
    if (other !== null && !this.writableFinished) {
      const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
      process.nextTick(() => other.destroy(other.listenerCount('error') > 0 ? reset : undefined))
    }
    done(error)
  }
}
