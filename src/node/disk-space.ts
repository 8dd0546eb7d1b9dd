// How much space is left where the data lies, and whether new work must wait for more of it. A write that finds the disk
// full ends the process (disk-writer.ts), so work is refused before: what brings some, never what ends some. The watermark
// leaves room for what still goes on then: releases, renewals and expiry in the log, a checkpoint, and LevelDB, which
// writes a table anew before it deletes the old one.
//
// Asked once a second, off the way of every call. A follower cannot refuse what others have committed: it goes on
// appending, and the leader refuses for all only when its own disk is low.
import type { Host, Timer } from './host.ts'

/** The file system that holds the data folder. */
export interface Volume {
  /** Calls `done` once, later, with the bytes that this process may still write. */
  freeBytes(done: (error: Error | null, bytes: number) => void): void
}

const pollMs = 1000
/** Refusing ends only when so much more is free: a table that comes and goes must not make it flap. */
const marginShare = 1 / 4

export class DiskSpace {
  readonly #host: Host
  readonly #volume: Volume
  readonly #lowBytes: number
  #timer: Timer | null = null
  #isStopped = false
  #isUnreadable = false
  /** As last asked; null while it is not known. */
  freeBytes: number | null = null
  isLow = false

  /** Below `lowBytes` the disk is low; 0: never. */
  constructor(parts: { readonly host: Host; readonly volume: Volume; readonly lowBytes: number }) {
    this.#host = parts.host
    this.#volume = parts.volume
    this.#lowBytes = parts.lowBytes
  }

  /** Asks now, and again and again. */
  start(): void {
    this.#volume.freeBytes((error, bytes) => {
      if (this.#isStopped) return
      if (error === null) this.#observe(bytes)
      else this.#cannotAsk(error)
      this.#timer = this.#host.setTimer(pollMs, () => this.start())
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  #observe(freeBytes: number): void {
    this.freeBytes = freeBytes
    this.#isUnreadable = false
    const lowBytes = this.#lowBytes
    const isLow = freeBytes < (this.isLow ? lowBytes * (1 + marginShare) : lowBytes)
    if (isLow === this.isLow) return
    this.isLow = isLow
    const details = { freeBytes, lowBytes }
    if (isLow) this.#host.report({ level: 'warn', message: 'disk space is low: new work is refused', details })
    else this.#host.report({ level: 'info', message: 'there is enough disk space again', details })
  }

  /** What was known last counts on: not to know is no reason to refuse, and none to stop refusing. */
  #cannotAsk(error: Error): void {
    if (!this.#isUnreadable)
      this.#host.report({ level: 'warn', message: `free disk space is unknown: ${error.message}` })
    this.#isUnreadable = true
  }
}
