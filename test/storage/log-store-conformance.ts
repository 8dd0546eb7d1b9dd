// What every LogStore does, whatever it is made of. An adapter's test hands in how to open its store; opening again, after
// a close, is on the same disk.
import fc from 'fast-check'
import type { Test } from 'tap'
import { AssertionFailure } from '../../src/assert.ts'
import { asIndex, asRun } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { LogStore } from '../../src/storage/log-store.ts'
import { comparable, read, readWhole, someBatch, someEntries, someEntry, someHardState, someMeta, write } from './builders.ts'

export interface StoreOptions {
  readonly firstIndex: number
}

/** Gives a new, empty disk; the function returned opens the store on it. */
export type NewDisk = (t: Test, options?: StoreOptions) => () => Promise<LogStore>

export function testLogStore(t: Test, newDisk: NewDisk): void {
  testReopening(t, newDisk)
  testTruncation(t, newDisk)
  testReading(t, newDisk)
  testOrderOfCalls(t, newDisk)
  testExtremes(t, newDisk)
  testRefusals(t, newDisk)
  testAgainstModel(t, newDisk)
}

function testReopening(t: Test, newDisk: NewDisk): void {
  t.test('a new store is empty, and still is when it is opened again', async (t) => {
    const open = newDisk(t)
    for (const attempt of ['first', 'second']) {
      const store = await open()
      const empty = { meta: null, hardState: someHardState(0), firstIndex: 1, lastIndex: 0, lastTime: 0, spans: [] }
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
      firstIndex: 1,
      lastIndex: 5,
      lastTime: 50,
      spans: [
        { term: 2, firstIndex: 1 },
        { term: 3, firstIndex: 4 }
      ]
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

function testTruncation(t: Test, newDisk: NewDisk): void {
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
    t.same((await read(store, { from: 1, to: 2 })).map(comparable), someEntries({ from: 1, to: 2, term: 9 }).map(comparable))
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
    await write(store, { meta: someMeta, hardState: someHardState(5), entries: [...someEntries({ from: 1, to: 2 }), old] })
    await write(store, { hardState: someHardState(6), truncateFrom: asIndex(3), entries: [someEntry({ index: 3, term: 6 })] })
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
        [7, 4]
      ]
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

function testReading(t: Test, newDisk: NewDisk): void {
  t.test('a read gives the range asked for, and at least one entry, but else not more bytes than allowed', async (t) => {
    const store = await newDisk(t)()
    const entries = [10, 20, 30, 40, 0, 0].map((bytes, offset) => someEntry({ index: offset + 1, payload: 'x'.repeat(bytes) }))
    await write(store, { meta: someMeta, hardState: someHardState(1), entries })
    const indexesOf = async (range: { from: number; to: number; bytesMax?: number }): Promise<number[]> =>
      (await read(store, range)).map((entry) => entry.index)
    t.same(await indexesOf({ from: 1, to: 6 }), [1, 2, 3, 4, 5, 6])
    t.same(await indexesOf({ from: 3, to: 3 }), [3])
    t.same(await indexesOf({ from: 2, to: 5 }), [2, 3, 4, 5])
    t.same(await indexesOf({ from: 1, to: 6, bytesMax: 60 }), [1, 2, 3], 'exactly as many bytes as allowed')
    t.same(await indexesOf({ from: 1, to: 6, bytesMax: 59 }), [1, 2])
    t.same(await indexesOf({ from: 4, to: 6, bytesMax: 1 }), [4], 'one entry in any case')
    t.same(await indexesOf({ from: 4, to: 6, bytesMax: 40 }), [4, 5, 6], 'empty entries cost nothing')
    await store.close()
  })

  t.test('a read gives what was durable when it was asked for, whatever is written meanwhile', async (t) => {
    const store = await newDisk(t)()
    await write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 4 }) })
    const reading = read(store, { from: 1, to: 4 })
    const writing = write(store, { hardState: someHardState(2), truncateFrom: asIndex(2), entries: someEntries({ from: 2, to: 2, term: 2 }) })
    t.same((await reading).map(comparable), someEntries({ from: 1, to: 4 }).map(comparable))
    await writing
    t.same((await read(store, { from: 2, to: 2 })).map(comparable), [comparable(someEntry({ index: 2, term: 2 }))])
    await store.close()
  })

  t.test('entries that a write in flight takes away or brings cannot be read', async (t) => {
    const store = await newDisk(t)()
    await write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 4 }) })
    const writing = write(store, { hardState: someHardState(2), truncateFrom: asIndex(3), entries: someEntries({ from: 3, to: 6, term: 2 }) })
    for (const index of [3, 4, 5, 6]) await t.rejects(read(store, { from: index, to: index }), AssertionFailure)
    t.equal((await read(store, { from: 1, to: 2 })).length, 2)
    await writing
    t.equal((await read(store, { from: 1, to: 6 })).length, 6)
    await store.close()
  })
}

function testOrderOfCalls(t: Test, newDisk: NewDisk): void {
  t.test('nothing is called back before the call returned', async (t) => {
    const store = await newDisk(t)()
    let hasReturned = false
    const early: string[] = []
    await new Promise<void>((resolve) => {
      store.write(someBatch({ meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 1 }) }), () => {
        if (!hasReturned) early.push('write')
        resolve()
      })
      hasReturned = true
    })
    hasReturned = false
    await new Promise<void>((resolve) => {
      store.read({ from: asIndex(1), to: asIndex(1), bytesMax: 1 }, () => {
        if (!hasReturned) early.push('read')
        resolve()
      })
      hasReturned = true
    })
    t.same(early, [])
    await store.close()
  })

  t.test('one write is in flight at most', async (t) => {
    const store = await newDisk(t)()
    const writing = write(store, { meta: someMeta })
    await t.rejects(write(store, { hardState: someHardState(1) }), AssertionFailure)
    await writing
    await write(store, { hardState: someHardState(1) })
    await store.close()
  })

  t.test('the next write may be asked for in the answer to the last', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await new Promise<void>((resolve) => {
      store.write(someBatch({ meta: someMeta }), () => {
        store.write(someBatch({ hardState: someHardState(2), entries: someEntries({ from: 1, to: 2 }) }), () => resolve())
      })
    })
    await store.close()
    const reopened = await open()
    t.equal(reopened.stored.lastIndex, 2)
    await reopened.close()
  })

  t.test('close waits for the write in flight, and may be called twice', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const order: string[] = []
    const writing = write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 2 }) })
    await Promise.all([
      writing.then(() => order.push('written')),
      store.close().then(() => order.push('closed')),
      store.close()
    ])
    t.same(order, ['written', 'closed'])
    t.throws(() => store.write(someBatch({}), () => t.fail('a write after the close')), AssertionFailure)
    const reopened = await open()
    t.equal(reopened.stored.lastIndex, 2)
    await reopened.close()
  })

  t.test('B39 the buffers of an append may be used again as soon as the call returned', async (t) => {
    const store = await newDisk(t)()
    const payload = Buffer.from('as it was')
    const writing = write(store, { meta: someMeta, hardState: someHardState(1), entries: [someEntry({ index: 1, payload })] })
    payload.fill(0)
    await writing
    t.same((await read(store, { from: 1, to: 1 })).map(comparable), [comparable(someEntry({ index: 1, payload: 'as it was' }))])
    await store.close()
  })
}

function testExtremes(t: Test, newDisk: NewDisk): void {
  t.test('payloads of no bytes and of several megabytes', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const big = new Uint8Array(3 * 2 ** 20).map((_, offset) => offset % 251)
    const entries = [new Uint8Array(0), big, new Uint8Array(0)].map((payload, offset) => someEntry({ index: offset + 1, payload }))
    await write(store, { meta: someMeta, hardState: someHardState(1), entries })
    await store.close()
    const reopened = await open()
    const found = await read(reopened, { from: 1, to: 3 })
    t.same(
      found.map((entry) => entry.payload.length),
      [0, big.length, 0]
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
    const entries = Array.from({ length: 8 }, (_, offset) => someEntry({ index: first + offset, term: largest - 8 + offset, time: largest - 8 + offset }))
    await write(store, { meta: someMeta, hardState: someHardState(largest), entries })
    await write(store, { truncateFrom: asIndex(first + 6), entries: [someEntry({ index: first + 6, term: largest, time: largest })] })
    await store.close()
    const reopened = await open()
    t.match(reopened.stored, { firstIndex: first, lastIndex: first + 6, lastTime: largest, hardState: { currentTerm: largest } })
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

function testRefusals(t: Test, newDisk: NewDisk): void {
  const start = { meta: someMeta, hardState: someHardState(2, 'n1'), entries: someEntries({ from: 1, to: 3, term: 2 }) }
  const contradictions: readonly (readonly [what: string, batch: Parameters<typeof write>[1]])[] = [
    ['an entry that leaves a gap', { entries: someEntries({ from: 5, to: 5, term: 2 }) }],
    ['an entry that is there already', { entries: someEntries({ from: 3, to: 3, term: 2 }) }],
    ['an entry behind what a truncation leaves', { truncateFrom: asIndex(2), entries: someEntries({ from: 4, to: 4, term: 2 }) }],
    ['a term that decreases along the log', { entries: someEntries({ from: 4, to: 4, term: 1 }) }],
    ['a time that decreases along the log', { entries: [someEntry({ index: 4, term: 2, time: 29 })] }],
    ['an entry of a term to come', { entries: someEntries({ from: 4, to: 4, term: 3 }) }],
    ['a term that goes back', { hardState: someHardState(1) }],
    ['a second vote in a term', { hardState: someHardState(2, 'n2') }],
    ['a vote that is taken back', { hardState: someHardState(2, null) }],
    ['a truncation before the log begins', { truncateFrom: asIndex(0) }]
  ]
  for (const [what, batch] of contradictions) {
    t.test(`${what} is a bug of the caller`, async (t) => {
      const open = newDisk(t)
      const store = await open()
      await write(store, start)
      await t.rejects(write(store, batch), AssertionFailure)
      await store.close()
      const reopened = await open()
      t.same((await readWhole(reopened)).entries, start.entries.map(comparable), 'nothing of it was written')
      await reopened.close()
    })
  }

  t.test('a first write that does not say whose disk this is, and reads outside of the log', async (t) => {
    const store = await newDisk(t)()
    await t.rejects(read(store, { from: 1, to: 1 }), AssertionFailure)
    await t.rejects(write(store, { hardState: someHardState(1) }), AssertionFailure)
    await store.close()
  })
}

interface ModelBatch {
  readonly keep: number
  readonly append: number
  readonly reopen: boolean
}

function testAgainstModel(t: Test, newDisk: NewDisk): void {
  t.test('after any appends, truncations and openings the log is what the writes say', async (t) => {
    const batches: fc.Arbitrary<ModelBatch[]> = fc.array(
      fc.record({ keep: fc.nat({ max: 100 }), append: fc.nat({ max: 4 }), reopen: fc.boolean() }),
      { minLength: 1, maxLength: 8 }
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
          await write(store, { meta: round === 0 ? someMeta : null, hardState: someHardState(term), truncateFrom: asIndex(model.length + 1), entries })
          model.push(...entries)
          if (reopen) {
            await store.close()
            store = await open()
            expectSame((await readWhole(store)).entries, model.map(comparable))
          }
        }
        if (model.length > 0) expectSame((await read(store, { from: 1, to: model.length })).map(comparable), model.map(comparable))
        await store.close()
      }),
      { numRuns: 20 }
    )
    t.pass()
  })
}

function expectSame(found: readonly object[], expected: readonly object[]): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
  }
}
