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

/**
 * So many bytes may be under way over a route without a fate; the rest waits for the fates of these. It is far less than a
 * link's queue may hold (main.ts): what a new route is sent at once would otherwise close that very link.
 */
const windowBytes = 4 * 1024 * 1024

/** What its maker learns of a command, in this order: perhaps `queued`, then one of the others, once. */
export type Fate =
  | { readonly kind: 'queued'; readonly index: Index }
  | { readonly kind: 'outcome'; readonly index: Index; readonly result: Exclude<Result, { kind: 'queued' }> }
  /** A snapshot came in place of the entry that would have told: whether it was done will never be known (H19). */
  | { readonly kind: 'jumpedOver' }
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

interface OpenSending extends Sending {
  readonly commands: Uint8Array[]
}

/** Bytes of commands in one frame. */
const partBytesMax = 256 * 1024

/** Splits a sending so that each part goes into a frame. */
export function inParts({ sending, commands }: Sending): readonly Sending[] {
  const parts: Sending[] = []
  for (let start = 0; start < commands.length;) {
    let [end, bytes] = [start, 0]
    while (end < commands.length && (end === start || bytes < partBytesMax)) bytes += commands[end++]?.length ?? 0
    parts.push({ sending, commands: commands.slice(start, end) })
    start = end
  }
  return parts
}

interface OwnCommand extends Submitted {
  readonly submission: Submission
  number: number | null
  /** Empty until it is numbered. */
  bytes: Uint8Array
  /** Sendings that were not refused. */
  readonly sendings: Set<number>
  /** The one of them that went over the present route; null when none did. */
  onRoute: number | null
  abandoned: boolean
}

export interface OwnCommandsParts {
  readonly node: NodeId
  /** Known before the first command is sent. */
  run(): Run
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
  /** Of those before it in `#sent` none has to be sent over the present route. */
  #position = 0
  /** Bytes of those that were. */
  #bytesOnRoute = 0

  constructor(parts: OwnCommandsParts) {
    this.#parts = parts
    this.#lastSending = parts.lastSending
  }

  submit(submission: Submission): Submitted {
    const command: OwnCommand = {
      submission,
      number: null,
      bytes: new Uint8Array(0),
      sendings: new Set(),
      onRoute: null,
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
    for (const command of this.#sent) this.#leaveRoute(command)
    this.#position = 0
  }

  /**
   * What to send now over the present route, in the order of numbers, as far as the window allows; null when there is
   * nothing. Nothing new is sent before all that must go again.
   */
  nextSending(ready: boolean): Sending | null {
    const sending: OpenSending = { sending: this.#lastSending + 1, commands: [] }
    while (this.#position < this.#sent.length && this.#bytesOnRoute < windowBytes) {
      const command = this.#sent[this.#position++]
      if (command !== undefined && !command.abandoned && command.onRoute === null) this.#put(command, sending)
    }
    if (this.#position === this.#sent.length) this.#putUnsent(ready, sending)
    if (sending.commands.length === 0) return null
    this.#lastSending = sending.sending
    return sending
  }

  /**
   * `numbers` of that sending were not appended by it. Those of which no other sending is left are certainly not done; of
   * the others nothing is known, and they go again before anything new. A leader that does not lead has not taken what
   * came behind them either; one that has no room may have, and its load must not grow by copies of that.
   *
   * Returns whether the next sending should wait, because it would only be refused like this one.
   */
  refused(sending: number, reason: ForwardRefusal, numbers: readonly number[]): boolean {
    const refused = new Set(numbers)
    const hopeless = new Set<OwnCommand>()
    let [again, shouldWait] = [Infinity, false]
    for (const [position, command] of this.#sent.entries()) {
      if (!refused.has(command.number ?? 0) || !command.sendings.delete(sending)) continue
      const isLast = command.sendings.size === 0
      if (isLast) hopeless.add(command)
      // Otherwise a later copy is under way, and this speaks of a route that we have left.
      if (command.onRoute !== sending) continue
      this.#leaveRoute(command)
      if (!isLast) again = Math.min(again, position)
      // Where there is no room even for those that may use the reserve, there is none for anything.
      shouldWait ||= reason === 'notLeader' || !isLast || !bringsWork(command.submission.command)
    }
    if (reason === 'notLeader') for (const command of this.#sent.slice(again)) this.#leaveRoute(command)
    this.#position = Math.min(this.#position, again)
    this.#dropSent(hopeless)
    for (const command of hopeless) command.submission.learn({ kind: 'notDone', reason })
    return shouldWait
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

  /**
   * A snapshot was installed whose state has applied our commands up to `number`: nothing is concluded from that number.
   * `told` says what a command that has not been answered is told by that state; null: nothing.
   */
  installed(
    number: number,
    index: Index,
    told: (command: UnstampedCommand, number: number) => Exclude<Result, { kind: 'done' }> | null,
  ): void {
    const waited = [...this.#queued.values()]
    for (const command of [...waited, ...this.#takeUpTo(number)]) {
      const ownNumber = command.number ?? 0
      const result = told(command.submission.command, ownNumber)
      const wasQueued = this.#queued.delete(ownNumber)
      if (result === null) {
        command.submission.learn({ kind: 'jumpedOver' })
      } else if (result.kind !== 'queued') {
        command.submission.learn({ kind: 'outcome', index, result })
      } else {
        this.#queued.set(ownNumber, command)
        if (!wasQueued) command.submission.learn({ kind: 'queued', index })
      }
    }
  }

  /**
   * Every command that comes later of the run in which these were numbered is passed over, and what was applied of it has
   * been seen; but what was queued was nobody's any more when the run ended.
   */
  runEnded(): void {
    for (const { submission } of this.#takeUpTo(this.#lastNumber))
      submission.learn({ kind: 'notDone', reason: 'passedOver' })
    const queued = [...this.#queued.values()]
    this.#queued.clear()
    for (const { submission } of queued) submission.learn({ kind: 'jumpedOver' })
  }

  /** Nothing more will be said to this command, which had been applied as `queued`. */
  forget(number: number): void {
    this.#queued.delete(number)
  }

  /** Commands that have no fate yet, for metrics and limits. */
  get size(): number {
    return this.#unsent.size + this.#sent.length + this.#queued.size
  }

  #putUnsent(ready: boolean, sending: OpenSending): void {
    const { node } = this.#parts
    const run = this.#parts.run()
    const takenInAt = this.#parts.clusterTime()
    for (const command of this.#unsent) {
      if (this.#bytesOnRoute >= windowBytes) break
      if (!ready && bringsWork(command.submission.command)) continue
      this.#unsent.delete(command)
      command.number = ++this.#lastNumber
      const origin = { node, run, number: command.number }
      // Nothing of it has left before, so that it is as old as its first copy; a later copy has the same bytes (H15).
      command.bytes = encodeCommand({ origin, command: stamped(command.submission.command, takenInAt) })
      this.#sent.push(command)
      this.#put(command, sending)
    }
    this.#position = this.#sent.length
  }

  #put(command: OwnCommand, { sending, commands }: OpenSending): void {
    command.sendings.add(sending)
    command.onRoute = sending
    this.#bytesOnRoute += command.bytes.length
    commands.push(command.bytes)
  }

  #leaveRoute(command: OwnCommand): void {
    if (command.onRoute === null) return
    command.onRoute = null
    this.#bytesOnRoute -= command.bytes.length
  }

  /** Removes and returns the sent commands up to `number`. */
  #takeUpTo(number: number): OwnCommand[] {
    let count = 0
    while ((this.#sent[count]?.number ?? Infinity) <= number) count++
    this.#position = Math.max(0, this.#position - count)
    const taken = this.#sent.splice(0, count)
    for (const command of taken) this.#leaveRoute(command)
    return taken
  }

  #dropSent(dropped: ReadonlySet<OwnCommand>): void {
    if (dropped.size === 0) return
    const kept: OwnCommand[] = []
    let keptBefore = 0
    for (const [position, command] of this.#sent.entries()) {
      if (dropped.has(command)) {
        this.#leaveRoute(command)
        continue
      }
      if (position < this.#position) keptBefore++
      kept.push(command)
    }
    this.#sent = kept
    this.#position = keptBefore
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
