import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { decodeCommand, decodePayload, encodeCommand } from '../../src/codec/command.ts'
import { decodeFrame, encodeFrame } from '../../src/codec/frame.ts'
import { frame, numberedCommand } from './arbitraries.ts'

/** The value as text, with bytes as hexadecimal digits: a Buffer and a Uint8Array of the same bytes are the same. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return `x${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, field]) => `${key}:${textOf(field)}`)
    .sort()
    .join()}}`
}

function same(ours: unknown, theirs: unknown): void {
  const [a, b] = [textOf(ours), textOf(theirs)]
  if (a !== b) throw new Error(`${a} came back as ${b}`)
}

t.test('every command comes back as it was', async (t) => {
  fc.assert(
    fc.property(numberedCommand, (value) => same(value, decodeCommand(encodeCommand(value)))),
    { numRuns: 500 },
  )
  t.pass()
})

t.test('every frame, and every message in one, comes back as it was', async (t) => {
  fc.assert(
    fc.property(frame, (value) => same(value, decodeFrame(encodeFrame(value)))),
    { numRuns: 1000 },
  )
  t.pass()
})

t.test('commands one behind the other are the payload of an entry, and none are an empty one', async (t) => {
  fc.assert(
    fc.property(fc.array(numberedCommand, { maxLength: 30 }), (values) => {
      const payload = Buffer.concat(values.map(encodeCommand))
      same(values, decodePayload(payload))
    }),
  )
  t.same(decodePayload(new Uint8Array(0)), [])
})

t.test('the same value has the same bytes: digests and chains may be made of them', async (t) => {
  fc.assert(
    fc.property(frame, (value) => {
      if (!isDeepStrictEqual(encodeFrame(value), encodeFrame(structuredClone(value)))) throw new Error('other bytes')
    }),
  )
  t.pass()
})

t.test('bytes that were encoded never change, whatever is encoded afterwards (B39)', async (t) => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 2, maxLength: 40 }), (values) => {
      const kept = values.map((value) => ({ bytes: encodeFrame(value), copy: Buffer.from(encodeFrame(value)) }))
      for (const { bytes, copy } of kept) if (!copy.equals(bytes)) throw new Error('the bytes were written over')
    }),
    { numRuns: 30 },
  )
  t.pass()
})

t.test('the payloads of decoded entries are copies: the frame they came in may be written over', async (t) => {
  const entries = [{ index: 1, term: 1, time: 1, payload: new Uint8Array([1, 2, 3]) }]
  const append = { kind: 'appendEntries', term: 1, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, round: 1, entries }
  // Built as plain data, as a peer would send it.
  const bytes = Buffer.from(
    new Packr({ useRecords: false }).pack([5, null, 0, [5, 1, 0, 0, 0, 1, [[1, 1, append.entries[0]?.payload]]]]),
  )
  const decoded = decodeFrame(bytes)
  bytes.fill(0xff)
  t.match(decoded, { kind: 'raft', message: { entries: [{ index: 1, payload: { 0: 1, 1: 2, 2: 3, length: 3 } }] } })
})

t.test(
  'B132 a fresh Packr with default options finds arrays of plain values: no records, no shared structures',
  async (t) => {
    const isPlain = (value: unknown): boolean =>
      value === null ||
      // Counts of more than 32 bits come back as bigint there.
      ['number', 'bigint', 'string', 'boolean'].includes(typeof value) ||
      value instanceof Uint8Array ||
      (Array.isArray(value) && value.every(isPlain))
    fc.assert(
      fc.property(frame, numberedCommand, (someFrame, someCommand) => {
        for (const bytes of [encodeFrame(someFrame), encodeCommand(someCommand)]) {
          const value: unknown = new Packr().unpack(bytes)
          if (!Array.isArray(value) || !isPlain(value)) throw new Error(`not plain: ${textOf(value)}`)
        }
      }),
    )
    t.pass()
  },
)

t.test('a command carries no names of fields: they are positions', async (t) => {
  fc.assert(
    fc.property(numberedCommand, ({ origin, command }) => {
      const bytes = Buffer.from(encodeCommand({ origin, command }))
      const names = Object.keys(command).filter((name) => name !== 'of' && name.length > 5 && bytes.includes(name))
      if (names.length > 0) throw new Error(`names of fields: ${names.join(' ')}`)
    }),
  )
  t.pass()
})
