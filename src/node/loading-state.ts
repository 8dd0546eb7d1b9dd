// Records on their way into a lock table, from our disk or from another node's: taken as they come, counted into the digest,
// and compared with what their checkpoint says. Time and order are the lock table's affair; here it is seen to that
// nothing is held for long (a million records are many turns) and that what comes out is what was once written.
import { AssertionFailure } from '../assert.ts'
import { createTally, tallyLoaded } from '../codec/digest.ts'
import type { Tally } from '../codec/digest.ts'
import { FormatError } from '../codec/packr.ts'
import { decodeRecord } from '../codec/record.ts'
import { beginLoading, finishLoading, loadRecord } from '../lockfsm/load.ts'
import type { Loading } from '../lockfsm/load.ts'
import type { Limits, LockState } from '../lockfsm/state.ts'
import type { Checkpoint, RecordBytes, StateStore } from '../storage/state-store.ts'
import { damagedState } from '../storage/damage.ts'
import type { Host } from './host.ts'

const sliceMs = 5
/** Where time stands still a slice must have an end nevertheless. */
const stepsMax = 100

export interface LoadedState {
  readonly lock: LockState
  readonly tally: Tally
}

export class LoadingState {
  readonly #host: Host
  readonly #loading: Loading
  readonly #tally = createTally()

  constructor(host: Host, limits: Limits, oldestBucket: number) {
    this.#host = host
    this.#loading = beginLoading(limits, oldestBucket)
  }

  /** The record that `bytes` are. Throws FormatError when they are none, or one that contradicts another. */
  take(bytes: RecordBytes): void {
    const record = decodeRecord(bytes)
    const digested = tallyLoaded(this.#tally, record, bytes)
    sound(() => loadRecord(this.#loading, record, digested))
  }

  /** Everything has come. `problem` says in what it differs from the checkpoint when there is no state. */
  finish(checkpoint: Checkpoint, done: (problem: string, loaded: LoadedState | null) => void): void {
    const { digest, records } = this.#tally
    if (records !== checkpoint.records) return done(`${records} records, not ${checkpoint.records}`, null)
    if (digest !== checkpoint.digest) return done('records of another digest', null)
    const steps = finishLoading(this.#loading)
    const slice = (): void => {
      const until = this.#host.now() + sliceMs
      for (let count = 0; count < stepsMax && this.#host.now() < until; count++) {
        const step = this.#next(steps)
        if (step instanceof FormatError) return done(step.message, null)
        if (step.done === true) return done('', { lock: step.value, tally: this.#tally })
      }
      this.#host.defer(slice)
    }
    slice()
  }

  #next(steps: Generator<undefined, LockState>): IteratorResult<undefined, LockState> | FormatError {
    try {
      return sound(() => steps.next())
    } catch (error) {
      if (error instanceof FormatError) return error
      throw error
    }
  }
}

/** A lock table asserts what its own records always are; these may be of another's making, and then it is no bug of ours. */
function sound<T>(build: () => T): T {
  try {
    return build()
  } catch (error) {
    if (!(error instanceof AssertionFailure)) throw error
    throw new FormatError(`records that contradict each other: ${error.message}`, { cause: error })
  }
}

/** Loads what the disk has; a state that is not the one of its checkpoint is a DamagedStateError. */
export function loadState(
  host: Host,
  store: StateStore,
  limits: Limits,
  done: (error: Error | null, loaded: LoadedState | null) => void,
): void {
  const { checkpoint } = store.stored
  if (checkpoint === null) return done(null, null)
  const loading = new LoadingState(host, limits, checkpoint.oldestBucket)
  let unreadable: FormatError | null = null
  store.load(
    (records) => {
      try {
        for (const bytes of records) loading.take(bytes)
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        unreadable ??= error
      }
    },
    (error) => {
      if (error !== null) return done(error, null)
      // Its checksum was right, so it is what was once written; that it is no record makes it no better.
      if (unreadable !== null) return done(damagedState('state', unreadable.message), null)
      loading.finish(checkpoint, (problem, loaded) =>
        done(
          loaded === null ? damagedState('state', `the checkpoint at ${checkpoint.index}: ${problem}`) : null,
          loaded,
        ),
      )
    },
  )
}
