import t from 'tap'
import { asClusterTime, asIndex, asTerm } from '../../src/ids.ts'
import { Marks } from '../../src/node/marks.ts'
import type { MarkOptions } from '../../src/node/marks.ts'
import type { Entry } from '../../src/raft/entry.ts'
import { entryBytes } from '../../src/raft/log.ts'

const never = { logBytes: Infinity, entries: Infinity, records: Infinity }

function entry(index: number, payloadBytes = 0): Entry {
  return { index: asIndex(index), term: asTerm(1), time: asClusterTime(0), payload: new Uint8Array(payloadBytes) }
}

function marksOf(options: Partial<MarkOptions>, changed = () => 0, isBusy = () => false): Marks {
  return new Marks({ ...never, ...options }, { changed, isBusy })
}

function mark(index: number): Entry {
  return { ...entry(index), note: { kind: 'checkpoint' } }
}

t.test('a mark is due when enough entries have gone by since the last', async (t) => {
  const marks = marksOf({ entries: 3 })
  for (const index of [1, 2]) marks.applied(entry(index))
  t.equal(marks.isDue, false)
  marks.applied(entry(3))
  t.equal(marks.isDue, true)
  marks.applied(mark(4))
  t.equal(marks.isDue, false, 'it is counted from the mark')
  for (const index of [5, 6]) marks.applied(entry(index))
  t.equal(marks.isDue, false)
  marks.applied(entry(7))
  t.equal(marks.isDue, true)
})

t.test('a mark is due when enough bytes of log have gone by since the last', async (t) => {
  const logBytes = 3 * entryBytes(entry(1, 1000))
  const marks = marksOf({ logBytes })
  for (const index of [1, 2]) marks.applied(entry(index, 1000))
  t.equal(marks.isDue, false)
  marks.applied(entry(3, 1000))
  t.equal(marks.isDue, true)
  marks.applied(mark(4))
  t.equal(marks.isDue, false)
})

t.test('a mark is due when enough records have changed, however few entries did it', async (t) => {
  let changed = 99
  const marks = marksOf({ records: 100 }, () => changed)
  t.equal(marks.isDue, false)
  changed = 100
  t.equal(marks.isDue, true)
})

t.test('records that change while a checkpoint is under way are no reason for a mark, which would pass', async (t) => {
  let isBusy = true
  const marks = marksOf(
    { records: 100, entries: 10 },
    () => 100,
    () => isBusy,
  )
  for (let index = 1; index < 10; index++) {
    marks.applied(entry(index))
    t.equal(marks.isDue, false)
  }
  marks.applied(entry(10))
  t.equal(marks.isDue, true, 'but what has gone by is counted from the last mark')
  marks.applied(mark(11))
  t.equal(marks.isDue, false)
  isBusy = false
  t.equal(marks.isDue, true)
})

t.test('a mark is due when a member needs a snapshot and there is anything that the last one lacks', async (t) => {
  const marks = marksOf({})
  marks.wanted()
  t.equal(marks.isDue, false, 'the last has everything')
  marks.applied(entry(1))
  t.equal(marks.isDue, true)
  marks.applied(mark(2))
  marks.applied(entry(3))
  t.equal(marks.isDue, false, 'once')
})

t.test('no mark is due while the last that was proposed is not applied: one at a time', async (t) => {
  const marks = marksOf({ entries: 1 })
  marks.applied(entry(1))
  marks.proposed(asIndex(3))
  t.equal(marks.isDue, false)
  marks.applied(entry(2))
  t.equal(marks.isDue, false)
  marks.applied(mark(3))
  t.equal(marks.isDue, false, 'nothing has gone by since')
  marks.applied(entry(4))
  t.equal(marks.isDue, true)
})

t.test('a mark that was proposed and lost with its leader is due again when its place has been applied', async (t) => {
  const marks = marksOf({ entries: 2 })
  for (const index of [1, 2]) marks.applied(entry(index))
  marks.proposed(asIndex(3))
  marks.applied(entry(3))
  t.equal(marks.isDue, true, 'another entry came in its place')
})

t.test('the mark of another leader counts like an own one', async (t) => {
  const marks = marksOf({ entries: 2 })
  for (const index of [1, 2]) marks.applied(entry(index))
  marks.applied(mark(3))
  t.equal(marks.isDue, false)
})
