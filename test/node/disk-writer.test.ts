import fc from 'fast-check'
import t from 'tap'
import { asClusterTime, asIncarnation, asIndex, asIo, asNodeId, asRun, asTerm } from '../../src/ids.ts'
import { DiskWriter, mergeWrites } from '../../src/node/disk-writer.ts'
import type { Persist } from '../../src/raft/effect.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { LogBatch, LogStore } from '../../src/storage/log-store.ts'

const meta = {
  node: asNodeId('n1'),
  incarnation: asIncarnation('a'),
  run: asRun(1),
  founded: true,
  counted: asIndex(0),
}

function entry(index: number, term: number): Entry {
  return { index: asIndex(index), term: asTerm(term), time: asClusterTime(0), payload: new Uint8Array(0) }
}

function write(io: number, part: Partial<Persist> = {}): Persist {
  return { kind: 'persist', io: asIo(io), hardState: null, truncateFrom: null, entries: [], trimTo: null, ...part }
}

/** A disk that completes a write when a test says so. */
class Bench {
  readonly batches: LogBatch[] = []
  readonly durable: number[] = []
  readonly failed: string[] = []
  #done: ((error: Error | null) => void) | null = null
  readonly #store: LogStore = {
    stored: {
      meta,
      hardState: { currentTerm: asTerm(0), votedFor: null },
      firstIndex: asIndex(1),
      lastIndex: asIndex(0),
      lastTime: asClusterTime(0),
      start: { index: asIndex(0), term: asTerm(0), time: asClusterTime(0) },
      spans: [],
      notes: [],
      installing: null,
      peers: [],
    },
    bytes: 0,
    write: (batch, done) => {
      if (this.#done !== null) throw new Error('a second write while one is in flight')
      this.batches.push(batch)
      this.#done = done
    },
    read: () => {},
    chainAt: () => {},
    close: async () => {},
  }
  readonly writer = new DiskWriter(this.#store, {
    durable: (io) => this.durable.push(io),
    failed: (error) => this.failed.push(error.message),
  })

  complete(error: Error | null = null): void {
    const done = this.#done
    this.#done = null
    done?.(error)
  }
}

t.test('what queues up while a write is in flight goes into the next, as one', async (t) => {
  const bench = new Bench()
  bench.writer.persist(write(1, { entries: [entry(1, 1)] }))
  bench.writer.start()
  bench.writer.persist(write(2, { entries: [entry(2, 1)] }))
  bench.writer.start()
  bench.writer.persist(write(3, { entries: [entry(3, 1)] }))
  bench.writer.start()
  t.equal(bench.batches.length, 1)
  t.same(bench.durable, [], 'nothing is durable before the disk says so')
  bench.complete()
  t.same(bench.durable, [1])
  t.equal(bench.batches.length, 2)
  t.same(
    bench.batches[1]?.entries.map(({ index }) => index),
    [2, 3],
  )
  t.equal(bench.writer.busy, true)
  bench.complete()
  t.same(bench.durable, [1, 3], 'the last says it for all')
  t.equal(bench.writer.busy, false)
})

t.test('a write waits for `start`: a turn causes one', async (t) => {
  const bench = new Bench()
  bench.writer.persist(write(1))
  t.equal(bench.batches.length, 0)
  bench.writer.start()
  bench.writer.start()
  t.equal(bench.batches.length, 1)
  bench.complete()
  bench.writer.start()
  t.equal(bench.batches.length, 1, 'nothing to write, nothing written')
})

t.test('the meta record goes with the next write, and its maker hears of it', async (t) => {
  const bench = new Bench()
  let stored = 0
  bench.writer.persist(write(1))
  bench.writer.store({ meta }, () => stored++)
  t.same(bench.batches[0]?.meta, meta)
  t.equal(stored, 0)
  bench.complete()
  t.equal(stored, 1)
  t.same(bench.durable, [1])
  bench.writer.persist(write(2))
  bench.writer.start()
  t.equal(bench.batches[1]?.meta, null, 'once')
})

t.test('a failed write is reported, and nothing is written or reported behind it', async (t) => {
  const bench = new Bench()
  bench.writer.persist(write(1))
  bench.writer.start()
  bench.writer.persist(write(2))
  bench.complete(new Error('no space'))
  t.same(bench.failed, ['no space'])
  t.same(bench.durable, [])
  bench.writer.start()
  t.equal(bench.batches.length, 1)
})

t.test('after a stop no write begins and none is reported', async (t) => {
  const bench = new Bench()
  bench.writer.persist(write(1))
  bench.writer.start()
  bench.writer.persist(write(2))
  bench.writer.stop()
  bench.complete()
  bench.writer.start()
  t.equal(bench.batches.length, 1, 'the disk may be closed by now')
  t.same(bench.durable, [])
})

/** A log and a hard state, changed write by write as the io rule means it. */
interface Naive {
  terms: number[]
  hardState: Persist['hardState']
}

function applyNaively(
  { terms, hardState }: Naive,
  { truncateFrom, entries, hardState: news }: Pick<LogBatch, 'hardState' | 'truncateFrom' | 'entries'>,
): Naive {
  const kept = truncateFrom === null ? terms : terms.slice(0, truncateFrom - 1)
  for (const [position, { index }] of entries.entries()) {
    if (index !== kept.length + 1 + position) throw new Error(`entry ${index} behind ${kept.length + position}`)
  }
  return { terms: [...kept, ...entries.map(({ term }) => term)], hardState: news ?? hardState }
}

/** What the core can ask for: each write appends, replaces a tail, or stores a hard state. */
const writesArbitrary = fc
  .record({
    before: fc.nat(6),
    steps: fc.array(
      fc.record({ count: fc.nat(3), dropped: fc.nat(8), replaces: fc.boolean(), hardState: fc.boolean() }),
      { maxLength: 8 },
    ),
  })
  .map(({ before, steps }) => {
    const writes: Persist[] = []
    let length = before
    for (const [position, { count, dropped, replaces, hardState }] of steps.entries()) {
      const io = position + 1
      const term = position + 2
      if (hardState) {
        const news = { currentTerm: asTerm(term), votedFor: null }
        writes.push(write(io, { hardState: news }))
        continue
      }
      const keep = replaces ? Math.max(0, length - 1 - dropped) : length
      const entries = Array.from({ length: count + 1 }, (_, offset) => entry(keep + 1 + offset, term))
      const truncates = replaces && keep < length
      writes.push(write(io, { truncateFrom: truncates ? asIndex(keep + 1) : null, entries }))
      length = keep + entries.length
    }
    return { before, writes }
  })

t.test('H29 a merged write does what its parts would do one after the other', async (t) => {
  fc.assert(
    fc.property(writesArbitrary, ({ before, writes }) => {
      const start: Naive = { terms: Array.from({ length: before }, () => 1), hardState: null }
      let oneByOne = start
      for (const part of writes) oneByOne = applyNaively(oneByOne, part)
      const merged = mergeWrites(writes)
      const atOnce = applyNaively(start, merged)
      if (JSON.stringify(oneByOne) !== JSON.stringify(atOnce)) {
        throw new Error(`one by one ${JSON.stringify(oneByOne)}, merged ${JSON.stringify(atOnce)}`)
      }
      const written = merged.entries.map(({ index }) => index)
      if (new Set(written).size !== written.length) throw new Error('an entry that is replaced is written all the same')
    }),
    { numRuns: 2000 },
  )
  t.pass()
})

const place = { index: asIndex(50), term: asTerm(3), time: asClusterTime(0), chain: 'c', generation: 2 }

/** What an install was asked to do and has done, on a bench. */
function install(bench: Bench, io: number | null, log: string[]): { prepared(error?: Error): void } {
  let prepared: ((error: Error | null) => void) | null = null
  bench.writer.install({
    io: io === null ? null : asIo(io),
    installed: { start: place, keepsTail: true },
    prepare: (done) => {
      log.push('prepare')
      prepared = done
    },
    durable: () => log.push(`durable, after ${bench.durable.length} ios`),
  })
  return { prepared: (error) => prepared?.(error ?? null) }
}

t.test(
  'H30 an install is a write of its own: all before it is durable first, nothing behind it goes along',
  async (t) => {
    const bench = new Bench()
    const log: string[] = []
    bench.writer.persist(write(1, { entries: [entry(51, 3)] }))
    const { prepared } = install(bench, 2, log)
    bench.writer.persist(write(3, { entries: [entry(52, 3)] }))
    bench.writer.start()
    t.same(
      bench.batches.map(({ entries, installed }) => [entries.map(({ index }) => index), installed]),
      [[[51], null]],
    )
    t.same(log, [], 'the state is not touched before what was asked for earlier is durable')
    bench.complete()
    t.same(log, ['prepare'])
    bench.writer.start()
    t.equal(bench.batches.length, 1, 'nor the log before the state is flipped')
    t.equal(bench.writer.busy, true)
    prepared()
    t.match(bench.batches[1], {
      installed: { start: place, keepsTail: true },
      entries: [],
      hardState: null,
      trimTo: null,
    })
    t.same(bench.durable, [1])
    bench.complete()
    t.same(log, ['prepare', 'durable, after 1 ios'], 'and then its io')
    t.same(bench.durable, [1, 2])
    t.same(
      bench.batches[2]?.entries.map(({ index }) => index),
      [52],
    )
    bench.complete()
    t.same(bench.durable, [1, 2, 3])
  },
)

t.test('an install that the core does not wait for names no io', async (t) => {
  const bench = new Bench()
  const log: string[] = []
  const { prepared } = install(bench, null, log)
  bench.writer.start()
  prepared()
  bench.complete()
  t.same(log, ['prepare', 'durable, after 0 ios'])
  t.same(bench.durable, [])
})

t.test(
  'an install that cannot be prepared, and one in whose midst the node stops, never reaches the log',
  async (t) => {
    const failing = new Bench()
    const first = install(failing, 1, [])
    failing.writer.start()
    first.prepared(new Error('no space'))
    t.same([failing.failed, failing.batches.length], [['no space'], 0])
    failing.writer.start()
    t.equal(failing.batches.length, 0, 'and nothing behind it does')

    const stopping = new Bench()
    const second = install(stopping, 1, [])
    stopping.writer.start()
    stopping.writer.stop()
    second.prepared()
    t.same([stopping.failed, stopping.batches.length], [[], 0])
  },
)

t.test('records ride along with the next write, whichever it is, and begin one when there is none', async (t) => {
  const bench = new Bench()
  const log: string[] = []
  bench.writer.store({ installing: place }, () => log.push('marked'))
  t.equal(bench.batches.length, 1, 'at once')
  t.same(bench.batches[0]?.installing, place)
  t.equal(bench.batches[0]?.meta, null)
  bench.writer.store({ meta }, () => log.push('meta'))
  bench.writer.store({ installing: null }, () => log.push('unmarked'))
  t.equal(bench.batches.length, 1, 'one write at a time')
  bench.complete()
  t.same(log, ['marked'])
  t.match(bench.batches[1], { meta, installing: null })
  bench.complete()
  t.same(log, ['marked', 'meta', 'unmarked'], 'in their order')
  bench.writer.persist(write(1))
  bench.writer.start()
  t.equal('installing' in (bench.batches[2] ?? {}), false, 'absent: it stays as it was')
})

t.test(
  'of a record that is stored twice before it is written the later counts, and both makers hear of it',
  async (t) => {
    const bench = new Bench()
    const log: string[] = []
    bench.writer.persist(write(1))
    bench.writer.start()
    bench.writer.store({ installing: place }, () => log.push('first'))
    bench.writer.store({ installing: { ...place, generation: 3 } }, () => log.push('second'))
    bench.complete()
    t.equal(bench.batches[1]?.installing?.generation, 3)
    bench.complete()
    t.same(log, ['first', 'second'])
  },
)

t.test('what is known of the peers goes with the next write, and causes none', async (t) => {
  const bench = new Bench()
  const witness = { node: asNodeId('n2'), incarnation: asIncarnation('b'), run: asRun(2) }
  const peers = [{ ...witness, ackTerm: asTerm(1), ackIndex: asIndex(7), ackRun: asRun(2) }]
  let news: typeof peers | null = peers
  bench.writer.takePeers = () => {
    const taken = news
    news = null
    return taken
  }
  bench.writer.start()
  t.equal(bench.batches.length, 0)
  bench.writer.persist(write(1))
  bench.writer.start()
  t.same(bench.batches[0]?.peers, peers)
  bench.complete()
  bench.writer.persist(write(2))
  bench.writer.start()
  t.equal(bench.batches[1]?.peers, null)
})

t.test('of the trims in one write the furthest counts', async (t) => {
  const bench = new Bench()
  bench.writer.persist(write(1, { trimTo: asIndex(10) }))
  bench.writer.persist(write(2, { trimTo: asIndex(20), entries: [entry(31, 1)] }))
  bench.writer.persist(write(3, { truncateFrom: asIndex(31), entries: [entry(31, 2)] }))
  bench.writer.start()
  t.match(bench.batches[0], { trimTo: 20, entries: [{ index: 31, term: 2 }] })
  t.throws(
    () => mergeWrites([write(1, { trimTo: asIndex(30) }), write(2, { truncateFrom: asIndex(30) })]),
    { name: 'AssertionFailure' },
    'what was trimmed is committed, and never replaced',
  )
})
