import t from 'tap'
import { guardedTransaction, installPostgresGuard, isGuardError, postgresTokens } from '../../src/guard/index.ts'
import { keepsHighestTokens } from '../guard/tokens-conformance.ts'
import { startPostgres, untilOneWaits } from './postgres-server.ts'
import { shuffledTokens } from './shuffled-tokens.ts'

const server = await startPostgres(t)
const admin = await server.connect()
await installPostgresGuard(admin)
await admin.query('CREATE TABLE journal (place bigserial PRIMARY KEY, resource text, token bigint)')
const journalOf = async (resource: string): Promise<number[]> => {
  const { rows } = await admin.query<{ token: string }>(
    'SELECT token FROM journal WHERE resource = $1 ORDER BY place',
    [resource],
  )
  return rows.map(({ token }) => Number(token))
}
const write = 'INSERT INTO journal (resource, token) VALUES ($1, $2)'

t.test('postgres', (t) => keepsHighestTokens(t, postgresTokens(server.pool()), 60))

t.test('a transaction of a former holder is refused before its work begins', async (t) => {
  const client = await server.connect()
  const by = (token: number, work: () => Promise<unknown>): Promise<unknown> =>
    guardedTransaction(client, { resource: 'row', token }, work)
  t.equal(await by(33, async () => 'result'), 'result')
  await by(34, () => client.query(write, ['row', 34]))
  await by(34, () => client.query(write, ['row', 34]))
  await t.rejects(
    by(33, async () => t.fail('the work must not begin')),
    { code: 'token_stale', details: { resource: 'row', token: 33, highest: 34 }, cause: { code: 'LK412' } },
  )
  t.same(await journalOf('row'), [34, 34])
})

t.test('what fails is rolled back, with the token it brought, and its error comes through', async (t) => {
  const client = await server.connect()
  const failing = guardedTransaction(client, { resource: 'failing', token: 34 }, async () => {
    await client.query(write, ['failing', 34])
    throw new Error('the user’s own')
  })
  await t.rejects(failing, /the user’s own/)
  t.same(await journalOf('failing'), [])
  await guardedTransaction(client, { resource: 'failing', token: 33 }, () => client.query(write, ['failing', 33]))
  const broken = guardedTransaction(client, { resource: 'failing', token: 34 }, () => client.query('SELECT 1 / 0'))
  await t.rejects(broken, { code: '22012' })
})

t.test('a transaction whose failure was hidden does not pass for one that was committed', async (t) => {
  const client = await server.connect()
  const hidden = guardedTransaction(client, { resource: 'hidden', token: 34 }, async () => {
    await client.query(write, ['hidden', 34])
    await client.query('SELECT 1 / 0').catch(() => {})
  })
  await t.rejects(hidden, { code: 'not_committed' })
  t.same(await journalOf('hidden'), [])
})

t.test('a pool is no connection', async (t) => {
  const pool = server.pool()
  const guarded = { resource: 'pool', token: 34 }
  await t.rejects(
    guardedTransaction(pool, guarded, async () => {}),
    { code: 'invalid_option' },
  )
  const client = await pool.connect()
  await guardedTransaction(client, guarded, () => client.query(write, ['pool', 34]))
  client.release()
  t.same(await journalOf('pool'), [34])
})

t.test('while a holder’s transaction is open, the next one waits, and then writes after it', async (t) => {
  const [former, next] = [await server.connect(), await server.connect()]
  const later: Promise<unknown>[] = []
  await guardedTransaction(former, { resource: 'open', token: 33 }, async () => {
    later.push(guardedTransaction(next, { resource: 'open', token: 34 }, () => next.query(write, ['open', 34])))
    await untilOneWaits(admin)
    await former.query(write, ['open', 33])
  })
  await Promise.all(later)
  t.same(await journalOf('open'), [33, 34])
})

t.test('a former holder that waits while the next one writes is refused', async (t) => {
  const [former, next] = [await server.connect(), await server.connect()]
  let late: Promise<unknown> = Promise.resolve()
  await guardedTransaction(next, { resource: 'waits', token: 34 }, async () => {
    late = guardedTransaction(former, { resource: 'waits', token: 33 }, () => former.query(write, ['waits', 33]))
    late.catch(() => {})
    await untilOneWaits(admin)
    await next.query(write, ['waits', 34])
  })
  await t.rejects(late, { code: 'token_stale' })
  t.same(await journalOf('waits'), [34])
})

for (const level of ['REPEATABLE READ', 'SERIALIZABLE']) {
  for (const [first, second] of [
    [34, 33],
    [33, 34],
    [34, 34],
  ] as const) {
    t.test(`under ${level} ${second} does not go on with what it saw before ${first} wrote`, async (t) => {
      const resource = `${level} ${first} ${second}`
      const [one, other] = [await server.connect(), await server.connect()]
      await guardedTransaction(one, { resource, token: 1 }, async () => {})
      await other.query(`SET default_transaction_isolation = '${level}'`)
      let late: Promise<unknown> = Promise.resolve()
      await guardedTransaction(one, { resource, token: first }, async () => {
        late = guardedTransaction(other, { resource, token: second }, () => other.query(write, [resource, second]))
        late.catch(() => {})
        await untilOneWaits(admin)
        await one.query(write, [resource, first])
      })
      await t.rejects(late, { code: '40001' })
      t.same(await journalOf(resource), [first])
    })
  }
}

t.test('a holder that is paused inside its transaction does not hold up the next one for ever', async (t) => {
  const [paused, next] = [await server.connect(), await server.connect()]
  let resume = (): void => {}
  const late = guardedTransaction(paused, { resource: 'paused', token: 33, idleMs: 50 }, async () => {
    await paused.query(write, ['paused', 33])
    await new Promise<void>((resolve) => (resume = resolve))
    await paused.query(write, ['paused', 33])
  })
  late.catch(() => {})
  await guardedTransaction(next, { resource: 'paused', token: 34 }, () => next.query(write, ['paused', 34]))
  resume()
  await t.rejects(late)
  t.same(await journalOf('paused'), [34])
  const { rows } = await next.query("SELECT current_setting('idle_in_transaction_session_timeout') AS idle")
  t.same(rows, [{ idle: '0' }], 'and the connection’s own setting is as before')
})

t.test('of many racing writers the highest token’s write stays, and none lands after a higher one', async (t) => {
  const pool = server.pool()
  await admin.query('CREATE TABLE value (id int PRIMARY KEY, token bigint); INSERT INTO value VALUES (1, 0)')
  const accepted: number[] = []
  await Promise.all(
    shuffledTokens(800).map(async (token) => {
      const client = await pool.connect()
      try {
        await guardedTransaction(client, { resource: 'race', token }, async () => {
          await client.query(write, ['race', token])
          await client.query('UPDATE value SET token = $1', [token])
        })
        accepted.push(token)
      } catch (error) {
        if (!isGuardError(error) || error.code !== 'token_stale') throw error
      } finally {
        client.release()
      }
    }),
  )
  const journal = await journalOf('race')
  t.same(
    journal,
    journal.toSorted((one, other) => one - other),
  )
  t.same(
    accepted.toSorted((one, other) => one - other),
    journal,
    'exactly the accepted ones landed',
  )
  t.same((await admin.query('SELECT token FROM value')).rows, [{ token: '800' }])
})

t.test('what is no token, or no resource, is refused by the function itself', async (t) => {
  const wrong = ["'r', 0", "'r', -1", "'r', 9007199254740992", "'r', NULL", 'NULL, 1', "'', 1"]
  for (const given of wrong) await t.rejects(admin.query(`SELECT holdfast_guard(${given})`), { code: 'LK400' }, given)
})

t.test('what is remembered does not go down, whoever writes there', async (t) => {
  await admin.query("SELECT holdfast_guard('down', 34)")
  const down = "UPDATE holdfast_tokens SET fencing_token = 33 WHERE resource = 'down'"
  await t.rejects(admin.query(down), { code: 'LK412' })
})

t.test('the guard may be installed again, by many at once, and keeps what it knows', async (t) => {
  await admin.query("SELECT holdfast_guard('again', 34)")
  const clients = await Promise.all(Array.from({ length: 5 }, () => server.connect()))
  await Promise.all(clients.map((client) => installPostgresGuard(client)))
  await t.rejects(admin.query("SELECT holdfast_guard('again', 33)"), { code: 'LK412' })
})

t.test('the guard stays in the schema it was installed in, whoever calls it', async (t) => {
  const client = await server.connect()
  await client.query('CREATE SCHEMA "Locks of ours"; SET search_path TO "Locks of ours"')
  await installPostgresGuard(client)
  await client.query('RESET search_path; CREATE TEMP TABLE holdfast_tokens (LIKE public.holdfast_tokens)')
  await client.query('SELECT "Locks of ours".holdfast_guard(\'schema\', 34)')
  const { rows } = await client.query('SELECT * FROM "Locks of ours".holdfast_tokens')
  t.same(rows, [{ resource: 'schema', fencing_token: '34' }])
})

t.test('tokens outlive the server', async (t) => {
  const own = await startPostgres(t)
  await installPostgresGuard(await own.connect())
  await postgresTokens(own.pool()).admit({ resource: 'restart', token: 34 })
  await own.process.stop()
  await own.process.start()
  const verdict = await postgresTokens(own.pool()).admit({ resource: 'restart', token: 33 })
  t.same(verdict, { kind: 'stale', highest: 34 })
})
