// How the stores of the memory disk reach it: the device decides when what it is given happens, and whether at all. Of what
// was not confirmed a crash keeps a prefix. Log and state have a device each: what a crash keeps of one says nothing of
// the other.

export interface Device {
  read(run: () => void): void
  /** `makeDurable` is called before `done`, or at a crash, or never. */
  write(makeDurable: () => void, done: (error: Error | null) => void): void
}

export interface DeviceTiming {
  /** Runs `run` after a delay drawn from the range, unless the process is gone by then. */
  after(range: readonly [least: number, most: number], run: () => void): void
  readonly writeMs: readonly [number, number]
  readonly readMs: readonly [number, number]
  /** What the next write to complete fails with; null: it succeeds. */
  nextFailure(): Error | null
}

interface UnsyncedWrite {
  readonly makeDurable: () => void
}

export class MemoryDevice implements Device {
  readonly #timing: DeviceTiming
  /** In the order in which they were begun. */
  #unsynced: UnsyncedWrite[] = []

  constructor(timing: DeviceTiming) {
    this.#timing = timing
  }

  read(run: () => void): void {
    this.#timing.after(this.#timing.readMs, run)
  }

  write(makeDurable: () => void, done: (error: Error | null) => void): void {
    const write = { makeDurable }
    this.#unsynced.push(write)
    this.#timing.after(this.#timing.writeMs, () => {
      const failure = this.#timing.nextFailure()
      if (failure === null) {
        this.#unsynced = this.#unsynced.filter((other) => other !== write)
        write.makeDurable()
      }
      done(failure)
    })
  }

  /** Of the writes that were not confirmed a prefix is kept, chosen by `random`. */
  crash(random: () => number): void {
    const unsynced = this.#unsynced.splice(0)
    if (unsynced.length === 0) return
    const kept = Math.floor(random() * (unsynced.length + 1))
    for (const write of unsynced.slice(0, kept)) write.makeDurable()
  }
}
