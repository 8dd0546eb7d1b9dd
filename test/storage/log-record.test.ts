import { isDeepStrictEqual } from 'node:util'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { asClusterTime, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import type { EntryNote } from '../../src/raft/entry.ts'
import { entryIndex, entryKey, hardStateKey, metaKey } from '../../src/storage/keys.ts'
import {
  chainOf,
  chainStart,
  decodeEntry,
  decodeHardState,
  encodeEntry,
  encodeHardState,
  formatVersion,
  seal,
  type StoredEntry,
} from '../../src/storage/log-record.ts'
import { DamagedError } from '../../src/storage/log-store.ts'
import { decodeMeta, decodePeers, encodeMeta, encodePeers } from '../../src/storage/meta-record.ts'
import { comparable, someEntry, someMeta, somePeer, someReplacement, someTip } from './builders.ts'

const number = fc.oneof(fc.maxSafeNat(), fc.nat(10), fc.integer({ min: 2 ** 32 - 2, max: 2 ** 32 + 2 }))
const chain = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))

t.test('keys of entries sort as their indices do, before the single records', async (t) => {
  fc.assert(
    fc.property(number, number, (a, b) => {
      const order = Math.sign(entryKey(asIndex(a)).compare(entryKey(asIndex(b))))
      if (order !== Math.sign(a - b)) throw new Error(`order ${order}`)
      if (entryIndex(entryKey(asIndex(a))) !== a) throw new Error('another index')
      if (entryKey(asIndex(a)).compare(hardStateKey) >= 0 || entryKey(asIndex(a)).compare(metaKey) >= 0)
        throw new Error('behind the single records')
    }),
  )
  t.equal(entryIndex(hardStateKey), null)
  t.equal(entryIndex(Buffer.from('65ffffffffffffffff', 'hex')), null, 'an index above 2^53')
})

t.test('B132 an entry that is encoded decodes to itself', async (t) => {
  fc.assert(
    fc.property(
      number,
      number,
      number,
      fc.uint8Array({ maxLength: 100 }),
      chain,
      (index, term, time, payload, chainBefore) => {
        const plain = someEntry({ index, term, time, payload })
        const note: EntryNote = term % 2 === 0 ? { kind: 'checkpoint' } : someReplacement
        const entry = index % 2 === 0 ? plain : { ...plain, note }
        const decoded = decodeEntry('here', entry.index, encodeEntry({ entry, chainBefore }))
        if (decoded.chainBefore !== chainBefore) throw new Error('another chain')
        if (!isDeepStrictEqual(comparable(decoded.entry), comparable(entry))) throw new Error('another entry')
      },
    ),
  )
  t.pass()
})

t.test('B132 a hard state that is encoded decodes to itself', async (t) => {
  const vote = fc.option(fc.stringMatching(/^[A-Za-z0-9._-]{1,32}$/).map(asNodeId))
  fc.assert(
    fc.property(number, vote, number, chain, number, (term, votedFor, lastIndex, chain, batches) => {
      const crcs = { metaCrc: term % 2 ** 32, peersCrc: batches % 2 ** 32 }
      const state = { currentTerm: asTerm(term), votedFor, lastIndex: asIndex(lastIndex), chain, batches, ...crcs }
      const decoded = decodeHardState('here', encodeHardState(state))
      if (JSON.stringify(decoded) !== JSON.stringify({ ...state })) throw new Error(JSON.stringify(decoded))
    }),
  )
  t.pass()
})

t.test('the bytes on the disk are these; a change of them needs a new version', async (t) => {
  const entry = { index: asIndex(2), term: asTerm(3), time: asClusterTime(4), payload: Buffer.from('payload') }
  const value = encodeEntry({ entry, chainBefore: 'ab'.repeat(16) })
  t.equal(
    value.toString('hex'),
    '447e7f8d' +
      '03' +
      'ab'.repeat(16) +
      '0000000000000002' +
      '0000000000000003' +
      '0000000000000004' +
      '00' +
      '7061796c6f6164',
  )
  t.equal(chainOf(value), '7e5bcd4cdfc18adb112fe3534f239676')
  const noted = encodeEntry({ entry: { ...entry, note: someReplacement }, chainBefore: 'ab'.repeat(16) })
  t.equal(noted.toString('hex', 45), `02${'02'}6e33${'20'}${'33'.repeat(32)}7061796c6f6164`)
  const state = {
    currentTerm: asTerm(5),
    votedFor: asNodeId('n1'),
    lastIndex: asIndex(6),
    chain: chainStart,
    batches: 7,
    metaCrc: 8,
    peersCrc: 9,
  }
  t.equal(
    encodeHardState(state).toString('hex'),
    '9056b163' +
      '03' +
      '00'.repeat(16) +
      '0000000000000006' +
      '0000000000000005' +
      '0000000000000007' +
      '00000008' +
      '00000009' +
      '6e31',
  )
})

t.test(
  'the hash of an entry depends on everything in it and on the entry before, not on the version of the format',
  async (t) => {
    const entry = someEntry({ index: 2, term: 3, time: 4, payload: 'p' })
    const variants: StoredEntry[] = [
      { entry, chainBefore: chainStart },
      { entry, chainBefore: '1'.repeat(32) },
      { entry: someEntry({ index: 3, term: 3, time: 4, payload: 'p' }), chainBefore: chainStart },
      { entry: someEntry({ index: 2, term: 4, time: 4, payload: 'p' }), chainBefore: chainStart },
      { entry: someEntry({ index: 2, term: 3, time: 5, payload: 'p' }), chainBefore: chainStart },
      { entry: someEntry({ index: 2, term: 3, time: 4, payload: 'q' }), chainBefore: chainStart },
      { entry: someEntry({ index: 2, term: 3, time: 4, payload: '' }), chainBefore: chainStart },
      { entry: { ...entry, note: { kind: 'checkpoint' } }, chainBefore: chainStart },
      { entry: { ...entry, note: someReplacement }, chainBefore: chainStart },
    ]
    t.equal(new Set(variants.map((variant) => chainOf(encodeEntry(variant)))).size, variants.length)
    const value = encodeEntry({ entry, chainBefore: chainStart })
    const later = Buffer.from(value)
    later[4] = formatVersion + 1
    t.equal(chainOf(later), chainOf(value))
  },
)

t.test('B126 bytes that are not a record of ours are refused, never misread and never a crash', async (t) => {
  const index = asIndex(5)
  const hardState = {
    currentTerm: asTerm(5),
    votedFor: null,
    lastIndex: index,
    chain: chainStart,
    batches: 7,
    metaCrc: 8,
    peersCrc: 9,
  }
  const kinds: readonly { record: Buffer; decode: (bytes: Buffer) => unknown }[] = [
    {
      record: encodeEntry({ entry: someEntry({ index: 5 }), chainBefore: chainStart }),
      decode: (bytes) => decodeEntry('here', index, bytes),
    },
    {
      record: encodeEntry({ entry: { ...someEntry({ index: 5 }), note: someReplacement }, chainBefore: chainStart }),
      decode: (bytes) => decodeEntry('here', index, bytes),
    },
    { record: encodeHardState(hardState), decode: (bytes) => decodeHardState('here', bytes) },
    { record: encodePeers([somePeer]), decode: (bytes) => decodePeers('here', bytes) },
    {
      record: encodeMeta({ meta: someMeta, start: someTip, installing: { ...someTip, generation: 4 } }),
      decode: (bytes) => decodeMeta('here', bytes),
    },
  ]
  const refuses = (decode: (bytes: Buffer) => unknown, bytes: Buffer): void => {
    try {
      decode(bytes)
    } catch (error) {
      if (error instanceof DamagedError) return
      throw error
    }
    throw new Error(`accepted ${bytes.toString('hex')}`)
  }
  for (const { record, decode } of kinds) {
    for (let bit = 0; bit < record.length * 8; bit++) {
      const flipped = Buffer.from(record)
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      refuses(decode, flipped)
    }
    for (let length = 0; length < record.length; length++) refuses(decode, record.subarray(0, length))
    // With a right checksum: what a bug, not a disk, would write.
    for (let length = 5; length < 40; length++) refuses(decode, seal(Buffer.alloc(length, 0xff)))
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) =>
      kinds.forEach(({ decode }) => refuses(decode, Buffer.from(bytes))),
    ),
    { numRuns: 1000 },
  )
  t.pass()
})

t.test('an intact entry under the key of another is damage; a record of another version is not', async (t) => {
  const value = encodeEntry({ entry: someEntry({ index: 5 }), chainBefore: chainStart })
  t.throws(() => decodeEntry('here', asIndex(6), value), {
    name: 'DamagedError',
    message: /entry 6 holds the entry of another index/,
  })
  for (const [version, code] of [
    [formatVersion + 1, 'newer_format'],
    [formatVersion - 1, 'older_format'],
  ] as const) {
    const other = Buffer.from(value)
    other[4] = version
    other.writeUInt32BE(crc32(other.subarray(4)), 0)
    t.throws(() => decodeEntry('here', asIndex(5), other), { name: 'FormatVersionError', code })
  }
})
