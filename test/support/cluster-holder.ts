// A program that does what a user of Holdfast does: it opens a session, takes a lock with it, renews the session for as
// long as it may and says on stdout what it learns, one JSON line each. Arguments: URL, lock, TTL in milliseconds.
// A test pauses it, and sees what it finds when it wakes.
import { call, lockUrl, tokenIn } from './cluster-client.ts'

const [url = '', lock = '', ttl = ''] = process.argv.slice(2)
const ttlMs = Number(ttl)

const opened = await call(`${url}/v1/sessions`, { body: { ttlMs } })
const { session } = opened.body
const token = tokenIn(await call(lockUrl(url, lock, 'acquire'), { body: { session, waitMs: 60_000 } }))
say({ held: token })
for (;;) {
  const renewed = await call(`${url}/v1/sessions/${String(session)}/renew`, { body: {} })
  if (renewed.status !== 200) {
    say({ lost: renewed.body['code'] })
    break
  }
  await new Promise((resolve) => setTimeout(resolve, ttlMs / 5))
}
const released = await call(lockUrl(url, lock, 'release'), { body: { token, session } })
say({ released: released.status, code: released.body['code'], endedBy: released.body['endedBy'] })

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
