// What is verified when a log is opened, rule by rule: databases whose records are all intact, but contradict each other.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { asClusterTime, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import { entryKey, hardStateKey, metaKey, peersKey } from '../../src/storage/keys.ts'
import { createDatabase, openDatabase } from '../../src/storage/level-folder.ts'
import {
  chainOf,
  chainStart,
  crcOf,
  encodeEntry,
  encodeHardState,
  type StoredHardState,
} from '../../src/storage/log-record.ts'
import { encodeMeta, encodePeers, type StoredMeta } from '../../src/storage/meta-record.ts'
import { readEntries } from '../../src/storage/read-log.ts'
import { toStoredLog, type VerifiedLog, verifyLog } from '../../src/storage/verify-log.ts'
import { comparable, someEntries, someEntry, someMeta, somePeer, someTip } from './builders.ts'
import { temporaryFolder } from './temporary-folder.ts'

interface Contents {
  readonly entries?: readonly Entry[]
  /** Changes of the records that go with the entries; null leaves the record out. */
  readonly hardState?: Partial<StoredHardState> | null
  readonly meta?: Partial<StoredMeta> | null
  /** Further records, which replace those under the same key; null deletes one. */
  readonly further?: readonly (readonly [key: Buffer, value: Buffer | null])[]
}

const emptyStart = { index: asIndex(0), term: asTerm(0), time: asClusterTime(0), chain: chainStart }

/** A database of records that are right each by itself. */
async function withDatabase<Result>(
  t: Test,
  { entries = someEntries({ from: 1, to: 5, term: 2 }), hardState = {}, meta = {}, further = [] }: Contents,
  use: (folder: string, database: Awaited<ReturnType<typeof openDatabase>>) => Promise<Result>,
): Promise<Result> {
  const folder = join(temporaryFolder(t), 'log')
  await createDatabase(folder, () => Promise.resolve())
  const database = await openDatabase(folder, { writeBufferBytes: 2 ** 20 })
  try {
    let chain = meta?.start?.chain ?? chainStart
    for (const entry of entries) {
      const value = encodeEntry({ entry, chainBefore: chain })
      await database.put(entryKey(entry.index), value)
      chain = chainOf(value)
    }
    const lastIndex = asIndex((entries[0]?.index ?? 1) + entries.length - 1)
    const metaRecord =
      meta === null ? null : encodeMeta({ meta: someMeta, start: emptyStart, installing: null, ...meta })
    const crcs = { metaCrc: crcOf(metaRecord), peersCrc: 0 }
    const state = { currentTerm: asTerm(9), votedFor: asNodeId('n1'), lastIndex, chain, batches: 3, ...crcs }
    if (hardState !== null) await database.put(hardStateKey, encodeHardState({ ...state, ...hardState }))
    if (metaRecord !== null) await database.put(metaKey, metaRecord)
    for (const [key, value] of further) await (value === null ? database.del(key) : database.put(key, value))
    return await use(folder, database)
  } finally {
    await database.close()
  }
}

const verify = (t: Test, contents: Contents): Promise<VerifiedLog> =>
  withDatabase(t, contents, (folder, database) => verifyLog(folder, database, asIndex(1)))

t.test('records that agree are a log', async (t) => {
  const stored = toStoredLog(await verify(t, {}))
  t.match(stored, {
    firstIndex: 1,
    lastIndex: 5,
    lastTime: 50,
    spans: [{ term: 2, firstIndex: 1 }],
    hardState: { currentTerm: 9 },
  })
})

t.test('a log that begins later starts with the chain that its meta record names', async (t) => {
  const entries = someEntries({ from: 11, to: 13, term: 2 })
  const stored = toStoredLog(await verify(t, { entries, meta: { start: someTip } }))
  t.match(stored, { start: { index: 10, term: 2, time: 100 }, firstIndex: 11, lastIndex: 13 })
  const empty = await verify(t, {
    entries: [],
    hardState: { lastIndex: asIndex(10), chain: someTip.chain },
    meta: { start: someTip },
  })
  t.match(toStoredLog(empty), { firstIndex: 11, lastIndex: 10, lastTime: 100 })
})

const replaced = encodeEntry({
  entry: someEntry({ index: 3, term: 2, payload: 'another' }),
  chainBefore: 'cd'.repeat(16),
})
const contradictions: readonly (readonly [what: string, found: RegExp, contents: Contents])[] = [
  ['an entry in the middle is missing', /after entry 2 comes 4/, { further: [[entryKey(asIndex(3)), null]] }],
  ['the first entry is missing', /after entry 0 comes 2/, { further: [[entryKey(asIndex(1)), null]] }],
  ['the last entry is missing', /ends at 4 in another way/, { further: [[entryKey(asIndex(5)), null]] }],
  [
    'the log begins later than its start says',
    /after entry 10 comes 12/,
    { entries: someEntries({ from: 12, to: 13, term: 2 }), meta: { start: someTip } },
  ],
  [
    'the first entry has a term before that of the start',
    /entry 11 has term 1 after 2/,
    { entries: someEntries({ from: 11, to: 13, term: 1 }), meta: { start: someTip } },
  ],
  [
    'the meta record is an older one',
    /meta record is not the one/,
    { further: [[metaKey, encodeMeta({ meta: { ...someMeta, founded: true }, start: emptyStart, installing: null })]] },
  ],
  ['the record of the peers is missing', /record of the peers is not the one/, { hardState: { peersCrc: 1 } }],
  [
    'the record of the peers is an older one',
    /record of the peers is not the one/,
    { hardState: { peersCrc: 1 }, further: [[peersKey, encodePeers([somePeer])]] },
  ],
  ['there is an entry too many', /ends at 5 in another way/, { hardState: { lastIndex: asIndex(4) } }],
  [
    'an intact entry is not the one that was written there',
    /entry 3 does not follow/,
    { further: [[entryKey(asIndex(3)), replaced]] },
  ],
  [
    'the chain does not start where it should',
    /entry 11 does not follow/,
    {
      entries: [someEntry({ index: 11, term: 2 })],
      meta: { start: someTip },
      further: [
        [entryKey(asIndex(11)), encodeEntry({ entry: someEntry({ index: 11, term: 2 }), chainBefore: chainStart })],
      ],
    },
  ],
  [
    'the last entry is another than the hard state names',
    /ends at 5 in another way/,
    { hardState: { chain: '1'.repeat(32) } },
  ],
  [
    'a term decreases',
    /entry 2 has term 1 after 2/,
    { entries: [someEntry({ index: 1, term: 2 }), someEntry({ index: 2, term: 1 })] },
  ],
  [
    'a time decreases',
    /entry 2 has time 9 after 10/,
    { entries: [someEntry({ index: 1, time: 10 }), someEntry({ index: 2, time: 9 })] },
  ],
  [
    'the current term is below that of the last entry',
    /current term 1 is below/,
    { hardState: { currentTerm: asTerm(1) } },
  ],
  ['entries without a meta record', /no meta record/, { meta: null }],
  ['a hard state without a meta record', /no meta record/, { entries: [], meta: null }],
  ['entries without anything else', /no meta record/, { meta: null, hardState: null }],
  ['entries without a hard state', /no hard state/, { hardState: null }],
  ['a meta record without a hard state', /no hard state/, { entries: [], hardState: null }],
  [
    'a record of nobody among the entries',
    /none of ours, under the key 6500/,
    { further: [[Buffer.from('6500', 'hex'), replaced]] },
  ],
  [
    'a record of nobody before the entries',
    /none of ours, under the key 41/,
    { further: [[Buffer.from('A'), replaced]] },
  ],
  [
    'a record of nobody behind the entries',
    /none of ours, under the key 7a/,
    { further: [[Buffer.from('z'), replaced]] },
  ],
]

for (const [what, message, contents] of contradictions) {
  t.test(`damage: ${what}`, async (t) => {
    await t.rejects(verify(t, contents), { name: 'DamagedError', message })
  })
}

t.test('a read verifies what it reads once more', async (t) => {
  const range = { from: asIndex(2), to: asIndex(4), bytesMax: 1000 }
  const readOf = (contents: Contents): Promise<object[]> =>
    withDatabase(t, contents, async (folder, database) =>
      (await readEntries(folder, database, range)).map(({ entry }) => comparable(entry)),
    )
  t.same(await readOf({}), someEntries({ from: 2, to: 4, term: 2 }).map(comparable))
  const damages: readonly (readonly [index: number, value: Buffer | null, message: RegExp])[] = [
    [2, null, /entry 2 is missing/],
    [3, null, /entry 3 is missing/],
    [4, null, /entry 4 is missing/],
    [3, replaced, /entry 3 does not follow/],
    [3, Buffer.from(replaced).fill(0, 50, 51), /entry 3 has a wrong checksum/],
  ]
  for (const [index, value, message] of damages) {
    await t.rejects(readOf({ further: [[entryKey(asIndex(index)), value]] }), { name: 'DamagedError', message })
  }
})
