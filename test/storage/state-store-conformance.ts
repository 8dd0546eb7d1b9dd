// What every StateStore does, whatever it is made of. An adapter's test hands in how to open its store; opening again, after
// a close, is on the same disk.
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'
import { AssertionFailure } from '../../src/assert.ts'
import { asDigest, asIndex } from '../../src/ids.ts'
import { DamagedStateError } from '../../src/storage/state-store.ts'
import {
  checkpointOf,
  commit,
  end,
  finish,
  installAll,
  load,
  type NewStateDisk,
  put,
  readChunk,
  readView,
  someRecord,
} from './state-builders.ts'

export function testStateStore(t: Test, newDisk: NewStateDisk): void {
  testCheckpoints(t, newDisk)
  testVoidRecords(t, newDisk)
  testViews(t, newDisk)
  testInstalls(t, newDisk)
  testAgainstModel(t, newDisk)
}

function testCheckpoints(t: Test, newDisk: NewStateDisk): void {
  t.test('a new store has no checkpoint, and still has none when it is opened again', async (t) => {
    const open = newDisk(t)
    for (const attempt of ['first', 'second']) {
      const store = await open()
      t.same(store.stored, { generation: 0, checkpoint: null }, attempt)
      t.equal(store.openView(), null)
      t.same(await load(store), new Map())
      await store.close()
    }
  })

  t.test('a checkpoint is what was put and deleted since the last', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const first = new Map(Object.entries({ a: '1', c: '2', d: '' }))
    await commit(store, { a: '1', c: '2', d: '' }, checkpointOf(first))
    const second = new Map(Object.entries({ c: '3', d: '', e: '4' }))
    const checkpoint = checkpointOf(second, { index: asIndex(20) })
    await commit(store, { a: null, c: '3', e: '4', nobody: null }, checkpoint)
    t.same(store.stored, { generation: 0, checkpoint })
    t.same(await load(store), second)
    await store.close()
    const reopened = await open()
    t.same(reopened.stored, { generation: 0, checkpoint })
    t.same(await load(reopened), second)
    await reopened.close()
  })

  t.test('what was gathered and abandoned, or not committed, is nowhere', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const model = new Map(Object.entries({ a: '1' }))
    await commit(store, { a: '1' }, checkpointOf(model))
    const writer = store.begin()
    writer.put(someRecord('a', '2'))
    t.throws(() => store.begin(), AssertionFailure, 'one at a time')
    writer.abandon()
    store.begin().put(someRecord('b', '2'))
    await store.close()
    const reopened = await open()
    t.same(await load(reopened), model)
    await reopened.close()
  })

  t.test('the buffers of a record may be used again when the call has returned', async (t) => {
    const store = await newDisk(t)()
    const record = { key: Buffer.from('a'), value: Buffer.from('1') }
    const writer = store.begin()
    writer.put(record)
    record.key.fill(0)
    record.value.fill(0)
    const model = new Map([['a', '1']])
    await new Promise<void>((resolve) => writer.commit(checkpointOf(model), () => resolve()))
    t.same(await load(store), model)
    await store.close()
  })

  t.test('a count that is not that of the checkpoint is damage of the state', async (t) => {
    const store = await newDisk(t)()
    await commit(store, { a: '1', c: '2' }, checkpointOf(new Map([['a', '1']])))
    await t.rejects(load(store), DamagedStateError)
    await store.close()
  })

  t.test('close waits for the checkpoint that is being written', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const model = new Map([['a', '1']])
    const order: string[] = []
    const writing = commit(store, { a: '1' }, checkpointOf(model)).then(() => order.push('written'))
    await Promise.all([writing, store.close().then(() => order.push('closed'))])
    t.same(order, ['written', 'closed'])
    const reopened = await open()
    t.same(await load(reopened), model)
    await reopened.close()
  })
}

function testVoidRecords(t: Test, newDisk: NewStateDisk): void {
  t.test('records of buckets before the oldest are void: neither loaded, nor counted, nor sent', async (t) => {
    const open = newDisk(t)
    const store = await open()
    const all = { 'b\u0001x': '1', 'b\u0002x': '2', 'b\u0003x': '3', c: '4' }
    await commit(store, all, checkpointOf(new Map(Object.entries(all))))
    const { 'b\u0001x': _, 'b\u0002x': __, ...left } = all
    const model = new Map(Object.entries(left))
    await commit(store, {}, checkpointOf(model, { oldestBucket: 3 }))
    t.same(await load(store), model)
    const view = store.openView()
    t.ok(view)
    if (view !== null) t.same(await readView(view), model)
    view?.close()
    await store.close()
    const reopened = await open()
    t.same(await load(reopened), model)
    await reopened.close()
  })
}

function testViews(t: Test, newDisk: NewStateDisk): void {
  t.test(
    'H36 a view stays as it was, whatever checkpoints are written and snapshots installed meanwhile',
    async (t) => {
      const store = await newDisk(t)()
      const model = new Map(Array.from({ length: 3000 }, (_, at) => [`r${at}`, `value ${at}`]))
      const checkpoint = checkpointOf(model)
      await commit(store, Object.fromEntries(model), checkpoint)
      const view = store.openView()
      t.ok(view)
      if (view === null) return
      const first = await readChunk(view, 1000)
      const changed = new Map([['r1', 'changed']])
      await commit(
        store,
        { ...Object.fromEntries([...model.keys()].map((key) => [key, null])), r1: 'changed' },
        checkpointOf(changed),
      )
      await installAll(
        store,
        new Map([['other', 'x']]),
        checkpointOf(new Map([['other', 'x']]), { index: asIndex(99) }),
      )
      const rest = await readView(view)
      t.equal(first.records.length + rest.size, model.size)
      t.same(view.checkpoint, checkpoint)
      t.equal([...rest].filter(([key, value]) => model.get(key) !== value).length, 0)
      view.close()
      t.same(await load(store), new Map([['other', 'x']]))
      await store.close()
    },
  )

  t.test('a view that is opened while a checkpoint is being written is of the one before', async (t) => {
    const store = await newDisk(t)()
    const before = new Map([['a', '1']])
    const checkpoint = checkpointOf(before)
    await commit(store, { a: '1' }, checkpoint)
    for (let round = 0; round < 5; round++) {
      const model = new Map([['a', `round ${round}`]])
      const expected = await load(store)
      const writing = commit(store, Object.fromEntries(model), checkpointOf(model, { index: asIndex(20 + round) }))
      // Before the answer, but so late that the disk is done already.
      for (const begunAt = performance.now(); performance.now() - begunAt < 20;);
      const view = store.openView()
      if (view === null) throw new Error('there is a checkpoint')
      await writing
      t.same(await readView(view), expected, `round ${round}`)
      t.equal(view.checkpoint.index, round === 0 ? 10 : 19 + round)
      view.close()
    }
    await store.close()
  })

  t.test('a view is read in the order of keys, and in chunks of at least one record', async (t) => {
    const store = await newDisk(t)()
    const model = new Map(Object.entries({ a: 'x'.repeat(10), c: 'x'.repeat(20), d: 'x'.repeat(30), e: '' }))
    await commit(store, Object.fromEntries([...model].reverse()), checkpointOf(model))
    const view = store.openView()
    if (view === null) throw new Error('there is a checkpoint')
    const sizes: number[] = []
    let keys = ''
    for (;;) {
      const { records, isLast } = await readChunk(view, 32)
      if (records.length > 0) sizes.push(records.length)
      keys += records.map(({ key }) => Buffer.from(key).toString()).join('')
      if (isLast) break
    }
    t.same(sizes, [2, 2])
    t.equal(keys, 'acde')
    view.close()
    await store.close()
  })
}

function testInstalls(t: Test, newDisk: NewStateDisk): void {
  const old = new Map(Object.entries({ a: 'old', c: 'old' }))
  const news = new Map(Object.entries({ a: 'new', d: 'new' }))

  t.test('an install becomes current by its flip, whole', async (t) => {
    const open = newDisk(t)
    const store = await open()
    await commit(store, Object.fromEntries(old), checkpointOf(old))
    const generation = store.nextGeneration
    const install = store.install(generation)
    t.throws(() => store.install(store.nextGeneration), AssertionFailure, 'one at a time')
    await put(install, new Map([['a', 'repeated']]))
    await put(install, news)
    t.same(await load(store), old)
    const checkpoint = checkpointOf(news, { index: asIndex(50) })
    t.equal(await finish(install, checkpoint), 'sound')
    t.match(store.stored, { checkpoint: { index: 10 } })
    await end(install, 'flip')
    t.same(store.stored, { generation, checkpoint })
    t.same(await load(store), news)
    t.equal(store.nextGeneration, generation + 1)
    const after = new Map([...news, ['e', 'more']])
    await commit(store, { e: 'more' }, checkpointOf(after))
    await store.close()
    const reopened = await open()
    t.match(reopened.stored, { generation })
    t.same(await load(reopened), after)
    await reopened.close()
  })

  t.test('an install that was not flipped leaves nothing, and its generation is not used again', async (t) => {
    for (const how of ['closed', 'discarded', 'found wrong'] as const) {
      const open = newDisk(t)
      const store = await open()
      await commit(store, Object.fromEntries(old), checkpointOf(old))
      const generation = store.nextGeneration
      const install = store.install(generation)
      await put(install, news)
      if (how === 'discarded') t.equal(await finish(install, checkpointOf(news)), 'sound')
      if (how === 'found wrong') {
        const digest = asDigest(checkpointOf(news).digest + 1)
        t.equal(await finish(install, checkpointOf(news, { digest })), 'mismatch')
        t.equal(await finish(install, checkpointOf(news, { records: 3 })), 'mismatch')
        t.throws(() => install.flip(() => t.fail('flipped')), AssertionFailure)
      }
      if (how !== 'closed') {
        await end(install, 'discard')
        t.throws(() => install.flip(() => t.fail('flipped')), AssertionFailure, 'what is gone does not become current')
        t.equal(store.nextGeneration, generation + 1, how)
        await installAll(store, new Map([['z', '1']]), checkpointOf(new Map([['z', '1']])))
        t.same(await load(store), new Map([['z', '1']]))
      }
      await store.close()
      const reopened = await open()
      t.same(await load(reopened), how === 'closed' ? old : new Map([['z', '1']]), how)
      await reopened.close()
    }
  })

  t.test('a generation that is not the next is a bug of the caller', async (t) => {
    const store = await newDisk(t)()
    t.throws(() => store.install(store.nextGeneration + 1), AssertionFailure)
    t.throws(() => store.install(0), AssertionFailure)
    await store.close()
  })
}

type Step =
  | { readonly kind: 'commit'; readonly changes: Record<string, string | null> }
  | { readonly kind: 'install'; readonly records: Record<string, string>; readonly isFlipped: boolean }
  | { readonly kind: 'reopen' }

function testAgainstModel(t: Test, newDisk: NewStateDisk): void {
  t.test('after any checkpoints, installs and openings the state is what was written last', async (t) => {
    const key = fc.constantFrom('a', 'c', 'd', 'e\u00ff', 'f')
    const value = fc.string({ maxLength: 3 })
    const step: fc.Arbitrary<Step> = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('commit' as const), changes: fc.dictionary(key, fc.option(value)) }),
      },
      fc.record({ kind: fc.constant('install' as const), records: fc.dictionary(key, value), isFlipped: fc.boolean() }),
      fc.record({ kind: fc.constant('reopen' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const open = newDisk(t)
        let store = await open()
        let model = new Map<string, string>()
        for (const step of steps) {
          if (step.kind === 'commit') {
            for (const [key, value] of Object.entries(step.changes)) {
              if (value === null) model.delete(key)
              else model.set(key, value)
            }
            await commit(store, step.changes, checkpointOf(model))
          } else if (step.kind === 'install') {
            const records = new Map(Object.entries(step.records))
            const install = store.install(store.nextGeneration)
            await put(install, records)
            if ((await finish(install, checkpointOf(records))) !== 'sound') throw new Error('found wrong')
            await end(install, step.isFlipped ? 'flip' : 'discard')
            if (step.isFlipped) model = records
          } else {
            await store.close()
            store = await open()
          }
          const found = await load(store)
          const sorted = new Map(
            [...model].sort(([a], [b]) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))),
          )
          if (!isDeepStrictEqual([...found], store.stored.checkpoint === null ? [] : [...sorted])) {
            throw new Error(`found ${JSON.stringify([...found])}, expected ${JSON.stringify([...sorted])}`)
          }
        }
        await store.close()
      }),
      { numRuns: 10 },
    )
    t.pass()
  })
}
