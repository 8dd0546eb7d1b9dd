// When the leader asks all members for a checkpoint. Marks are entries, so that all checkpoints are of the same places and
// their digests can be compared; they come often enough that a restart replays little, and seldom enough to be cheap.
import type { Index } from '../ids.ts'
import type { Entry } from '../raft/entry.ts'
import { entryBytes } from '../raft/log.ts'

/** A mark is due as soon as one of these has gone by since the last. */
export interface MarkOptions {
  readonly logBytes: number
  readonly entries: number
  /** Records that changed. */
  readonly records: number
}

export const defaultMarks: MarkOptions = { logBytes: 8 * 1024 * 1024, entries: 10_000, records: 20_000 }

export interface MarksParts {
  /** How many records a checkpoint made now would write. */
  changed(): number
  /** One is being made: a mark that is applied meanwhile passes, and takes none of them away. */
  isBusy(): boolean
}

export class Marks {
  readonly #options: MarkOptions
  readonly #parts: MarksParts
  #entries = 0
  #bytes = 0
  /** The newest that we proposed; 0: none. */
  #proposedAt = 0
  #appliedIndex = 0
  #isWanted = false

  constructor(options: MarkOptions, parts: MarksParts) {
    this.#options = options
    this.#parts = parts
  }

  /** Whether the next entry should be a mark. */
  get isDue(): boolean {
    // The last is not even applied: what it is for has not been done yet.
    if (this.#proposedAt > this.#appliedIndex) return false
    const { logBytes, entries, records } = this.#options
    if (this.#isWanted && this.#entries > 0) return true
    if (this.#bytes >= logBytes || this.#entries >= entries) return true
    return !this.#parts.isBusy() && this.#parts.changed() >= records
  }

  /** A member asks for a snapshot: the last checkpoint may lie before its log, and in a quiet cluster no other would come. */
  wanted(): void {
    this.#isWanted = true
  }

  proposed(index: Index): void {
    this.#proposedAt = index
  }

  applied(entry: Entry): void {
    this.#appliedIndex = entry.index
    const isMark = entry.note?.kind === 'checkpoint'
    if (isMark) this.#isWanted = false
    this.#entries = isMark ? 0 : this.#entries + 1
    this.#bytes = isMark ? 0 : this.#bytes + entryBytes(entry)
  }
}
