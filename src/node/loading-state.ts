// Records on their way into a lock table, from our disk or from another node's: taken as they come, counted into the digest,
// and compared with what their checkpoint says. Time and order are the lock table's affair; here it is seen to that
// nothing is held for long (a million records are many turns) and that what comes out is what was once written.
import { createTally, tallyLoaded } from '../codec/digest.ts'
import type { Tally } from '../codec/digest.ts'
import { FormatError } from '../codec/packr.ts'
import { decodeRecord } from '../codec/record.ts'
import type { StateRecord } from '../lockfsm/records.ts'
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

  /** The record that `bytes` are. */
  take(record: StateRecord, bytes: RecordBytes): void {
    loadRecord(this.#loading, record, tallyLoaded(this.#tally, record, bytes))
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
        const step = steps.next()
        if (step.done === true) return done('', { lock: step.value, tally: this.#tally })
      }
      this.#host.defer(slice)
    }
    slice()
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
        for (const bytes of records) loading.take(decodeRecord(bytes), bytes)
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        unreadable ??= error
      }
    },
    (error) => {
      const problem = error ?? unreadable
      if (problem !== null) return done(problem, null)
      loading.finish(checkpoint, (problem, loaded) =>
        done(
          loaded === null ? damagedState('state', `the checkpoint at ${checkpoint.index}: ${problem}`) : null,
          loaded,
        ),
      )
    },
  )
}
