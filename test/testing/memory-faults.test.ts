// Every fault that the memory disk can be given, one by one.
import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import { DamagedError } from '../../src/storage/log-store.ts'
import { DamagedStateError, type StateStore } from '../../src/storage/state-store.ts'
import { someBatch, someEntries, someFounding, someHardState, someMeta } from '../storage/builders.ts'
import { checkpointOf, someRecord, someRules } from '../storage/state-builders.ts'
import { type FlippedBit, MemoryDisk, type MemoryDiskOptions } from '../../src/testing/memory-disk.ts'

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
    while (scheduled.length > 0) for (const run of scheduled.splice(0)) run()
  }
  return { disk: new MemoryDisk({ schedule, random: () => 0, rules: someRules, ...options }), delays, runAll }
}

const firstWrite = someBatch({
  meta: someMeta,
  hardState: someHardState(1, 'n1'),
  entries: someEntries({ from: 1, to: 3 }),
})
const model = new Map([
  ['a', '1'],
  ['c', '2'],
])

function commitTo(state: StateStore, index: number, done: (error: Error | null) => void = () => {}): void {
  const writer = state.begin()
  for (const [key, value] of model) writer.put(someRecord(key, value))
  writer.commit(checkpointOf(model, { index: asIndex(index) }), done)
}

/** A disk with an entry log, a founding file and a checkpoint, closed by a crash. */
function writtenDisk(options: Partial<MemoryDiskOptions> = {}): ReturnType<typeof heldDisk> {
  const held = heldDisk(options)
  held.disk.openLog().write(firstWrite, () => {})
  held.disk.openFounding().write(someFounding, () => {})
  commitTo(held.disk.openState(), 2)
  held.runAll()
  held.disk.crash()
  return held
}

t.test('what a crash keeps of the log says nothing of what it keeps of the state', async (t) => {
  const seen: unknown[] = []
  for (const chances of [
    [0, 0],
    [0, 0.99],
    [0.99, 0],
    [0.99, 0.99],
  ]) {
    const { disk, runAll } = heldDisk({ random: () => chances.shift() ?? 0 })
    disk.openLog().write(firstWrite, () => t.fail('an answer from before the crash'))
    commitTo(disk.openState(), 2, () => t.fail('an answer from before the crash'))
    disk.crash()
    runAll()
    seen.push([disk.openLog().stored.lastIndex, disk.openState().stored.checkpoint?.index ?? 0])
  }
  t.same(seen, [
    [0, 0],
    [0, 2],
    [3, 0],
    [3, 2],
  ])
})

t.test('a crash keeps of an install any number of its writes, and the old checkpoint until the flip', async (t) => {
  for (const chance of [0, 0.3, 0.6, 0.9]) {
    const { disk, runAll } = writtenDisk({ random: () => chance })
    const state = disk.openState()
    const install = state.install(state.nextGeneration)
    for (const key of ['x', 'y', 'z']) install.put([someRecord(key, '1')], () => {})
    disk.crash()
    runAll()
    const reopened = disk.openState()
    t.match(reopened.stored, { generation: 0, checkpoint: { index: 2 } }, `chance ${chance}`)
    t.equal(reopened.nextGeneration, chance === 0 ? 1 : 2, 'a generation that left a trace is not used again')
  }
})

t.test('a flipped bit in any record of the log is found when it is opened', async (t) => {
  const bits: FlippedBit[] = [{ kind: 'hardState' }, { kind: 'meta' }, { kind: 'entry', index: asIndex(2) }]
  for (const bit of bits) {
    const { disk } = writtenDisk()
    t.ok(disk.flipBit(bit), bit.kind)
    t.throws(() => disk.openLog(), DamagedError, bit.kind)
    t.throws(() => disk.openLog(), DamagedError, `${bit.kind}, at the next start, too`)
    t.match(disk.openState().stored, { checkpoint: { index: 2 } }, 'the state is another matter')
  }
  const { disk } = writtenDisk()
  t.ok(disk.flipBit({ kind: 'founding' }))
  t.throws(() => disk.openFounding().read(), DamagedError)
})

t.test('a flipped bit in an entry of an open log is found when it is read, unless it was replaced', async (t) => {
  const { disk, runAll } = writtenDisk()
  const log = disk.openLog()
  disk.flipBit({ kind: 'entry', index: asIndex(3) })
  const errors: (Error | null)[] = []
  const note = (error: Error | null): number => errors.push(error)
  log.read({ from: asIndex(1), to: asIndex(2), bytesMax: 1000 }, note)
  log.read({ from: asIndex(1), to: asIndex(3), bytesMax: 1000 }, note)
  log.chainAt(asIndex(3), note)
  runAll()
  t.match(errors, [null, { name: 'DamagedError' }, { name: 'DamagedError' }])
  log.write(someBatch({ truncateFrom: asIndex(3), entries: someEntries({ from: 3, to: 3 }) }), note)
  runAll()
  log.read({ from: asIndex(1), to: asIndex(3), bytesMax: 1000 }, note)
  runAll()
  t.same(errors.slice(3), [null, null])
})

t.test('a flipped bit in the state is damage of the state alone', async (t) => {
  const { disk, runAll } = writtenDisk()
  t.ok(disk.flipBit({ kind: 'record', place: 1 }))
  t.notOk(disk.flipBit({ kind: 'record', place: 2 }), 'there are two')
  const state = disk.openState()
  const errors: (Error | null)[] = []
  state.load(
    () => {},
    (error) => errors.push(error),
  )
  state.openView()?.read(1000, (error) => errors.push(error))
  runAll()
  t.match(errors, [{ name: 'DamagedStateError' }, { name: 'DamagedStateError' }])
  disk.crash()
  t.ok(disk.flipBit({ kind: 'checkpoint' }))
  t.throws(() => disk.openState(), DamagedStateError)
  disk.wipeState()
  t.same(disk.openState().stored, { generation: 0, checkpoint: null })
  t.equal(disk.openLog().stored.lastIndex, 3)
})

t.test('a bit can flip only in what is there', async (t) => {
  const { disk } = heldDisk()
  const bits: FlippedBit[] = [
    { kind: 'hardState' },
    { kind: 'meta' },
    { kind: 'founding' },
    { kind: 'checkpoint' },
    { kind: 'entry', index: asIndex(1) },
    { kind: 'record', place: 0 },
  ]
  for (const bit of bits) t.notOk(disk.flipBit(bit), bit.kind)
  disk.openLog()
  t.equal(disk.openFounding().read(), null)
})

t.test('a lost tail leaves the disk as it was before the newest batches, without a trace', async (t) => {
  const { disk, runAll } = writtenDisk()
  const log = disk.openLog()
  const before = log.stored
  const batches = [
    { hardState: someHardState(2, 'n2'), truncateFrom: asIndex(2), entries: someEntries({ from: 2, to: 6, term: 2 }) },
    { trimTo: asIndex(4), meta: { ...someMeta, founded: true } },
    { truncateFrom: asIndex(6), installing: { ...checkpointOf(model, { index: asIndex(9) }), generation: 1 } },
    {
      installed: {
        start: { ...checkpointOf(model, { index: asIndex(9) }), generation: 1 },
        keepsTail: false,
      },
      entries: someEntries({ from: 10, to: 11, term: 2 }),
    },
  ]
  const images: object[] = [before]
  let open = log
  for (const batch of batches) {
    open.write(someBatch(batch), (error) => t.equal(error, null))
    runAll()
    disk.crash()
    open = disk.openLog()
    images.push(open.stored)
  }
  t.equal(open.stored.lastIndex, 11)
  t.throws(() => disk.loseTail('log', 1), /while nobody has it open/)
  for (let lost = 1; lost <= batches.length; lost++) {
    disk.crash()
    t.equal(disk.loseTail('log', 1), 1)
    t.same(disk.openLog().stored, images.at(-1 - lost), `${lost} batches lost`)
  }
})

t.test('a lost tail of the state takes checkpoints back', async (t) => {
  const { disk, runAll } = writtenDisk()
  const state = disk.openState()
  const writer = state.begin()
  writer.put(someRecord('a', 'changed'))
  writer.delete(Buffer.from('c'))
  writer.commit(checkpointOf(new Map([['a', 'changed']]), { index: asIndex(3) }), () => {})
  runAll()
  disk.crash()
  t.equal(disk.loseTail('state', 1), 1)
  const found: string[] = []
  const reopened = disk.openState()
  t.equal(reopened.stored.checkpoint?.index, 2)
  reopened.load(
    (records) => found.push(...records.map(({ value }) => Buffer.from(value).toString())),
    (error) => t.equal(error, null),
  )
  runAll()
  t.same(found, ['1', '2'])
  disk.crash()
  t.equal(disk.loseTail('state', 9), 1, 'not more than there were')
})

t.test('on a full disk every write fails, to the log and to the state, and reads go on', async (t) => {
  const { disk, runAll } = writtenDisk()
  const log = disk.openLog()
  const state = disk.openState()
  disk.fill()
  const errors: string[] = []
  const note = (error: Error | null): number => errors.push(error === null ? 'none' : error.message)
  log.read({ from: asIndex(1), to: asIndex(3), bytesMax: 1000 }, note)
  runAll()
  log.write(someBatch({ hardState: someHardState(2) }), note)
  commitTo(state, 3, note)
  runAll()
  t.match(errors, ['none', /ENOSPC/, /ENOSPC/])
  disk.crash()
  disk.free()
  const reopened = disk.openLog()
  t.equal(reopened.stored.hardState.currentTerm, 1, 'nothing of it was written')
  reopened.write(someBatch({ hardState: someHardState(2) }), note)
  runAll()
  t.equal(errors.at(-1), 'none')
})

t.test('a failed write of the state is confirmed to nobody, and everything after it is refused', async (t) => {
  const { disk, runAll } = writtenDisk()
  const state = disk.openState()
  disk.failNextWrite(new Error('no space left'))
  const errors: string[] = []
  const note = (error: Error | null): number => errors.push(error === null ? 'none' : error.message)
  commitTo(state, 3, note)
  runAll()
  commitTo(state, 3, note)
  state.openView()?.read(1000, note)
  runAll()
  t.same(errors, ['no space left', 'no space left', 'no space left'])
  t.equal(state.stored.checkpoint?.index, 2)
})

t.test('a slow disk takes so many times as long', async (t) => {
  const { disk, delays } = heldDisk({ writeMs: [2, 2], readMs: [1, 1] })
  disk.slow(10)
  disk.openLog().write(firstWrite, () => undefined)
  disk.slow(1)
  commitTo(disk.openState(), 1)
  t.same(delays, [20, 2])
})
