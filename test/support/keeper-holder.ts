// A program that holds a lock and does with its event loop what a test tells it by lines on stdin: `block 3000` keeps it
// busy for so long, `look` says what its lock looks like at that moment. It says what it knows on stdout, one JSON line
// each. Arguments: URL, lock, TTL in milliseconds, `onLost`.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { LockClient } from '../../src/client/index.ts'
import type { Lock, OnLost } from '../../src/client/index.ts'

const [url = '', name = '', ttl = '', how = 'abort'] = process.argv.slice(2)
const onLost: OnLost = how === 'kill' || how === 'exit' ? how : 'abort'
const client = new LockClient({ endpoints: [url], ttlMs: Number(ttl), onLost, followLeader: false })
const lock = await client.acquire(name)
process.on('exit', (code) => say({ exits: code, ...seen(lock) }))
lock.signal.addEventListener('abort', () => say({ aborted: true }))
say({ held: lock.token })

for await (const line of createInterface(process.stdin)) {
  const [verb, ms] = line.split(' ')
  if (verb === 'block') {
    const until = performance.now() + Number(ms)
    while (performance.now() < until);
    say({ blocked: true, ...seen(lock) })
  }
  if (verb === 'look') say(seen(lock))
}

/** Asked in the order in which a user would: the first question must find the truth. */
function seen(held: Lock): { readonly isHeld: boolean; readonly isAborted: boolean; readonly remainingMs: number } {
  let isHeld = true
  try {
    held.assertHeld()
  } catch {
    isHeld = false
  }
  return { isHeld, isAborted: held.signal.aborted, remainingMs: held.remainingMs() }
}

/** At once, whatever the event loop does next. */
function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}
