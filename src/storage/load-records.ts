// All records of a checkpoint, for the one who builds the state from them: in chunks, each in a turn of the event loop of its
// own, and counted, so that a database that lost some is not taken for a smaller state.
import { damagedState } from './damage.ts'
import type { RecordBytes, StateView } from './state-store.ts'

const chunkBytes = 256 * 1024

/** Reads `view` to its end and closes it. `where` is for the message only. */
export function loadRecords(
  where: string,
  view: StateView,
  take: (records: readonly RecordBytes[]) => void,
  done: (error: Error | null) => void,
): void {
  const { records: expected } = view.checkpoint
  let count = 0
  const next = (): void =>
    view.read(chunkBytes, (error, records, isLast) => {
      count += records.length
      if (records.length > 0) take(records)
      if (error === null && !isLast) {
        next()
        return
      }
      view.close()
      done(error ?? (count === expected ? null : damagedState(where, `it has ${count} records instead of ${expected}`)))
    })
  next()
}
