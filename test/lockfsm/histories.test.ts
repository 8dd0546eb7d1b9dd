// Histories of HISTORIES.md that need several steps and nodes, told as they happen. Those that concern one function
// stand with its tests; grep for the number.
import t from 'tap'
import { Table, openSession } from './table.ts'

const day = 86_400_000

t.test('H10 a late withdrawal does not touch the place that a retry kept', async (t) => {
  const table = new Table()
  const session = table.open(day)
  const { token } = table.hold({ ttlMs: day })
  const broken = table.acquire({ session, requestId: 'one', waitMs: day, node: 'B' })
  const retry = table.acquire({ session, requestId: 'one', waitMs: day, pollMs: day, node: 'C' })
  table.withdraw(broken, 'one', { session })
  table.at(60_000)
  table.release(token)
  t.match(table.answer(retry), { kind: 'granted', token: token + 1 })
})

t.test('H10 a late withdrawal does not touch what a retry obtained', async (t) => {
  for (const kind of ['with a session', 'without'] as const) {
    const table = new Table()
    const session = kind === 'without' ? {} : { session: table.open(day) }
    const { token } = table.hold({ ttlMs: day })
    const broken = table.acquire({ ...session, ttlMs: day, requestId: 'one', waitMs: 200_000, node: 'B' })
    const retry = table.acquire({ ...session, ttlMs: day, requestId: 'one', waitMs: 200_000, node: 'C' })
    table.release(token)
    t.match(table.answer(retry), { kind: 'granted' })
    table.withdraw(broken, 'one', session)
    table.at(1_000_000)
    t.equal(table.holder(), token + 1, kind)
  }
})

t.test('H11 a straggler only adds to the set: its withdrawal leaves the answered grant alone', async (t) => {
  for (const kind of ['with a session', 'without'] as const) {
    const table = new Table()
    const session = kind === 'without' ? {} : { session: table.open(day) }
    const answered = table.acquire({ ...session, ttlMs: day, requestId: 'one', node: 'C' })
    const straggler = table.acquire({ ...session, ttlMs: day, requestId: 'one', node: 'B' })
    t.match(straggler.result, { kind: 'granted' })
    table.withdraw(straggler, 'one', session)
    table.at(1_000_000)
    t.match(answered.result, { kind: 'granted', token: table.holder() }, kind)
  }
})

t.test('H12 an attempt lost with its node is told so and never answered with the grant that comes later', async (t) => {
  const table = new Table()
  const session = table.open(day, 'opened', 'A')
  const { token } = table.hold({ ttlMs: day, node: 'A' })
  const cut = table.acquire({ session, requestId: 'one', waitMs: day, pollMs: 200_000, node: 'B' })
  const cutToo = table.acquire({ requestId: 'two', waitMs: 200_000, node: 'B' })
  table.at(11_000)
  table.nodeLost('B', 1, { by: 'A' })
  table.release(token)
  t.same(
    table.answers(cut).map(({ kind }) => kind),
    ['queued', 'stillWaiting'],
  )
  t.same(
    table.answers(cutToo).map(({ kind }) => kind),
    ['queued', 'detached'],
  )
  t.equal(table.holder(), token + 1, 'the session keeps the place, and the grant 30 s for a repeat')
  t.match(table.acquire({ session, requestId: 'one', node: 'B' }).result, { kind: 'granted', token: token + 1 })
  table.at(1_000_000)
  t.equal(table.holder(), token + 1)
})

t.test('H13 an attempt answered otherwise is withdrawn, so that no grant is held by nobody', async (t) => {
  const table = new Table()
  const session = table.open(day)
  const { token } = table.hold({ ttlMs: day })
  const unknown = table.acquire({ session, requestId: 'one', waitMs: day, pollMs: 200_000, node: 'B' })
  table.release(token)
  t.match(table.answer(unknown), { kind: 'granted' }, 'B has said outcome_unknown by now')
  table.withdraw(unknown, 'one', { session })
  table.at(29_999)
  t.equal(table.holder(), token + 1)
  for (let time = 30_000; time < 40_000; time += 5_000) {
    table.at(time)
    table.renew(session)
  }
  t.equal(table.holder(), null, 'though the session lives on')
  t.match(table.release(token + 1), { code: 'token_stale', endedBy: 'unclaimed' })
})

t.test('H14 a client that gave up in the moment of the grant has three ways not to hold for days', async (t) => {
  const table = new Table()
  const session = table.open(day)
  const withdrawn = table.acquire({ session, lock: 'a', requestId: 'withdrawn' })
  table.withdraw(withdrawn, 'withdrawn', { session })
  table.acquire({ session, lock: 'b', requestId: 'deleted' })
  t.match(table.cancel('deleted', { lock: 'b', session }), { state: 'released' })
  const polled = table.hold({ lock: 'c', ttlMs: day })
  table.acquire({ session, lock: 'c', requestId: 'polled', waitMs: day, pollMs: 1_000 })
  table.at(1_000)
  table.release(polled.token, { lock: 'c' })
  table.at(31_000)
  t.same([table.holder('a'), table.holder('b'), table.holder('c')], [null, null, null])
})

t.test('H15 a copy that lay in a kernel for minutes is refused, though its request is forgotten', async (t) => {
  const table = new Table()
  const session = table.open(day)
  const copy = table.numbered(table.acquireCommand({ session, requestId: 'one', takenInAt: 0 }), 'B')
  const { token } = table.hold({ session, requestId: 'one', node: 'C' })
  table.release(token)
  table.at(360_000)
  t.match(table.entry(null, [copy]), [{ result: { code: 'too_old' } }])
  t.equal(table.holder(), null)
})

t.test('H15 as long as a copy may come in, its ended request is remembered', async (t) => {
  for (let releasedAt = 0; releasedAt < 20_000; releasedAt += 1_111) {
    const table = new Table()
    table.at(releasedAt)
    const session = table.open(day)
    const late = table.acquireCommand({ session, requestId: 'one' })
    table.release(table.hold({ session, requestId: 'one' }).token)
    for (const age of [0, 10_000, 20_000, 20_001, 50_000]) {
      table.at(releasedAt + age)
      const { result } = table.send(late, 'B')
      t.match(result, { code: age <= 20_000 ? 'already_released' : 'too_old' })
    }
  }
})

t.test('H23 a client whose load balancer resets it finds its id free again, not withdrawn', async (t) => {
  const table = new Table()
  const { token } = table.hold({ ttlMs: day })
  const reset = table.acquire({ requestId: 'one', waitMs: 200_000, node: 'B' })
  table.withdraw(reset, 'one')
  table.at(3_000)
  const retry = table.acquire({ requestId: 'one', waitMs: 200_000, node: 'C' })
  t.equal(retry.result.kind, 'queued')
  table.release(token)
  t.match(table.answer(retry), { kind: 'granted' })
})

t.test('S4 a request repeated on two nodes at once has one effect', async (t) => {
  const table = new Table()
  const command = table.acquireCommand({ requestId: 'one' })
  const outcomes = table.entry(0, [table.numbered(command, 'B'), table.numbered(command, 'C')])
  t.match(outcomes, [{ result: { kind: 'granted', token: 1 } }, { result: { kind: 'granted', token: 1 } }])
  t.equal(table.state.nextToken, 2)
  const opening = openSession({ requestId: 'two', takenInAt: 0 })
  const opened = table.entry(0, [table.numbered(opening, 'B'), table.numbered(opening, 'C')])
  t.match(opened, [{ result: { session: 's-2', repeated: false } }, { result: { session: 's-2', repeated: true } }])
})
