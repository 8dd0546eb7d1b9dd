// A client beside a real node of one member, in one process and without sockets: what the client sends is injected into
// the HTTP server, and a test sees every exchange, may hold one back or let it fail. Leases are kept by nobody: a test
// says when one is lost. Time is real, but nothing waits for it: TTLs are long.
import type { Test } from 'tap'
import { elapsedMs, systemClock } from '../../src/client/clock.ts'
import { HoldfastError } from '../../src/client/errors.ts'
import { ExchangeError } from '../../src/client/exchange.ts'
import type { ExchangeAnswer, ExchangeRequest } from '../../src/client/exchange.ts'
import type { Keeper, Kept, Lease } from '../../src/client/keeper.ts'
import { LockClient } from '../../src/client/lock-client.ts'
import type { Surroundings } from '../../src/client/surroundings.ts'
import type { ClientOptions } from '../../src/client/types.ts'
import { ask, eventually, get } from '../http/calling.ts'
import { startOneMember } from '../http/one-member.ts'
import type { OneMember } from '../http/one-member.ts'

/** What a test does to an exchange: `go` passes it to the node and returns its answer. */
export type Meddling = (request: ExchangeRequest, go: () => Promise<ExchangeAnswer>) => Promise<ExchangeAnswer>

export interface WatchedLease extends Lease {
  isForgotten: boolean
  /** The keeper finds it lost. */
  lose(): void
  /** Its time is over by the clock, and no timer has fired yet. */
  runOut(): void
}

export class ManualKeeper implements Keeper {
  readonly leases: WatchedLease[] = []
  isClosed = false

  /** Those that are kept at this moment. */
  get kept(): readonly WatchedLease[] {
    return this.leases.filter(({ isForgotten }) => !isForgotten)
  }

  get last(): WatchedLease {
    const last = this.leases.at(-1)
    if (last === undefined) throw new Error('nothing was ever kept')
    return last
  }

  hold(lease: Lease): Kept {
    let isOver = false
    const watched: WatchedLease = {
      ...lease,
      isForgotten: false,
      lose: () => {
        if (isOver || watched.isForgotten) return
        isOver = true
        lease.lost(new HoldfastError('lock_lost', 'the test says that it is lost'))
      },
      runOut: () => {
        isOver = true
      },
    }
    this.leases.push(watched)
    const leftMs = (): number => lease.validForMs - elapsedMs({ from: lease.sentAt, to: systemClock.now() })
    return {
      remainingMs: () => (isOver || watched.isForgotten ? 0 : leftMs()),
      forget: () => {
        watched.isForgotten = true
      },
    }
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}

export interface World {
  readonly member: OneMember
  readonly keeper: ManualKeeper
  /** `METHOD path` of everything that was sent, in order. */
  readonly sent: readonly string[]
  readonly client: LockClient
  /** Another client of the same node, with a keeper of its own. */
  other(options?: Partial<ClientOptions>, keeper?: ManualKeeper): LockClient
  meddle(meddling: Meddling | null): void
  holders(lock: string): Promise<readonly string[]>
  /** Waits until so many wait for the lock. */
  queued(lock: string, count: number): Promise<true>
  /** Waits until nobody holds or awaits the lock. */
  free(lock: string): Promise<true>
}

export async function startWorld(t: Test, options: Partial<ClientOptions> = {}): Promise<World> {
  const member = await startOneMember()
  const { app } = member
  const keeper = new ManualKeeper()
  const sent: string[] = []
  let meddling: Meddling | null = null
  const clients: LockClient[] = []

  const exchange = (request: ExchangeRequest): Promise<ExchangeAnswer> => {
    sent.push(`${request.method} ${request.path}`)
    const go = () => inject(member, request)
    return untilGivenUp(meddling === null ? go() : meddling(request, go), request)
  }
  const create = (given: Partial<ClientOptions>, ofClient: ManualKeeper): LockClient => {
    const setup = { endpoints: ['http://node.invalid:7101'], owner: 'tester', ...options, ...given }
    const client = new LockClient(setup, surroundings(exchange, ofClient))
    clients.push(client)
    return client
  }
  t.teardown(async () => {
    meddling = null
    await Promise.all(clients.map((client) => client.close()))
    await member[Symbol.asyncDispose]()
  })

  const view = async (lock: string) => (await get(app, `/v1/locks/${encodeURIComponent(lock)}`)).body
  const holders = async (lock: string): Promise<readonly string[]> => {
    const { holders } = await view(lock)
    return Array.isArray(holders) ? holders.map((holder: { owner: string }) => holder.owner) : []
  }
  const queueLength = async (lock: string) => (await view(lock))['queueLength']
  return {
    member,
    keeper,
    sent,
    client: create({}, keeper),
    other: (given = {}, ofOther = new ManualKeeper()) => create(given, ofOther),
    meddle: (next) => {
      meddling = next
    },
    holders,
    queued: (lock, count) => eventually(async () => ((await queueLength(lock)) === count ? true : null)),
    free: (lock) =>
      eventually(async () => ((await queueLength(lock)) === 0 && (await holders(lock)).length === 0 ? true : null)),
  }
}

function surroundings(exchange: Surroundings['exchange'], keeper: Keeper): Surroundings {
  let last = 0
  return {
    clock: systemClock,
    setTimer: (delayMs, fire) => {
      const timer = setTimeout(fire, delayMs)
      return { cancel: () => clearTimeout(timer) }
    },
    random: Math.random,
    randomId: () => `${Math.floor(Math.random() * 1e15)}`.padStart(24, '0') + `${++last}`.padStart(8, '0'),
    exchange,
    createKeeper: () => keeper,
    close: () => {},
  }
}

async function inject({ app }: OneMember, { method, path, body }: ExchangeRequest): Promise<ExchangeAnswer> {
  const answer = await ask(app, { method, url: path, ...(body === undefined ? {} : { body }) })
  const leader = answer.headers['holdfast-leader']
  return {
    status: answer.status,
    body: answer.text === '' ? null : answer.body,
    leader: typeof leader === 'string' ? leader : null,
    retryAfterMs: null,
  }
}

/** The answer of an exchange that was given up, or has taken too long, is not waited for any more. */
function untilGivenUp(answer: Promise<ExchangeAnswer>, request: ExchangeRequest): Promise<ExchangeAnswer> {
  const { signal, timeoutMs } = request
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new ExchangeError('aborted', 'given up', { mayBeDone: true }))
    if (signal?.aborted === true) onAbort()
    const timer = setTimeout(() => reject(new ExchangeError('silent', 'no answer', { mayBeDone: true })), timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    answer.finally(done).then(resolve, reject)
  })
}

/** A promise and what settles it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
