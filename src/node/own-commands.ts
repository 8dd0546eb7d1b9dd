// The commands of this node on their way to the log (DESIGN 5, "every command once"). A command gets its number when it
// is first sent and keeps it; on every new route to a leader the unanswered ones are sent again, in order, unchanged,
// before any new one. What became of each is read from what this node applies: an outcome, or a later number that
// passed it over. Only then, or when every single sending of it was refused before appending (H18), is it certain.
import { assert } from '../assert.ts'
import { encodeCommand } from '../codec/command.ts'
import type { ForwardRefusal } from '../codec/frame.ts'
import type { ClusterTime, Index, NodeId, Run } from '../ids.ts'
import type { Command } from '../lockfsm/command.ts'
import type { Outcome, Result } from '../lockfsm/outcome.ts'

/** What its maker learns of a command, in this order: perhaps `queued`, then one of the others, once. */
export type Fate =
  | { readonly kind: 'queued'; readonly index: Index }
  | { readonly kind: 'outcome'; readonly index: Index; readonly result: Exclude<Result, { kind: 'queued' }> }
  /** Certainly not done. It may be submitted again, as a new command. */
  | { readonly kind: 'notDone'; readonly reason: 'passedOver' | ForwardRefusal }

/** A command whose maker leaves the time at which it was taken in to us. */
export type UnstampedCommand = Unstamped<Command>
export type Unstamped<T> = T extends { readonly takenInAt: ClusterTime } ? Omit<T, 'takenInAt'> : T

export interface Submission {
  readonly command: UnstampedCommand
  learn(fate: Fate): void
}

/** A command that was submitted and has no fate yet. */
export interface Submitted {
  /** null until it is first sent; then the name of the attempt it makes. */
  readonly number: number | null
  /** Takes it back if it never left; false when it has left, and may be in a log. */
  takeBack(): boolean
  /** Nobody waits for it any more: it is not sent again, but its fate is still learned. */
  abandon(): void
}

export interface Submitter {
  submit(submission: Submission): Submitted
}

/** Commands sent together; refusals name the sending. */
export interface Sending {
  readonly sending: number
  readonly commands: readonly Uint8Array[]
}

interface OwnCommand extends Submitted {
  readonly submission: Submission
  number: number | null
  bytes: Uint8Array | null
  /** Sendings that were not refused. */
  readonly sendings: Set<number>
  abandoned: boolean
}

export interface OwnCommandsParts {
  readonly node: NodeId
  readonly run: Run
  /** What this node has applied now. */
  clusterTime(): ClusterTime
  /**
   * Sendings are named by the numbers behind it. It must be far from those of other runs of this node: a refusal names
   * a sending and no run, and one that speaks of an earlier run must not be taken for ours.
   */
  readonly lastSending: number
}

export class OwnCommands implements Submitter {
  readonly #parts: OwnCommandsParts
  #lastNumber = 0
  #lastSending: number
  /** Not yet numbered, in the order of submission. */
  readonly #unsent = new Set<OwnCommand>()
  /** Numbered and without a fate, ascending. */
  #sent: OwnCommand[] = []
  /** Applied as `queued`: the answer comes in a later entry. */
  readonly #queued = new Map<number, OwnCommand>()
  /** How many of `#sent` have been sent over the present route. */
  #sentOnRoute = 0

  constructor(parts: OwnCommandsParts) {
    this.#parts = parts
    this.#lastSending = parts.lastSending
  }

  submit(submission: Submission): Submitted {
    const command: OwnCommand = {
      submission,
      number: null,
      bytes: null,
      sendings: new Set(),
      abandoned: false,
      takeBack: () => {
        if (command.number !== null) return false
        this.#unsent.delete(command)
        return true
      },
      abandon: () => {
        command.abandoned = true
      },
    }
    this.#unsent.add(command)
    return command
  }

  /** The leader is another, or the link to it is new: everything unanswered must be sent again (H20). */
  routeChanged(): void {
    this.#sentOnRoute = 0
  }

  /** What to send now over the present route, in the order of numbers; null when there is nothing. */
  nextSending(ready: boolean): Sending | null {
    const again = this.#sent.slice(this.#sentOnRoute).filter((command) => !command.abandoned)
    const fresh = this.#takeUnsent(ready)
    this.#sentOnRoute = this.#sent.length
    if (again.length + fresh.length === 0) return null
    const sending = ++this.#lastSending
    const commands: Uint8Array[] = []
    for (const command of [...again, ...fresh]) {
      command.sendings.add(sending)
      if (command.bytes !== null) commands.push(command.bytes)
    }
    return { sending, commands }
  }

  /**
   * `numbers` of that sending were not appended by it. Those of which no other sending is left are certainly not done; of
   * the others nothing is known, and they are sent again, with all behind them, so that none passes them over.
   */
  refused(sending: number, reason: ForwardRefusal, numbers: readonly number[]): void {
    const refused = new Set(numbers)
    const hopeless = new Set<OwnCommand>()
    for (const [position, command] of this.#sent.entries()) {
      if (!refused.has(command.number ?? 0) || !command.sendings.delete(sending)) continue
      if (command.sendings.size === 0) hopeless.add(command)
      else this.#sentOnRoute = Math.min(this.#sentOnRoute, position)
    }
    if (hopeless.size === 0) return
    this.#dropSent(hopeless)
    for (const command of hopeless) command.submission.learn({ kind: 'notDone', reason })
  }

  /** An outcome addressed to this run of this node has been applied at `index`. */
  applied({ to, result }: Outcome, index: Index): void {
    const waiting = this.#queued.get(to.number)
    if (waiting !== undefined) {
      assert(result.kind !== 'queued', 'a command is queued once')
      this.#queued.delete(to.number)
      waiting.submission.learn({ kind: 'outcome', index, result })
      return
    }
    const passedOver = this.#takeUpTo(to.number)
    const command = passedOver.at(-1)?.number === to.number ? passedOver.pop() : undefined
    for (const { submission } of passedOver) submission.learn({ kind: 'notDone', reason: 'passedOver' })
    if (command === undefined) return
    if (result.kind === 'queued') {
      this.#queued.set(to.number, command)
      command.submission.learn({ kind: 'queued', index })
    } else {
      command.submission.learn({ kind: 'outcome', index, result })
    }
  }

  /** Nothing more will be said to this command, which had been applied as `queued`. */
  forget(number: number): void {
    this.#queued.delete(number)
  }

  /** Commands that have no fate yet, for metrics and limits. */
  get size(): number {
    return this.#unsent.size + this.#sent.length + this.#queued.size
  }

  #takeUnsent(ready: boolean): readonly OwnCommand[] {
    const { node, run } = this.#parts
    const takenInAt = this.#parts.clusterTime()
    const fresh: OwnCommand[] = []
    for (const command of this.#unsent) {
      if (!ready && bringsWork(command.submission.command)) continue
      this.#unsent.delete(command)
      fresh.push(command)
      command.number = ++this.#lastNumber
      const origin = { node, run, number: command.number }
      // Nothing of it has left before, so that it is as old as its first copy; a later copy has the same bytes (H15).
      command.bytes = encodeCommand({ origin, command: stamped(command.submission.command, takenInAt) })
      this.#sent.push(command)
    }
    return fresh
  }

  /** Removes and returns the sent commands up to `number`. */
  #takeUpTo(number: number): OwnCommand[] {
    let count = 0
    while ((this.#sent[count]?.number ?? Infinity) <= number) count++
    this.#sentOnRoute = Math.max(0, this.#sentOnRoute - count)
    return this.#sent.splice(0, count)
  }

  #dropSent(dropped: ReadonlySet<OwnCommand>): void {
    const kept: OwnCommand[] = []
    let keptOnRoute = 0
    for (const [position, command] of this.#sent.entries()) {
      if (dropped.has(command)) continue
      if (position < this.#sentOnRoute) keptOnRoute++
      kept.push(command)
    }
    this.#sent = kept
    this.#sentOnRoute = keptOnRoute
  }
}

/**
 * Whether the command brings work rather than ends some. Only such a one carries the time that its node has applied,
 * which must not lag, so that it waits until the node is ready (DESIGN 5, "no late copies"); all others may use the
 * reserves that are kept for them (DESIGN 3).
 */
export function bringsWork({ kind }: Pick<Command, 'kind'>): boolean {
  return kind === 'acquire' || kind === 'openSession'
}

function stamped(command: UnstampedCommand, takenInAt: ClusterTime): Command {
  return command.kind === 'acquire' || command.kind === 'openSession' ? { ...command, takenInAt } : command
}
