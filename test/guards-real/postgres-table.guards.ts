// Tables whose rows a trigger guards.
import t from 'tap'
import { guardErrorOf, installPostgresGuard } from '../../src/guard/index.ts'
import { startPostgres, untilOneWaits } from './postgres-server.ts'

const server = await startPostgres(t)
const client = await server.connect()
await installPostgresGuard(client)

t.test('in a guarded table a row’s token never goes down', async (t) => {
  await client.query(
    'CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 10), (2, 10)',
  )
  await client.query("SELECT holdfast_guard_table('accounts')")
  const update = 'UPDATE accounts SET balance = $1, fencing_token = $2 WHERE id = 1'
  await client.query(update, [20, 33])
  await client.query(update, [30, 34])
  await client.query(update, [40, 34])
  await t.rejects(client.query(update, [50, 33]), { code: 'LK412' })
  const error: unknown = await client.query(update, [50, 33]).catch((caught: unknown) => caught)
  t.match(guardErrorOf(error, { resource: 'accounts 1', token: 33 }), { code: 'token_stale', details: { highest: 34 } })
  t.same((await client.query('SELECT * FROM accounts ORDER BY id')).rows, [
    { id: 1, balance: 40, fencing_token: '34' },
    { id: 2, balance: 10, fencing_token: null },
  ])
})

t.test('a write without a token is refused, also of a row that never had one', async (t) => {
  await t.rejects(client.query('UPDATE accounts SET balance = 0 WHERE id = 2'), { code: 'LK400' })
  await t.rejects(client.query('INSERT INTO accounts (id) VALUES (3)'), { code: 'LK400' })
  await t.rejects(client.query('INSERT INTO accounts (id, fencing_token) VALUES (3, 0)'), { code: 'LK400' })
  await client.query('INSERT INTO accounts (id, fencing_token) VALUES (3, 5)')
  const upsert =
    'INSERT INTO accounts (id, fencing_token) VALUES (3, $1) ON CONFLICT (id) DO UPDATE SET fencing_token = $1'
  await client.query(upsert, [6])
  await t.rejects(client.query(upsert, [5]), { code: 'LK412' })
})

t.test('a stale row takes the whole statement with it', async (t) => {
  await t.rejects(client.query('UPDATE accounts SET balance = 0, fencing_token = 7'), { code: 'LK412' })
  const { rows } = await client.query('SELECT count(*)::int AS written FROM accounts WHERE balance = 0')
  t.same(rows, [{ written: 0 }])
})

t.test('a write that waited for a higher one is refused by what that wrote', async (t) => {
  const late = await server.connect()
  await client.query('BEGIN')
  await client.query('UPDATE accounts SET fencing_token = 51 WHERE id = 3')
  const waiting = late.query('UPDATE accounts SET fencing_token = 50 WHERE id = 3')
  waiting.catch(() => {})
  await untilOneWaits(await server.connect())
  await client.query('COMMIT')
  await t.rejects(waiting, { code: 'LK412' })
})

t.test('other triggers and partitions are no way around it', async (t) => {
  await client.query(`
    CREATE TABLE parts (id int, part int) PARTITION BY LIST (part);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
    SELECT holdfast_guard_table('parts');
    INSERT INTO parts VALUES (1, 1, 34);
    CREATE FUNCTION lower_it() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN NEW.fencing_token := 1; RETURN NEW; END';`)
  await t.rejects(client.query('UPDATE parts SET part = 2, fencing_token = 33'), { code: 'LK412' })
  await client.query('CREATE TRIGGER lowering BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION lower_it()')
  await t.rejects(client.query('UPDATE accounts SET fencing_token = 99 WHERE id = 1'), { code: 'LK412' })
})

t.test('a table may be made a guarded one again', async (t) => {
  await client.query("SELECT holdfast_guard_table('parts')")
  await client.query('CREATE SCHEMA "Odd one"; CREATE TABLE "Odd one"."My table" (id int)')
  await client.query(`SELECT holdfast_guard_table('"Odd one"."My table"')`)
  await t.rejects(client.query('INSERT INTO "Odd one"."My table" VALUES (1)'), { code: 'LK400' })
})
