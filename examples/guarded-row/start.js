// A holder is paused between looking at its lock and writing, and the next one writes before it wakes. Without a guard the
// paused one overwrites what its successor wrote; with the guard PostgreSQL refuses it. Needs DATABASE_URL.
import assert from 'node:assert/strict'
import pg from 'pg'
import { installPostgresGuard } from 'holdfast/guard'
import { startProgram } from '../processes.js'

if (process.env.DATABASE_URL === undefined) {
  process.stderr.write(
    'set DATABASE_URL to a PostgreSQL that may be written to: postgres://user@127.0.0.1:5432/database\n',
  )
  process.exit(2)
}
const database = new pg.Client(process.env.DATABASE_URL)
await database.connect()
await installPostgresGuard(database)
await database.query('DROP TABLE IF EXISTS accounts')
await database.query('CREATE TABLE accounts (id integer PRIMARY KEY, written_by text, plain_token bigint)')
await database.query("INSERT INTO accounts VALUES (1, 'nobody')")

console.log('--- without a guard')
assert.equal(await play('unguarded'), 'paul', 'the paused holder has the last word')
console.log('the row is what the paused former holder wrote: the work of its successor is lost')

await database.query("SELECT holdfast_guard_table('accounts')")
console.log('--- with the guard')
assert.equal(await play('guarded'), 'quick', 'the paused holder is refused')
console.log('the row is what the present holder wrote')
await database.end()

/** Who has written the row in the end. */
async function play(guard) {
  const paul = startProgram(import.meta.dirname, 'holder.js', 'paul', guard, 'pauses')
  await paul.heard(({ holds }) => holds > 0)
  const quick = startProgram(import.meta.dirname, 'holder.js', 'quick', guard, 'hurries')
  await quick.ended
  paul.kill('SIGCONT')
  await paul.ended
  const { rows } = await database.query('SELECT written_by FROM accounts')
  return rows[0].written_by
}
