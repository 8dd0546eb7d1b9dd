// Frames on a stream of bytes: length (u32, big-endian), CRC-32 of the body (u32), body. Writing copies frames into
// buffers for the socket; reading cuts them out of whatever chunks arrive. A length over the limit is refused before a
// byte of the body is kept, and memory grows with the bytes that came, not with the length that was claimed. A length of
// zero is refused, too: a stream of zeros would be an endless row of valid frames.
import { crc32 } from 'node:zlib'
import { assert } from '../assert.ts'

const headerBytes = 8
const slabBytes = 64 * 1024
/** Larger frames get a buffer of their own instead of the rest of a slab. */
const slabFrameBytesMax = slabBytes / 4

/** Collects frames for one write. What was taken is never written again: it may lie in the socket's queue for long. */
export class FrameWriter {
  #slab = Buffer.alloc(0)
  #begin = 0
  #end = 0
  #full: Buffer[] = []
  #bytes = 0

  /** Bytes added and not taken. */
  get bytes(): number {
    return this.#bytes
  }

  add(body: Uint8Array): void {
    assert(body.length > 0, 'a frame has a body')
    const size = headerBytes + body.length
    this.#bytes += size
    if (size > slabFrameBytesMax) {
      this.#closePart()
      const own = Buffer.allocUnsafeSlow(size)
      putFrame(own, 0, body)
      this.#full.push(own)
      return
    }
    if (this.#slab.length - this.#end < size) {
      this.#closePart()
      this.#slab = Buffer.allocUnsafeSlow(slabBytes)
      this.#begin = 0
      this.#end = 0
    }
    putFrame(this.#slab, this.#end, body)
    this.#end += size
  }

  /** What was added, in order. */
  take(): Buffer[] {
    this.#closePart()
    this.#bytes = 0
    return this.#full.splice(0)
  }

  #closePart(): void {
    if (this.#end > this.#begin) this.#full.push(this.#slab.subarray(this.#begin, this.#end))
    this.#begin = this.#end
  }
}

function putFrame(target: Buffer, offset: number, body: Uint8Array): void {
  target.writeUInt32BE(body.length, offset)
  target.writeUInt32BE(crc32(body), offset + 4)
  target.set(body, offset + headerBytes)
}

const firstBodyBytes = 64 * 1024

export class FrameReader {
  readonly #frameBytesMax: number
  readonly #header = Buffer.alloc(headerBytes)
  #headerFill = 0
  /** Length and checksum of the frame whose header is complete; null between frames. */
  #expected: { readonly length: number; readonly crc: number } | null = null
  /** Its body as far as it came in earlier chunks; grows up to the length. */
  #body = Buffer.alloc(0)
  #bodyFill = 0

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  /**
   * Hands out the frames that `chunk` completes, as long as `onFrame` returns true. They stay valid: they alias the chunk,
   * or a buffer of their own. Returns what is wrong with the bytes, or null; after that no more may be read.
   */
  read(chunk: Buffer, onFrame: (frame: Buffer) => boolean): string | null {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#expected === null) {
        offset = this.#readHeader(chunk, offset)
        if (this.#headerFill < headerBytes) return null
        this.#headerFill = 0
        const length = this.#header.readUInt32BE(0)
        if (length === 0 || length > this.#frameBytesMax)
          return `a frame of ${length} bytes, at most ${this.#frameBytesMax} are allowed`
        this.#expected = { length, crc: this.#header.readUInt32BE(4) }
      }
      const { length, crc } = this.#expected
      const piece = chunk.subarray(offset, offset + length - this.#bodyFill)
      offset += piece.length
      const frame = this.#complete(piece, length)
      if (frame === null) return null
      this.#expected = null
      if (crc32(frame) !== crc) return `a frame of ${length} bytes with a wrong checksum`
      if (!onFrame(frame)) return null
    }
    return null
  }

  #readHeader(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + headerBytes - this.#headerFill)
    chunk.copy(this.#header, this.#headerFill, offset, end)
    this.#headerFill += end - offset
    return end
  }

  /** The whole body when `piece` is the end of it. */
  #complete(piece: Buffer, length: number): Buffer | null {
    if (piece.length === length) return piece
    const needed = this.#bodyFill + piece.length
    if (needed > this.#body.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(length, Math.max(firstBodyBytes, 2 * needed)))
      this.#body.copy(grown, 0, 0, this.#bodyFill)
      this.#body = grown
    }
    piece.copy(this.#body, this.#bodyFill)
    this.#bodyFill = needed
    if (needed < length) return null
    const frame = this.#body.subarray(0, length)
    this.#body = Buffer.alloc(0)
    this.#bodyFill = 0
    return frame
  }
}
