import fc from 'fast-check'
import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import type { LogStore } from '../../src/storage/log-store.ts'
import {
  comparable,
  read,
  someBatch,
  someEntries,
  someFounding,
  someHardState,
  someMeta,
  write,
} from '../storage/builders.ts'
import { testLogStore } from '../storage/log-store-conformance.ts'
import { MemoryDisk, type MemoryDiskOptions } from '../../src/testing/memory-disk.ts'

testLogStore(t, (_, { firstIndex } = { firstIndex: 1 }) => {
  const disk = new MemoryDisk({
    schedule: (_, run) => setImmediate(run),
    random: () => 0,
    firstIndex: asIndex(firstIndex),
  })
  return () => Promise.resolve(disk.openLog())
})

/** A disk on which nothing happens before `runAll`, and the delays that it asked for. */
function heldDisk(options: Partial<MemoryDiskOptions> = {}): {
  disk: MemoryDisk
  delays: number[]
  runAll: () => void
} {
  const delays: number[] = []
  const scheduled: (() => void)[] = []
  const schedule = (delayMs: number, run: () => void): void => {
    delays.push(delayMs)
    scheduled.push(run)
  }
  const runAll = (): void => {
    for (const run of scheduled.splice(0)) run()
  }
  return { disk: new MemoryDisk({ schedule, random: () => 0, ...options }), delays, runAll }
}

const firstWrite = someBatch({
  meta: someMeta,
  hardState: someHardState(1, 'n1'),
  entries: someEntries({ from: 1, to: 3 }),
})

t.test('nothing is durable before the write completes, all of it then, and before the answer', async (t) => {
  const { disk, runAll } = heldDisk()
  const durable = disk.durable()
  const seen: unknown[] = []
  disk.openLog().write(firstWrite, (error) => seen.push(error, durable.lastIndex, durable.hardState.votedFor))
  t.match(durable, { lastIndex: 0, meta: null, hardState: { currentTerm: 0 } })
  runAll()
  t.same(seen, [null, 3, 'n1'])
  t.match(durable, { firstIndex: 1, lastIndex: 3, meta: someMeta, hardState: { currentTerm: 1 } })
  t.same(durable.entryAt(asIndex(4)), null)
  const [, second] = firstWrite.entries
  t.ok(second)
  const found = durable.entryAt(asIndex(2))
  t.same(found && comparable(found), second && comparable(second))
})

t.test('a crash keeps the write in flight whole or not at all, and its answer never comes', async (t) => {
  for (const [chance, lastIndex] of [
    [0, 0],
    [0.49, 0],
    [0.5, 3],
    [0.99, 3],
  ] as const) {
    const { disk, runAll } = heldDisk({ random: () => chance })
    disk.openLog().write(firstWrite, () => t.fail('an answer from before the crash'))
    disk.crash()
    runAll()
    const reopened = disk.openLog()
    t.equal(reopened.stored.lastIndex, lastIndex, `chance ${chance}`)
    t.equal(reopened.stored.meta === null, lastIndex === 0, 'entries and meta together')
  }
})

t.test('a crash forgets nothing that was confirmed', async (t) => {
  const confirmedThenCrashed = fc.property(fc.array(fc.nat(3), { maxLength: 10 }), fc.integer(), (sizes, seed) => {
    const { disk, runAll } = heldDisk({ random: () => (Math.abs(seed) % 100) / 100 })
    const log = disk.openLog()
    let confirmed = 0
    let written = 0
    for (const [round, size] of sizes.entries()) {
      const entries = size === 0 ? [] : someEntries({ from: written + 1, to: written + size })
      written += size
      const upTo = written
      log.write(someBatch({ meta: someMeta, hardState: someHardState(1), entries }), () => (confirmed = upTo))
      if (round < sizes.length - 1) runAll()
    }
    disk.crash()
    const { lastIndex } = disk.openLog().stored
    if (lastIndex !== confirmed && lastIndex !== written)
      throw new Error(`${lastIndex}, not ${confirmed} or ${written}`)
  })
  fc.assert(confirmedThenCrashed)
  t.pass()
})

t.test(
  'of the log and the founding file both in flight, a crash keeps them in the order of their beginning',
  async (t) => {
    const kept = [0, 0.34, 0.67].map((chance) => {
      const { disk } = heldDisk({ random: () => chance })
      disk.openLog().write(firstWrite, () => t.fail('not confirmed'))
      disk.openFounding().write(someFounding, () => t.fail('not confirmed'))
      disk.crash()
      return [disk.durable().lastIndex, disk.durable().founding !== null]
    })
    t.same(kept, [
      [0, false],
      [3, false],
      [3, true],
    ])
  },
)

t.test(
  'a failed write is confirmed to nobody, everything after it is refused, and a crash decides whether it was kept',
  async (t) => {
    for (const [chance, lastIndex] of [
      [0, 0],
      [0.99, 3],
    ] as const) {
      const { disk, runAll } = heldDisk({ random: () => chance })
      const log = disk.openLog()
      disk.failNextWrite(new Error('no space left'))
      const errors: string[] = []
      const note = (error: Error | null): number => errors.push(error === null ? 'none' : error.message)
      log.write(firstWrite, note)
      runAll()
      t.equal(disk.durable().lastIndex, 0)
      log.write(firstWrite, note)
      log.read({ from: asIndex(1), to: asIndex(1), bytesMax: 1 }, note)
      runAll()
      t.same(errors, ['no space left', 'no space left', 'no space left'])
      disk.crash()
      t.equal(disk.openLog().stored.lastIndex, lastIndex)
    }
  },
)

t.test('a stalled disk answers nothing until it is resumed', async (t) => {
  const { disk, runAll } = heldDisk()
  const log = disk.openLog()
  disk.stall()
  let isConfirmed = false
  log.write(firstWrite, () => (isConfirmed = true))
  runAll()
  t.notOk(isConfirmed)
  t.equal(disk.durable().lastIndex, 0)
  disk.resume()
  t.notOk(isConfirmed, 'not within the call')
  runAll()
  t.ok(isConfirmed)
  t.equal(disk.durable().lastIndex, 3)
})

t.test('delays are drawn from the ranges given, with the chance given', async (t) => {
  const chances = [0, 0.5, 0.25]
  const { disk, delays, runAll } = heldDisk({ random: () => chances.shift() ?? 0, writeMs: [2, 10], readMs: [1, 1] })
  const log: LogStore = disk.openLog()
  log.write(firstWrite, () => undefined)
  runAll()
  log.write(someBatch({ hardState: someHardState(2) }), () => undefined)
  log.read({ from: asIndex(1), to: asIndex(1), bytesMax: 1 }, () => undefined)
  t.same(delays, [2, 6, 1])
})

t.test('the log of a disk is open once', async (t) => {
  const disk = new MemoryDisk({ schedule: (_, run) => setImmediate(run), random: () => 0 })
  const log = disk.openLog()
  t.throws(() => disk.openLog(), /open already/)
  await write(log, firstWrite)
  await log.close()
  t.equal((await read(disk.openLog(), { from: 1, to: 3 })).length, 3)
  disk.crash()
  t.equal(disk.openLog().stored.lastIndex, 3)
})
