// The keeper of a real process, with its thread: what that sends, and that it ends when it is closed. That it goes on while
// the event loop is blocked is shown with real processes (test/cluster/keeper.test.ts).
import t from 'tap'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../src/client/clock.ts'
import type { HoldfastError } from '../../src/client/errors.ts'
import { threadKeeper } from '../../src/client/keeper-thread.ts'
import type { Keeper, Kept, Lease } from '../../src/client/keeper.ts'

interface Renewal {
  readonly path: string | undefined
  readonly body: unknown
}

/** A server that takes renewals, and answers what the test says. */
class Renewals {
  readonly seen: Renewal[] = []
  status = 200
  answer: object = { token: 7, validForMs: 29_000 }
  readonly #server = createServer((request, answer) => {
    let text = ''
    request.on('data', (chunk) => (text += chunk))
    request.on('end', () => {
      this.seen.push({ path: request.url, body: JSON.parse(text) })
      this.#server.emit('renewal')
      answer.writeHead(this.status, { 'content-type': 'application/json' }).end(JSON.stringify(this.answer))
    })
  })

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    t.teardown(() => this.#server.close().closeAllConnections())
    const address = this.#server.address()
    return `http://127.0.0.1:${isPort(address) ? address.port : 0}`
  }

  async next(): Promise<Renewal | undefined> {
    await once(this.#server, 'renewal')
    return this.seen.at(-1)
  }
}

function isPort(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}

function hold(keeper: Keeper, lease: Partial<Lease> = {}): Kept {
  return keeper.hold({
    what: { kind: 'lock', lock: 'a/b', token: 7 },
    ttlMs: 30_000,
    sentAt: systemClock.now(),
    validForMs: 29_000,
    onLost: 'abort',
    lost: () => {},
    ...lease,
  })
}

/** Sent so long ago that its renewal is due. */
function longAgo(): Lease['sentAt'] {
  const { monotonicMs, sinceBootMs } = systemClock.now()
  return { monotonicMs: monotonicMs - 15_000, sinceBootMs: sinceBootMs === null ? null : sinceBootMs - 15_000 }
}

t.test('the thread renews what is due, and this one hears of it', async (t) => {
  const server = new Renewals()
  const keeper = threadKeeper({ endpoints: [await server.listen()], followLeader: true })
  const renewal = server.next()
  const kept = hold(keeper, { sentAt: longAgo() })
  t.ok(kept.remainingMs() < 14_000)
  t.same(await renewal, { path: '/v1/locks/a%2Fb/renew', body: { token: 7 } })
  while (kept.remainingMs() < 25_000) await new Promise((resolve) => setImmediate(resolve))
  t.equal(server.seen.length, 1)
  await keeper.close()
  t.equal(kept.remainingMs(), 0)
})

t.test('when a node says that a session is over, this one is told', async (t) => {
  const server = new Renewals()
  server.answer = { renewed: [], gone: ['s-1'] }
  const keeper = threadKeeper({ endpoints: [await server.listen()], followLeader: true })
  const reason = await new Promise<HoldfastError>((resolve) => {
    hold(keeper, { what: { kind: 'session', session: 's-1' }, sentAt: longAgo(), lost: resolve })
  })
  t.match(reason, { code: 'lock_lost', details: { session: 's-1' }, message: /session_ended/ })
  t.same(server.seen, [{ path: '/v1/sessions/renew', body: { sessions: ['s-1'] } }])
  await keeper.close()
})

t.test('one that held nothing has no thread to end, and closing twice is harmless', async (t) => {
  const keeper = threadKeeper({ endpoints: ['http://127.0.0.1:1'], followLeader: true })
  await keeper.close()
  await keeper.close()
  t.equal(hold(keeper).remainingMs() > 0, true, 'what is held afterwards lasts as long as it lasts')
  await keeper.close()
})
