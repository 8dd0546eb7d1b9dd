// Part of the conformance suite: reads, the order of calls and answers, and what is a bug of the caller.
import type { Test } from 'tap'
import { AssertionFailure } from '../../src/assert.ts'
import { asIndex } from '../../src/ids.ts'
import {
  comparable,
  type NewDisk,
  read,
  readWhole,
  someBatch,
  someEntries,
  someEntry,
  someHardState,
  someMeta,
  write,
} from './builders.ts'

export function testReading(t: Test, newDisk: NewDisk): void {
  t.test(
    'a read gives the range asked for, and at least one entry, but else not more bytes than allowed',
    async (t) => {
      const store = await newDisk(t)()
      const entries = [10, 20, 30, 40, 0, 0].map((bytes, offset) =>
        someEntry({ index: offset + 1, payload: 'x'.repeat(bytes) }),
      )
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
    },
  )

  t.test('a read gives what was durable when it was asked for, whatever is written meanwhile', async (t) => {
    const store = await newDisk(t)()
    await write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 4 }) })
    const reading = read(store, { from: 1, to: 4 })
    const writing = write(store, {
      hardState: someHardState(2),
      truncateFrom: asIndex(2),
      entries: someEntries({ from: 2, to: 2, term: 2 }),
    })
    t.same((await reading).map(comparable), someEntries({ from: 1, to: 4 }).map(comparable))
    await writing
    t.same((await read(store, { from: 2, to: 2 })).map(comparable), [comparable(someEntry({ index: 2, term: 2 }))])
    await store.close()
  })

  t.test('entries that a write in flight takes away or brings cannot be read', async (t) => {
    const store = await newDisk(t)()
    await write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 4 }) })
    const writing = write(store, {
      hardState: someHardState(2),
      truncateFrom: asIndex(3),
      entries: someEntries({ from: 3, to: 6, term: 2 }),
    })
    for (const index of [3, 4, 5, 6]) await t.rejects(read(store, { from: index, to: index }), AssertionFailure)
    t.equal((await read(store, { from: 1, to: 2 })).length, 2)
    await writing
    t.equal((await read(store, { from: 1, to: 6 })).length, 6)
    await store.close()
  })
}

export function testOrderOfCalls(t: Test, newDisk: NewDisk): void {
  t.test('nothing is called back before the call returned', async (t) => {
    const store = await newDisk(t)()
    let hasReturned = false
    const early: string[] = []
    await new Promise<void>((resolve) => {
      store.write(
        someBatch({ meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 1 }) }),
        () => {
          if (!hasReturned) early.push('write')
          resolve()
        },
      )
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
        store.write(someBatch({ hardState: someHardState(2), entries: someEntries({ from: 1, to: 2 }) }), () =>
          resolve(),
        )
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
    const writing = write(store, {
      meta: someMeta,
      hardState: someHardState(1),
      entries: someEntries({ from: 1, to: 2 }),
    })
    await Promise.all([
      writing.then(() => order.push('written')),
      store.close().then(() => order.push('closed')),
      store.close(),
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
    const writing = write(store, {
      meta: someMeta,
      hardState: someHardState(1),
      entries: [someEntry({ index: 1, payload })],
    })
    payload.fill(0)
    await writing
    t.same((await read(store, { from: 1, to: 1 })).map(comparable), [
      comparable(someEntry({ index: 1, payload: 'as it was' })),
    ])
    await store.close()
  })
}

export function testRefusals(t: Test, newDisk: NewDisk): void {
  const start = { meta: someMeta, hardState: someHardState(2, 'n1'), entries: someEntries({ from: 1, to: 3, term: 2 }) }
  const contradictions: readonly (readonly [what: string, batch: Parameters<typeof write>[1]])[] = [
    ['an entry that leaves a gap', { entries: someEntries({ from: 5, to: 5, term: 2 }) }],
    ['an entry that is there already', { entries: someEntries({ from: 3, to: 3, term: 2 }) }],
    [
      'an entry behind what a truncation leaves',
      { truncateFrom: asIndex(2), entries: someEntries({ from: 4, to: 4, term: 2 }) },
    ],
    ['a term that decreases along the log', { entries: someEntries({ from: 4, to: 4, term: 1 }) }],
    ['a time that decreases along the log', { entries: [someEntry({ index: 4, term: 2, time: 29 })] }],
    ['an entry of a term to come', { entries: someEntries({ from: 4, to: 4, term: 3 }) }],
    ['a term that goes back', { hardState: someHardState(1) }],
    ['a second vote in a term', { hardState: someHardState(2, 'n2') }],
    ['a vote that is taken back', { hardState: someHardState(2, null) }],
    ['a truncation before the log begins', { truncateFrom: asIndex(0) }],
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
