// A scheduler whose clock is a little off, as clocks are: when its night comes it runs the job, unless another has. Arguments:
// its name, how late its clock is in milliseconds, the file that the job writes to.
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { LockClient } from 'holdfast/client'
import { endpoints } from '../endpoints.js'
import { say } from '../processes.js'

const [name, lateMs, report] = process.argv.slice(2)
const client = new LockClient({ endpoints, owner: name, ttlMs: 5000 })

await sleep(Number(lateMs))
try {
  // A try, not a wait. The lock is kept for a minute although the job takes no time, or the last of the schedulers, whose
  // clock is a second late, would find it free and run the job again. In production: an hour.
  await client.withLock('nightly-report', { waitMs: 0, minHoldMs: 60_000 }, async ({ token }) => {
    appendFileSync(report, `report by ${name}, token ${token}\n`)
    say({ ran: token })
  })
} catch (error) {
  if (error.code !== 'lock_held') throw error
  say({ skipped: error.details.holders[0]?.owner ?? 'held' })
}
await client.close()
