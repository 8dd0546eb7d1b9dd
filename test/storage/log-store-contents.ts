// Part of the conformance suite: what is on the disk after writes, and after opening again.
import fc from 'fast-check'
import type { Test } from 'tap'
import { asIndex, asRun } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import {
  comparable,
  type NewDisk,
  read,
  readWhole,
  someEntries,
  someEntry,
  someHardState,
  someMeta,
  write,
} from './builders.ts'

const nothingElse = { start: { index: 0, term: 0, time: 0 }, firstIndex: 1, notes: [], installing: null, peers: [] }

export function testReopening(t: Test, newDisk: NewDisk): void {
  t.test('a new store is empty, and still is when it is opened again', async (t) => {
    const open = newDisk(t)
    for (const attempt of ['first', 'second']) {
      const store = await open()
      const empty = { ...nothingElse, meta: null, hardState: someHardState(0), lastIndex: 0, lastTime: 0, spans: [] }
      t.same(store.stored, empty, attempt)
      await store.close()
    }
  })

  t.test('what was confirmed is there after opening again: meta, hard state, entries and their terms', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, { meta: someMeta })
    await write(store, { hardState: someHardState(3, 'n2'), entries: someEntries({ from: 1, to: 3, term: 2 }) })
    await write(store, { entries: someEntries({ from: 4, to: 5, term: 3 }) })
    await store.close()

    const reopened = await open()
    t.same(reopened.stored, {
      meta: someMeta,
      hardState: someHardState(3, 'n2'),
      ...nothingElse,
      lastIndex: 5,
      lastTime: 50,
      spans: [
        { term: 2, firstIndex: 1 },
        { term: 3, firstIndex: 4 },
      ],
    })
    const expected = [...someEntries({ from: 1, to: 3, term: 2 }), ...someEntries({ from: 4, to: 5, term: 3 })]
    t.same((await readWhole(reopened)).entries, expected.map(comparable))
    await reopened.close()
  })

  t.test('a write that names no hard state or meta leaves what was there', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, { meta: someMeta, hardState: someHardState(7, 'n1') })
    await write(store, { entries: someEntries({ from: 1, to: 1, term: 7 }) })
    await write(store, { meta: { ...someMeta, run: asRun(2), founded: true } })
    await store.close()

    const reopened = await open()
    t.same(reopened.stored.hardState, someHardState(7, 'n1'))
    t.same(reopened.stored.meta, { ...someMeta, run: 2, founded: true })
    t.equal(reopened.stored.lastIndex, 1)
    await reopened.close()
  })

  t.test('B03 a term comes to the disk together with its vote', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, { meta: someMeta, hardState: someHardState(4, 'n2') })
    await write(store, { hardState: someHardState(5, null) })
    await write(store, { hardState: someHardState(5, 'n3') })
    await store.close()
    const reopened = await open()
    t.same(reopened.stored.hardState, someHardState(5, 'n3'))
    await reopened.close()
  })
}

export function testTruncation(t: Test, newDisk: NewDisk): void {
  t.test('B25 a tail is replaced by a longer, an equal or a shorter one in one write', async (t) => {
    for (const newLast of [9, 6, 4, 3]) {
      const open = newDisk(t)
      const store = await open()
      const kept = someEntries({ from: 1, to: 3 })
      const replaced = newLast === 3 ? [] : someEntries({ from: 4, to: newLast, term: 2 })
      await write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 6 }) })
      await write(store, { hardState: someHardState(2), truncateFrom: asIndex(4), entries: replaced })
      await store.close()

      const reopened = await open()
      t.equal(reopened.stored.lastIndex, newLast)
      t.same((await readWhole(reopened)).entries, [...kept, ...replaced].map(comparable))
      await reopened.close()
    }
  })

  t.test('the whole log can be replaced, and emptied', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, { meta: someMeta, hardState: someHardState(9), entries: someEntries({ from: 1, to: 5 }) })
    await write(store, { truncateFrom: asIndex(1), entries: someEntries({ from: 1, to: 2, term: 9 }) })
    t.same(
      (await read(store, { from: 1, to: 2 })).map(comparable),
      someEntries({ from: 1, to: 2, term: 9 }).map(comparable),
    )
    await write(store, { truncateFrom: asIndex(1) })
    await store.close()
    const reopened = await open()
    t.match(reopened.stored, { lastIndex: 0, lastTime: 0, spans: [], hardState: { currentTerm: 9 } })
    await reopened.close()
  })

  t.test('H29 a replaced tail that a later leader restores is the log again', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const old = someEntry({ index: 3, term: 5 })
    await write(store, {
      meta: someMeta,
      hardState: someHardState(5),
      entries: [...someEntries({ from: 1, to: 2 }), old],
    })
    await write(store, {
      hardState: someHardState(6),
      truncateFrom: asIndex(3),
      entries: [someEntry({ index: 3, term: 6 })],
    })
    await write(store, { hardState: someHardState(7), truncateFrom: asIndex(3), entries: [old] })
    await write(store, { entries: [someEntry({ index: 4, term: 7 })] })
    await store.close()
    const reopened = await open()
    t.same((await read(reopened, { from: 3, to: 3 })).map(comparable), [comparable(old)])
    t.same(
      reopened.stored.spans.map((span) => [span.term, span.firstIndex]),
      [
        [1, 1],
        [5, 3],
        [7, 4],
      ],
    )
    await reopened.close()
  })

  t.test('a truncation behind the end changes nothing', async (t) => {
    const store = await newDisk(t)()
    await write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 2 }) })
    await write(store, { truncateFrom: asIndex(3), entries: someEntries({ from: 3, to: 3 }) })
    t.same((await read(store, { from: 1, to: 3 })).map(comparable), someEntries({ from: 1, to: 3 }).map(comparable))
    await store.close()
  })
}

export function testExtremes(t: Test, newDisk: NewDisk): void {
  t.test('payloads of no bytes and of several megabytes', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const big = new Uint8Array(3 * 2 ** 20).map((_, offset) => offset % 251)
    const entries = [new Uint8Array(0), big, new Uint8Array(0)].map((payload, offset) =>
      someEntry({ index: offset + 1, payload }),
    )
    await write(store, { meta: someMeta, hardState: someHardState(1), entries })
    await store.close()
    const reopened = await open()
    const found = await read(reopened, { from: 1, to: 3 })
    t.same(
      found.map((entry) => entry.payload.length),
      [0, big.length, 0],
    )
    t.ok(found[1] !== undefined && Buffer.compare(found[1].payload, big) === 0)
    await reopened.close()
  })

  t.test('indices around 2^32, and terms and times up to 2^53', async (t) => {
    const first = 2 ** 32 - 3
    const largest = Number.MAX_SAFE_INTEGER
    const open = newDisk(t, { firstIndex: first })
    const store = await open()
    t.match(store.stored, { firstIndex: first, lastIndex: first - 1 })
    const entries = Array.from({ length: 8 }, (_, offset) =>
      someEntry({ index: first + offset, term: largest - 8 + offset, time: largest - 8 + offset }),
    )
    await write(store, { meta: someMeta, hardState: someHardState(largest), entries })
    await write(store, {
      truncateFrom: asIndex(first + 6),
      entries: [someEntry({ index: first + 6, term: largest, time: largest })],
    })
    await store.close()
    const reopened = await open()
    t.match(reopened.stored, {
      firstIndex: first,
      lastIndex: first + 6,
      lastTime: largest,
      hardState: { currentTerm: largest },
    })
    t.equal(reopened.stored.spans.length, 7)
    t.same((await readWhole(reopened)).entries.slice(0, 6), entries.slice(0, 6).map(comparable))
    await reopened.close()
  })

  t.test('a write of many entries, and a long tail truncated', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 5000 }) })
    t.equal((await read(store, { from: 1, to: 5000 })).length, 5000)
    await write(store, { truncateFrom: asIndex(11) })
    await store.close()
    const reopened = await open()
    t.equal(reopened.stored.lastIndex, 10)
    await reopened.close()
  })
}

interface ModelBatch {
  readonly keep: number
  readonly append: number
  readonly reopen: boolean
}

export function testAgainstModel(t: Test, newDisk: NewDisk): void {
  t.test('after any appends, truncations and openings the log is what the writes say', async (t) => {
    const batches: fc.Arbitrary<ModelBatch[]> = fc.array(
      fc.record({ keep: fc.nat({ max: 100 }), append: fc.nat({ max: 4 }), reopen: fc.boolean() }),
      { minLength: 1, maxLength: 8 },
    )
    await fc.assert(
      fc.asyncProperty(batches, async (batches) => {
        const open = newDisk(t)
        let store = await open()
        let model: Entry[] = []
        for (const [round, { keep, append, reopen }] of batches.entries()) {
          const term = round + 1
          model = model.slice(0, keep)
          const entries = append === 0 ? [] : someEntries({ from: model.length + 1, to: model.length + append, term })
          await write(store, {
            meta: round === 0 ? someMeta : null,
            hardState: someHardState(term),
            truncateFrom: asIndex(model.length + 1),
            entries,
          })
          model.push(...entries)
          if (reopen) {
            await store.close()
            store = await open()
            expectSame((await readWhole(store)).entries, model.map(comparable))
          }
        }
        if (model.length > 0)
          expectSame((await read(store, { from: 1, to: model.length })).map(comparable), model.map(comparable))
        await store.close()
      }),
      { numRuns: 20 },
    )
    t.pass()
  })
}

function expectSame(found: readonly object[], expected: readonly object[]): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
  }
}
