import t from 'tap'
import { Table } from './table.ts'

t.test('B116 only the exact token of the present holder releases or renews', async (t) => {
  const table = new Table()
  const first = table.hold({ ttlMs: 1_000 })
  table.at(1_000)
  const second = table.hold({ ttlMs: 60_000 })
  for (const token of [first.token, second.token + 1, 0, -1, 0.5, NaN, 2 ** 53]) {
    t.match(table.release(token), { kind: 'refused', code: 'token_stale' })
    t.match(table.renewGrant(token), { kind: 'refused', code: 'token_stale' })
    t.equal(table.holder(), second.token)
  }
  t.match(table.release(second.token, { lock: 'y' }), { code: 'token_stale', endedBy: 'unknown' })
  t.same(table.release(second.token), { kind: 'released', lock: 'x', token: second.token })
  t.equal(table.holder(), null)
})

t.test('B106 a renewal after the end, in the order of the log, is refused', async (t) => {
  const table = new Table()
  const { token } = table.hold({ ttlMs: 1_000 })
  const session = table.open(1_000)
  table.at(1_000)
  t.match(table.renewGrant(token), { code: 'token_stale', endedBy: 'expired' })
  t.same(table.renew(session), { kind: 'sessionsRenewed', renewals: [{ session, refusal: 'session_ended' }] })
})

t.test('a renewal in time moves the deadline from now on, with the new TTL if one is given', async (t) => {
  const table = new Table()
  const { token } = table.hold({ ttlMs: 10_000 })
  table.at(9_999)
  t.same(table.renewGrant(token), { kind: 'grantRenewed', lock: 'x', token, ttlMs: 10_000, validForMs: 9_974 })
  t.match(table.renewGrant(token, { ttlMs: 20_000 }), { ttlMs: 20_000, validForMs: 19_949 })
  table.at(29_998)
  t.match(table.renewGrant(token), { ttlMs: 20_000 }, 'the new TTL is the TTL')
  table.at(49_997)
  t.equal(table.holder(), token)
  table.at(49_998)
  t.equal(table.holder(), null)
})

t.test('a renewal never moves the deadline to an earlier moment', async (t) => {
  const table = new Table()
  const { token } = table.hold({ ttlMs: 10_000 })
  t.match(table.renewGrant(token, { ttlMs: 1_000 }), { ttlMs: 1_000, validForMs: 9_974 })
  table.at(9_999)
  t.equal(table.holder(), token)
  t.match(table.renewGrant(token), { ttlMs: 1_000, validForMs: 996 })
})

t.test(
  'a grant of a session is renewed by its session only, and released by token alone or with the session',
  async (t) => {
    const table = new Table()
    const session = table.open()
    const other = table.open()
    const first = table.hold({ session })
    t.same(table.renewGrant(first.token), { kind: 'refused', code: 'held_by_session', session })
    t.match(table.release(first.token, { session: other }), { code: 'token_stale', endedBy: 'unknown' })
    t.equal(table.holder(), first.token)
    t.equal(table.release(first.token).kind, 'released')
    const second = table.hold({ session })
    t.equal(table.release(second.token, { session }).kind, 'released')
    const third = table.hold()
    t.match(
      table.release(third.token, { session }),
      { code: 'token_stale' },
      'a grant without session has none to match',
    )
  },
)

t.test('a repeated release is released again for 60 s at least, also when the session is closed', async (t) => {
  const table = new Table()
  table.at(9_999)
  const session = table.open()
  const { token } = table.hold({ session })
  table.release(token)
  table.close(session)
  table.at(69_999)
  t.same(table.release(token), { kind: 'released', lock: 'x', token })
  t.match(table.release(token, { lock: 'y' }), { code: 'token_stale' })
  t.match(table.renewGrant(token), { code: 'token_stale', endedBy: 'released' })
  table.at(70_000)
  t.match(table.release(token), { code: 'token_stale', endedBy: 'unknown' })
})

t.test('tokens grow from grant to grant over all locks', async (t) => {
  const table = new Table()
  const tokens: number[] = []
  for (let round = 0; round < 20; round += 1) {
    const { token } = table.hold({ lock: `l${round % 3}` })
    tokens.push(token)
    table.release(token, { lock: `l${round % 3}` })
    if (round % 5 === 0) table.reload()
  }
  t.same(
    tokens,
    Array.from({ length: 20 }, (_, index) => index + 1),
  )
})
