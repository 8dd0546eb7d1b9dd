import t from 'tap'
import { Table } from './table.ts'

t.test('why a token ended is known for an hour, for the lock it was given for only', async (t) => {
  const table = new Table()
  const { token } = table.hold({ ttlMs: 1_000 })
  table.at(1_000)
  t.match(table.release(token), { code: 'token_stale', endedBy: 'expired' })
  t.match(table.release(token, { lock: 'y' }), { code: 'token_stale', endedBy: 'unknown' })
  table.at(3_600_999)
  t.match(table.release(token), { endedBy: 'expired' })
  table.at(3_601_000)
  t.match(table.release(token), { endedBy: 'unknown' })
})

t.test('each way to end is told apart', async (t) => {
  const table = new Table()
  const closed = table.open()
  const expiring = table.open(5_000)
  const tokens = [
    table.hold({ lock: 'a', session: closed }).token,
    table.hold({ lock: 'b', session: expiring }).token,
    table.hold({ lock: 'c', ttlMs: 4_000 }).token,
  ]
  const unattended = table.acquire({ lock: 'd', requestId: 'unattended' })
  table.withdraw(unattended, 'unattended')
  table.close(closed)
  table.at(5_000)
  const endings = ['a', 'b', 'c', 'd'].map((lock, index) => {
    const result = table.release(tokens[index] ?? 4, { lock })
    return result.kind === 'refused' && result.code === 'token_stale' ? result.endedBy : result
  })
  t.same(endings, ['session_closed', 'expired', 'expired', 'unclaimed'])
})

t.test('beyond the limit the oldest are forgotten first, in the order of their ends', async (t) => {
  const table = new Table({ endedTokensMax: 3 })
  // The later a lock was taken, the earlier it expires: the order of ends is not that of tokens.
  const tokens = Array.from(
    { length: 6 },
    (_, index) => table.hold({ lock: `l${index}`, ttlMs: 6_000 - index * 1_000 }).token,
  )
  for (let time = 1_000; time <= 6_000; time += 1_000) {
    table.at(time)
    table.reload()
  }
  const endings = tokens.map((token, index) => table.release(token, { lock: `l${index}` }))
  t.match(endings, [
    { endedBy: 'expired' },
    { endedBy: 'expired' },
    { endedBy: 'expired' },
    { endedBy: 'unknown' },
    { endedBy: 'unknown' },
    { endedBy: 'unknown' },
  ])
})

t.test('a limit of none remembers none', async (t) => {
  const table = new Table({ endedTokensMax: 0 })
  const { token } = table.hold({ ttlMs: 1_000 })
  table.at(1_000)
  t.match(table.release(token), { endedBy: 'unknown' })
  t.equal(table.state.endedTokens.byToken.size, 0)
})

t.test('what is forgotten leaves the list, too', async (t) => {
  const table = new Table({ endedTokensMax: 10 })
  for (let round = 0; round < 500; round += 1) {
    table.hold({ lock: `l${round}`, ttlMs: 1 })
    table.at(round + 1)
  }
  t.ok(table.state.endedTokens.order.length <= 20)
})
