// The stores of a machine as its process sees them: before each call the process may crash (its fuse), and what becomes
// durable is told to whoever counts it.
import type { LogBatch, LogStore } from '../../src/storage/log-store.ts'
import type { CheckpointWriter, StateInstall, StateStore } from '../../src/storage/state-store.ts'
import type { SimProcess } from './process.ts'

export function burningLog(
  store: LogStore,
  process: SimProcess,
  events: { writes(batch: LogBatch): void; closed(): void },
): LogStore {
  return {
    get stored() {
      return store.stored
    },
    get bytes() {
      return store.bytes
    },
    write: (batch, done) => {
      process.burn()
      events.writes(batch)
      store.write(batch, done)
    },
    read: burns(process, (range, done) => store.read(range, done)),
    chainAt: burns(process, (index, done) => store.chainAt(index, done)),
    close: () => {
      events.closed()
      return store.close()
    },
  }
}

/** `stored`: a checkpoint, or the records of a snapshot, are the durable state now. */
export function burningState(store: StateStore, process: SimProcess, stored: () => void): StateStore {
  const told = (done: (error: Error | null) => void) => (error: Error | null) => {
    if (error === null) stored()
    done(error)
  }
  const writer = (made: CheckpointWriter): CheckpointWriter => ({
    put: (record) => made.put(record),
    delete: (key) => made.delete(key),
    commit: burns(process, (checkpoint, done) => made.commit(checkpoint, told(done))),
    abandon: () => made.abandon(),
  })
  const install = (made: StateInstall): StateInstall => ({
    generation: made.generation,
    put: burns(process, (records, done) => made.put(records, done)),
    finish: burns(process, (checkpoint, done) => made.finish(checkpoint, done)),
    flip: burns(process, (done) => made.flip(told(done))),
    discard: burns(process, (done) => made.discard(done)),
  })
  return {
    get stored() {
      return store.stored
    },
    get nextGeneration() {
      return store.nextGeneration
    },
    load: burns(process, (take, done) => store.load(take, done)),
    begin: () => writer(store.begin()),
    openView: () => store.openView(),
    install: (generation) => install(store.install(generation)),
    close: () => store.close(),
  }
}

function burns<Args extends readonly unknown[], Result>(
  process: SimProcess,
  call: (...args: Args) => Result,
): (...args: Args) => Result {
  return (...args) => {
    process.burn()
    return call(...args)
  }
}
