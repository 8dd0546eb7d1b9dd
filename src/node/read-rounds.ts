// Linearizable reads of this node's clients. All that arrive in a turn, and all that arrive while a round is under way,
// share the next one; a round that begins after they came proves what they may see (thesis §6.4).
import type { Index } from '../ids.ts'
import { Deadlines } from './deadlines.ts'

/** A read that found no leader is refused after so long. */
const giveUpAfterMs = 3000
/** A round without an answer is asked for again: its frames may be lost. */
const repeatAfterMs = 500

export interface ReadRequest {
  /** Everything committed before the read began has been applied. */
  ready(): void
  /** There was no leader to ask. */
  noLeader(): void
}

interface WaitingRead extends ReadRequest {
  readonly giveUpAt: number
}

export class ReadRounds {
  /** Asks the core for a read index. */
  readonly #ask: (id: number) => void
  #gathered = new Set<WaitingRead>()
  #round: { readonly id: number; readonly since: number; readonly reads: Set<WaitingRead> } | null = null
  /** Reads whose index is known, waiting to be applied; indices do not decrease. */
  #known: { readonly index: Index; readonly reads: Set<WaitingRead> }[] = []
  readonly #deadlines = new Deadlines<WaitingRead>()
  #nextId: number

  /** `firstId`: where the ids of this run begin, far from those of other runs. */
  constructor(firstId: number, ask: (id: number) => void) {
    this.#nextId = firstId
    this.#ask = ask
  }

  read(request: ReadRequest, now: number): void {
    const waiting: WaitingRead = {
      giveUpAt: now + giveUpAfterMs,
      ready: () => request.ready(),
      noLeader: () => request.noLeader(),
    }
    this.#gathered.add(waiting)
    this.#deadlines.add(waiting, waiting.giveUpAt)
  }

  /** Begins a round when one is due and none is under way. To be called at the end of a turn in which a leader is known. */
  flush(now: number): void {
    if (this.#round !== null && now - this.#round.since >= repeatAfterMs) this.#regather()
    if (this.#round !== null || this.#gathered.size === 0) return
    this.#round = { id: this.#nextId++, since: now, reads: this.#gathered }
    this.#gathered = new Set()
    this.#ask(this.#round.id)
  }

  /** The core answered: what is committed at `index` covers the round. */
  answered(id: number, index: Index, appliedIndex: Index): void {
    if (this.#round?.id !== id) return
    this.#known.push({ index, reads: this.#round.reads })
    this.#round = null
    this.applied(appliedIndex)
  }

  /** The core refused, or the leader is another: the reads of the round go into the next. */
  refused(id: number | null): void {
    if (id === null || this.#round?.id === id) this.#regather()
  }

  /** Entries up to `appliedIndex` have been applied. */
  applied(appliedIndex: Index): void {
    while ((this.#known[0]?.index ?? Infinity) <= appliedIndex) {
      for (const read of this.#known.shift()?.reads ?? []) {
        this.#deadlines.remove(read, read.giveUpAt)
        read.ready()
      }
    }
  }

  expire(now: number): void {
    for (const read of this.#deadlines.takeDue(now)) {
      const sets = [this.#gathered, this.#round?.reads, ...this.#known.map(({ reads }) => reads)]
      for (const reads of sets) reads?.delete(read)
      read.noLeader()
    }
  }

  /** The node stops. */
  stop(): void {
    for (const read of this.#deadlines.takeAll()) read.noLeader()
    this.#gathered.clear()
    this.#round = null
    this.#known = []
  }

  #regather(): void {
    for (const read of this.#round?.reads ?? []) this.#gathered.add(read)
    this.#round = null
  }
}
