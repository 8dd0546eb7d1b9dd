import fc from 'fast-check'
import t from 'tap'
import { decodePayload, encodeCommand } from '../../src/codec/command.ts'
import { FormatError } from '../../src/codec/packr.ts'
import { asClusterTime, asLockName, asNodeId, asRequestId, asRun, asToken } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import { entryBytesMax, entryCommandsMax, Intake } from '../../src/node/intake.ts'

const [a, b] = [asNodeId('a'), asNodeId('b')]
const plenty = { ordinary: 1e9, exempt: 1e9, isDiskLow: false }

const release: Command = { kind: 'release', lock: asLockName('x'), token: asToken(1), session: null }
const acquire: Command = {
  kind: 'acquire',
  lock: asLockName('x'),
  session: null,
  requestId: asRequestId('request-of-somebody'),
  mode: 'exclusive',
  ttlMs: 1000,
  waitMs: 0,
  pollMs: 0,
  owner: null,
  metadata: null,
  takenInAt: asClusterTime(0),
}

function bytesOf(node: NodeId, number: number, command: Command = release): Uint8Array {
  return encodeCommand({ origin: { node, run: asRun(1), number }, command })
}

function bench() {
  const refused: string[] = []
  const intake = new Intake((node, sending, reason, numbers) =>
    refused.push(`${node} ${sending} ${reason} ${numbers.join(',')}`),
  )
  const packed = () => decodePayload(intake.pack().payload).map(({ origin }) => `${origin.node}${origin.number}`)
  return { intake, refused, packed }
}

t.test('H21 commands are packed in the order of their arrival, whatever their kind', async (t) => {
  const { intake, packed } = bench()
  intake.take(a, { sending: 1, commands: [bytesOf(a, 1, acquire), bytesOf(a, 2, release)] }, plenty)
  intake.take(b, { sending: 1, commands: [bytesOf(b, 1, acquire)] }, plenty)
  intake.take(a, { sending: 2, commands: [bytesOf(a, 3, acquire), bytesOf(a, 4, release)] }, plenty)
  t.same(packed(), ['a1', 'a2', 'b1', 'a3', 'a4'])
  t.equal(intake.isEmpty, true)
  t.equal(intake.bytes, 0)
})

t.test('commands travel into the entry unchanged', async (t) => {
  const { intake } = bench()
  const commands = [bytesOf(a, 1), bytesOf(a, 2, acquire)]
  intake.take(a, { sending: 1, commands }, plenty)
  t.same(Buffer.from(intake.pack().payload), Buffer.concat(commands))
})

t.test(
  'what there is no room for is refused by the name of its sending; the reserve is for what ends work',
  async (t) => {
    const { intake, refused, packed } = bench()
    const commands = [bytesOf(a, 1, acquire), bytesOf(a, 2, release), bytesOf(a, 3, acquire)]
    intake.take(a, { sending: 4, commands }, { ordinary: 0, exempt: 1000, isDiskLow: false })
    t.same(refused, ['a 4 overloaded 1,3'])
    t.same(packed(), ['a2'])
  },
)

t.test('while the disk is low what brings work is refused, and what ends it is taken in', async (t) => {
  const { intake, refused, packed } = bench()
  const commands = [bytesOf(a, 1, acquire), bytesOf(a, 2, release), bytesOf(a, 3, acquire)]
  intake.take(a, { sending: 4, commands }, { ...plenty, isDiskLow: true })
  t.same(refused, ['a 4 diskLow 1,3'])
  t.same(packed(), ['a2'])
})

t.test('what waits to be packed counts against the room', async (t) => {
  const { intake, refused } = bench()
  const size = bytesOf(a, 1).length
  const room = { ordinary: 2 * size, exempt: 2 * size, isDiskLow: false }
  intake.take(a, { sending: 1, commands: [bytesOf(a, 1), bytesOf(a, 2)] }, room)
  t.same(refused, [])
  intake.take(a, { sending: 2, commands: [bytesOf(a, 3)] }, room)
  t.same(refused, ['a 2 overloaded 3'])
})

t.test('who does not lead refuses everything that waits, sending by sending', async (t) => {
  const { intake, refused } = bench()
  intake.take(a, { sending: 1, commands: [bytesOf(a, 1), bytesOf(a, 2)] }, plenty)
  intake.take(b, { sending: 1, commands: [bytesOf(b, 1)] }, plenty)
  intake.take(a, { sending: 2, commands: [bytesOf(a, 3)] }, plenty)
  intake.refuseAll()
  t.same(refused, ['a 1 notLeader 1,2', 'b 1 notLeader 1', 'a 2 notLeader 3'])
  t.equal(intake.isEmpty, true)
  t.equal(intake.bytes, 0)
})

t.test('a payload that could not be appended is refused to everybody in it', async (t) => {
  const { intake, refused } = bench()
  intake.take(a, { sending: 1, commands: [bytesOf(a, 1)] }, plenty)
  intake.take(b, { sending: 7, commands: [bytesOf(b, 5)] }, plenty)
  intake.pack().undo('overloaded')
  t.same(refused, ['a 1 overloaded 1', 'b 7 overloaded 5'])
})

t.test(
  'bytes that are no command, or one of another node, are a FormatError, and nothing of the frame is taken',
  async (t) => {
    const { intake } = bench()
    t.throws(() => intake.take(a, { sending: 1, commands: [bytesOf(a, 1), bytesOf(b, 2)] }, plenty), FormatError)
    t.throws(
      () => intake.take(a, { sending: 1, commands: [bytesOf(a, 1), Buffer.from('garbage')] }, plenty),
      FormatError,
    )
    t.equal(intake.isEmpty, true)
  },
)

t.test('entries are bounded in commands and bytes, and no command is lost, doubled or reordered', async (t) => {
  const sizes = fc.array(fc.oneof({ weight: 50, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 4096 })), {
    maxLength: 3000,
  })
  fc.assert(
    fc.property(sizes, (lengths) => {
      const { intake } = bench()
      const commands = lengths.map((length, position) =>
        bytesOf(a, position + 1, { ...acquire, metadata: 'm'.repeat(length) }),
      )
      intake.take(a, { sending: 1, commands }, plenty)
      const numbers: number[] = []
      while (!intake.isEmpty) {
        const { payload, count } = intake.pack()
        const found = decodePayload(payload)
        if (found.length !== count || count === 0) throw new Error('the count is that of the payload')
        if (count > entryCommandsMax) throw new Error(`${count} commands in an entry`)
        if (payload.length > entryBytesMax && count > 1) throw new Error(`${payload.length} bytes in an entry`)
        numbers.push(...found.map(({ origin }) => origin.number))
      }
      if (numbers.some((number, position) => number !== position + 1) || numbers.length !== lengths.length) {
        throw new Error(`packed ${numbers.join(' ')}`)
      }
    }),
    { numRuns: 30 },
  )
  t.pass()
})
