import fc from 'fast-check'
import t from 'tap'
import { FrameReader, FrameWriter } from '../../src/node/frame.ts'

const frameBytesMax = 300_000

function encode(frames: readonly Uint8Array[]): Buffer {
  const writer = new FrameWriter()
  for (const frame of frames) writer.add(frame)
  return Buffer.concat(writer.take())
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const borders = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return borders.slice(1).map((end, index) => bytes.subarray(borders[index], end))
}

function readAll(chunks: readonly Buffer[], max = frameBytesMax): { frames: Buffer[]; garbage: string | null } {
  const reader = new FrameReader(max)
  const frames: Buffer[] = []
  for (const chunk of chunks) {
    const garbage = reader.read(chunk, (frame) => frames.push(frame) > 0)
    if (garbage !== null) return { frames, garbage }
  }
  return { frames, garbage: null }
}

const someFrame = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.integer({ min: 1, max: frameBytesMax }).map((length) => new Uint8Array(length).map((_, offset) => offset % 251)),
)

t.test('frames come out as they went in, wherever the stream is cut into chunks', async (t) => {
  fc.assert(
    fc.property(
      fc.array(someFrame, { maxLength: 6 }),
      fc.array(fc.nat(2 ** 21), { maxLength: 30 }),
      (frames, places) => {
        // What was handed out early must still be whole when everything has been read.
        const read = readAll(cutAt(encode(frames), places))
        if (read.garbage !== null) throw new Error(read.garbage)
        if (read.frames.length !== frames.length) throw new Error(`${read.frames.length} frames`)
        for (const [index, frame] of frames.entries()) {
          if (Buffer.compare(frame, read.frames[index] ?? Buffer.alloc(0)) !== 0)
            throw new Error(`frame ${index} differs`)
        }
      },
    ),
  )
  t.pass()
})

t.test('frames byte by byte', async (t) => {
  const frames = ['a', 'bc', 'def'.repeat(50)].map((text) => Buffer.from(text))
  const bytes = encode(frames)
  const read = readAll(Array.from(bytes, (byte) => Buffer.of(byte)))
  t.same(read, { frames, garbage: null })
})

t.test('one bit flipped anywhere is garbage, or leaves a frame that never ends', async (t) => {
  const bytes = encode([Buffer.from('first'), Buffer.from('second'), Buffer.from('third')])
  let garbage = 0
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    const read = readAll([flipped])
    if (read.garbage !== null) garbage++
    t.ok(read.frames.length < 3 && read.frames.every((frame, index) => frame.toString() === ['first', 'second'][index]))
  }
  t.ok(garbage > 8 * 14, 'everything in a body or a checksum is noticed')
})

t.test('a length over the limit, or of zero, is refused when the header is complete', async (t) => {
  for (const [length, isRefused] of [
    [0, true],
    [1, false],
    [1000, false],
    [1001, true],
    [2 ** 31, true],
    [2 ** 32 - 1, true],
  ] as const) {
    const header = Buffer.alloc(8)
    header.writeUInt32BE(length, 0)
    t.equal(readAll([header.subarray(0, 7)], 1000).garbage, null)
    t.equal(readAll([header], 1000).garbage !== null, isRefused, `${length} bytes`)
  }
})

t.test('a length that is claimed takes no memory before its bytes come', async (t) => {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(2 ** 30, 0)
  const before = process.memoryUsage().arrayBuffers
  const readers = Array.from({ length: 20 }, () => new FrameReader(2 ** 30))
  for (const reader of readers) reader.read(Buffer.concat([header, Buffer.alloc(10)]), () => t.fail('a frame'))
  t.ok(process.memoryUsage().arrayBuffers - before < 20 * 2 ** 20)
})

t.test('who stops reading in the middle of a chunk gets no further frame', async (t) => {
  const reader = new FrameReader(frameBytesMax)
  const got: string[] = []
  reader.read(encode([Buffer.from('a'), Buffer.from('b'), Buffer.from('c')]), (frame) => got.push(frame.toString()) < 2)
  t.same(got, ['a', 'b'])
})

t.test('what a writer gave away is not written again, whatever is added later', async (t) => {
  const writer = new FrameWriter()
  const taken: { part: Buffer; copy: Buffer }[] = []
  for (let round = 0; round < 200; round++) {
    for (const size of [10, 700, round % 20 === 0 ? 40_000 : 3]) writer.add(Buffer.alloc(size, round))
    for (const part of writer.take()) taken.push({ part, copy: Buffer.from(part) })
  }
  t.ok(taken.every(({ part, copy }) => part.equals(copy)))
  t.equal(readAll(taken.map(({ part }) => part)).frames.length, 600)
  t.equal(writer.bytes, 0)
})

t.test('small frames leave in one part, and their bytes are counted until then', async (t) => {
  const writer = new FrameWriter()
  for (let frame = 0; frame < 100; frame++) writer.add(Buffer.alloc(92, frame))
  t.equal(writer.bytes, 100 * 100)
  t.equal(writer.take().length, 1)
  t.equal(writer.bytes, 0)
  t.same(writer.take(), [])
})
