// Records whose checksum is right and whose fields are not: what a mistake of ours, or of another program, would leave. Every
// field of every record is taken away, and replaced by values of wrong types and sizes; nothing of it may be taken for
// data, and nothing may end the process by an accident of JavaScript.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatChecked, isObject, type JsonObject } from '../../src/storage/checked-json.ts'
import { judgeDatabaseError, judgeFileError, judgeStateError, LockedError } from '../../src/storage/damage.ts'
import { sealJson, unsealJson } from '../../src/storage/log-record.ts'
import { DamagedError } from '../../src/storage/log-store.ts'
import { decodeMeta, decodePeers, encodeMeta, encodePeers } from '../../src/storage/meta-record.ts'
import { decodeNote, encodeNote } from '../../src/storage/note-record.ts'
import { decodeCurrent, encodeCurrent } from '../../src/storage/state-record.ts'
import { DamagedStateError } from '../../src/storage/state-store.ts'
import { readWitness, writeWitness } from '../../src/storage/witness.ts'
import { someMeta, somePeer, someReplacement, someTip } from './builders.ts'
import { checkpointOf } from './state-builders.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** What no field of any record may be. */
const wrongValues: readonly unknown[] = [undefined, -1, 1.5, 2 ** 53, 'no such', [], { no: 'such' }]

const records = [
  {
    what: 'the meta record',
    bytes: encodeMeta({ meta: someMeta, start: someTip, installing: { ...someTip, generation: 3 } }),
    decode: (bytes: Buffer) => decodeMeta('here', bytes),
    fields: 14,
  },
  {
    what: 'the record of the peers',
    bytes: encodePeers([somePeer, somePeer]),
    decode: (bytes: Buffer) => decodePeers('here', bytes),
    fields: 15,
  },
  {
    what: 'the record of the checkpoint',
    bytes: encodeCurrent({ batches: 4, generation: 1, checkpoint: checkpointOf(new Map([['a', 'b']])) }),
    decode: (bytes: Buffer) => decodeCurrent('here', bytes),
    fields: 12,
  },
]

for (const { what, bytes, decode, fields } of records) {
  t.test(`${what} is damaged when any of its fields is missing or of a wrong type`, (t) => {
    const sound = unsealJson('here', what, bytes)
    t.doesNotThrow(() => decode(sealJson(sound)))
    const paths = pathsOf(sound)
    t.ok(paths.length >= fields, `${paths.length} fields`)
    for (const path of paths) {
      for (const value of wrongValues) {
        // Who the members are is not for this record to know; the next test has its values.
        if (isMemberOf(path, 'incarnations')) continue
        // Nothing may be known of any peer.
        if (path.join('.') === 'peers' && Array.isArray(value)) continue
        const wrong = replaced(sound, path, value)
        t.throws(() => decode(sealJson(wrong)), DamagedError, `${path.join('.')}: ${JSON.stringify(value)}`)
      }
    }
    t.end()
  })
}

t.test('a checkpoint that names a disk which cannot be, or a member, is damaged', (t) => {
  for (const incarnations of [{ n1: 'short' }, { 'no/name': '1'.repeat(32) }, { n1: 3 }]) {
    const sound = unsealJson(
      'here',
      '',
      encodeCurrent({ batches: 1, generation: 1, checkpoint: checkpointOf(new Map()) }),
    )
    const wrong = replaced(sound, ['checkpoint', 'incarnations'], incarnations)
    t.throws(() => decodeCurrent('here', sealJson(wrong)), DamagedError)
  }
  t.end()
})

t.test('a note that is cut off anywhere, of an unknown kind, or names what cannot be, is none', (t) => {
  const sound = encodeNote(someReplacement)
  t.match(decodeNote(sound, 0), { note: someReplacement, end: sound.length })
  for (let length = 0; length < sound.length; length++) t.equal(decodeNote(sound.subarray(0, length), 0), null)
  t.equal(decodeNote(Buffer.of(9), 0), null)
  const memberAt = 2
  t.equal(decodeNote(Buffer.from(sound).fill('/', memberAt, memberAt + 1), 0), null, 'a member')
  t.equal(decodeNote(Buffer.from(sound).fill('/', sound.length - 1), 0), null, 'a disk')
  t.end()
})

t.test('a witness that is gone, changed, or lacks a field is damage', async (t) => {
  const folder = temporaryFolder(t)
  await t.rejects(readWitness(folder), DamagedError, 'gone')
  const record = Buffer.from('abcd', 'hex')
  await writeWitness(folder, { batches: 3, record })
  t.same(await readWitness(folder), { batches: 3, record })
  const write = (text: string) => writeFileSync(join(folder, 'witness'), text)
  write('{"version":2,"batches":3,"record":""}\ncrc32 00000000\n')
  await t.rejects(readWitness(folder), { name: 'DamagedError', message: /wrong checksum/ })
  for (const fields of [{ batches: -1, record: '' }, { batches: 1 }, { record: '' }, { batches: 1, record: 7 }]) {
    write(formatChecked({ version: 2, ...fields }))
    await t.rejects(readWitness(folder), { name: 'DamagedError', message: /lacks a field/ })
  }
  write(formatChecked({ version: 1, batches: 1, record: '' }))
  await t.rejects(readWitness(folder), { code: 'older_format' })
  write(formatChecked({ version: 3, batches: 1, record: '' }))
  await t.rejects(readWitness(folder), { code: 'newer_format' })
})

t.test('an error of a disk is damage when bytes cannot be read or are gone, and an outage otherwise', (t) => {
  const withCode = (code: string, message = code) => Object.assign(new Error(message), { code })
  const full = withCode('ENOSPC')
  t.equal(judgeFileError('f', full), full)
  t.equal(judgeFileError('f', 'no error'), 'no error')
  t.type(judgeFileError('f', withCode('ENOENT')), DamagedError)
  t.type(judgeFileError('f', withCode('EIO')), DamagedError)
  t.equal(judgeDatabaseError('d', full), full)
  t.equal(judgeDatabaseError('d', 'no error'), 'no error')
  t.type(judgeDatabaseError('d', withCode('LEVEL_LOCKED')), LockedError)
  t.type(judgeDatabaseError('d', withCode('LEVEL_CORRUPTION')), DamagedError)
  t.type(judgeDatabaseError('d', new Error('open', { cause: new Error('Input/output error') })), DamagedError)
  const damage = judgeFileError('f', withCode('EIO'))
  t.equal(judgeDatabaseError('d', damage), damage)
  t.equal(judgeStateError(full), full)
  const ofState = judgeStateError(damage)
  t.type(ofState, DamagedStateError)
  t.equal(judgeStateError(ofState), ofState)
  t.end()
})

type Path = readonly string[]

/** Of every field and every object, outermost first. */
function pathsOf(value: unknown): Path[] {
  if (Array.isArray(value)) return value.flatMap((item, at) => [[String(at)], ...below(String(at), item)])
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, field]) => [[name], ...below(name, field)])
}

function below(name: string, value: unknown): Path[] {
  return pathsOf(value).map((path) => [name, ...path])
}

function isMemberOf(path: Path, name: string): boolean {
  return path.includes(name) && path.at(-1) !== name
}

function replaced(record: JsonObject, [name, ...rest]: Path, value: unknown): JsonObject {
  if (name === undefined) return record
  const inner = record[name]
  if (rest.length === 0) return { ...record, [name]: value }
  if (Array.isArray(inner))
    return { ...record, [name]: Object.values(replaced(Object.fromEntries(inner.entries()), rest, value)) }
  return { ...record, [name]: replaced(isObject(inner) ? inner : {}, rest, value) }
}
