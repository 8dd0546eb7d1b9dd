// What the client needs of the world: clocks, timers, chance and the network. The parts of the client know nothing else
// of it, so that tests and the testing kit put them into a world where time is a number.
import { randomUUID } from 'node:crypto'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { Exchanges } from './exchange.ts'
import type { ExchangeAnswer, ExchangeRequest } from './exchange.ts'
import { threadKeeper } from './keeper-thread.ts'
import type { Keeper, KeeperOptions } from './keeper.ts'

export interface Timer {
  cancel(): void
}

export interface Surroundings {
  readonly clock: Clock
  /** The process goes on while it is set: somebody waits for it. */
  setTimer(delayMs: number, fire: () => void): Timer
  /** [0, 1) */
  random(): number
  /** What nobody else has: 16 to 128 characters of `[A-Za-z0-9._:-]`. */
  randomId(): string
  /** One HTTP exchange, no repetition. Rejects with an ExchangeError. */
  exchange(request: ExchangeRequest): Promise<ExchangeAnswer>
  /** What renews leases: in a real process a thread of its own. */
  createKeeper(options: KeeperOptions): Keeper
  /** Lets go of idle connections; nothing is exchanged afterwards. */
  close(): void
}

/** A longer one would fire at once. */
const timerMaxMs = 2 ** 31 - 1

export function processSurroundings(): Surroundings {
  const exchanges = new Exchanges()
  return {
    clock: systemClock,
    setTimer: (delayMs, fire) => {
      const timer = setTimeout(fire, Math.min(delayMs, timerMaxMs))
      return { cancel: () => clearTimeout(timer) }
    },
    random: Math.random,
    randomId: randomUUID,
    exchange: (request) => exchanges.exchange(request),
    createKeeper: threadKeeper,
    close: () => exchanges.close(),
  }
}
