// Session renewals of this node's clients, packed (DESIGN 4): the first goes at once, those of the next 50 ms together
// as one command with a list. Every renewal is answered by the outcome of the very command that carried it, and shares
// a command only with renewals that had arrived before it was sent (H1).
import type { SessionRenewal } from '../lockfsm/command.ts'
import type { Fate, Submission, Submitted, Submitter } from './own-commands.ts'

const gatherMs = 50
/** Renewals in one command, unless a single call brings more. */
const renewalsMax = 2000

interface Gathered extends Submitted {
  readonly submission: Submission
  readonly renewals: readonly SessionRenewal[]
  number: number | null
}

export class Renewals implements Submitter {
  readonly #commands: Submitter
  /** In the order of their arrival. */
  readonly #gathered = new Set<Gathered>()
  #nextAt = -Infinity

  constructor(commands: Submitter) {
    this.#commands = commands
  }

  submit(submission: Submission): Submitted {
    const { command } = submission
    const gathered: Gathered = {
      submission,
      renewals: command.kind === 'renewSessions' ? command.renewals : [],
      number: null,
      takeBack: () => this.#gathered.delete(gathered),
      // A renewal does no harm at any age.
      abandon: () => {},
    }
    this.#gathered.add(gathered)
    return gathered
  }

  /** When `flush` has something to do; Infinity when nothing is gathered. */
  get wakeAt(): number {
    return this.#gathered.size === 0 ? Infinity : this.#nextAt
  }

  /** Packs what has gathered, if its time has come. To be called only while commands can be sent. */
  flush(now: number): void {
    if (now < this.wakeAt || this.#gathered.size === 0) return
    this.#nextAt = now + gatherMs
    const gathered = [...this.#gathered]
    this.#gathered.clear()
    for (let start = 0; start < gathered.length;) {
      let [end, size] = [start, 0]
      while (end < gathered.length && (end === start || size < renewalsMax))
        size += gathered[end++]?.renewals.length ?? 0
      this.#pack(gathered.slice(start, end))
      start = end
    }
  }

  #pack(group: readonly Gathered[]): void {
    const renewals = group.flatMap((gathered) => gathered.renewals)
    this.#commands.submit({ command: { kind: 'renewSessions', renewals }, learn: (fate) => distribute(group, fate) })
  }
}

/** Tells each its part of what became of the command that carried all. */
function distribute(group: readonly Gathered[], fate: Fate): void {
  let start = 0
  for (const { submission, renewals } of group) {
    const end = start + renewals.length
    if (fate.kind === 'outcome' && fate.result.kind === 'sessionsRenewed') {
      const result = { ...fate.result, renewals: fate.result.renewals.slice(start, end) }
      submission.learn({ ...fate, result })
    } else {
      submission.learn(fate)
    }
    start = end
  }
}
