// What a disk is when a node starts, judged from log and founding file (DESIGN 6, Identity).
import { join } from 'node:path'
import t from 'tap'
import { asClusterTime, asIncarnation, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import { FoundingFile, type FoundingRecord, type FoundingStore } from '../../src/storage/founding-store.ts'
import { judgeDisk } from '../../src/storage/identity.ts'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import type { LogMeta, LogStore, StoredLog } from '../../src/storage/log-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { someFounding, someHardState, someMeta, store, write } from './builders.ts'
import { copyOf } from './damaging.ts'
import { temporaryFolder } from './temporary-folder.ts'

const foundedMeta: LogMeta = { ...someMeta, founded: true }

/** What a start finds after that many writes of a founding were done. */
const legalStarts = [
  { kind: 'empty' },
  { kind: 'founding', meta: someMeta, record: null },
  { kind: 'founding', meta: someMeta, record: someFounding },
  { kind: 'founded', meta: foundedMeta, record: someFounding },
] as const

function foundingWrites(log: LogStore, founding: FoundingStore): (() => Promise<void>)[] {
  return [
    () => write(log, { meta: someMeta, hardState: someHardState(0) }),
    () => store(founding, someFounding),
    () => write(log, { meta: foundedMeta }),
  ]
}

t.test('H32 a process killed after any write of a founding starts again where it was', async (t) => {
  for (const [done, expected] of legalStarts.entries()) {
    const folder = join(temporaryFolder(t), 'n1')
    const log = await openLevelLogStore(join(folder, 'log'))
    const founding = new FoundingFile(join(folder, 'founding'))
    for (const next of foundingWrites(log, founding).slice(0, done)) await next()
    const killed = copyOf(folder, 'killed')
    await log.close()

    const found = await openLevelLogStore(join(killed, 'log'))
    t.same(judgeDisk(killed, found.stored, new FoundingFile(join(killed, 'founding')).read()), expected)
    await found.close()
  }
})

t.test('H32 a power cut in any write of a founding, whether that write is kept or not, is a legal start', async (t) => {
  const seen = new Set<string>()
  for (let inFlight = 0; inFlight < 3; inFlight++) {
    for (const chance of [0, 0.99]) {
      const scheduled: (() => void)[] = []
      const disk = new MemoryDisk({ schedule: (_, run) => scheduled.push(run), random: () => chance })
      const writes = foundingWrites(disk.openLog(), disk.openFounding())
      for (const [step, next] of writes.slice(0, inFlight + 1).entries()) {
        const writing = next()
        if (step === inFlight) break
        scheduled.shift()?.()
        await writing
      }
      disk.crash()
      const start = judgeDisk('disk', disk.openLog().stored, disk.openFounding().read())
      t.same(start, legalStarts[chance === 0 ? inFlight : inFlight + 1])
      seen.add(JSON.stringify(start))
    }
  }
  t.equal(seen.size, 4, 'every legal start was met')
})

t.test('H27 what no founding leaves behind is damage, above all a founding file beside an empty log', async (t) => {
  const damages: readonly (readonly [
    RegExp,
    { meta: LogMeta | null; term: number; entries: number; record: FoundingRecord | null },
  ])[] = [
    [/the log beside it is empty/, { meta: null, term: 0, entries: 0, record: someFounding }],
    [/founding file is missing/, { meta: someMeta, term: 0, entries: 2, record: null }],
    [/founding file is missing/, { meta: someMeta, term: 1, entries: 0, record: null }],
    [/founding file is missing/, { meta: foundedMeta, term: 0, entries: 0, record: null }],
    [/not founded/, { meta: someMeta, term: 1, entries: 0, record: someFounding }],
    [/not founded/, { meta: someMeta, term: 0, entries: 2, record: someFounding }],
    [/not of this disk/, { meta: { ...foundedMeta, node: asNodeId('n9') }, term: 1, entries: 1, record: someFounding }],
    [
      /not of this disk/,
      {
        meta: { ...someMeta, incarnation: asIncarnation('a'.repeat(32)) },
        term: 0,
        entries: 0,
        record: someFounding,
      },
    ],
  ]
  for (const [message, { meta, term, entries, record }] of damages) {
    const stored = storedLog({ meta, term, entries })
    t.throws(
      () => judgeDisk('n1', stored, record),
      { name: 'DamagedError', message },
      JSON.stringify({ meta, term, entries }),
    )
  }
})

t.test('a member in the middle of its life starts as founded', async (t) => {
  const start = judgeDisk('n1', storedLog({ meta: foundedMeta, term: 7, entries: 100 }), someFounding)
  t.same(start, { kind: 'founded', meta: foundedMeta, record: someFounding })
})

function storedLog({ meta, term, entries }: { meta: LogMeta | null; term: number; entries: number }): StoredLog {
  return {
    meta,
    hardState: someHardState(term),
    firstIndex: asIndex(1),
    lastIndex: asIndex(entries),
    lastTime: asClusterTime(0),
    start: { index: asIndex(0), term: asTerm(0), time: asClusterTime(0) },
    spans: [],
    notes: [],
    installing: null,
    peers: [],
  }
}

t.test(
  'H28 a disk that came in place of a lost one is none of the founders, and goes on where it was cut off',
  async (t) => {
    const incarnation = asIncarnation('a'.repeat(32))
    const joining = { ...someMeta, incarnation, counted: null }
    t.equal(judgeDisk('n1', storedLog({ meta: joining, term: 0, entries: 0 }), null).kind, 'founding')
    t.equal(judgeDisk('n1', storedLog({ meta: joining, term: 0, entries: 0 }), someFounding).kind, 'founding')
    for (const counted of [null, asIndex(0), asIndex(7)]) {
      const meta = { ...foundedMeta, incarnation, counted }
      t.equal(judgeDisk('n1', storedLog({ meta, term: 3, entries: 2 }), someFounding).kind, 'founded')
    }
  },
)
