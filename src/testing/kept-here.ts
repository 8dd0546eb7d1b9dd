// The keeper of a client of the kit: the real parts that keep leases alive (client/keeper.ts, client/renewer.ts), without a
// thread between them. Both run on the client's machine: its pauses stop the renewals as well.
import { ExchangeError } from '../client/exchange.ts'
import { LeaseKeeper } from '../client/keeper.ts'
import type { Keeper, KeeperOptions, LinkEvents, RenewerLink } from '../client/keeper.ts'
import type { FromRenewer, LeaseName, ToRenewer } from '../client/keeper-messages.ts'
import type { RenewalFailure } from '../client/keeping.ts'
import { Renewer } from '../client/renewer.ts'
import type { RenewerParts } from '../client/renewer.ts'
import type { ClientMachine } from './client-machine.ts'

/** What a node shows of a holder. */
export interface HeldName {
  readonly lock: string
  readonly token: number
  /** null: the lock has a TTL of its own. */
  readonly session: string | null
}

export class KeptHere {
  readonly keeper: Keeper
  readonly #options: KeeperOptions
  readonly #machine: ClientMachine
  readonly #end: (how: 'exit' | 'kill') => void
  /** What the one says to the other and was not heard yet. */
  readonly #orders: ToRenewer[] = []
  readonly #news: FromRenewer[] = []
  /** By the numbers of the leases. */
  readonly #held = new Map<number, LeaseName>()

  constructor(options: KeeperOptions, machine: ClientMachine, end: (how: 'exit' | 'kill') => void) {
    this.#options = options
    this.#machine = machine
    this.#end = end
    this.keeper = new LeaseKeeper({
      clock: machine.clock,
      setTimer: (delayMs, fire) => machine.setTimer(delayMs, fire),
      connect: (events) => this.#connect(events),
      exit: () => end('exit'),
    })
  }

  holds(name: HeldName): boolean {
    return [...this.#held.values()].some((held) => isSame(held, name))
  }

  /** As if the answer to a renewal had just said so. */
  lose(name: HeldName): void {
    for (const [id, held] of this.#held) {
      if (!isSame(held, name)) continue
      const code = held.kind === 'lock' ? 'token_stale' : 'session_ended'
      this.#order({ kind: 'givenUp', id })
      this.#news.push({ kind: 'lost', id, why: { kind: 'ended', code, endedBy: 'expired' } })
    }
    this.#tell()
  }

  #order(order: ToRenewer): void {
    if (order.kind === 'hold') this.#held.set(order.lease.id, order.lease.what)
    else this.#held.delete(order.id)
    this.#orders.push(order)
  }

  #tell: () => void = () => {}

  #connect(events: LinkEvents): RenewerLink {
    const machine = this.#machine
    const renewer = new Renewer(this.#options, this.#renewerParts())
    this.#tell = () => {
      for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) events.news(news)
    }
    return {
      post: (order) => {
        this.#order(order)
        machine.soon(() => renewer.run())
      },
      receive: () => this.#news.shift(),
      close: () => Promise.resolve(),
    }
  }

  #renewerParts(): RenewerParts {
    const machine = this.#machine
    return {
      clock: machine.clock,
      random: () => machine.random(),
      setTimer: (delayMs, fire) => machine.setTimer(delayMs, fire),
      receive: () => this.#orders.shift(),
      post: (news) => {
        this.#news.push(news)
        machine.soon(() => this.#tell())
      },
      send: (call, { answered, failed }) => {
        const cancelled = new AbortController()
        const { signal } = cancelled
        machine.exchange({ ...call, method: 'POST', signal }).then(
          (answer) => {
            if (!signal.aborted) answered(answer)
          },
          (error: unknown) => {
            if (!signal.aborted) failed(failureOf(error))
          },
        )
        return { cancel: () => cancelled.abort() }
      },
      kill: () => this.#end('kill'),
    }
  }
}

function failureOf(error: unknown): RenewalFailure {
  const wasStale = error instanceof ExchangeError && error.wasStale
  return { why: error instanceof Error ? error.message : String(error), wasStale }
}

function isSame(held: LeaseName, { lock, token, session }: HeldName): boolean {
  return held.kind === 'lock' ? held.lock === lock && held.token === token : held.session === session
}
