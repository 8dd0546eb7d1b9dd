// The log of one member by itself (RAFT.md 2: the parts of `checkState` that walk it), looked at when it has changed: most
// turns bring nothing to the log, and it is long. Entries are never changed in place, and what takes the place of others
// goes to the end, so a log whose ends and sums are as before is as before.
import type { Entry } from '../../../src/raft/entry.ts'
import { checkLog } from '../../../src/raft/invariants.ts'
import type { Log } from '../../../src/raft/log.ts'

export class LogChecks {
  #first: Entry | undefined
  #last: Entry | undefined
  #sums: readonly number[] = []

  /** Throws when its parts do not agree. */
  check(log: Log): void {
    const { start, lastIndex, lastTime, spans, window, windowBytes } = log
    const [first, last] = [window[0], window.at(-1)]
    const sums = [start.index, start.term, lastIndex, lastTime, spans.length, window.length, windowBytes]
    const isAsBefore = this.#first === first && this.#last === last && isSame(this.#sums, sums)
    if (isAsBefore) return
    checkLog(log)
    this.#first = first
    this.#last = last
    this.#sums = sums
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, place) => number === b[place])
}
