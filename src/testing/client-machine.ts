// The machine, as it were, that a client of the kit runs on: everything it knows of the world goes through here, so that it
// can be paused as by SIGSTOP, cut off from nodes, or ended, while the test around it goes on. Its clock is never stopped:
// a paused process finds out how late it is when it goes on.
import { ExchangeError } from '../client/exchange.ts'
import type { ExchangeAnswer, ExchangeRequest } from '../client/exchange.ts'
import { nearbyKeeper } from '../client/keeper-nearby.ts'
import type { Keeper, KeeperOptions } from '../client/keeper.ts'
import type { Surroundings } from '../client/surroundings.ts'
import type { Timer } from '../node/host.ts'
import type { Chance } from './chance.ts'
import { HeldLeases } from './held-leases.ts'
import type { Holder } from './held-leases.ts'
import type { Time } from './time.ts'

export interface ClientMachineParts {
  readonly time: Time
  readonly chance: Chance
  /** One HTTP exchange with a node that can be reached. */
  readonly transport: { exchange(request: ExchangeRequest): Promise<ExchangeAnswer>; close(): void }
  isCutOff(machine: ClientMachine, endpoint: string): boolean
  /** In place of the end of the process, which `onLost` asked for. */
  readonly ended: (how: 'exit' | 'kill') => void
}

interface Waiting {
  readonly mayGoOn: () => boolean
  readonly goOn: () => void
}

export class ClientMachine {
  /** What the client is given. */
  readonly surroundings: Surroundings
  readonly #parts: ClientMachineParts
  readonly #leases = new HeldLeases()
  #isPaused = false
  #isOver = false
  /** What is held up by a pause or a cut, in the order in which it came. */
  #waiting: Waiting[] = []

  constructor(parts: ClientMachineParts) {
    const { time, chance, transport } = parts
    this.#parts = parts
    this.surroundings = {
      clock: { now: () => ({ monotonicMs: time.now(), sinceBootMs: null }) },
      setTimer: (delayMs, fire) => this.#setTimer(delayMs, fire),
      random: () => chance.random(),
      randomId: () => chance.randomId(),
      exchange: (request) => this.#exchange(request),
      createKeeper: (options) => this.#createKeeper(options),
      close: () => transport.close(),
    }
  }

  /** Whether its client holds that, as far as the client knows. */
  holds(holder: Holder): boolean {
    return this.#leases.has(holder)
  }

  /** Its client learns, as from a node, that it has ended. */
  lose(holder: Holder): void {
    this.#whenRunning(() => {
      for (const onLost of this.#leases.lose(holder)) if (onLost !== 'abort') this.#endBy(onLost)
    })
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.flush()
  }

  /** A pause or a cut may be over. */
  flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) {
      if (each.mayGoOn()) each.goOn()
      else this.#waiting.push(each)
    }
  }

  /** Nothing happens on it any more, and its connections are gone. */
  end(): void {
    this.#isOver = true
    this.#waiting = []
    this.#parts.transport.close()
  }

  #createKeeper(options: KeeperOptions): Keeper {
    const { surroundings } = this
    const ends = { exit: () => this.#endBy('exit'), kill: () => this.#endBy('kill') }
    return this.#leases.watch(nearbyKeeper(options, { surroundings, ...ends }))
  }

  #setTimer(delayMs: number, fire: () => void): Timer {
    let isCancelled = false
    const timer = this.#parts.time.setTimer(delayMs, () => {
      this.#whenRunning(() => {
        if (!isCancelled) fire()
      })
    })
    return {
      cancel: () => {
        isCancelled = true
        timer.cancel()
      },
    }
  }

  /** Rejects with an ExchangeError. */
  #exchange(request: ExchangeRequest): Promise<ExchangeAnswer> {
    const { endpoint, timeoutMs, signal } = request
    return new Promise((resolve, reject) => {
      const hangUp = new AbortController()
      const giveUp = (kind: 'silent' | 'aborted', why: string): void => {
        end()
        reject(new ExchangeError(kind, `${endpoint}: ${why}`, { mayBeDone: true }))
        hangUp.abort()
      }
      const onAbort = (): void => giveUp('aborted', 'given up')
      const timer = this.#setTimer(timeoutMs, () => giveUp('silent', `no answer within ${timeoutMs} ms`))
      const end = (): void => {
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
      }
      if (signal?.aborted === true) return onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      const pass = (goOn: () => void): void => {
        this.#whenReachable(endpoint, () => {
          if (!hangUp.signal.aborted) goOn()
        })
      }
      pass(() => {
        this.#parts.transport.exchange({ ...request, signal: hangUp.signal }).then(
          (answer) => pass(() => (end(), resolve(answer))),
          (error: unknown) => pass(() => (end(), reject(error))),
        )
      })
    })
  }

  #endBy(how: 'exit' | 'kill'): void {
    if (this.#isOver) return
    this.end()
    this.#parts.ended(how)
  }

  #whenRunning(goOn: () => void): void {
    this.#when(() => !this.#isPaused, goOn)
  }

  #whenReachable(endpoint: string, goOn: () => void): void {
    this.#when(() => !this.#isPaused && !this.#parts.isCutOff(this, endpoint), goOn)
  }

  #when(mayGoOn: () => boolean, goOn: () => void): void {
    if (this.#isOver) return
    if (mayGoOn()) goOn()
    else this.#waiting.push({ mayGoOn, goOn })
  }
}
