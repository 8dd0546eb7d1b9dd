import t from 'tap'
import { asRequestId, asSequence, asToken } from '../../src/ids.ts'
import {
  checkToken,
  counts,
  listLocks,
  listSessions,
  viewLock,
  viewRequest,
  viewSession,
} from '../../src/lockfsm/views.ts'
import { Table, lockNamed, openSession, sessionNamed, sortedRecords } from './table.ts'

const day = 86_400_000

t.test('a lock shows its holder, the length of its queue and the first hundred waiters', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.hold({ ttlMs: day, owner: 'a', metadata: '{}' })
  table.at(1_000)
  for (let index = 0; index < 120; index += 1)
    table.acquire({ session, requestId: `w${index}`, owner: 'b', waitMs: day, pollMs: day })
  table.at(1_500)
  const view = viewLock(table.state, lockNamed('x'))
  t.same(view.holders, [
    {
      session: null,
      owner: 'a',
      mode: 'exclusive',
      token: 1,
      sequence: 2,
      heldMs: 1_500,
      expiresInMs: day - 1_500,
      metadata: '{}',
    },
  ])
  t.equal(view.queueLength, 120)
  t.equal(view.queue.length, 100)
  t.same(view.queue[1], {
    sequence: 4,
    position: 2,
    session,
    requestId: 'w1',
    owner: 'b',
    mode: 'exclusive',
    waitedMs: 500,
  })
})

t.test('a lock that nobody holds looks free', async (t) => {
  const { state } = new Table()
  t.same(viewLock(state, lockNamed('x')), { lock: 'x', holders: [], queueLength: 0, queue: [] })
  t.same(checkToken(state, { lock: lockNamed('x'), token: asToken(1) }), { valid: false, holders: [] })
})

t.test('only the token of the present holder is valid', async (t) => {
  const table = new Table()
  const { token } = table.hold()
  const isValid = (lock: string, value: number) =>
    checkToken(table.state, { lock: lockNamed(lock), token: asToken(value) }).valid
  t.same([isValid('x', token), isValid('x', token + 1), isValid('y', token)], [true, false, false])
  table.release(token)
  t.equal(isValid('x', token), false)
})

t.test('a session shows what it holds by token and what it awaits by sequence, after a reload, too', async (t) => {
  const table = new Table()
  table.send(openSession({ requestId: 'one', name: 'worker', ttlMs: day, takenInAt: 0 }))
  const session = sessionNamed('s-1')
  table.hold({ lock: 'other', ttlMs: day })
  table.acquire({ lock: 'other', session, requestId: 'first', waitMs: day, pollMs: day })
  for (const lock of ['b', 'a']) table.hold({ lock, session })
  table.acquire({ lock: 'a', session, requestId: 'second', waitMs: day, pollMs: day })
  table.reload()
  t.same(viewSession(table.state, session), {
    session,
    name: 'worker',
    ttlMs: day,
    expiresInMs: day,
    metadata: null,
    holds: [
      { lock: 'b', token: 2, mode: 'exclusive' },
      { lock: 'a', token: 3, mode: 'exclusive' },
    ],
    waits: [
      { lock: 'other', sequence: 3, position: 1, requestId: 'first' },
      { lock: 'a', sequence: 6, position: 1, requestId: 'second' },
    ],
  })
  table.close(session)
  t.equal(viewSession(table.state, session), 'ended')
  t.equal(viewSession(table.state, sessionNamed('s-99')), 'unknown')
})

t.test('a request shows whether it waits, holds or has ended, and how', async (t) => {
  const table = new Table()
  const session = table.open(day)
  const view = (requestId: string, { lock = 'x', of = null as string | null } = {}) =>
    viewRequest(table.state, {
      lock: lockNamed(lock),
      session: of === null ? null : sessionNamed(of),
      requestId: asRequestId(requestId),
    })
  const { token } = table.hold({ requestId: 'one' })
  table.acquire({ session, requestId: 'two', waitMs: day, pollMs: day })
  t.same(view('one'), { state: 'granted', session: null, sequence: 2, token })
  t.same(view('two', { of: session }), { state: 'waiting', session, sequence: 3, position: 1, queueLength: 1 })
  t.equal(view('one', { lock: 'y' }), null)
  t.equal(view('two'), null)
  t.equal(view('one', { of: session }), null)
  t.equal(view('two', { of: 's-99' }), null)
  table.release(token)
  t.same(view('one'), { state: 'ended', session: null, token, endedBy: 'released' })
  t.equal(view('one', { lock: 'y' }), null, 'also when it has ended')
  table.cancel('three')
  t.same(view('three'), { state: 'ended', session: null, token: null, endedBy: null })
})

t.test('locks are listed in byte order, by prefix, page after page', async (t) => {
  const table = new Table()
  const names = ['jobs', 'jobs/2', 'jobs/1', 'job', 'jobs/\u{1f512}', 'jobs/\uffee', 'jobt', 'zz']
  for (const lock of names) table.hold({ lock })
  const list = (prefix: string, after: string | null, limit: number) => {
    const { locks, next } = listLocks(table.state, { prefix, after: after === null ? null : lockNamed(after), limit })
    return { names: locks.map(({ lock }) => lock), next }
  }
  const inOrder = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  t.same(list('', null, 100), { names: inOrder, next: null })
  t.same(list('jobs/', null, 100), { names: ['jobs/1', 'jobs/2', 'jobs/\uffee', 'jobs/\u{1f512}'], next: null })
  t.same(list('jobs/', null, 2), { names: ['jobs/1', 'jobs/2'], next: 'jobs/2' })
  t.same(
    list('jobs/', 'jobs/2', 2),
    { names: ['jobs/\uffee', 'jobs/\u{1f512}'], next: null },
    'a full last page knows that it is the last',
  )
  t.same(list('jobs/', 'jobs/\u{1f512}', 2), { names: [], next: null })
  t.same(list('', 'jobs/1-that-is-gone', 1), { names: ['jobs/2'], next: 'jobs/2' })
  t.same(list('nothing', null, 10), { names: [], next: null })
  const awaited = table.acquire({ lock: 'zz', waitMs: 5_000 })
  t.equal(awaited.result.kind, 'queued')
  t.match(listLocks(table.state, { prefix: 'zz', after: null, limit: 1 }).locks, [
    { lock: 'zz', holders: [{ token: 8 }], queueLength: 1 },
  ])
})

t.test('sessions are listed in the order of their opening, page after page', async (t) => {
  const table = new Table()
  const ids = Array.from({ length: 12 }, () => table.open(day))
  table.hold({ session: ids[3] ?? '' })
  table.close(ids[5] ?? '')
  table.reload()
  const seen: string[] = []
  let after: number | null = null
  for (let page = 0; page < 10; page += 1) {
    const { sessions, next } = listSessions(table.state, { after: after === null ? null : asSequence(after), limit: 4 })
    seen.push(...sessions.map(({ session }) => session))
    after = next
    if (next === null) break
  }
  t.same(
    seen,
    ids.filter((_, index) => index !== 5),
  )
  t.match(listSessions(table.state, { after: asSequence(3), limit: 1 }), {
    sessions: [{ session: ids[3], requests: 1, ttlMs: day }],
    next: 4,
  })
})

t.test('counts say how much is there', async (t) => {
  const table = new Table()
  const session = table.open(day)
  const { token } = table.hold({ lock: 'a', session })
  table.hold({ lock: 'b', ttlMs: 1_000 })
  table.acquire({ lock: 'a', waitMs: 10_000 })
  t.same(counts(table.state), { sessions: 1, held: 2, waiting: 1, requests: 3, remembered: 0, endedTokens: 0 })
  table.release(token, { lock: 'a' })
  table.at(1_000)
  t.same(counts(table.state), { sessions: 1, held: 1, waiting: 0, requests: 1, remembered: 2, endedTokens: 1 })
})

t.test('reads change nothing', async (t) => {
  const table = new Table()
  const session = table.open()
  table.hold({ session })
  table.acquire({ waitMs: 5_000 })
  const before = sortedRecords(table.state)
  viewLock(table.state, lockNamed('x'))
  viewSession(table.state, sessionNamed(session))
  listLocks(table.state, { prefix: '', after: null, limit: 10 })
  listSessions(table.state, { after: null, limit: 10 })
  counts(table.state)
  t.same(sortedRecords(table.state), before)
})
