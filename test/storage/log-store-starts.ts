// Part of the conformance suite: logs that are trimmed, or replaced by a snapshot; and what is kept beside the entries.
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'
import { AssertionFailure } from '../../src/assert.ts'
import { asIncarnation, asIndex, asRun } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { Installing, LogBatch, LogStore } from '../../src/storage/log-store.ts'
import {
  chainAt,
  comparable,
  type NewDisk,
  read,
  readWhole,
  someEntries,
  someEntry,
  someHardState,
  someMeta,
  somePeer,
  someReplacement,
  someTip,
  write,
} from './builders.ts'

const mark: Installing = { ...someTip, generation: 3 }
const fiveEntries = { meta: someMeta, hardState: someHardState(2), entries: someEntries({ from: 1, to: 5, term: 2 }) }

export function testTrims(t: Test, newDisk: NewDisk): void {
  t.test('a trimmed log begins behind the entry it was trimmed to, and goes on as before', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, fiveEntries)
    const chains = await Promise.all([3, 5].map((index) => chainAt(store, index)))
    await write(store, { trimTo: asIndex(3), entries: someEntries({ from: 6, to: 7, term: 2 }) })
    await t.rejects(read(store, { from: 3, to: 3 }), AssertionFailure)
    t.equal((await read(store, { from: 4, to: 7 })).length, 4)
    await write(store, {
      trimTo: asIndex(5),
      truncateFrom: asIndex(7),
      entries: someEntries({ from: 7, to: 7, term: 2 }),
    })
    t.equal(await chainAt(store, 5), chains[1], 'the hash of the start')
    await store.close()

    const reopened = await open()
    t.match(reopened.stored, { start: { index: 5, term: 2, time: 50 }, firstIndex: 6, lastIndex: 7 })
    t.same(reopened.stored.spans, [{ term: 2, firstIndex: 6 }])
    t.same((await readWhole(reopened)).entries, someEntries({ from: 6, to: 7, term: 2 }).map(comparable))
    t.equal(await chainAt(reopened, 5), chains[1])
    await reopened.close()
  })

  t.test('a log that is trimmed to its end has no entries, but a place to go on', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, fiveEntries)
    await write(store, { trimTo: asIndex(5) })
    await store.close()
    const reopened = await open()
    t.match(reopened.stored, { start: { index: 5, term: 2, time: 50 }, lastIndex: 5, lastTime: 50, spans: [] })
    await t.rejects(write(reopened, { entries: someEntries({ from: 6, to: 6, term: 1 }) }), AssertionFailure)
    await reopened.close()
    const again = await open()
    await write(again, { entries: someEntries({ from: 6, to: 6, term: 2 }) })
    await again.close()
  })

  t.test('H36 a read that was begun gives its entries although the log is trimmed meanwhile', async (t) => {
    const store = await newDisk(t)()
    await write(store, fiveEntries)
    const reading = read(store, { from: 1, to: 5 })
    await write(store, { trimTo: asIndex(5) })
    t.same((await reading).map(comparable), fiveEntries.entries.map(comparable))
    await store.close()
  })

  t.test('the bytes of a log grow with its entries and shrink with its trims', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const entries = Array.from({ length: 300 }, (_, at) => someEntry({ index: at + 1, payload: 'x'.repeat(1000) }))
    await write(store, { meta: someMeta, hardState: someHardState(1), entries })
    t.ok(Math.abs(store.bytes - 300 * 1064) < 300 * 100, `${store.bytes} bytes`)
    await write(store, { trimTo: asIndex(200) })
    t.ok(Math.abs(store.bytes - 100 * 1064) < 100 * 100, `${store.bytes} bytes`)
    await write(store, { truncateFrom: asIndex(251) })
    const before = store.bytes
    t.ok(Math.abs(before - 50 * 1064) < 50 * 100, `${before} bytes`)
    await store.close()
    const reopened = await open()
    t.ok(Math.abs(reopened.bytes - before) < 2000, `${reopened.bytes} bytes`)
    await reopened.close()
  })
}

export function testInstalls(t: Test, newDisk: NewDisk): void {
  t.test('a mark stands until it is cleared', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, fiveEntries)
    await write(store, { installing: mark })
    await write(store, { meta: { ...someMeta, run: asRun(2) }, entries: someEntries({ from: 6, to: 6, term: 2 }) })
    await store.close()
    const reopened = await open()
    t.same(reopened.stored.installing, mark)
    t.match(reopened.stored, { meta: { run: 2 }, start: { index: 0 }, lastIndex: 6 })
    await write(reopened, { installing: null })
    await reopened.close()
    const cleared = await open()
    t.equal(cleared.stored.installing, null)
    await cleared.close()
  })

  t.test('an install drops a log that contradicts the snapshot, or ends before it', async (t) => {
    for (const last of [5, 10, 14]) {
      const open = newDisk(t)
      const store = await open()
      await write(store, { ...fiveEntries, entries: someEntries({ from: 1, to: last }) })
      await write(store, { installing: mark })
      await write(store, { installed: { start: mark, keepsTail: false } })
      t.equal(await chainAt(store, 10), mark.chain)
      await write(store, { entries: someEntries({ from: 11, to: 12, term: 2 }) })
      await store.close()
      const reopened = await open()
      t.match(reopened.stored, {
        start: { index: 10, term: 2, time: 100 },
        firstIndex: 11,
        lastIndex: 12,
        installing: null,
      })
      t.same((await readWhole(reopened)).entries, someEntries({ from: 11, to: 12, term: 2 }).map(comparable))
      await reopened.close()
    }
  })

  t.test('an install keeps the entries behind it of a log that holds its last', async (t) => {
    for (const last of [5, 7]) {
      const open = newDisk(t)
      const store = await open()
      await write(store, { ...fiveEntries, entries: someEntries({ from: 1, to: last, term: 2 }) })
      const start = { ...mark, index: asIndex(5), time: someEntry({ index: 5 }).time, chain: await chainAt(store, 5) }
      await write(store, { installing: start })
      await write(store, {
        installed: { start, keepsTail: true },
        entries: someEntries({ from: last + 1, to: 9, term: 2 }),
      })
      await store.close()
      const reopened = await open()
      t.match(reopened.stored, { start: { index: 5, term: 2, time: 50 }, lastIndex: 9, installing: null })
      t.same((await readWhole(reopened)).entries, someEntries({ from: 6, to: 9, term: 2 }).map(comparable))
      await reopened.close()
    }
  })

  const bugs: readonly (readonly [what: string, before: Partial<LogBatch>, batch: Partial<LogBatch>])[] = [
    ['an install without a mark', {}, { installed: { start: mark, keepsTail: false } }],
    [
      'an install of another snapshot',
      { installing: mark },
      { installed: { start: { ...mark, generation: 4 }, keepsTail: false } },
    ],
    [
      'a tail that is kept by a log that ends before',
      { installing: mark },
      { installed: { start: mark, keepsTail: true } },
    ],
    [
      'a tail that is kept behind another entry',
      { installing: { ...mark, index: asIndex(4) } },
      { installed: { start: { ...mark, index: asIndex(4) }, keepsTail: true } },
    ],
    ['a trim beyond the end', {}, { trimTo: asIndex(6) }],
    [
      'a trim to an entry of the same write',
      {},
      { trimTo: asIndex(6), entries: someEntries({ from: 6, to: 6, term: 2 }) },
    ],
    ['a trim to an entry that is truncated', {}, { trimTo: asIndex(4), truncateFrom: asIndex(4) }],
    ['a second trim to the same place', { trimTo: asIndex(3) }, { trimTo: asIndex(3) }],
    ['a truncation of what was trimmed', { trimTo: asIndex(3) }, { truncateFrom: asIndex(3) }],
  ]
  for (const [what, before, batch] of bugs) {
    t.test(`${what} is a bug of the caller`, async (t) => {
      const open = newDisk(t)
      const store = await open()
      await write(store, fiveEntries)
      await write(store, before)
      await t.rejects(write(store, batch), AssertionFailure)
      await store.close()
      const reopened = await open()
      t.match(reopened.stored, { start: { index: before.trimTo ?? 0 }, lastIndex: 5 }, 'nothing of it was written')
      await reopened.close()
    })
  }
}

export function testBesideEntries(t: Test, newDisk: NewDisk): void {
  t.test('notes are found again with their entries, as long as these are in the log', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const entries: Entry[] = [
      someEntry({ index: 1 }),
      { ...someEntry({ index: 2 }), note: { kind: 'checkpoint' } },
      { ...someEntry({ index: 3 }), note: someReplacement },
      { ...someEntry({ index: 4 }), note: { kind: 'checkpoint' } },
    ]
    await write(store, { meta: someMeta, hardState: someHardState(2), entries })
    t.same((await read(store, { from: 1, to: 4 })).map(comparable), entries.map(comparable))
    await store.close()
    const reopened = await open()
    t.same(reopened.stored.notes, [
      { index: 2, note: { kind: 'checkpoint' } },
      { index: 3, note: someReplacement },
      { index: 4, note: { kind: 'checkpoint' } },
    ])
    await write(reopened, { trimTo: asIndex(2), truncateFrom: asIndex(4) })
    await reopened.close()
    const trimmed = await open()
    t.same(trimmed.stored.notes, [{ index: 3, note: someReplacement }])
    await trimmed.close()
  })

  t.test('what is known of the peers is replaced as a whole, and stays until then', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, { ...fiveEntries, peers: [somePeer, { ...somePeer, node: someReplacement.member }] })
    await write(store, { entries: someEntries({ from: 6, to: 6, term: 2 }) })
    await store.close()
    const reopened = await open()
    t.same(reopened.stored.peers, [somePeer, { ...somePeer, node: someReplacement.member }])
    const replaced = { ...somePeer, incarnation: asIncarnation('9'.repeat(32)), ackIndex: asIndex(0) }
    await write(reopened, { peers: [replaced] })
    await reopened.close()
    const again = await open()
    t.same(again.stored.peers, [replaced])
    await again.close()
  })
}

interface Step {
  readonly truncate: number
  readonly append: number
  readonly trim: number
  readonly reopen: boolean
}

export function testStartsAgainstModel(t: Test, newDisk: NewDisk): void {
  t.test('after any appends, truncations, trims and openings the log is what the writes say', async (t) => {
    const percent = fc.nat({ max: 100 })
    const steps: fc.Arbitrary<Step[]> = fc.array(
      fc.record({ truncate: percent, append: fc.nat({ max: 4 }), trim: percent, reopen: fc.boolean() }),
      { minLength: 1, maxLength: 8 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const open = newDisk(t)
        let store = await open()
        let model: Entry[] = []
        let start = 0
        for (const [round, { truncate, append, trim, reopen }] of steps.entries()) {
          const kept = Math.ceil((model.length * truncate) / 100)
          const entries = someEntries({ from: start + kept + 1, to: start + kept + append, term: round + 1 })
          const trimmed = Math.floor((kept * trim) / 100)
          await write(store, {
            meta: round === 0 ? someMeta : null,
            hardState: someHardState(round + 1),
            truncateFrom: kept === model.length ? null : asIndex(start + kept + 1),
            entries,
            trimTo: trimmed === 0 ? null : asIndex(start + trimmed),
          })
          model = [...model.slice(0, kept), ...entries].slice(trimmed)
          start += trimmed
          if (!reopen) continue
          await store.close()
          store = await open()
          await expectLog(store, start, model)
        }
        await store.close()
        store = await open()
        await expectLog(store, start, model)
        await store.close()
      }),
      { numRuns: 10 },
    )
    t.pass()
  })
}

async function expectLog(store: LogStore, start: number, model: readonly Entry[]): Promise<void> {
  const found = { start: store.stored.start.index, ...(await readWhole(store)), stored: null }
  const expected = { start, entries: model.map(comparable), stored: null }
  if (!isDeepStrictEqual(found, expected)) {
    throw new Error(`found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
  }
}
