import t from 'tap'
import { Table } from './table.ts'

t.test('waiters are served in the order of their sequence, one by a release', async (t) => {
  const table = new Table()
  let token: number = table.hold({ ttlMs: 86_400_000 }).token
  const session = table.open(86_400_000)
  const calls = ['a', 'b', 'c'].map((requestId, index) =>
    table.acquire(index === 1 ? { requestId, waitMs: 60_000, ttlMs: 60_000 } : { requestId, waitMs: 60_000, session }),
  )
  for (const [index, call] of calls.entries()) {
    t.equal(table.answer(call).kind, 'queued')
    table.release(token)
    token += 1
    t.match(table.answer(call), { kind: 'granted', token })
    t.equal(table.queue().length, 2 - index)
  }
})

t.test('two requests of one session exclude each other', async (t) => {
  const table = new Table()
  const session = table.open()
  const first = table.hold({ session })
  const second = table.acquire({ session, waitMs: 5_000 })
  t.equal(second.result.kind, 'queued')
  table.release(first.token)
  t.match(table.answer(second), { kind: 'granted', token: first.token + 1 })
})

t.test('nobody overtakes the queue with a try', async (t) => {
  const table = new Table()
  const { token } = table.hold()
  table.acquire({ requestId: 'first', waitMs: 5_000 })
  t.match(table.acquire().result, { code: 'lock_held', queueLength: 1 })
  t.equal(table.state.nextSequence, 3, 'who neither holds nor waits takes no sequence number')
  table.release(token)
  t.match(table.acquire().result, { code: 'lock_held', queueLength: 0 })
})

t.test('B102 a waiter whose session ends in the queue is not granted when the holder releases', async (t) => {
  const table = new Table()
  const { token } = table.hold({ ttlMs: 60_000 })
  const dying = table.open(5_000)
  const dead = table.acquire({ session: dying, waitMs: 50_000 })
  const alive = table.acquire({ waitMs: 50_000 })
  table.at(5_000)
  t.match(table.answer(dead), { code: 'session_ended', session: dying })
  table.release(token)
  t.match(table.answer(alive), { kind: 'granted' })
})

t.test('H26 who stands behind a waiter that leaves is served by that, not by the next release', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: 5_000 })
  const ahead = table.acquire({ requestId: 'ahead', waitMs: 5_000 })
  const behind = table.acquire({ requestId: 'behind', waitMs: 50_000 })
  // The grant ends and the wait ahead times out in one entry; nobody releases afterwards.
  table.at(5_000)
  t.match(table.answer(ahead), { code: 'wait_timeout', holders: [], queueLength: 1 })
  t.match(table.answer(behind), { kind: 'granted' })
})

t.test('H26 a session that held and also waited ahead frees the way for who stands behind it', async (t) => {
  const table = new Table()
  const session = table.open()
  table.hold({ session })
  table.acquire({ session, waitMs: 50_000 })
  const behind = table.acquire({ waitMs: 50_000 })
  table.close(session)
  t.match(table.answer(behind), { kind: 'granted' })
})

t.test('a lock that nobody holds or awaits takes no memory, and its tokens go on', async (t) => {
  const table = new Table()
  const { token } = table.hold()
  table.release(token)
  t.equal(table.state.locks.size, 0)
  t.equal(table.hold().token, token + 1)
})

t.test('a thousand waiters that leave from the middle keep the others in order', async (t) => {
  const table = new Table()
  const { token } = table.hold({ ttlMs: 86_400_000 })
  const session = table.open(86_400_000)
  const ids = Array.from({ length: 300 }, (_, index) => `w${index}`)
  for (const requestId of ids) table.acquire({ session, requestId, waitMs: 86_400_000 })
  const left = ids.filter((_, index) => index % 3 !== 1)
  for (const requestId of ids) if (!left.includes(requestId)) table.cancel(requestId, { session })
  t.same(table.queue(), left)
  table.release(token)
  t.same(table.queue(), left.slice(1))
})
