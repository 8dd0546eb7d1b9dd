// The machine, as it were, that a client of the kit runs on: everything it knows of the world goes through here, so that it
// can be paused as by SIGSTOP, cut off from nodes, or ended, while the test around it goes on. Its clock is never stopped:
// a paused process finds out how late it is when it goes on.
import type { Clock } from '../client/clock.ts'
import { ExchangeError } from '../client/exchange.ts'
import type { ExchangeAnswer, ExchangeRequest } from '../client/exchange.ts'
import type { Keeper, KeeperOptions } from '../client/keeper.ts'
import type { Surroundings } from '../client/surroundings.ts'
import type { Timer } from '../node/host.ts'
import type { Chance } from './chance.ts'
import { KeptHere } from './kept-here.ts'
import type { HeldName } from './kept-here.ts'
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

export class ClientMachine implements Surroundings {
  readonly clock: Clock
  readonly #parts: ClientMachineParts
  readonly #keepers: KeptHere[] = []
  #isPaused = false
  #isOver = false
  /** What is held up by a pause or a cut, in the order in which it came. */
  #waiting: Waiting[] = []

  constructor(parts: ClientMachineParts) {
    this.#parts = parts
    this.clock = { now: () => ({ monotonicMs: parts.time.now(), sinceBootMs: null }) }
  }

  setTimer(delayMs: number, fire: () => void): Timer {
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

  random(): number {
    return this.#parts.chance.random()
  }

  randomId(): string {
    return this.#parts.chance.randomId()
  }

  /** Runs `run` soon, unless the machine is paused: then when it goes on. */
  soon(run: () => void): void {
    this.#parts.time.soon(() => this.#whenRunning(run))
  }

  /** Rejects with an ExchangeError. */
  exchange(request: ExchangeRequest): Promise<ExchangeAnswer> {
    const { endpoint, timeoutMs, signal } = request
    return new Promise((resolve, reject) => {
      const hangUp = new AbortController()
      const giveUp = (kind: 'silent' | 'aborted', why: string): void => {
        end()
        reject(new ExchangeError(kind, `${endpoint}: ${why}`, { mayBeDone: true }))
        hangUp.abort()
      }
      const onAbort = (): void => giveUp('aborted', 'given up')
      const timer = this.setTimer(timeoutMs, () => giveUp('silent', `no answer within ${timeoutMs} ms`))
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

  createKeeper(options: KeeperOptions): Keeper {
    const keeper = new KeptHere(options, this, (how) => this.#endBy(how))
    this.#keepers.push(keeper)
    return keeper.keeper
  }

  close(): void {
    this.#parts.transport.close()
  }

  /** Whether its client holds that, as far as the client knows. */
  holds(name: HeldName): boolean {
    return this.#keepers.some((keeper) => keeper.holds(name))
  }

  /** Its client learns, as from a node, that it has ended. */
  lose(name: HeldName): void {
    this.#whenRunning(() => {
      for (const keeper of this.#keepers) keeper.lose(name)
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
    // Not past those who wait for the same.
    if (mayGoOn()) goOn()
    else this.#waiting.push({ mayGoOn, goOn })
  }
}
