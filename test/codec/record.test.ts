// Records as bytes: they lie on disks for years, and the members compare digests made of them.
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import fc from 'fast-check'
import { asSequence } from '../../src/ids.ts'
import { decodeRecord, encodeRecord, hashRecord, keyOf, voidKeys } from '../../src/codec/record.ts'
import type { RecordBytes } from '../../src/codec/record.ts'
import { FormatError } from '../../src/codec/packr.ts'
import type { StateRecord } from '../../src/lockfsm/records.ts'
import { anyRecord, records } from './records.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Key, value and hash: of a cluster that has been running for years, so they never change. */
const golden: Readonly<Record<string, readonly [key: string, value: string, hash: string]>> = {
  counters: ['01', '94ce0001117013cb420000000000000003', 'ce9b96b15044'],
  nodeRun: ['026e32', '9204ce00011170', '79eb73a34fd'],
  session: [
    '030000000000000012',
    '99b2722d31323334353637383930616263646566cd4e20cd7530ce000186a0a8776f726b65722037a77b2261223a317d9193a26e330105c0c3',
    'c84cf321015f',
  ],
  wait: [
    '040000000000000012',
    '9db2722d31323334353637383930616263646566ac6a6f62732f6e696768746c79a4732d3137a9776f726b657220c3b6a77b2261223a317dc0c09195a26e3102cd012cce00011170ce00013880c0ce00011170ce000186a0c0c2',
    '17192ecf2a46',
  ],
  grant: [
    '040000000000000012',
    '9db2722d31323334353637383930616263646566ac6a6f62732f6e696768746c79c0c0a77b2261223a317dcd2710cd75309063ce00011170ce000186a0ce00011940c2',
    '925bb46633df',
  ],
  released: ['06000000000000000701732d313700722d31323334353637383930616263646566', '920062', '5645d2d14620'],
  refused: ['0600000000000000070100722d31323334353637383930616263646566', '9205c0', '140ffbf294e4'],
  rememberedOpening: ['06000000000000000702722d31323334353637383930616263646566', '91a4732d3137', '856e26004d46'],
  releasedToken: ['060000000000000007030000000000000062', '91ac6a6f62732f6e696768746c79', 'c944af8e1268'],
  endedToken: ['050000000000000002', '9461ac6a6f62732f6e696768746c7902ce00011170', 'd23eab7192ce'],
}

t.test('the bytes and the hash of every kind of record are what they have always been', async (t) => {
  const found = Object.entries(records).map(([name, record]) => {
    const bytes = encodeRecord(record)
    return [name, [hex(bytes.key), hex(bytes.value), hashRecord(bytes).toString(16)]]
  })
  t.same(Object.fromEntries(found), golden)
})

t.test('every record comes back as it was, and its name is enough to find it', async (t) => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const bytes = encodeRecord(record)
      if (!isDeepStrictEqual(decodeRecord(bytes), structuredClone(record))) throw new Error('another record came back')
      if (hex(keyOf(record)) !== hex(bytes.key)) throw new Error('another key')
    }),
    { numRuns: 1_000 },
  )
  t.pass()
})

/** What a record is called, without what it says. */
function nameOf(record: StateRecord): readonly unknown[] {
  switch (record.kind) {
    case 'counters':
      return [record.kind]
    case 'nodeRun':
      return [record.kind, record.node]
    case 'session':
    case 'request':
      return [record.kind, record.sequence]
    case 'rememberedRequest':
      return [record.kind, record.bucket, record.session, record.requestId]
    case 'rememberedOpening':
      return [record.kind, record.bucket, record.requestId]
    case 'releasedToken':
      return [record.kind, record.bucket, record.token]
    case 'endedToken':
      return [record.kind, record.ordinal]
  }
}

t.test('records have the same key when they have the same name, and only then', async (t) => {
  fc.assert(
    fc.property(anyRecord, anyRecord, (a, b) => {
      const isOneKey = hex(encodeRecord(a).key) === hex(encodeRecord(b).key)
      if (isOneKey !== isDeepStrictEqual(nameOf(a), nameOf(b))) {
        throw new Error(`${isOneKey ? 'one key' : 'two keys'}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`)
      }
    }),
    { numRuns: 1_000 },
  )
  t.pass()
})

t.test('keys sort as loading likes it: sessions, then requests, each by sequence', async (t) => {
  const key = (kind: 'session' | 'request', sequence: number): string =>
    hex(keyOf({ kind, sequence: asSequence(sequence) }))
  const ordered = [
    key('session', 2),
    key('session', 10),
    key('session', 2 ** 40),
    key('request', 1),
    key('request', 300),
  ]
  t.same([...ordered].sort(), ordered)
})

t.test('the keys of dropped buckets are those of remembered records below, and no others', async (t) => {
  fc.assert(
    fc.property(anyRecord, fc.nat(300), (record, oldestBucket) => {
      const { key } = encodeRecord(record)
      const isVoid = voidKeys(oldestBucket).some(
        ({ gte, lt }) => Buffer.compare(gte, key) <= 0 && Buffer.compare(key, lt) < 0,
      )
      const isBelow = 'bucket' in record && record.bucket < oldestBucket
      if (isVoid !== isBelow) throw new Error(`${JSON.stringify(record)} is ${isVoid ? '' : 'not '}void`)
    }),
    { numRuns: 1_000 },
  )
  t.pass()
})

/** Whether decoding fails; its only way to fail is a FormatError. */
function isRefused(bytes: RecordBytes): boolean {
  try {
    decodeRecord(bytes)
    return false
  } catch (error) {
    if (error instanceof FormatError) return true
    throw error
  }
}

t.test('a truncated, lengthened or flipped record is a FormatError or another record under its own key', async (t) => {
  const damaged = (bytes: Uint8Array): Buffer[] => {
    const all = Array.from({ length: bytes.length }, (_, length) => Buffer.from(bytes.subarray(0, length)))
    all.push(Buffer.concat([bytes, Buffer.of(0)]))
    for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      all.push(flipped)
    }
    return all
  }
  for (const record of Object.values(records)) {
    const { key, value } = encodeRecord(record)
    for (const other of damaged(value)) {
      if (isRefused({ key, value: other })) continue
      if (isDeepStrictEqual(decodeRecord({ key, value: other }), record)) t.fail(`${record.kind}: ${hex(other)}`)
    }
    for (const other of damaged(key)) {
      if (isRefused({ key: other, value })) continue
      // What is accepted would be found again under the same key.
      if (hex(keyOf(decodeRecord({ key: other, value }))) !== hex(other)) t.fail(`${record.kind}: ${hex(other)}`)
    }
  }
  t.pass()
})

t.test('bytes at random are a FormatError or a record', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 8 }),
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array(),
      (tag, rest, value) => {
        isRefused({ key: Buffer.of(tag, ...rest), value })
      },
    ),
    { numRuns: 2_000 },
  )
  t.pass()
})

t.test('a hash has at most 48 bits, is never 0, and differs when a byte moves from key to value', async (t) => {
  const hashes = Object.values(records).map((record) => hashRecord(encodeRecord(record)))
  t.ok(hashes.every((hash) => Number.isSafeInteger(hash) && hash > 0 && hash < 2 ** 48))
  t.equal(new Set(hashes).size, hashes.length)
  const moved = [2, 3].map((at) =>
    hashRecord({ key: Buffer.from('abcde').subarray(0, at), value: Buffer.from('abcde').subarray(at) }),
  )
  t.not(moved[0], moved[1])
})
