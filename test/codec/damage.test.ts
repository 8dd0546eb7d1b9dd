import fc from 'fast-check'
import { Packr } from 'msgpackr'
import t from 'tap'
import { decodeCommand, decodePayload, encodeCommand } from '../../src/codec/command.ts'
import { decodeFrame, encodeFrame } from '../../src/codec/frame.ts'
import { FormatError } from '../../src/codec/packr.ts'
import { asNodeId, asRun } from '../../src/ids.ts'
import { frame, numberedCommand } from './arbitraries.ts'

/** Runs `decode`, whose only way to fail is a FormatError; returns whether it failed. */
function isRefused(decode: () => unknown): boolean {
  try {
    decode()
    return false
  } catch (error) {
    if (error instanceof FormatError) return true
    throw error
  }
}

const samples = {
  command: { arbitrary: numberedCommand.map(encodeCommand), decode: decodeCommand },
  payload: {
    arbitrary: fc
      .array(numberedCommand, { minLength: 1, maxLength: 5 })
      .map((all) => Buffer.concat(all.map(encodeCommand))),
    decode: decodePayload,
  },
  frame: { arbitrary: frame.map(encodeFrame), decode: decodeFrame },
}

for (const [name, { arbitrary, decode }] of Object.entries(samples)) {
  t.test(`every truncation of a ${name} is a FormatError, or ends between two commands`, async (t) => {
    fc.assert(
      fc.property(arbitrary, (bytes) => {
        for (let length = 0; length < bytes.length; length++) {
          const refused = isRefused(() => decode(bytes.subarray(0, length)))
          if (!refused && name !== 'payload') throw new Error(`accepted with ${length} of ${bytes.length} bytes`)
        }
      }),
      { numRuns: 20 },
    )
    t.pass()
  })

  t.test(`every flipped bit of a ${name} gives a FormatError or another value with the same types`, async (t) => {
    fc.assert(
      fc.property(arbitrary, (bytes) => {
        const damaged = Buffer.from(bytes)
        for (let bit = 0; bit < 8 * bytes.length; bit++) {
          damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          // Of what is accepted every field is of a type and in the range that it may have.
          isRefused(() => checkFields(decode(damaged)))
          damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        }
        // And what was decoded meanwhile, extensions and record definitions among it, changed nothing for later values.
        if (isRefused(() => decode(bytes))) throw new Error('the codec has learned something from damaged bytes')
      }),
      { numRuns: 10 },
    )
    t.pass()
  })

  t.test(`bytes at random are never more than a FormatError to a decoder of a ${name}`, async (t) => {
    let accepted = 0
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200, size: 'max' }), (bytes) => {
        if (!isRefused(() => decode(bytes))) accepted++
      }),
      { numRuns: 2000 },
    )
    t.ok(accepted <= 2000, 'nothing else came out')
  })

  t.test(`a valid ${name} with more behind it is refused`, async (t) => {
    fc.assert(
      fc.property(arbitrary, fc.uint8Array({ minLength: 1, maxLength: 5 }), (bytes, more) => {
        const both = Buffer.concat([bytes, more])
        // A payload is a sequence: only what is no command at all is refused there.
        if (name !== 'payload' && !isRefused(() => decode(both))) throw new Error('accepted')
      }),
    )
    t.pass()
  })
}

function checkFields(value: unknown): void {
  if (value instanceof Uint8Array || value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (Array.isArray(value)) return value.forEach(checkFields)
  if (typeof value === 'number' && (!Number.isSafeInteger(value) || value < 0))
    throw new Error(`out of range: ${value}`)
  if (typeof value === 'number') return
  if (typeof value !== 'object') throw new Error(`no field: a ${typeof value}`)
  Object.values(value).forEach(checkFields)
}

const packr = new Packr({ useRecords: false })
const origin = [asNodeId('n1'), asRun(1), 1]

t.test('fields of a wrong type, out of range, too long, too few or too many are refused', async (t) => {
  const release = (...fields: unknown[]) => packr.pack([...origin, 7, ...fields])
  t.equal(
    isRefused(() => decodeCommand(release('x', 1, null))),
    false,
  )
  for (const fields of [
    [1, 1, null],
    ['x', '1', null],
    ['x', -1, null],
    ['x', 1.5, null],
    ['x', Number.NaN, null],
    ['x', Infinity, null],
    ['x', 2 ** 53, null],
    ['x', 2n ** 63n, null],
    ['x', null, null],
    ['x', 1, undefined],
    ['x', 1, false],
    ['x', 1],
    ['x', 1, null, null],
    ['x'.repeat(513), 1, null],
    ['x', 1, 's'.repeat(129)],
    [new Uint8Array(1), 1, null],
    [['x'], 1, null],
    [{ x: 1 }, 1, null],
  ]) {
    t.equal(
      isRefused(() => decodeCommand(release(...fields))),
      true,
      JSON.stringify(fields, (_, field) => String(field)),
    )
  }
})

t.test('unknown commands, frames, messages, modes and reasons are refused', async (t) => {
  for (const value of [
    [...origin, 0],
    [...origin, 11],
    [...origin, 6, 'x', null, 'r', 'shared', 1000, 0, 0, null, null, 0],
    'text',
    7,
    null,
    {},
  ]) {
    t.equal(
      isRefused(() => decodeCommand(packr.pack(value))),
      true,
    )
  }
  for (const value of [
    [0],
    [9, 0],
    [18],
    [11, 'n2', 'a'.repeat(32), 6],
    [16, 1, 1, 3],
    [14, 1, 1, [new Uint8Array(1)]],
    [5, [0, 1]],
    [5, [11, 1]],
    [5],
    [3, 'because', ''],
    [],
    ['1'],
    [[1]],
  ]) {
    t.equal(
      isRefused(() => decodeFrame(packr.pack(value))),
      true,
      JSON.stringify(value),
    )
  }
})

t.test('a checkpoint whose hash is none is refused: it would be stored as another', async (t) => {
  const offer = (chain: string) => packr.pack([13, 1, 'c'.repeat(32), 1, [1, 1, 1, chain, 1, 1, 1, []]])
  const hash = '0123456789abcdef'.repeat(2)
  t.equal(
    isRefused(() => decodeFrame(offer(hash))),
    false,
  )
  for (const chain of ['', hash.slice(1), `${hash}0`, hash.toUpperCase(), `${hash.slice(1)}g`, `${hash.slice(1)}\n`]) {
    t.equal(
      isRefused(() => decodeFrame(offer(chain))),
      true,
      chain,
    )
  }
})

t.test('who would be stored under a name that no disk of ours takes is refused', async (t) => {
  const hex = '0123456789abcdef'.repeat(2)
  const request = (member: string, disk: string) => packr.pack([10, member, disk])
  t.equal(
    isRefused(() => decodeFrame(request('n2', hex))),
    false,
  )
  for (const [member, disk] of [
    ['n 2', hex],
    ['', hex],
    ['n2', 'x'],
    ['n2', hex.slice(1)],
    ['n2', hex.toUpperCase()],
  ] as const) {
    t.equal(
      isRefused(() => decodeFrame(request(member, disk))),
      true,
      `${member} ${disk}`,
    )
  }
  const view = (...record: unknown[]) => ['n1', [], null, false, null, record]
  const welcome = (...record: unknown[]) => packr.pack([2, [3, 'n1', hex, 1, '', 0, 0, view(...record)]])
  const members = [['n1', hex]]
  t.equal(
    isRefused(() => decodeFrame(welcome([hex, members, [['a', 1]], []]))),
    false,
  )
  for (const record of [
    [hex, [], [], []],
    [hex, [...members, ...members], [], []],
    [hex, members, [['a', 0]], []],
    [hex, members, [], [[hex, 'a5', 1, 1]]],
    ['c', members, [], []],
  ]) {
    t.equal(
      isRefused(() => decodeFrame(welcome(record))),
      true,
      JSON.stringify(record),
    )
  }
})

t.test('a node that speaks another version is refused by its number, whatever else it says', async (t) => {
  const hello = packr.pack([1, 'n1', [4, 'something', 'new']])
  t.throws(() => decodeFrame(hello), { message: /version 4, not 3/ })
})

t.test('hostile lengths and nesting cost neither memory nor the stack', async (t) => {
  const before = process.memoryUsage().rss
  const hostile = [
    Buffer.from('dd7fffffff', 'hex'),
    Buffer.from('dc ffff'.replace(' ', ''), 'hex'),
    Buffer.from('df7fffffff', 'hex'),
    Buffer.from('c67fffffff', 'hex'),
    Buffer.from('db7fffffff', 'hex'),
    Buffer.alloc(100_000, 0x91),
    Buffer.alloc(100_000, 0x81),
  ]
  for (const bytes of hostile) {
    t.equal(
      isRefused(() => decodeFrame(bytes)),
      true,
    )
    t.equal(
      isRefused(() => decodeCommand(bytes)),
      true,
    )
    t.equal(
      isRefused(() => decodePayload(bytes)),
      true,
    )
  }
  t.ok(process.memoryUsage().rss - before < 200e6)
})
