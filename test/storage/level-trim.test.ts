// What trims, installs and flips leave behind in the files of LevelDB, and what of it a crash brings back.
import { join } from 'node:path'
import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import { entryKey } from '../../src/storage/keys.ts'
import { type Database, openDatabase } from '../../src/storage/level-folder.ts'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { openLevelStateStore, wipeState } from '../../src/storage/level-state-store.ts'
import { recordKey } from '../../src/storage/state-record.ts'
import { LevelStateView } from '../../src/storage/state-view.ts'
import { readWhole, someEntries, someHardState, someMeta, write } from './builders.ts'
import { copyOf, newest, overwrite } from './damaging.ts'
import { checkpointOf, commit, installAll, load, put, readView, someRecord, someRules } from './state-builders.ts'
import { temporaryFolder } from './temporary-folder.ts'

async function inDatabase<Result>(folder: string, use: (database: Database) => Promise<Result>): Promise<Result> {
  const database = await openDatabase(folder, { writeBufferBytes: 2 ** 20 })
  try {
    return await use(database)
  } finally {
    await database.close()
  }
}

const keysIn = (folder: string): Promise<string[]> =>
  inDatabase(folder, async (database) => (await database.keys().all()).map((key) => key.toString('hex')))

const rules = { rules: someRules }

t.test(
  'trimmed entries are deleted; those that a crash brings back are ignored, and deleted at the next start',
  async (t) => {
    const folder = join(temporaryFolder(t), 'log')
    const store = await openLevelLogStore(folder)
    await write(store, { meta: someMeta, hardState: someHardState(1), entries: someEntries({ from: 1, to: 50 }) })
    const untrimmed = copyOf(folder, 'untrimmed')
    await write(store, { trimTo: asIndex(20) })
    await write(store, { trimTo: asIndex(40) })
    await store.close()
    const ours = (keys: string[]): number => keys.filter((key) => key.startsWith('65')).length
    t.equal(ours(await keysIn(folder)), 10)

    await inDatabase(untrimmed, async (old) => {
      await inDatabase(folder, async (database) => {
        for (const index of [1, 7, 20, 40]) {
          const [entry] = await old.values({ gte: entryKey(asIndex(index)), limit: 1 }).all()
          t.ok(entry)
          if (entry !== undefined) await database.put(entryKey(asIndex(index)), entry)
        }
      })
    })
    const reopened = await openLevelLogStore(folder)
    t.match(reopened.stored, { start: { index: 40 }, lastIndex: 50 })
    t.equal((await readWhole(reopened)).entries.length, 10)
    await reopened.close()
    t.equal(ours(await keysIn(folder)), 10)
  },
)

t.test('H31 an install deletes what contradicts it in the same write', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder)
  await write(store, { meta: someMeta, hardState: someHardState(2), entries: someEntries({ from: 1, to: 30 }) })
  const start = {
    index: asIndex(10),
    term: someHardState(2).currentTerm,
    time: someEntries({ from: 10, to: 10 })[0]?.time,
    chain: 'ab'.repeat(16),
  }
  if (start.time === undefined) throw new Error('the entry has a time')
  const mark = { ...start, time: start.time, generation: 1 }
  await write(store, { installing: mark })
  await write(store, { installed: { start: mark, keepsTail: false } })
  const crashed = copyOf(folder, 'crashed')
  await store.close()
  const reopened = await openLevelLogStore(crashed)
  t.match(reopened.stored, { start: { index: 10, term: 2 }, lastIndex: 10, spans: [] })
  await reopened.close()
  t.equal((await keysIn(crashed)).filter((key) => key.startsWith('65')).length, 0)
})

t.test(
  'generations that are not current, and void records, are deleted; also those that a crash brings back',
  async (t) => {
    const folder = join(temporaryFolder(t), 'state')
    const store = await openLevelStateStore(folder, rules)
    const old = { 'b\u0001x': '1', 'b\u0005x': '2', a: '3' }
    await commit(store, old, checkpointOf(new Map(Object.entries(old))))
    await installAll(store, new Map(Object.entries(old)), checkpointOf(new Map(Object.entries(old))))
    const { 'b\u0001x': _, ...left } = old
    await commit(store, {}, checkpointOf(new Map(Object.entries(left)), { oldestBucket: 5 }))
    const unfinished = store.install(store.nextGeneration)
    await put(unfinished, new Map([['z', '1']]))
    await store.close()
    const expected = [
      recordKey(1, Buffer.from('a')),
      recordKey(1, Buffer.from('b\u0005x')),
      recordKey(2, Buffer.from('z')),
    ]
    t.same(
      (await keysIn(folder)).filter((key) => key.startsWith('67')),
      expected.map((key) => key.toString('hex')),
    )
    // Void, and of an old generation: nobody looks whether they are sound.
    await inDatabase(folder, async (database) => {
      for (const key of [recordKey(0, Buffer.from('old')), recordKey(1, Buffer.from('b\u0002x'))])
        await database.put(key, Buffer.from('no record of ours'))
    })
    await inDatabase(folder, async (database) => {
      const checkpoint = checkpointOf(new Map(Object.entries(left)), { oldestBucket: 5 })
      const view = new LevelStateView(1, checkpoint, { folder, database, ...rules, snapshot: null })
      t.same(await readView(view), new Map(Object.entries(left).reverse()), 'void records still there are left out')
      await view.closed()
    })
    const reopened = await openLevelStateStore(folder, rules)
    t.equal(reopened.nextGeneration, 3)
    t.same(await load(reopened), new Map(Object.entries(left).reverse()))
    await reopened.close()
    t.equal((await keysIn(folder)).filter((key) => key.startsWith('67')).length, 2)
  },
)

t.test('a state that is damaged is refused as such, wiped, and new', async (t) => {
  const folder = join(temporaryFolder(t), 'state')
  const store = await openLevelStateStore(folder, rules)
  await commit(store, { a: '1' }, checkpointOf(new Map([['a', '1']])))
  await t.rejects(wipeState(folder), { name: 'LockedError' }, 'not while it is open')
  await store.close()
  overwrite(newest(folder, '.log'), (bytes) => bytes.fill(0xff, 40, 60))
  for (const attempt of ['first', 'second']) {
    await t.rejects(
      openLevelStateStore(folder, rules),
      { name: 'DamagedStateError', code: 'damaged', message: /state is damaged.*Only checkpoints are lost/s },
      attempt,
    )
  }
  await wipeState(folder)
  await wipeState(folder)
  const wiped = await openLevelStateStore(folder, rules)
  t.same(wiped.stored, { generation: 0, checkpoint: null })
  await wiped.close()
})

t.test('a record under the key of another, a wrong value and a record of nobody are damage of the state', async (t) => {
  const damages: readonly (readonly [what: string, damage: (database: Database) => Promise<void>])[] = [
    [
      'the value of another key',
      async (database) => {
        const [value] = await database.values({ gte: recordKey(0, Buffer.from('c')), limit: 1 }).all()
        if (value !== undefined) await database.put(recordKey(0, Buffer.from('a')), value)
      },
    ],
    ['a value cut off', (database) => database.put(recordKey(0, Buffer.from('a')), Buffer.from('abc'))],
    ['a record that is gone', (database) => database.del(recordKey(0, Buffer.from('a')))],
    ['a record of nobody', (database) => database.put(Buffer.from('x'), Buffer.from('1'))],
    ['a checkpoint that is gone', (database) => database.del(Buffer.from('c'))],
    ['another checkpoint', (database) => database.put(Buffer.from('c'), Buffer.from('{}'))],
  ]
  for (const [what, damage] of damages) {
    const folder = join(temporaryFolder(t), 'state')
    const store = await openLevelStateStore(folder, rules)
    const model = { a: '1', c: '2' }
    await commit(store, model, checkpointOf(new Map(Object.entries(model))))
    await store.close()
    await inDatabase(folder, damage)
    const opening = openLevelStateStore(folder, rules).then(async (store) => {
      try {
        return await load(store)
      } finally {
        await store.close()
      }
    })
    await t.rejects(opening, { name: 'DamagedStateError' }, what)
  }
})

t.test('the buffers of an install may be used again when the call has returned', async (t) => {
  const store = await openLevelStateStore(join(temporaryFolder(t), 'state'), rules)
  const install = store.install(1)
  const record = someRecord('a', '1')
  const writing = new Promise<void>((resolve) => install.put([record], () => resolve()))
  record.key.fill(0)
  await writing
  const verdict = new Promise((resolve) => {
    install.finish(checkpointOf(new Map([['a', '1']])), (_, verdict) => resolve(verdict))
  })
  t.equal(await verdict, 'sound')
  await store.close()
})
