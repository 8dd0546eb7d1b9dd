import fc from 'fast-check'
import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import { LogKeeping } from '../../src/node/log-keeping.ts'

/** A log that grows by a checkpoint's worth of bytes each time and is trimmed as it is told to be. */
class Bench {
  readonly #keeping: LogKeeping
  readonly #sizes = new Map<number, number>()
  start: number
  #last: number

  constructor({ tailBytes = 0, heldBytesMax = 1e9, start = 0 } = {}) {
    this.#keeping = new LogKeeping({ tailBytes, heldBytesMax }, asIndex(start))
    this.start = start
    this.#last = start
  }

  get bytes(): number {
    return [...this.#sizes.values()].reduce((a, b) => a + b, 0)
  }

  /** A checkpoint is made at the end of the log, ten entries and so many bytes behind the last. Returns the trim. */
  checkpoint(bytes: number, held: number | null = null): number | null {
    this.#last += 10
    this.#sizes.set(this.#last, bytes)
    const upTo = this.#keeping.checkpointMade(asIndex(this.#last), this.bytes, held === null ? null : asIndex(held))
    if (upTo !== null) this.#trim(upTo)
    return upTo
  }

  installed(index: number): void {
    this.#sizes.clear()
    this.#last = index
    this.start = index
    this.#keeping.installed(asIndex(index))
  }

  get last(): number {
    return this.#last
  }

  #trim(upTo: number): void {
    for (const end of this.#sizes.keys()) if (end <= upTo) this.#sizes.delete(end)
    this.start = upTo
  }
}

t.test('the log goes up to the oldest checkpoint behind which the tail is long enough', async (t) => {
  const bench = new Bench({ tailBytes: 250 })
  t.equal(bench.checkpoint(100), null)
  t.equal(bench.checkpoint(100), null)
  t.equal(bench.checkpoint(100), null, '200 bytes are behind the first')
  t.equal(bench.checkpoint(100), 10)
  t.equal(bench.checkpoint(100), 20)
  t.equal(bench.bytes, 300)
})

t.test('several checkpoints go at once when a large one comes', async (t) => {
  const bench = new Bench({ tailBytes: 250 })
  for (let count = 0; count < 3; count++) bench.checkpoint(100)
  t.equal(bench.checkpoint(1000), 30, 'what is behind the one before is tail enough')
})

t.test(
  'without a tail one checkpoint behind the last is kept: who has just got that one goes on from there',
  async (t) => {
    const bench = new Bench({ tailBytes: 0 })
    t.equal(bench.checkpoint(100), null)
    t.equal(bench.checkpoint(100), 10)
    t.equal(bench.checkpoint(100), 20)
  },
)

t.test('H36 what is being read by a transfer is kept, and goes when it ends', async (t) => {
  const bench = new Bench({ tailBytes: 0 })
  bench.checkpoint(100)
  bench.checkpoint(100)
  t.equal(bench.start, 10)
  t.equal(bench.checkpoint(100, 20), 20, 'the receiver goes on behind the entry at 20')
  for (let count = 0; count < 5; count++) t.equal(bench.checkpoint(100, 20), null)
  t.equal(bench.checkpoint(100), 80, 'it has ended')
})

t.test('H36 a transfer holds the log up to a limit only', async (t) => {
  const bench = new Bench({ tailBytes: 0, heldBytesMax: 300 })
  bench.checkpoint(100)
  bench.checkpoint(100, 10)
  t.equal(bench.checkpoint(100, 10), null, '200 bytes are held')
  t.equal(bench.checkpoint(100, 10), null)
  t.equal(bench.checkpoint(100, 10), 40, 'beyond it the transfer begins again')
})

t.test('after an install the log begins there, and nothing of before counts', async (t) => {
  const bench = new Bench({ tailBytes: 150 })
  for (let count = 0; count < 2; count++) bench.checkpoint(100)
  bench.installed(500)
  t.equal(bench.checkpoint(100), null)
  t.equal(bench.checkpoint(100), null, '100 bytes are behind the first')
  t.equal(bench.checkpoint(100), 510)
})

t.test('a log that begins later is not trimmed to where it begins', async (t) => {
  const bench = new Bench({ tailBytes: 0, start: 100 })
  t.equal(bench.checkpoint(100), null)
  t.equal(bench.checkpoint(100), 110)
})

t.test(
  'under endless load the log stays within its tail and two checkpoints, and never loses what is held',
  async (t) => {
    const sizes = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 1000 }), isHeld: fc.boolean() }), {
      maxLength: 200,
      size: 'max',
    })
    fc.assert(
      fc.property(sizes, fc.nat(3000), (checkpoints, tailBytes) => {
        const bench = new Bench({ tailBytes })
        let held: number | null = null
        for (const { bytes, isHeld } of checkpoints) {
          held = isHeld ? (held ?? bench.last) : null
          bench.checkpoint(bytes, held)
          if (held !== null && bench.start > held) throw new Error(`trimmed to ${bench.start}, held from ${held}`)
          if (bench.start >= bench.last) throw new Error('trimmed up to the last checkpoint')
          if (held === null && bench.bytes > tailBytes + 2000) throw new Error(`${bench.bytes} bytes are kept`)
        }
      }),
    )
    t.pass()
  },
)
