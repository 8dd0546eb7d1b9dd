import t from 'tap'
import { Table } from './table.ts'

/** A lock that somebody else holds for a day, and a session that lives as long. */
function contended(): { table: Table; session: string; token: number } {
  const table = new Table()
  const session = table.open(86_400_000, 'opened', 'n9')
  const { token } = table.hold({ ttlMs: 86_400_000, node: 'n9' })
  return { table, session, token }
}

t.test('every attempt in the set is answered with the grant', async (t) => {
  const { table, session, token } = contended()
  const calls = ['n1', 'n2', 'n3'].map((node) => table.acquire({ session, requestId: 'one', waitMs: 60_000, node }))
  t.same(
    calls.map(({ result }) => result.kind),
    ['queued', 'queued', 'queued'],
  )
  table.release(token)
  for (const call of calls) t.match(table.answer(call), { kind: 'granted', token: token + 1, requestId: 'one' })
})

t.test('a repeat of a granted request is answered at once with the same token and its own validForMs', async (t) => {
  const { table } = contended()
  const first = table.hold({ lock: 'y', requestId: 'mine', ttlMs: 30_000 })
  table.at(10_000)
  const repeat = table.acquire({ lock: 'y', requestId: 'mine', ttlMs: 30_000, node: 'n2' })
  t.same(repeat.result, { ...first, validForMs: Math.floor((20_000 * 399) / 400) - 1 })
})

t.test('a ninth attempt is refused and moves nothing', async (t) => {
  const { table, session, token } = contended()
  const calls = Array.from({ length: 8 }, () => table.acquire({ session, requestId: 'one', waitMs: 1_000 }))
  const ninth = table.acquire({ session, requestId: 'one', waitMs: 9_000 })
  t.same(ninth.result, { kind: 'refused', code: 'quota_exceeded', limit: 'attempts', max: 8 })
  table.at(1_000)
  for (const call of calls) t.match(table.answer(call), { code: 'wait_timeout' })
  t.same(table.queue(), [])
  table.release(token)
  Array.from({ length: 8 }, () => table.acquire({ session, requestId: 'two' }))
  t.match(table.acquire({ session, requestId: 'two' }).result, { code: 'quota_exceeded', limit: 'attempts' })
})

t.test('an attempt leaves at the end of its pollMs and not a millisecond before; the place stays', async (t) => {
  const { table, session, token } = contended()
  const call = table.acquire({ session, requestId: 'one', waitMs: 60_000, pollMs: 5_000 })
  t.same(table.at(4_999), [])
  table.at(5_000)
  t.match(table.answer(call), { kind: 'stillWaiting', position: 1 })
  t.same(table.queue(), ['one'])
  table.release(token)
  t.same(table.answers(call).length, 2, 'what it was told ends it: the grant is not for it any more')
  t.match(table.acquire({ session, requestId: 'one', waitMs: 60_000 }).result, { kind: 'granted' })
})

t.test('when the end of the wait and of the poll are due together the answer is wait_timeout', async (t) => {
  for (const at of [5_000, 7_000]) {
    const { table, session } = contended()
    const call = table.acquire({ session, waitMs: 5_000, pollMs: 5_000 })
    const sessionless = table.acquire({ waitMs: 5_000 })
    table.at(at)
    t.match(table.answer(call), { code: 'wait_timeout' })
    t.match(table.answer(sessionless), { code: 'wait_timeout' })
  }
})

t.test('without a session a call takes its own waitMs, whatever a later one adds to the wait', async (t) => {
  const { table } = contended()
  const short = table.acquire({ requestId: 'one', waitMs: 1_000, pollMs: 50_000 })
  const long = table.acquire({ requestId: 'one', waitMs: 3_000, pollMs: 0 })
  table.at(1_000)
  t.same(table.answer(short), { kind: 'detached', requestId: 'one' })
  table.at(2_999)
  t.equal(table.answer(long).kind, 'queued')
  table.at(3_000)
  t.match(table.answer(long), { code: 'wait_timeout' })
})

t.test('the wait ends at the latest of the deadlines of its attempts', async (t) => {
  const { table, session } = contended()
  table.acquire({ session, requestId: 'one', waitMs: 9_000 })
  table.at(1_000)
  table.acquire({ session, requestId: 'one', waitMs: 1_000 })
  table.at(8_999)
  t.same(table.queue(), ['one'])
  table.at(9_000)
  t.same(table.queue(), [])
})

t.test('a repeat that does not wait leaves at once, and attends by that', async (t) => {
  const { table } = contended()
  const first = table.acquire({ requestId: 'one', waitMs: 50_000 })
  table.withdraw(first, 'one')
  table.at(1_500)
  t.same(table.acquire({ requestId: 'one', waitMs: 0 }).result, { kind: 'detached', requestId: 'one' })
  table.at(3_499)
  t.same(table.queue(), ['one'])
  table.at(3_500)
  t.same(table.queue(), [])
})

t.test('with a session a repeat that does not wait for the lock still takes its pollMs', async (t) => {
  const { table, session } = contended()
  table.acquire({ session, requestId: 'one', waitMs: 50_000 })
  const repeat = table.acquire({ session, requestId: 'one', waitMs: 0, pollMs: 2_000 })
  t.equal(repeat.result.kind, 'queued')
  table.at(2_000)
  t.match(table.answer(repeat), { kind: 'stillWaiting' })
})

t.test('a call of a session with a pollMs of 0 gets in line and is told so at once', async (t) => {
  const { table, session } = contended()
  t.match(table.acquire({ session, requestId: 'one', waitMs: 50_000, pollMs: 0 }).result, {
    kind: 'stillWaiting',
    position: 1,
  })
  t.same(table.queue(), ['one'])
})

t.test('nodeLost takes the attempts of that run and older ones out of waits, and tells them', async (t) => {
  const { table, session } = contended()
  const withSession = table.acquire({ session, requestId: 'kept', waitMs: 50_000, node: 'n2' })
  const without = table.acquire({ requestId: 'lost', waitMs: 50_000, node: 'n2' })
  const other = table.acquire({ requestId: 'other', waitMs: 50_000, node: 'n3' })
  table.nodeLost('n2', 1)
  t.match(table.answer(withSession), { kind: 'stillWaiting', position: 1, queueLength: 3 })
  t.same(table.answer(without), { kind: 'detached', requestId: 'lost' })
  t.equal(table.answer(other).kind, 'queued')
  table.at(2_000)
  t.same(table.queue(), ['kept', 'other'])
})

t.test('B104 a nodeLost of an earlier run takes nothing from a later one', async (t) => {
  const { table } = contended()
  table.acquire({ node: 'n2', lock: 'z' })
  table.restart('n2')
  const call = table.acquire({ requestId: 'new-life', waitMs: 50_000, node: 'n2' })
  table.nodeLost('n2', 1)
  t.equal(table.answer(call).kind, 'queued')
  table.at(10_000)
  t.same(table.queue(), ['new-life'])
})

t.test('B104 a nodeLost that comes late takes nothing that its node sent after it was made', async (t) => {
  const { table } = contended()
  const before = table.acquire({ requestId: 'before', waitMs: 50_000, node: 'n2' })
  const after = table.acquire({ requestId: 'after', waitMs: 50_000, node: 'n2' })
  table.nodeLost('n2', 1, { number: before.origin.number })
  t.equal(table.answer(before).kind, 'detached')
  t.equal(table.answer(after).kind, 'queued')
  table.at(10_000)
  t.same(table.queue(), ['after'])
})

t.test('nodeLost takes what an earlier run sent whatever its number', async (t) => {
  const { table } = contended()
  // Of a run from which nothing has been applied here yet.
  table.acquire({ lock: 'z', node: 'n2' })
  const call = table.acquire({ requestId: 'old-life', waitMs: 50_000, node: 'n2' })
  table.nodeLost('n2', 2, { number: 1 })
  t.equal(table.answer(call).kind, 'detached')
})

t.test('a lost node keeps what it was granted', async (t) => {
  const { table } = contended()
  const held = table.hold({ lock: 'y', ttlMs: 60_000, node: 'n2' })
  table.nodeLost('n2', 1)
  table.restart('n2')
  table.send({ kind: 'nodeStarted' }, 'n2')
  table.at(59_999)
  t.equal(table.holder('y'), held.token)
})

t.test('without a session an unattended wait leaves 2 s after the last attempt, and is forgotten', async (t) => {
  const { table, token } = contended()
  const call = table.acquire({ requestId: 'one', waitMs: 50_000 })
  table.at(1_000)
  table.withdraw(call, 'one')
  table.at(2_999)
  t.same(table.queue(), ['one'])
  table.at(3_000)
  t.same(table.queue(), [])
  table.release(token)
  t.equal(table.acquire({ requestId: 'one' }).result.kind, 'granted')
  t.equal(table.answers(call).length, 1, 'a withdrawn attempt is told nothing')
})

t.test('a grant without session ends as unclaimed 2 s after its last attempt was withdrawn', async (t) => {
  const { table } = contended()
  const call = table.acquire({ lock: 'y', requestId: 'one', ttlMs: 60_000 })
  table.withdraw(call, 'one')
  table.at(1_999)
  t.not(table.holder('y'), null)
  table.at(2_000)
  t.equal(table.holder('y'), null)
  t.match(table.acquire({ lock: 'y', requestId: 'one', ttlMs: 60_000 }).result, {
    code: 'already_released',
    endedBy: 'unclaimed',
  })
})

t.test('a grant that comes within the 2 s is given back when they are over, not later', async (t) => {
  const { table, token } = contended()
  const call = table.acquire({ requestId: 'one', waitMs: 50_000 })
  table.withdraw(call, 'one')
  table.at(1_500)
  table.release(token)
  t.equal(table.holder(), token + 1)
  table.at(2_000)
  t.equal(table.holder(), null)
})

t.test('with a session an unattended wait stays in line; its grant is kept 30 s to be fetched', async (t) => {
  const { table, session, token } = contended()
  const call = table.acquire({ session, requestId: 'one', waitMs: 86_400_000 })
  table.withdraw(call, 'one', { session })
  table.at(1_000_000)
  t.same(table.queue(), ['one'])
  table.release(token)
  table.at(1_029_999)
  t.equal(table.holder(), token + 1)
  table.at(1_030_000)
  t.equal(table.holder(), null)
  t.match(table.acquire({ session, requestId: 'one' }).result, {
    code: 'already_released',
    endedBy: 'unclaimed',
    token: token + 1,
  })
})

t.test('a repeat within the 30 s fetches the grant, and it stays', async (t) => {
  const { table, session, token } = contended()
  const call = table.acquire({ session, requestId: 'one', waitMs: 86_400_000 })
  table.withdraw(call, 'one', { session })
  table.release(token)
  table.at(29_999)
  t.match(table.acquire({ session, requestId: 'one', node: 'n2' }).result, { kind: 'granted', token: token + 1 })
  table.at(1_000_000)
  t.equal(table.holder(), token + 1)
})

t.test('a withdrawal that names another run, number, node or request takes nothing', async (t) => {
  const { table, session } = contended()
  const call = table.acquire({ session, lock: 'y', requestId: 'one', node: 'n1' })
  const { origin, result } = call
  table.withdraw({ origin: { ...origin, number: origin.number + 7 }, result }, 'one', { session })
  table.withdraw(call, 'two', { session })
  table.withdraw(call, 'one')
  table.withdraw(call, 'one', { session: 's-999' })
  table.withdraw(call, 'one', { of: 'openSession' })
  const otherNode = table.acquire({ node: 'n2', lock: 'z', requestId: 'other' })
  table.withdraw({ ...otherNode, origin: { ...otherNode.origin, number: origin.number } }, 'one', { session })
  table.restart('n1')
  table.withdraw(call, 'one', { session })
  table.at(1_000_000)
  t.not(table.holder('y'), null)
})

t.test('a grant that was renewed by token is known to somebody and is not given back', async (t) => {
  const { table } = contended()
  const call = table.acquire({ lock: 'y', requestId: 'one', ttlMs: 60_000 })
  const token = table.holder('y') ?? 0
  t.equal(table.renewGrant(token, { lock: 'y' }).kind, 'grantRenewed')
  table.withdraw(call, 'one')
  table.at(59_999)
  t.equal(table.holder('y'), token)
})
