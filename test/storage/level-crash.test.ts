// What a process that crashed leaves, found sound or damaged; folders that are in use; writes that fail.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { LockedError } from '../../src/storage/damage.ts'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { DamagedError } from '../../src/storage/log-store.ts'
import { comparable, read, readWhole, someEntry, someHardState, someMeta, write } from './builders.ts'
import { copyOf, fillLog, flip, newest, overwrite } from './damaging.ts'
import { Probe } from './probing.ts'
import { temporaryFolder } from './temporary-folder.ts'

t.test('a process that crashed finds every write that was confirmed', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder)
  await fillLog(store, { from: 1, to: 30 })
  const crashed = copyOf(folder, 'crashed')
  await store.close()
  const reopened = await openLevelLogStore(crashed)
  t.match(reopened.stored, { lastIndex: 30, hardState: someHardState(3, 'n1') })
  t.equal((await readWhole(reopened)).entries.length, 30)
  await reopened.close()
})

t.test('a last write that is torn is gone as a whole, without damage', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder)
  await fillLog(store, { from: 1, to: 30 })
  const before = statSync(newest(folder, '.log')).size
  await write(store, {
    hardState: someHardState(4, 'n2'),
    entries: [31, 32].map((index) => someEntry({ index, term: 4 })),
  })
  const after = statSync(newest(folder, '.log')).size
  for (const left of [after - 1, (before + after) >> 1, before + 1, before]) {
    const torn = copyOf(folder, 'torn')
    truncateSync(newest(torn, '.log'), left)
    const reopened = await openLevelLogStore(torn)
    t.match(reopened.stored, { lastIndex: 30, hardState: someHardState(3, 'n1') }, `${left} of ${after} bytes`)
    await reopened.close()
  }
  await store.close()
})

t.test(
  'a bit flipped in a crashed log is damage although hard state and entries agree, at the next start, too',
  async (t) => {
    const folder = join(temporaryFolder(t), 'log')
    const store = await openLevelLogStore(folder)
    await fillLog(store, { from: 1, to: 60 })
    const { size } = statSync(newest(folder, '.log'))
    // In the last block of 32 KiB: what LevelDB drops there is the end of the log, with the hard state that went with it.
    for (const fromEnd of [700, 5_000, 12_000, 20_000]) {
      const crashed = copyOf(folder, 'crashed')
      flip(newest(crashed, '.log'), size - fromEnd, 3)
      for (const attempt of ['first', 'second', 'third']) {
        await t.rejects(openLevelLogStore(crashed), DamagedError, `${fromEnd} bytes from the end, ${attempt} start`)
      }
    }
    await store.close()
  },
)

t.test('H27 a log whose newest .log file is gone is damaged, not empty', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder)
  await fillLog(store, { from: 1, to: 5 })
  const crashed = copyOf(folder, 'crashed')
  await store.close()
  rmSync(newest(crashed, '.log'))
  await t.rejects(openLevelLogStore(crashed), {
    name: 'DamagedError',
    message: /\.log file is missing.*must neither vote nor serve/s,
  })
})

t.test('an orderly close leaves a witness: batches that are gone afterwards are missed', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder)
  await fillLog(store, { from: 1, to: 9 })
  const before = statSync(newest(folder, '.log')).size
  await fillLog(store, { from: 10, to: 10 })
  await store.close()
  // As if the last write had been torn, which it was not.
  truncateSync(newest(folder, '.log'), before)
  await t.rejects(openLevelLogStore(folder), {
    name: 'DamagedError',
    message: /holds 9 batches of writes, but 10 had been synced/,
  })
})

t.test('an intact older copy of the hard state is not taken for the newest', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder)
  await write(store, { meta: someMeta, hardState: someHardState(1, 'n2') })
  const older = copyOf(folder, 'older')
  await write(store, { hardState: someHardState(2, 'n3') })
  await store.close()
  overwrite(newest(folder, '.log'), (bytes) => {
    const intact = readFileSync(newest(older, '.log'))
    bytes.fill(0)
    intact.copy(bytes)
  })
  await t.rejects(openLevelLogStore(folder), DamagedError)
})

t.test('a start that was cut off while it created the log leaves nothing in the way of the next', async (t) => {
  const folder = join(temporaryFolder(t), 'n1', 'log')
  mkdirSync(`${folder}.new`, { recursive: true })
  writeFileSync(join(`${folder}.new`, 'CURRENT'), 'MANIFEST-000001\n')
  const store = await openLevelLogStore(folder)
  t.equal(store.stored.meta, null)
  await store.close()
  t.notOk(existsSync(`${folder}.new`))
  mkdirSync(join(dirname(folder), 'empty'))
  await t.rejects(
    openLevelLogStore(join(dirname(folder), 'empty')),
    DamagedError,
    'a folder that is there and empty lost its log',
  )
})

t.test('a second process is refused while the first has the folder, and does not disturb it', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder)
  await fillLog(store, { from: 1, to: 3 })
  await store.close()
  const probe = new Probe(t)
  t.match(await probe.ask({ folder, kind: 'hold' }), { kind: 'opened', lastIndex: 3 })
  for (const attempt of ['first', 'second', 'third']) {
    await t.rejects(
      openLevelLogStore(folder),
      { name: 'LockedError', code: 'locked', message: /another Holdfast process/ },
      attempt,
    )
  }
  await probe.kill()
  const reopened = await openLevelLogStore(folder)
  t.equal(reopened.stored.lastIndex, 3)
  await reopened.close()
})

t.test('a second opening in the same process is refused and does not give the lock away', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder)
  await fillLog(store, { from: 1, to: 3 })
  await t.rejects(openLevelLogStore(folder), LockedError)
  t.match(await new Probe(t).ask({ folder, kind: 'open' }), { kind: 'refused', name: 'LockedError' })
  await store.close()
  const reopened = await openLevelLogStore(folder)
  t.equal(reopened.stored.lastIndex, 3)
  await reopened.close()
})

t.test(
  'B120 after a write that failed everything is refused; what was confirmed is there after a restart',
  async (t) => {
    const folder = join(temporaryFolder(t), 'log')
    const probe = new Probe(t, 200)
    const result = await probe.ask({ folder, kind: 'fill' })
    await probe.kill()
    t.match(result, {
      kind: 'filled',
      errors: [/IO error|File too large/, /IO error|File too large/, /IO error|File too large/],
    })
    const confirmed = result.kind === 'filled' ? result.confirmed : 0
    t.ok(confirmed > 50 && confirmed < 100, `${confirmed} entries of 2 KB were confirmed before the file was full`)
    const reopened = await openLevelLogStore(folder)
    t.equal(reopened.stored.lastIndex, confirmed)
    t.same(
      (await readWhole(reopened)).entries.at(-1),
      comparable(someEntry({ index: confirmed, payload: 'x'.repeat(2000) })),
    )
    await reopened.close()
  },
)

t.test('a write that fails while the store is closed leaves no witness of something that is not there', async (t) => {
  const folder = temporaryFolder(t)
  const limited = new Probe(t, 200)
  const filled = await limited.ask({ folder: join(folder, 'first'), kind: 'fill' })
  t.match(filled, { kind: 'filled' })
  const confirmed = filled.kind === 'filled' ? filled.confirmed : 0
  const result = await limited.ask({ folder: join(folder, 'log'), kind: 'closeAt', last: confirmed + 1 })
  t.match(result, { kind: 'filled', confirmed, errors: [/IO error|File too large/] })
  const reopened = await openLevelLogStore(join(folder, 'log'))
  t.equal(reopened.stored.lastIndex, confirmed)
  await reopened.close()
})

t.test('the log goes through many tables and stays whole', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder, { writeBufferBytes: 64 * 1024 })
  await fillLog(store, { from: 1, to: 300 })
  t.same(
    (await read(store, { from: 1, to: 300 })).map((entry) => entry.index),
    Array.from({ length: 300 }, (_, offset) => offset + 1),
  )
  await store.close()
  const reopened = await openLevelLogStore(folder)
  t.match(reopened.stored, { lastIndex: 300, lastTime: 3000 })
  t.equal(reopened.stored.spans.length, 30)
  await reopened.close()
})

t.test('B123 the name of a new log file of the database is synced before a write in it is confirmed', async (t) => {
  const folder = join(temporaryFolder(t), 'log')
  const store = await openLevelLogStore(folder, { writeBufferBytes: 64 * 1024 })
  await write(store, { meta: someMeta, hardState: someHardState(1) })
  const handle = await open(folder)
  const prototype: FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  const syncs = t.capture(prototype, 'sync', prototype.sync)
  let newFiles = 0
  for (let index = 1; index <= 100; index++) {
    const before = newest(folder, '.log')
    await write(store, { entries: [someEntry({ index, payload: 'x'.repeat(1500) })] })
    const synced = syncs().length
    if (newest(folder, '.log') === before) continue
    newFiles++
    t.ok(synced > 0, `after ${index} entries`)
  }
  t.ok(newFiles > 0)
  await store.close()
})
