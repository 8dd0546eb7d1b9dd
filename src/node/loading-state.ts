// Records on their way into a lock table, from our disk or from another node's: taken as they come, counted into the digest,
// and compared with what their checkpoint says. Time and order are the lock table's affair; here it is seen to that
// nothing is held for long (a million records are many turns) and that what comes out is what was once written.
import { decodeRecord, hashRecord } from '../codec/record.ts'
import type { StateRecord } from '../lockfsm/records.ts'
import { beginLoading, finishLoading, loadRecord } from '../lockfsm/load.ts'
import type { Loading } from '../lockfsm/load.ts'
import type { Limits, LockState } from '../lockfsm/state.ts'
import type { Checkpoint, RecordBytes, StateStore } from '../storage/state-store.ts'
import { DamagedStateError } from '../storage/state-store.ts'
import type { Host } from './host.ts'
import { StateDigest } from './state-digest.ts'

const sliceMs = 5
/** Where time stands still a slice must have an end nevertheless. */
const stepsMax = 100

export interface LoadedState {
  readonly lock: LockState
  readonly digest: StateDigest
}

export class LoadingState {
  readonly #host: Host
  readonly #loading: Loading
  readonly #digest = new StateDigest()

  constructor(host: Host, limits: Limits, oldestBucket: number) {
    this.#host = host
    this.#loading = beginLoading(limits, oldestBucket)
  }

  /** The record that `bytes` are. */
  take(record: StateRecord, bytes: RecordBytes): void {
    loadRecord(this.#loading, record, this.#digest.loaded(hashRecord(bytes), bucketOf(record)))
  }

  /** Everything has come. `problem` says in what it differs from the checkpoint when there is no state. */
  finish(checkpoint: Checkpoint, done: (problem: string, loaded: LoadedState | null) => void): void {
    const { digest, records } = this.#digest
    if (records !== checkpoint.records) return done(`${records} records, not ${checkpoint.records}`, null)
    if (digest !== checkpoint.digest) return done('records of another digest', null)
    const steps = finishLoading(this.#loading)
    const slice = (): void => {
      const until = this.#host.now() + sliceMs
      for (let count = 0; count < stepsMax && this.#host.now() < until; count++) {
        const step = steps.next()
        if (step.done === true) return done('', { lock: step.value, digest: this.#digest })
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
  store.load(
    (records) => {
      for (const bytes of records) loading.take(decodeRecord(bytes), bytes)
    },
    (error) => {
      if (error !== null) return done(error, null)
      loading.finish(checkpoint, (problem, loaded) =>
        done(loaded === null ? new DamagedStateError(`the checkpoint at ${checkpoint.index}: ${problem}`) : null, loaded),
      )
    },
  )
}

export function bucketOf(record: StateRecord): number | null {
  return 'bucket' in record ? record.bucket : null
}
