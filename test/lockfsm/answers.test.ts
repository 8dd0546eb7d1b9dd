import t from 'tap'
import fc from 'fast-check'
import { asClusterTime } from '../../src/ids.ts'
import { validForMs } from '../../src/lockfsm/answers.ts'
import { Table } from './table.ts'

const valid = (deadline: number, carriedAt: number): number =>
  validForMs({ deadline: asClusterTime(deadline), carriedAt: asClusterTime(carriedAt) })

t.test('H3 a fast store and a slow client do not end a grant before its validForMs is over', async (t) => {
  t.equal(valid(86_400_000, 0), 86_183_999, 'a day, less 216 s and a millisecond')
  t.equal(valid(30_000, 0), 29_924)
  const time = fc.nat(86_400_000)
  fc.assert(
    fc.property(time, time, (a, b) => {
      const [carriedAt, deadline] = a < b ? [a, b] : [b, a]
      // Stamps are rounded down; cluster time may run 1/1000 fast and the client's clock 1/1000 slow.
      const earliestEnd = (deadline - carriedAt - 1) / 1.001
      const clientsLatest = valid(deadline, carriedAt) / 0.999
      if (valid(deadline, carriedAt) > 0 && clientsLatest > earliestEnd) throw new Error(`${carriedAt} to ${deadline}`)
    }),
    { numRuns: 2_000 },
  )
})

t.test('what is over, or nearly, is valid for 0 ms and never for less', async (t) => {
  for (const [deadline, carriedAt] of [
    [5, 5],
    [5, 6],
    [6, 5],
    [0, 86_400_000],
  ] as const)
    t.equal(valid(deadline, carriedAt), 0)
})

t.test('H8 each attempt is told what is left from its own entry, however long the request waited', async (t) => {
  const table = new Table()
  const { token } = table.hold({ ttlMs: 100_000 })
  const early = table.acquire({ requestId: 'waits', ttlMs: 30_000, waitMs: 90_000 })
  table.at(50_000)
  const later = table.acquire({ requestId: 'waits', ttlMs: 30_000, waitMs: 40_000, node: 'n2' })
  table.at(60_000)
  table.release(token)
  const until = 60_000 + 30_000
  t.match(table.answer(early), { kind: 'granted', ttlMs: 30_000, validForMs: valid(until, 0) })
  t.match(table.answer(later), { kind: 'granted', ttlMs: 30_000, validForMs: valid(until, 50_000) })
})

t.test('a grant of a session is valid as long as the session is at that moment', async (t) => {
  const table = new Table()
  const session = table.open(20_000)
  table.at(5_000)
  t.match(table.acquire({ session }).result, { ttlMs: 20_000, validForMs: valid(20_000, 5_000) })
  table.renew({ session, ttlMs: 40_000 })
  t.match(table.acquire({ session, lock: 'y' }).result, { ttlMs: 40_000, validForMs: valid(45_000, 5_000) })
})

t.test('position and length of the queue are told as they are when the attempt leaves', async (t) => {
  const table = new Table()
  const session = table.open(80_000_000)
  table.hold({ ttlMs: 80_000_000 })
  const calls = ['a', 'b', 'c'].map((requestId, index) =>
    table.acquire({ session, requestId, waitMs: 50_000, pollMs: 1_000 * (3 - index) }),
  )
  table.at(3_000)
  t.same(
    calls.map((call) => table.answer(call)),
    ['a', 'b', 'c'].map((requestId, index) => ({
      kind: 'stillWaiting',
      lock: 'x',
      session,
      requestId,
      sequence: 3 + index,
      position: index + 1,
      queueLength: 3,
    })),
  )
})

t.test('a refusal says who holds the lock, and how many wait after the refused has left', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: 50_000, owner: 'worker-7', metadata: '{"job":1}' })
  table.at(1_000)
  table.acquire({ waitMs: 10_000 })
  const waiting = table.acquire({ waitMs: 5_000, requestId: 'impatient' })
  const holders = [
    {
      session: null,
      owner: 'worker-7',
      mode: 'exclusive',
      token: 1,
      sequence: 1,
      heldMs: 1_000,
      expiresInMs: 49_000,
      metadata: '{"job":1}',
    },
  ]
  t.same(table.acquire({ requestId: 'try' }).result, {
    kind: 'refused',
    code: 'lock_held',
    requestId: 'try',
    holders,
    queueLength: 2,
  })
  table.at(6_000)
  t.same(table.answer(waiting), {
    kind: 'refused',
    code: 'wait_timeout',
    requestId: 'impatient',
    holders: [{ ...holders[0], heldMs: 6_000, expiresInMs: 44_000 }],
    queueLength: 1,
  })
})
