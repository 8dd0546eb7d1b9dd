// The signals that `holdfast run` gets. As long as there is no command, those that mean "end" end the wait for the lock;
// then every signal goes to the command, which decides what it means. Nothing here ends this process: its end is that of
// its command.
import { constants } from 'node:os'

const ending: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']
const others: readonly NodeJS.Signals[] = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGTSTP', 'SIGCONT']

export type TakeSignal = (signal: NodeJS.Signals) => void

export class SignalDesk implements Disposable {
  readonly #ended = new AbortController()
  #first: NodeJS.Signals | null = null
  #taker: TakeSignal | null = null
  readonly #listener = (signal: NodeJS.Signals): void => this.#take(signal)

  constructor() {
    for (const signal of [...ending, ...others]) process.on(signal, this.#listener)
  }

  /** Aborts at the first signal that means "end" and that nobody took. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** The exit code of a process that such a signal ended; null when there was none. */
  get code(): number | null {
    return this.#first === null ? null : signalCode(this.#first)
  }

  /** From now on all signals are the taker's; null: nobody's again. */
  deliverTo(taker: TakeSignal | null): void {
    this.#taker = taker
  }

  /** As if this signal had come and nobody had taken it; null: an end that was wished for. */
  end(signal: NodeJS.Signals | null): void {
    if (!this.#ended.signal.aborted) this.#first = signal
    this.#ended.abort()
  }

  [Symbol.dispose](): void {
    for (const signal of [...ending, ...others]) process.off(signal, this.#listener)
  }

  #take(signal: NodeJS.Signals): void {
    if (this.#taker !== null) return this.#taker(signal)
    if (signal === 'SIGTSTP') process.kill(process.pid, 'SIGSTOP')
    if (ending.includes(signal)) this.end(signal)
  }
}

/** As shells tell the end by a signal. */
export function signalCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
