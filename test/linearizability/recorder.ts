// The history of every lock as its users lived it: what was called when, and what was answered. Knows nothing of logs or
// nodes, so it serves simulated clients and real ones alike.
import { linearizeLock, tellBroken } from './lock-model.ts'
import type { LockAction, LockOperation } from './lock-model.ts'

/** An operation that was called. Of several answers, to repeats under one request id, the first counts. */
export interface Called {
  answered(action: LockAction): void
}

interface Recorded {
  action: LockAction
  readonly calledAt: () => number
  returnedAt: number
}

export interface Judgement {
  /** Sentences about locks whose history nothing explains. */
  readonly broken: readonly string[]
  readonly operations: number
  /** Locks whose search was given up. */
  readonly undecided: number
}

export class HistoryRecorder {
  readonly #now: () => number
  readonly #locks = new Map<string, Recorded[]>()
  readonly #releases = new Map<number, Called>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** A request, with all its repeats. While it is not answered it may be granted, and the grant may end, unseen. */
  acquire(lock: string): Called {
    return this.#call(lock, { kind: 'acquire', token: null })
  }

  /** The grant ends by itself no sooner than `until` says when all is over. */
  endsBy(lock: string, token: number, until: () => number): void {
    this.#add(lock, { action: { kind: 'end', token }, calledAt: until, returnedAt: Infinity })
  }

  /** All releases of one token are one operation: a repeat finds what the first has done. */
  release(lock: string, token: number): Called {
    const called = this.#releases.get(token) ?? this.#call(lock, { kind: 'release', token, said: null })
    this.#releases.set(token, called)
    return called
  }

  /** To be called before the read is sent; without an answer it was no operation. */
  look(lock: string): Called {
    const calledAt = this.#now()
    return {
      answered: (action) => this.#add(lock, { action, calledAt: () => calledAt, returnedAt: this.#now() }),
    }
  }

  /** Looks at no more than `statesMax` states of each lock. */
  judge(statesMax: number): Judgement {
    const broken: string[] = []
    let [operations, undecided] = [0, 0]
    for (const lock of this.#locks.keys()) {
      const history = this.operationsOf(lock)
      const verdict = linearizeLock(history, statesMax)
      operations += history.length
      if (verdict.kind === 'undecided') undecided++
      if (verdict.kind === 'broken') broken.push(`no order explains the history of ${lock}:\n${tellBroken(verdict)}`)
    }
    return { broken, operations, undecided }
  }

  operationsOf(lock: string): readonly LockOperation[] {
    const recorded = this.#locks.get(lock) ?? []
    return recorded.flatMap(({ action, calledAt, returnedAt }) => {
      const operation = { action, calledAt: calledAt(), returnedAt }
      const isUntold = action.kind === 'acquire' && returnedAt === Infinity
      return isUntold ? [operation, { ...operation, action: { kind: 'endUntold' } }] : [operation]
    })
  }

  #call(lock: string, action: LockAction): Called {
    const calledAt = this.#now()
    const recorded: Recorded = { action, calledAt: () => calledAt, returnedAt: Infinity }
    this.#add(lock, recorded)
    return {
      answered: (answer) => {
        if (recorded.returnedAt < Infinity) return
        recorded.action = answer
        recorded.returnedAt = this.#now()
      },
    }
  }

  #add(lock: string, recorded: Recorded): void {
    const history = this.#locks.get(lock)
    if (history === undefined) this.#locks.set(lock, [recorded])
    else history.push(recorded)
  }
}
