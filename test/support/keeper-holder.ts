// A program that holds a lock and does with its event loop what a test tells it by lines on stdin: `block 3000` keeps it
// busy for so long, `look` says what its lock looks like at that moment. It says what it knows on stdout, one JSON line
// each. Arguments: URL, lock, TTL in milliseconds, `onLost`, and for how long it is to block as soon as it has the lock.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { LockClient } from '../../src/client/index.ts'
import type { Lock, OnLost } from '../../src/client/index.ts'

const [url = '', name = '', ttl = '', how = 'abort', atOnceMs = '0'] = process.argv.slice(2)
const onLost: OnLost = how === 'kill' || how === 'exit' ? how : 'abort'
const client = new LockClient({ endpoints: [url], ttlMs: Number(ttl), onLost, followLeader: false })
const lock = await client.acquire(name)
if (Number(atOnceMs) > 0) {
  say({ held: lock.token })
  block(Number(atOnceMs))
}
process.on('exit', (code) => say({ exits: code, ...seen(lock) }))
lock.signal.addEventListener('abort', () => say({ aborted: true }))
if (Number(atOnceMs) === 0) say({ held: lock.token })

for await (const line of createInterface(process.stdin)) {
  const [verb, ms] = line.split(' ')
  if (verb === 'block') block(Number(ms))
  if (verb === 'look') say(seen(lock))
}

/** Keeps the event loop busy, and tells what the lock looks like right behind it. */
function block(forMs: number): void {
  const until = performance.now() + forMs
  while (performance.now() < until);
  say({ blocked: true, ...seen(lock) })
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
