import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AssertionFailure } from '../../src/assert.ts'
import { asClusterId, asNodeId, asSequence, asToken } from '../../src/ids.ts'
import { FormatVersionError } from '../../src/storage/damage.ts'
import { formatChecked } from '../../src/storage/checked-json.ts'
import {
  FoundingFile,
  type FoundingRecord,
  type FoundingStore,
  type Restored,
} from '../../src/storage/founding-store.ts'
import { DamagedError } from '../../src/storage/log-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { someFounding, store } from './builders.ts'
import { temporaryFolder } from './temporary-folder.ts'

const someRestored: Restored = {
  from: asClusterId('f'.repeat(32)),
  sha256: 'a1'.repeat(32),
  firstToken: asToken(10 ** 12 + 5),
  firstSequence: asSequence(10 ** 12 + 9),
}

const adapters: readonly (readonly [string, (t: Parameters<typeof temporaryFolder>[0]) => () => FoundingStore])[] = [
  [
    'file',
    (t) => {
      const path = join(temporaryFolder(t), 'n1', 'founding')
      return () => new FoundingFile(path)
    },
  ],
  [
    'memory',
    () => {
      const disk = new MemoryDisk({ schedule: (_, run) => setImmediate(run), random: () => 0 })
      return () => disk.openFounding()
    },
  ],
]

for (const [name, newDisk] of adapters) {
  t.test(`${name}: the record is there once it is confirmed, and when it is opened again`, async (t) => {
    const open = newDisk(t)
    const founding = open()
    t.equal(founding.read(), null)
    await store(founding, someFounding)
    t.same(founding.read(), someFounding)
    t.same(open().read(), someFounding)
  })

  t.test(`${name}: what was taken over from a backup is there, too`, async (t) => {
    const open = newDisk(t)
    const record = { ...someFounding, restored: someRestored }
    await store(open(), record)
    t.same(open().read(), record)
  })

  t.test(`${name}: a cluster is founded once`, async (t) => {
    const open = newDisk(t)
    const founding = open()
    const first = store(founding, someFounding)
    await t.rejects(store(founding, someFounding), AssertionFailure, 'while the first is in flight')
    await first
    await t.rejects(store(founding, someFounding), AssertionFailure)
    await t.rejects(store(open(), someFounding), AssertionFailure)
  })
}

t.test('a write that was cut off before its end leaves no record', async (t) => {
  const path = join(temporaryFolder(t), 'founding')
  writeFileSync(`${path}.new`, '{"version":1,"clusterId"')
  t.equal(new FoundingFile(path).read(), null)
  await store(new FoundingFile(path), someFounding)
  t.same(new FoundingFile(path).read(), someFounding)
})

t.test('one bit flipped in any byte, or any cut, is damage', async (t) => {
  const path = join(temporaryFolder(t), 'founding')
  const founding = new FoundingFile(path)
  await store(founding, someFounding)
  const whole = readFileSync(path)
  const expectDamage = (bytes: Buffer): void => {
    writeFileSync(path, bytes)
    try {
      const record = founding.read()
      throw new Error(`read ${JSON.stringify(record)} from ${bytes.toString('latin1')}`)
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error
    }
  }
  for (let offset = 0; offset < whole.length; offset++) {
    const bytes = Buffer.from(whole)
    bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << (offset % 8)), offset)
    expectDamage(bytes)
  }
  for (let length = 0; length < whole.length; length++) expectDamage(whole.subarray(0, length))
  t.pass()
})

t.test('an intact file that is no founding record is damage, one of a later version is not', async (t) => {
  const path = join(temporaryFolder(t), 'founding')
  const record: FoundingRecord = someFounding
  const wrong: readonly object[] = [
    {},
    { ...record, clusterId: 'abc' },
    { ...record, members: [] },
    { ...record, members: [{ id: 'n 1', incarnation: 'f'.repeat(32) }] },
    { ...record, members: [record.members[0], record.members[0]] },
    { ...record, members: [{ id: asNodeId('n1'), incarnation: 7 }] },
    { ...record, limits: { sessions: 0 } },
    { ...record, limits: { sessions: 1.5 } },
    { ...record, limits: [1] },
    { ...record, restored: undefined },
    { ...record, restored: {} },
    { ...record, restored: { ...someRestored, from: 'abc' } },
    { ...record, restored: { ...someRestored, sha256: 'abc' } },
    { ...record, restored: { ...someRestored, firstToken: -1 } },
    { ...record, restored: { ...someRestored, firstSequence: null } },
  ]
  for (const fields of wrong) {
    writeFileSync(path, formatChecked({ version: 2, ...fields }))
    t.throws(() => new FoundingFile(path).read(), DamagedError, JSON.stringify(fields))
  }
  writeFileSync(path, formatChecked({ version: 3, ...record }))
  t.throws(() => new FoundingFile(path).read(), FormatVersionError)
})
