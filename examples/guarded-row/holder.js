// Holds the lock of an account and changes its row. On the way it is stopped, like a process on a suspended machine, and goes
// on when its lock is long another's. Arguments: name, `guarded` or `unguarded`, `pauses` or `hurries`.
import pg from 'pg'
import { LockClient } from 'holdfast/client'
import { guardedTransaction } from 'holdfast/guard'
import { endpoints } from '../endpoints.js'
import { say } from '../processes.js'

const [name, guard, style] = process.argv.slice(2)
const client = new LockClient({ endpoints, ttlMs: 1000, owner: name })
const database = new pg.Client(process.env.DATABASE_URL)
await database.connect()

const lock = await client.acquire('account/1', { waitMs: 30_000 })
lock.assertHeld()
say({ holds: lock.token })
// The worst moment for a pause: the lock was just looked at, the write comes next.
if (style === 'pauses') process.kill(process.pid, 'SIGSTOP')

const write = 'UPDATE accounts SET written_by = $1, fencing_token = $2 WHERE id = 1'
try {
  if (guard === 'guarded') {
    await guardedTransaction(database, { resource: 'account/1', token: lock.token }, () =>
      database.query(write, [name, lock.token]),
    )
  } else await database.query(write.replace(', fencing_token = $2', ', plain_token = $2'), [name, lock.token])
  say({ wrote: lock.token })
} catch (error) {
  say({ refused: error.code, token: lock.token })
}
await lock.release().catch((error) => say({ lost: error.code }))
await client.close()
await database.end()
