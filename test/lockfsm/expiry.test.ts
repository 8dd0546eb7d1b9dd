import t from 'tap'
import { asClusterTime, asRequestId, asToken } from '../../src/ids.ts'
import type { RequestId } from '../../src/ids.ts'
import type { NumberedCommand } from '../../src/lockfsm/command.ts'
import type { Outcome, Result } from '../../src/lockfsm/outcome.ts'
import { nextDeadline } from '../../src/lockfsm/expiry.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import { checkToken, viewSession } from '../../src/lockfsm/views.ts'
import { Table, lockNamed, sessionNamed } from './table.ts'

const day = 86_400_000

t.test('a session, a grant and a wait end exactly at their deadline, not a millisecond before', async (t) => {
  const table = new Table()
  const session = table.open(10_000)
  table.hold({ lock: 'of-session', session })
  table.hold({ lock: 'own', ttlMs: 10_000 })
  table.hold({ lock: 'long', ttlMs: day })
  const wait = table.acquire({ lock: 'long', waitMs: 10_000 })
  t.same(table.at(9_999), [])
  t.match([table.holder('of-session'), table.holder('own')], [1, 2])
  table.at(10_000)
  t.match([table.holder('of-session'), table.holder('own')], [null, null])
  t.match(table.answer(wait), { code: 'wait_timeout' })
  t.equal(table.state.sessions.size, 0)
})

t.test('nextDeadline is the earliest time at which something is due, and an entry of that time ends it', async (t) => {
  const table = new Table()
  t.equal(nextDeadline(table.state), null)
  const session = table.open(9_000)
  t.equal(nextDeadline(table.state), 9_000)
  table.hold({ lock: 'a', ttlMs: 8_000 })
  t.equal(nextDeadline(table.state), 8_000)
  table.acquire({ lock: 'a', session, waitMs: 7_000, pollMs: 6_000 })
  t.equal(nextDeadline(table.state), 6_000)
  const unattended = table.acquire({ lock: 'b', requestId: 'b' })
  table.withdraw(unattended, 'b')
  t.equal(nextDeadline(table.state), 2_000)
  for (const time of [2_000, 6_000, 7_000, 8_000, 9_000]) {
    t.equal(nextDeadline(table.state), time)
    table.at(time)
  }
  t.equal(nextDeadline(table.state), null)
})

t.test('remembered requests and ended tokens are no deadline', async (t) => {
  const table = new Table()
  table.release(table.hold().token)
  table.hold({ ttlMs: 1_000 })
  table.cancel('never-seen')
  table.at(1_000)
  t.equal(nextDeadline(table.state), null)
})

t.test('H6 nothing is granted to one who ends in the same entry', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: 100 })
  const dying = table.open(101)
  const second = table.acquire({ session: dying, waitMs: 5_000 })
  const third = table.acquire({ waitMs: 5_000 })
  table.at(102)
  t.match(table.answer(second), { code: 'session_ended' })
  t.same(
    table.answers(second).map(({ kind }) => kind),
    ['queued', 'refused'],
    'never granted on the way',
  )
  t.match(table.answer(third), { kind: 'granted', token: 2 })
})

t.test('H6 a wait that is due leaves before a grant that ends with it could reach it', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: 100 })
  const due = table.acquire({ waitMs: 101 })
  const next = table.acquire({ waitMs: 5_000 })
  table.at(101)
  t.match(table.answer(due), { code: 'wait_timeout', holders: [] })
  t.match(table.answer(next), { kind: 'granted', token: 2 })
})

t.test('queues are served in the byte order of the names of their locks', async (t) => {
  const table = new Table()
  const names = ['b', 'a', '\u{1f512}', '\uffee', 'a/b']
  const session = table.open(1_000)
  for (const lock of names) table.hold({ lock, session })
  const calls = names.map((lock) => ({ lock, call: table.acquire({ lock, waitMs: 5_000 }) }))
  table.at(1_000)
  const order = calls
    .map(({ lock, call }) => ({ lock, token: tokenOf(table.answer(call)) }))
    .sort((x, y) => x.token - y.token)
  t.same(
    order.map(({ lock }) => lock),
    ['a', 'a/b', 'b', '\uffee', '\u{1f512}'],
  )
})

t.test(
  'B110 a session renewed in time does not end at its old deadline, one that is not does not get a second TTL',
  async (t) => {
    const table = new Table()
    const renewed = table.open(10_000)
    const silent = table.open(10_000)
    table.at(9_999)
    table.renew(renewed)
    table.at(10_000)
    t.equal(table.state.sessions.size, 1)
    t.match(table.acquire({ session: silent }).result, { code: 'session_ended' })
    table.at(19_998)
    t.equal(table.acquire({ session: renewed }).result.kind, 'granted')
  },
)

t.test(
  'B109 of 100,000 grants due at once 10,000 end in an entry, and the rest counts as ended meanwhile',
  async (t) => {
    const table = new Table({ endedTokensMax: 1_000_000, rememberedMax: 1_000_000 })
    const total = 100_000
    const grant = (index: number) => ({ lock: `l${index}`, requestId: `r${index}`, ttlMs: 1_000 })
    table.entry(
      0,
      Array.from({ length: total }, (_, index) => table.numbered(table.acquireCommand(grant(index)))),
    )

    const last = total - 1
    const stale = { kind: 'refused', code: 'token_stale', token: total, endedBy: 'expired' }
    const outcomes = table.entry(1_000, [
      table.numbered({ kind: 'renewGrant', lock: lockNamed(`l${last}`), token: asToken(total), ttlMs: null }),
      table.numbered({ kind: 'release', lock: lockNamed(`l${last}`), token: asToken(total), session: null }),
      table.numbered(table.acquireCommand({ lock: `l${last - 1}` })),
      table.numbered(table.acquireCommand(grant(last - 2))),
      table.numbered(table.acquireCommand(grant(last - 3))),
    ])
    t.match(
      outcomes.map(({ result }) => result),
      [
        stale,
        stale,
        { kind: 'granted', token: total + 1 },
        { code: 'already_released', endedBy: 'expired', token: total - 2 },
        { code: 'already_released', endedBy: 'expired', token: total - 3 },
      ],
    )
    t.equal(
      table.state.held,
      total - 10_000 - 4 + 1,
      'what commands touched ended before its turn, and one was granted',
    )
    t.equal(nextDeadline(table.state), 1_000, 'the next entry is due at once')
    checkState(table.state)
    for (let entry = 0; entry < 9; entry += 1) table.entry(null, [])
    t.equal(table.state.held, 1)
    t.equal(nextDeadline(table.state), 31_000)
  },
)

t.test('B109 after 1,000 sessions no further session is begun; one past due has ended for every command', async (t) => {
  const table = new Table()
  const openings = Array.from({ length: 2_500 }, () => table.numbered({ ...openCommand, requestId: openingId() }))
  const ids = table
    .entry(0, openings)
    .map(({ result }) => (result.kind === 'sessionOpened' ? result.session : sessionNamed('')))
  const last = ids.at(-1) ?? sessionNamed('')
  const { token } = table.hold({ session: last })
  const waits = table.acquire({ session: ids.at(-2) ?? '', waitMs: day, pollMs: day })
  const outcomes = table.entry(1_000, [
    table.numbered({ kind: 'renewSessions', renewals: [{ session: last, ttlMs: null }] }),
    table.numbered(table.acquireCommand({ session: last, lock: 'y' })),
    table.numbered({ kind: 'cancelRequest', lock: lockNamed('x'), session: last, requestId: openingId() }),
    table.numbered({ kind: 'closeSession', session: last }),
    table.numbered({ ...openCommand, requestId: requestOf(openings.at(-1)) }),
  ])
  t.match(
    outcomes.map(({ result }) => result),
    [
      { renewals: [{ session: last, refusal: 'session_ended' }] },
      { code: 'session_ended', session: last },
      { kind: 'requestCancelled', state: 'none' },
      { kind: 'done' },
      { code: 'session_ended', session: last },
    ],
  )
  t.equal(table.state.sessions.size, 1_500, 'commands do not end it before its turn')
  t.equal(viewSession(table.state, last), 'ended')
  t.same(checkToken(table.state, { lock: lockNamed('x'), token }), { valid: false, holders: [] })

  // The next entry ends another thousand; both sessions are of the last five hundred.
  const touched = table.entry(null, [table.numbered({ kind: 'release', lock: lockNamed('x'), token, session: null })])
  t.match(
    touched.map(({ result }) => result),
    [
      { code: 'session_ended', session: ids.at(-2) },
      { code: 'token_stale', endedBy: 'expired' },
    ],
    'a lock that is touched is freed, and no waiter past due gets it',
  )
  t.equal(table.state.sessions.size, 500)
  t.match(table.answer(waits), { code: 'session_ended' })
  t.equal(table.holder(), null)
  table.entry(null, [])
  t.equal(table.state.sessions.size, 0)
})

t.test('one session is never split, however much it holds', async (t) => {
  const table = new Table()
  const session = table.open(1_000)
  const other = table.open(1_000)
  const commands = Array.from({ length: 15_000 }, (_, index) =>
    table.numbered(table.acquireCommand({ lock: `l${index}`, session })),
  )
  table.entry(0, commands)
  table.hold({ lock: 'other', session: other })
  table.at(1_000)
  t.equal(table.state.held, 1, 'all of the first session, and nothing after it')
  table.entry(null, [])
  t.equal(table.state.held, 0)
})

t.test(
  'H26 a lock whose next waiters are past due but not ended stays free until their turn, which serves it',
  async (t) => {
    const table = new Table()
    // 10,000 sessionless grants are due first, so that the waits, due at the same time, are left over.
    table.entry(
      0,
      Array.from({ length: 10_000 }, (_, index) =>
        table.numbered(table.acquireCommand({ lock: `l${index}`, ttlMs: 1_000 })),
      ),
    )
    const due = table.acquire({ lock: 'l0', waitMs: 1_000 })
    const next = table.acquire({ lock: 'l0', waitMs: 50_000 })
    table.at(1_000)
    t.equal(table.holder('l0'), null)
    t.equal(table.answer(due).kind, 'queued')
    t.equal(table.answer(next).kind, 'queued')
    t.equal(nextDeadline(table.state), 1_000)
    table.entry(null, [])
    t.match(table.answer(due), { code: 'wait_timeout' })
    t.match(table.answer(next), { kind: 'granted' })
  },
)

t.test('a command that touches such a lock finds it served', async (t) => {
  const table = new Table()
  table.entry(
    0,
    Array.from({ length: 10_000 }, (_, index) =>
      table.numbered(table.acquireCommand({ lock: `l${index}`, ttlMs: 1_000 })),
    ),
  )
  const due = table.acquire({ lock: 'l0', waitMs: 1_000 })
  const next = table.acquire({ lock: 'l0', waitMs: 50_000 })
  const outcomes = table.entry(1_000, [table.numbered(table.acquireCommand({ lock: 'l0' }))])
  t.match(table.answer(due), { code: 'wait_timeout' })
  t.match(table.answer(next), { kind: 'granted', token: 10_001 })
  t.match(outcomes.at(-1)?.result, { code: 'lock_held', holders: [{ token: 10_001 }], queueLength: 0 })
})

t.test('a DELETE of a wait touches its lock: a holder past due is freed and the next served', async (t) => {
  const table = new Table()
  table.entry(
    0,
    Array.from({ length: 10_000 }, (_, index) =>
      table.numbered(table.acquireCommand({ lock: `l${index}`, ttlMs: 1_000 })),
    ),
  )
  table.hold({ lock: 'late', ttlMs: 1_000 })
  table.acquire({ lock: 'late', requestId: 'cancelled', waitMs: 50_000 })
  const next = table.acquire({ lock: 'late', waitMs: 50_000 })
  const cancel = {
    kind: 'cancelRequest' as const,
    lock: lockNamed('late'),
    session: null,
    requestId: asRequestId('cancelled'),
  }
  const outcomes = table.entry(1_000, [table.numbered(cancel)])
  t.match(outcomes.at(-1)?.result, { kind: 'requestCancelled', state: 'withdrawn' })
  t.match(table.answer(next), { kind: 'granted' })
})

t.test('a repeat finds its request granted when only the turn of the holder past due has not come', async (t) => {
  const table = new Table()
  table.entry(
    0,
    Array.from({ length: 10_000 }, (_, index) =>
      table.numbered(table.acquireCommand({ lock: `l${index}`, ttlMs: 1_000 })),
    ),
  )
  table.hold({ lock: 'late', ttlMs: 1_000 })
  const first = table.acquire({ lock: 'late', requestId: 'waits', waitMs: 50_000 })
  const repeat = table.numbered(table.acquireCommand({ lock: 'late', requestId: 'waits', waitMs: 0 }))
  const outcomes = table.entry(1_000, [repeat])
  t.match(outcomes.at(-1), { to: repeat.origin, result: { kind: 'granted', token: 10_002 } })
  t.match(table.answer(first), { kind: 'granted', token: 10_002 })
})

t.test('a call past its pollMs is not answered with a grant, even if its turn to leave has not come', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.entry(
    0,
    Array.from({ length: 10_000 }, (_, index) =>
      table.numbered(table.acquireCommand({ lock: `l${index}`, ttlMs: 1_000 })),
    ),
  )
  const polled = table.acquire({ lock: 'l0', session, requestId: 'one', waitMs: day, pollMs: 1_000 })
  const patient = table.acquire({ lock: 'l0', session, requestId: 'one', waitMs: day, pollMs: 5_000 })
  table.at(1_000)
  t.match(table.answer(polled), { kind: 'stillWaiting', position: 1 })
  t.match(table.answer(patient), { kind: 'granted', token: 10_001 })
})

t.test('ends of polls and givings back count for the bound', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.hold({ session })
  const commands = Array.from({ length: 10_001 }, (_, index) =>
    table.numbered(table.acquireCommand({ session, requestId: `w${index}`, waitMs: day, pollMs: 1_000 })),
  )
  table.entry(0, commands)
  const left = (outcomes: readonly Outcome[]): number =>
    outcomes.filter(({ result }) => result.kind === 'stillWaiting').length
  t.equal(left(table.at(1_000)), 10_000)
  t.equal(left(table.entry(null, [])), 1)
})

t.test('a session that is due takes its waits along, even if their own time is up, too', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: day })
  const session = table.open(1_000)
  const polls = table.acquire({ session, waitMs: day, pollMs: 900 })
  table.at(1_000)
  t.match(table.answer(polls), { code: 'session_ended' })
})

t.test('a grant that is given back and whose session ends with it ends once', async (t) => {
  const table = new Table()
  const session = table.open(30_000)
  const call = table.acquire({ session, requestId: 'one' })
  table.withdraw(call, 'one', { session })
  table.at(30_000)
  t.equal(table.state.held, 0)
  t.equal(table.state.nextEnding, 2)
})

const openCommand = {
  kind: 'openSession' as const,
  ttlMs: 1_000,
  name: null,
  metadata: null,
  takenInAt: asClusterTime(0),
}

let opened = 0
function openingId(): RequestId {
  opened += 1
  return asRequestId(`opening-${opened}`)
}

function tokenOf(result: Result): number {
  return result.kind === 'granted' ? result.token : NaN
}

function requestOf(opening: NumberedCommand | undefined): RequestId {
  return opening?.command.kind === 'openSession' ? opening.command.requestId : openingId()
}
