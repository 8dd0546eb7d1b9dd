import t from 'tap'
import { Table, lockNamed, openSession } from './table.ts'

const day = 86_400_000

t.test('a session opens with an id made of its sequence', async (t) => {
  const table = new Table()
  t.same(table.send(openSession({ requestId: 'one', ttlMs: 10_000, takenInAt: 0 })).result, {
    kind: 'sessionOpened',
    session: 's-1',
    ttlMs: 10_000,
    validForMs: 9_974,
    repeated: false,
  })
  table.hold()
  t.equal(table.open(), 's-3', 'requests and sessions share one counter')
})

t.test('a repeated opening finds the session, with what is left of it', async (t) => {
  const table = new Table()
  const session = table.open(10_000, 'one')
  table.at(4_000)
  t.same(table.send(openSession({ requestId: 'one', ttlMs: 10_000, takenInAt: 4_000 }), 'n2').result, {
    kind: 'sessionOpened',
    session,
    ttlMs: 10_000,
    validForMs: 5_984,
    repeated: true,
  })
  t.equal(table.state.sessions.size, 1)
})

t.test('the same opening id with another TTL is a mismatch, also after renewals changed the TTL', async (t) => {
  const table = new Table()
  const session = table.open(10_000, 'one')
  const again = (ttlMs: number) => table.send(openSession({ requestId: 'one', ttlMs, takenInAt: 0 })).result
  t.same(again(20_000), { kind: 'refused', code: 'request_mismatch', requestId: 'one', field: 'ttlMs' })
  table.renew({ session, ttlMs: 20_000 })
  t.match(again(20_000), { code: 'request_mismatch' })
  t.match(again(10_000), { kind: 'sessionOpened', session, ttlMs: 20_000, repeated: true })
})

t.test('openings and acquires have name spaces of their own', async (t) => {
  const table = new Table()
  table.hold({ requestId: 'same-id' })
  t.equal(table.send(openSession({ requestId: 'same-id', takenInAt: 0 })).result.kind, 'sessionOpened')
})

t.test(
  'a repeat of an opening whose session has ended is refused as long as that is remembered, then opens anew',
  async (t) => {
    const table = new Table()
    table.at(5_000)
    const session = table.open(2_000, 'one')
    table.at(7_000)
    const again = () => table.send(openSession({ requestId: 'one', ttlMs: 2_000, takenInAt: table.state.time })).result
    t.same(again(), { kind: 'refused', code: 'session_ended', session })
    table.at(69_999)
    t.match(again(), { code: 'session_ended' })
    table.at(70_000)
    t.match(again(), { kind: 'sessionOpened', repeated: false })
  },
)

t.test('an opening that nobody attends for 2 s ends as unclaimed', async (t) => {
  const table = new Table()
  const first = table.send(openSession({ requestId: 'one', takenInAt: 0 }))
  const second = table.send(openSession({ requestId: 'one', takenInAt: 0 }), 'n2')
  table.withdraw(first, 'one', { of: 'openSession' })
  table.at(10_000)
  t.equal(table.state.sessions.size, 1, 'the second attends')
  table.withdraw(second, 'one', { of: 'openSession' })
  table.at(11_999)
  t.equal(table.state.sessions.size, 1)
  table.at(12_000)
  t.equal(table.state.sessions.size, 0)
  t.match(table.send(openSession({ requestId: 'one', takenInAt: 12_000 })).result, {
    code: 'session_ended',
    session: 's-1',
  })
})

t.test('a repeat within the 2 s attends again', async (t) => {
  const table = new Table()
  const first = table.send(openSession({ requestId: 'one', takenInAt: 0 }))
  table.withdraw(first, 'one', { of: 'openSession' })
  table.at(1_999)
  table.send(openSession({ requestId: 'one', takenInAt: 1_999 }), 'n2')
  table.at(29_999)
  t.equal(table.state.sessions.size, 1)
})

t.test('a session that somebody used by its id is not taken for unclaimed', async (t) => {
  for (const use of ['renew', 'acquire'] as const) {
    for (const withdrawnFirst of [true, false]) {
      const table = new Table()
      const opening = table.send(openSession({ requestId: 'one', takenInAt: 0 }))
      if (withdrawnFirst) table.withdraw(opening, 'one', { of: 'openSession' })
      if (use === 'renew') table.renew('s-1')
      else table.hold({ session: 's-1' })
      if (!withdrawnFirst) table.withdraw(opening, 'one', { of: 'openSession' })
      table.at(29_999)
      t.equal(table.state.sessions.size, 1)
      table.at(30_000)
      t.equal(table.state.sessions.size, 0, 'its TTL ends it')
    }
  }
})

t.test('a ninth attempt to open is refused', async (t) => {
  const table = new Table()
  for (let attempt = 0; attempt < 8; attempt += 1) table.open(30_000, 'one')
  t.match(table.send(openSession({ requestId: 'one', takenInAt: 0 })).result, {
    code: 'quota_exceeded',
    limit: 'attempts',
    max: 8,
  })
})

t.test('renewals are answered one by one, in the order of the command', async (t) => {
  const table = new Table()
  const a = table.open(10_000)
  const b = table.open(20_000)
  table.close(b)
  table.at(5_000)
  t.same(table.renew(a, b, 's-99', { session: a, ttlMs: 30_000 }), {
    kind: 'sessionsRenewed',
    renewals: [
      { session: a, ttlMs: 10_000, validForMs: 9_974 },
      { session: b, refusal: 'session_ended' },
      { session: 's-99', refusal: 'session_unknown' },
      { session: a, ttlMs: 30_000, validForMs: 29_924 },
    ],
  })
})

t.test('a renewal never moves a deadline earlier', async (t) => {
  const table = new Table()
  const session = table.open(20_000)
  t.same(table.renew({ session, ttlMs: 1_000 }), {
    kind: 'sessionsRenewed',
    renewals: [{ session, ttlMs: 1_000, validForMs: 19_949 }],
  })
  table.at(19_999)
  t.match(table.renew(session), { renewals: [{ ttlMs: 1_000, validForMs: 996 }] })
})

t.test('closing a session releases all it holds and leaves every queue, at once', async (t) => {
  const table = new Table()
  const session = table.open()
  table.hold({ lock: 'a', session })
  table.hold({ lock: 'b', session })
  table.hold({ lock: 'c', ttlMs: day })
  const own = table.acquire({ lock: 'c', session, waitMs: 50_000 })
  const nextA = table.acquire({ lock: 'a', waitMs: 50_000 })
  const nextB = table.acquire({ lock: 'b', waitMs: 50_000 })
  t.same(table.close(session), { kind: 'done' })
  t.match(table.answer(own), { code: 'session_ended', session })
  t.match([table.answer(nextA), table.answer(nextB)], [{ kind: 'granted' }, { kind: 'granted' }])
  t.same(table.queue('c'), [])
  t.match(table.release(1, { lock: 'a' }), { code: 'token_stale', endedBy: 'session_closed' })
  t.same(table.close(session), { kind: 'done' }, 'also when it is gone')
  t.same(table.close('s-999'), { kind: 'done' })
})

t.test('the grants of a session end in the order of their tokens, whatever the order of its requests', async (t) => {
  const table = new Table({ endedTokensMax: 1 })
  const session = table.open(day)
  const other = table.hold({ lock: 'a' })
  table.acquire({ lock: 'a', session, waitMs: day, pollMs: day })
  table.hold({ lock: 'b', session })
  table.release(other.token, { lock: 'a' })
  table.close(session)
  t.match(table.release(3, { lock: 'a' }), { endedBy: 'session_closed' }, 'the last to end is remembered')
  t.match(table.release(2, { lock: 'b' }), { endedBy: 'unknown' })
})

t.test('B98 an ended session and one that never was are told apart without memory, and nothing is done', async (t) => {
  const table = new Table()
  const session = table.open(1_000)
  table.hold({ ttlMs: day })
  table.at(1_000)
  table.at(day - 1)
  t.match(table.acquire({ session, lock: 'y' }).result, { kind: 'refused', code: 'session_ended', session })
  t.match(table.acquire({ session: 's-2', lock: 'y' }).result, { code: 'session_ended' }, 'below the counter')
  const unknown = [
    's-3',
    's-0',
    's-01',
    's--1',
    's-1.5',
    's-1 ',
    's-',
    'S-1',
    '1',
    '',
    's-9007199254740993',
    's-99999999999999999999',
  ]
  for (const id of unknown) {
    t.match(table.acquire({ session: id, lock: 'y' }).result, { code: 'session_unknown', session: id })
    t.match(table.renew(id), { renewals: [{ refusal: 'session_unknown' }] })
  }
  t.equal(table.holder('y'), null)
})

t.test('the owner of a request is the name of its session when it gives none', async (t) => {
  const table = new Table()
  table.send(openSession({ requestId: 'one', name: 'worker-7', takenInAt: 0 }))
  table.hold({ session: 's-1', lock: 'a' })
  table.hold({ session: 's-1', lock: 'b', owner: 'step-2' })
  const owners = ['a', 'b'].map((lock) => table.state.locks.get(lockNamed(lock))?.holder?.owner)
  t.same(owners, ['worker-7', 'step-2'])
})

t.test('sessions are limited', async (t) => {
  const table = new Table({ sessionsMax: 2 })
  const first = table.open()
  table.open(30_000, 'two')
  const open = (requestId: string) => table.send(openSession({ requestId, takenInAt: 0 })).result
  t.same(open('three'), { kind: 'refused', code: 'quota_exceeded', limit: 'sessions', max: 2 })
  t.match(open('two'), { repeated: true }, 'a repeat makes no new one')
  table.close(first)
  t.match(open('three'), { kind: 'sessionOpened' })
})
