// Attempts whose clients were not and will not be answered with a grant (DESIGN 5). They are gathered over a turn, and a
// withdrawal that was not done is made again under a new number until it is: a forgotten one would leave a lock held by
// nobody.
import type { WithdrawnAttempt } from '../lockfsm/command.ts'
import type { Submitter } from './own-commands.ts'

const attemptsMax = 1000

export class Withdrawals {
  readonly #commands: Submitter
  readonly #withdrawn: (attempt: WithdrawnAttempt) => void
  #pending: WithdrawnAttempt[] = []

  /** `withdrawn`: the attempt is in no set any more, nothing will be said to it. */
  constructor(commands: Submitter, withdrawn: (attempt: WithdrawnAttempt) => void) {
    this.#commands = commands
    this.#withdrawn = withdrawn
  }

  /** Whether all that was added has been handed on. */
  get isEmpty(): boolean {
    return this.#pending.length === 0
  }

  add(attempt: WithdrawnAttempt): void {
    this.#pending.push(attempt)
  }

  /** Submits what has gathered. To be called only while commands can be sent. */
  flush(): void {
    while (this.#pending.length > 0) {
      const attempts = this.#pending.splice(0, attemptsMax)
      this.#commands.submit({
        command: { kind: 'withdraw', attempts },
        learn: (fate) => {
          if (fate.kind === 'outcome') attempts.forEach(this.#withdrawn)
          else if (fate.kind !== 'queued') this.#pending.push(...attempts)
        },
      })
    }
  }
}
