import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { hashRecord } from '../../src/codec/record.ts'
import { asClusterId, asDigest, asIncarnation, asIndex, asSequence, asToken } from '../../src/ids.ts'
import { BackupError, BackupEncoder, backupHashBytes } from '../../src/storage/backup-format.ts'
import { hashBackup, readBackup } from '../../src/storage/backup-file.ts'
import type { BackupPart } from '../../src/storage/backup-format.ts'
import type { Checkpoint, RecordBytes } from '../../src/storage/state-store.ts'
import { comparable, someEntries, someFounding, someReplacement, someTip } from './builders.ts'
import { temporaryFolder } from './temporary-folder.ts'

const path = join(temporaryFolder(t), 'some.backup')
const records: readonly RecordBytes[] = [1, 2, 3].map((n) => ({ key: Buffer.of(n), value: Buffer.alloc(n * 10, n) }))
const digest = asDigest(records.reduce((sum, record) => (sum + hashRecord(record)) % 2 ** 48, 0))
const checkpoint: Checkpoint = {
  ...someTip,
  digest,
  records: 3,
  oldestBucket: 7,
  incarnations: { n2: asIncarnation('5'.repeat(32)) },
}
const entries = someEntries({ from: 11, to: 14, term: 3 }).map((entry) =>
  entry.index === 12 ? { ...entry, note: someReplacement } : entry,
)

interface Made {
  readonly checkpoint?: Checkpoint | null
  readonly records?: readonly RecordBytes[]
  readonly entries?: typeof entries
}

function make(made: Made = {}): Buffer {
  const parts = { checkpoint, records, entries, ...made }
  const encoder = new BackupEncoder()
  return Buffer.concat([
    encoder.open({ ...someFounding, checkpoint: parts.checkpoint }),
    encoder.records(parts.records.slice(0, 1)),
    encoder.records(parts.records.slice(1)),
    encoder.entries(parts.entries.slice(0, 3)),
    encoder.entries(parts.entries.slice(3)),
    encoder.close(),
  ])
}

/** With a checksum that is right, whatever was done to the bytes before it. */
function sealed(body: Buffer): Buffer {
  return Buffer.concat([body, createHash('sha256').update(body).digest()])
}

async function readWhole(bytes: Uint8Array): Promise<BackupPart[]> {
  writeFileSync(path, bytes)
  await hashBackup(path)
  const parts: BackupPart[] = []
  for await (const part of readBackup(path)) parts.push(part)
  return parts
}

t.test('what was written is read: header, records, entries with their notes', async (t) => {
  const restored = {
    from: asClusterId('d'.repeat(32)),
    sha256: 'b'.repeat(64),
    firstToken: asToken(5),
    firstSequence: asSequence(6),
  }
  const encoder = new BackupEncoder()
  const opened = encoder.open({ ...someFounding, restored, checkpoint })
  const bytes = Buffer.concat([opened, encoder.records(records), encoder.entries(entries), encoder.close()])
  const [header, first, second] = await readWhole(bytes)
  t.same(header, { kind: 'header', ...someFounding, restored, checkpoint })
  t.same(
    first?.kind === 'records' && first.records.map(({ key, value }) => [[...key], [...value]]),
    records.map(({ key, value }) => [[...key], [...value]]),
  )
  t.same(second?.kind === 'entries' && second.entries.map(comparable), entries.map(comparable))
})

t.test('a backup without a checkpoint begins with entry 1, an empty one has nothing', async (t) => {
  const parts = await readWhole(make({ checkpoint: null, records: [], entries: someEntries({ from: 1, to: 5 }) }))
  t.equal(parts.flatMap((part) => (part.kind === 'entries' ? part.entries : [])).length, 5)
  t.match(await readWhole(make({ checkpoint: null, records: [], entries: [] })), [{ kind: 'header', checkpoint: null }])
})

t.test('the hash names the file', async (t) => {
  writeFileSync(path, make())
  const first = await hashBackup(path)
  t.match(first, /^[0-9a-f]{64}$/)
  t.equal(await hashBackup(path), first)
  writeFileSync(path, make({ entries: entries.slice(0, 3) }))
  t.not(await hashBackup(path), first)
})

t.test('one bit flipped in any byte, any cut and anything behind the end is refused', async (t) => {
  const bytes = make()
  const refused = async (wrong: Uint8Array, what: string): Promise<void> => {
    writeFileSync(path, wrong)
    const error: unknown = await hashBackup(path).then(
      () => null,
      (reason: unknown) => reason,
    )
    if (!(error instanceof BackupError)) throw new Error(`${what}: ${String(error)}`)
  }
  for (let at = 0; at < bytes.length; at++) {
    const wrong = Buffer.from(bytes)
    wrong[at] = (wrong[at] ?? 0) ^ (1 << (at % 8))
    await refused(wrong, `a bit of byte ${at}`)
    await refused(bytes.subarray(0, at), `cut to ${at}`)
  }
  await refused(Buffer.concat([bytes, Buffer.of(0)]), 'a byte more')
  await refused(Buffer.concat([bytes, bytes]), 'twice')
  t.pass()
})

t.test('with a checksum that is right, whatever is wrong inside is refused, or is another backup', async (t) => {
  const body = make().subarray(0, -backupHashBytes)
  const damage = fc.array(fc.record({ at: fc.nat(body.length - 1), to: fc.nat(255) }), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(damage, fc.option(fc.nat(body.length)), async (bytes, cut) => {
      const wrong = Buffer.from(body)
      for (const { at, to } of bytes) wrong[at] = to
      try {
        await readWhole(sealed(wrong.subarray(0, cut ?? body.length)))
      } catch (error) {
        if (!(error instanceof BackupError)) throw error
      }
    }),
    { numRuns: 300 },
  )
  t.pass()
})

t.test('contents that contradict each other are refused by what is wrong', async (t) => {
  const encoder = () => new BackupEncoder()
  const opened = { ...someFounding, checkpoint }
  const cases: readonly (readonly [RegExp, Buffer])[] = [
    [/2 records instead of 3/, make({ records: records.slice(1) })],
    [/another digest/, make({ records: [...records.slice(1), { key: Buffer.of(1), value: Buffer.of(9) }] })],
    [/entry 11 of its log is wrong/, make({ entries: entries.slice(1) })],
    [/entry 14 of its log is wrong/, make({ entries: [...entries.slice(0, 3), ...entries.slice(2)] })],
    [
      /entry 11 of its log is wrong/,
      make({
        checkpoint: { ...checkpoint, term: someEntries({ from: 1, to: 1, term: 9 })[0]?.term ?? checkpoint.term },
      }),
    ],
    [/no end/, sealed(encoder().open(opened))],
    [/out of order/, sealed(Buffer.concat([encoder().open(opened), encoder().open(opened).subarray(17)]))],
    [/0 records instead of 3/, make({ records: [] })],
  ]
  for (const [said, bytes] of cases) await t.rejects(readWhole(bytes), said)
})

t.test('the end says where the log ends', async (t) => {
  const short = new BackupEncoder()
  const parts = [short.open({ ...someFounding, checkpoint }), short.records(records)]
  const endOf = (other: Partial<Checkpoint>): Buffer => {
    const end = new BackupEncoder()
    end.open({ ...someFounding, checkpoint: { ...checkpoint, ...other } })
    end.records(records)
    return end.close().subarray(0, -backupHashBytes)
  }
  const withEnd = (end: Buffer) => readWhole(sealed(Buffer.concat([...parts, end])))
  await t.rejects(withEnd(endOf({ index: asIndex(9) })), /ends at entry 10 and not at 9/)
  await t.rejects(withEnd(endOf({ chain: 'cd'.repeat(16) })), /or is another/)
  t.equal((await withEnd(endOf({}))).length, 2)
})

t.test('a file that is not there is refused as what it is', async (t) => {
  await t.rejects(hashBackup(`${path}.missing`), { code: 'backup_damaged', message: /ENOENT/ })
  await t.rejects(hashBackup(temporaryFolder(t)), { code: 'backup_damaged', message: /not a file/ })
})
