import t from 'tap'
import { Table, openSession } from './table.ts'
import type { Sent } from './table.ts'

const day = 86_400_000

t.test('a free lock is granted at once, with all that the answer says', async (t) => {
  const table = new Table()
  t.same(table.acquire({ lock: 'x', requestId: 'one', ttlMs: 10_000 }).result, {
    kind: 'granted',
    lock: 'x',
    token: 1,
    session: null,
    requestId: 'one',
    mode: 'exclusive',
    sequence: 1,
    ttlMs: 10_000,
    validForMs: 9_974,
  })
  const session = table.open(20_000)
  t.match(table.acquire({ lock: 'y', session }).result, { token: 2, session, sequence: 3, ttlMs: 20_000 })
})

t.test('the same id with another lock or TTL is a mismatch that names the field', async (t) => {
  const table = new Table()
  table.hold({ lock: 'x', requestId: 'one', ttlMs: 10_000 })
  const mismatch = (field: string) => ({ kind: 'refused', code: 'request_mismatch', requestId: 'one', field })
  t.same(table.acquire({ lock: 'y', requestId: 'one', ttlMs: 10_000 }).result, mismatch('lock'))
  t.same(table.acquire({ lock: 'x', requestId: 'one', ttlMs: 20_000 }).result, mismatch('ttlMs'))
  table.renewGrant(1, { ttlMs: 20_000 })
  t.match(table.acquire({ lock: 'x', requestId: 'one', ttlMs: 10_000 }).result, { kind: 'granted', ttlMs: 20_000 })
  t.same(
    table.acquire({ lock: 'x', requestId: 'one', ttlMs: 20_000 }).result,
    mismatch('ttlMs'),
    'the content is what was asked',
  )
})

t.test('a request id is named within its session; without one, store-wide', async (t) => {
  const table = new Table()
  const [a, b] = [table.open(), table.open()]
  t.equal(table.hold({ lock: 'a', session: a, requestId: 'one' }).token, 1)
  t.equal(table.hold({ lock: 'b', session: b, requestId: 'one' }).token, 2)
  t.equal(table.hold({ lock: 'c', requestId: 'one' }).token, 3)
  t.equal(table.hold({ lock: 'c', requestId: 'one' }).token, 3)
})

t.test('owner and metadata are those of the attempt that made the request', async (t) => {
  const table = new Table()
  table.hold({ requestId: 'one', owner: 'first', metadata: '1' })
  table.hold({ requestId: 'one', owner: 'second', metadata: '2' })
  t.match(table.acquire().result, { holders: [{ owner: 'first', metadata: '1' }] })
})

t.test('a request that was released is remembered with its token, and is not granted again', async (t) => {
  const table = new Table()
  const session = table.open(day)
  const { token } = table.hold({ session, requestId: 'one' })
  table.release(token)
  t.same(table.acquire({ session, requestId: 'one' }).result, {
    kind: 'refused',
    code: 'already_released',
    requestId: 'one',
    token,
    endedBy: 'released',
  })
  table.at(59_999)
  t.match(table.acquire({ session, requestId: 'one' }).result, { code: 'already_released' })
  table.at(70_000)
  t.match(table.acquire({ session, requestId: 'one' }).result, { kind: 'granted' })
})

t.test('a refusal is not remembered: the same id may try again', async (t) => {
  const table = new Table()
  const { token } = table.hold()
  t.match(table.acquire({ requestId: 'one' }).result, { code: 'lock_held' })
  const waits = table.acquire({ requestId: 'one', waitMs: 1_000 })
  table.at(1_000)
  t.match(table.answer(waits), { code: 'wait_timeout' })
  table.release(token)
  t.match(table.acquire({ requestId: 'one' }).result, { kind: 'granted' })
})

t.test('DELETE of a wait withdraws it and tells all its attempts; late copies are refused', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.hold({ ttlMs: day })
  const calls = ['n1', 'n2'].map((node) => table.acquire({ session, requestId: 'one', waitMs: 50_000, node }))
  t.same(table.cancel('one', { session }), { kind: 'requestCancelled', state: 'withdrawn' })
  for (const call of calls) t.same(table.answer(call), { kind: 'refused', code: 'request_cancelled', requestId: 'one' })
  t.same(table.queue(), [])
  t.same(table.acquire({ session, requestId: 'one', waitMs: 5_000 }).result, {
    kind: 'refused',
    code: 'request_cancelled',
    requestId: 'one',
  })
  t.match(table.cancel('one', { session }), { state: 'withdrawn' }, 'repeated, it says the same')
})

t.test('DELETE of a grant releases it and grants the next', async (t) => {
  const table = new Table()
  const { token } = table.hold({ requestId: 'one' })
  const next = table.acquire({ waitMs: 5_000 })
  t.same(table.cancel('one'), { kind: 'requestCancelled', state: 'released' })
  t.match(table.answer(next), { kind: 'granted' })
  t.match(table.cancel('one'), { state: 'released' })
  t.match(table.acquire({ requestId: 'one' }).result, { code: 'already_released', token, endedBy: 'released' })
  t.match(table.release(token), { kind: 'released' })
})

t.test('H15 DELETE of a request that never came refuses it when it comes', async (t) => {
  const table = new Table()
  t.same(table.cancel('one'), { kind: 'requestCancelled', state: 'none' })
  t.match(table.acquire({ requestId: 'one' }).result, { code: 'request_cancelled' })
  t.match(table.cancel('one'), { state: 'none' })
  table.at(49_999)
  t.match(table.acquire({ requestId: 'one' }).result, { code: 'request_cancelled' })
})

t.test('DELETE of what expired says none, and leaves it as it was', async (t) => {
  const table = new Table()
  table.hold({ requestId: 'one', ttlMs: 1_000 })
  table.at(1_000)
  t.match(table.cancel('one'), { state: 'none' })
  t.match(table.acquire({ requestId: 'one', ttlMs: 1_000 }).result, { code: 'already_released', endedBy: 'expired' })
})

t.test('the id of a grant that has ended is a mismatch on another lock, however it ended', async (t) => {
  const mismatch = { kind: 'refused', code: 'request_mismatch', requestId: 'one', field: 'lock' }
  const endings: Record<string, (table: Table, call: Sent) => void> = {
    released: (table) => table.cancel('one'),
    expired: (table) => table.at(10_000),
    unclaimed: (table, call) => {
      table.withdraw(call, 'one')
      table.at(2_000)
    },
  }
  for (const [endedBy, end] of Object.entries(endings)) {
    const table = new Table()
    end(table, table.acquire({ requestId: 'one', ttlMs: 10_000 }))
    t.same(table.acquire({ lock: 'y', requestId: 'one', ttlMs: 10_000 }).result, mismatch, endedBy)
    t.same(table.cancel('one', { lock: 'y' }), mismatch, endedBy)
    const own = table.acquire({ requestId: 'one', ttlMs: 10_000 }).result
    t.match(own, { code: 'already_released', token: 1, endedBy }, 'on its own it is what it was')
  }
})

t.test('of a session, too, the id of a grant that was released is a mismatch on another lock', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.release(table.hold({ session, requestId: 'one' }).token)
  // What is known of the id and of the token is forgotten together.
  for (const time of [0, 59_999]) {
    table.at(time)
    t.match(table.acquire({ session, lock: 'y', requestId: 'one' }).result, { code: 'request_mismatch', field: 'lock' })
    t.match(table.cancel('one', { session, lock: 'y' }), { code: 'request_mismatch', field: 'lock' })
  }
  table.at(70_000)
  t.match(table.acquire({ session, lock: 'y', requestId: 'one' }).result, { kind: 'granted' })
})

t.test('the lock of a grant that expired is known as long as its token is kept', async (t) => {
  const table = new Table({ endedTokensMax: 1 })
  for (const requestId of ['one', 'two']) {
    table.hold({ requestId, ttlMs: 1_000 })
    table.at(table.state.time + 1_000)
  }
  t.match(table.acquire({ lock: 'y', requestId: 'two', ttlMs: 1_000 }).result, { code: 'request_mismatch' })
  t.match(table.acquire({ lock: 'y', requestId: 'one', ttlMs: 1_000 }).result, { code: 'already_released', token: 1 })
})

t.test('the lock of what was withdrawn, or refused before it came, is not remembered', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: day })
  table.acquire({ requestId: 'waited', waitMs: day })
  table.cancel('waited')
  table.cancel('unseen')
  for (const requestId of ['waited', 'unseen']) {
    t.match(table.acquire({ lock: 'y', requestId }).result, { code: 'request_cancelled' }, requestId)
  }
  t.match(table.cancel('waited', { lock: 'y' }), { state: 'withdrawn' })
})

t.test('DELETE through another lock is a mismatch and ends nothing', async (t) => {
  const table = new Table()
  const { token } = table.hold({ requestId: 'one' })
  t.same(table.cancel('one', { lock: 'y' }), {
    kind: 'refused',
    code: 'request_mismatch',
    requestId: 'one',
    field: 'lock',
  })
  t.equal(table.holder(), token)
})

t.test('DELETE with an ended session says none, with an unknown one it is refused', async (t) => {
  const table = new Table()
  const session = table.open()
  table.close(session)
  t.same(table.cancel('one', { session }), { kind: 'requestCancelled', state: 'none' })
  t.same(table.cancel('one', { session: 's-77' }), { kind: 'refused', code: 'session_unknown', session: 's-77' })
  t.equal(table.state.remembered.count, 1, 'only the opening')
})

t.test('requests of a session, requests without one, and waiters of a lock are limited', async (t) => {
  const table = new Table({ perSessionMax: 2, sessionlessMax: 2, waitersPerLockMax: 1 })
  const session = table.open()
  const quota = (limit: string, max: number) => ({ kind: 'refused', code: 'quota_exceeded', limit, max })
  table.hold({ lock: 'a', session })
  table.hold({ lock: 'b', session })
  t.same(table.acquire({ lock: 'c', session }).result, quota('perSession', 2))
  table.hold({ lock: 'c', requestId: 'one' })
  t.equal(table.acquire({ lock: 'a', waitMs: 5_000 }).result.kind, 'queued')
  t.same(table.acquire({ lock: 'd' }).result, quota('sessionless', 2))
  t.same(table.acquire({ lock: 'a', session: table.open(), waitMs: 5_000 }).result, quota('waitersPerLock', 1))
  t.match(table.acquire({ lock: 'c', requestId: 'one' }).result, { kind: 'granted' }, 'a repeat makes no new request')
  t.match(table.acquire({ lock: 'a' }).result, { code: 'lock_held' }, 'neither does a try that is refused anyway')
  t.equal(table.state.nextSequence, 7, 'who is refused takes no number')
})

t.test('when too much is remembered, what would make more is refused and what ends something goes on', async (t) => {
  const table = new Table({ rememberedMax: 2 })
  const session = table.open()
  const held = ['a', 'b', 'c'].map((lock) => table.hold({ lock, session }))
  const waits = table.acquire({ lock: 'c', session, requestId: 'waits', waitMs: 5_000 })
  table.release(held[0]?.token ?? 0, { lock: 'a' })
  table.cancel('unknown-1')
  const quota = { kind: 'refused', code: 'quota_exceeded', limit: 'remembered', max: 2 }
  t.same(table.acquire({ lock: 'd', session }).result, quota)
  t.same(table.acquire({ lock: 'c', session, waitMs: 5_000 }).result, quota)
  t.same(table.send(openSession({ requestId: 'new', takenInAt: 0 })).result, quota)
  t.same(table.cancel('unknown-2'), quota)
  t.match(table.acquire({ lock: 'b', session, requestId: held[1]?.requestId ?? '' }).result, { kind: 'granted' })
  t.match(table.release(held[1]?.token ?? 0, { lock: 'b' }), { kind: 'released' })
  t.match(table.cancel('waits', { lock: 'c', session }), { state: 'withdrawn' })
  t.match(table.answer(waits), { code: 'request_cancelled' })
  t.same(table.close(session), { kind: 'done' })
  table.at(70_000)
  t.match(table.acquire({ lock: 'd' }).result, { kind: 'granted' }, 'time makes room again')
})
