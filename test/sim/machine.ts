// One simulated machine: a disk that outlives its processes, a clock, and at most one process running a real node.
import type { NodeId } from '../../src/ids.ts'
import type { Failure, Report } from '../../src/node/host.ts'
import { HoldfastNode } from '../../src/node/node.ts'
import type { NodeSetup } from '../../src/node/node.ts'
import type { LogBatch } from '../../src/storage/log-store.ts'
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import type { CheckpointWriter, StateInstall, StateStore } from '../../src/storage/state-store.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import type { SimNetwork } from './network.ts'
import { SimProcess } from './process.ts'
import type { ClockFault, ProcessFaults } from './process.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

export interface MachineParts {
  readonly setup: NodeSetup
  readonly timeline: Timeline
  readonly network: SimNetwork
  readonly random: Random
  readonly clock: ClockFault
  readonly faults: ProcessFaults
  readonly writeMs: readonly [number, number]
  readonly events: MachineEvents
}

export interface MachineEvents {
  /** The node has finished a turn of its loop: its state may be looked at. */
  turned(machine: Machine): void
  /** A write begins. */
  writes(machine: Machine, batch: LogBatch): void
  /** Its process ended, its node is still as it was then; `failure` says why when it did so by itself. */
  ended(machine: Machine, failure: Failure | null): void
  report(machine: Machine, report: Report): void
}

export class Machine {
  readonly id: NodeId
  readonly clock: ClockFault
  readonly faults: ProcessFaults
  disk: MemoryDisk
  /** Disks that were taken out: what they held was held. */
  readonly lostDisks: MemoryDisk[] = []
  process: SimProcess | null = null
  node: HoldfastNode | null = null
  /** Its process was asked to stop in order, and has not ended yet. */
  isStopping = false
  /** A write was made to fail: the process may end because of it. */
  mayFailToWrite = false
  /** Of its disk; from 1 on there is enough. */
  freeBytes = 1e9
  /** When the process last read a frame of each peer, on its own clock. */
  readonly heardAt = new Map<NodeId, number>()
  /** Processes started so far. */
  starts = 0
  readonly #parts: MachineParts
  readonly #random: Random

  constructor(parts: MachineParts) {
    this.id = parts.setup.self
    this.clock = parts.clock
    this.faults = parts.faults
    this.#parts = parts
    this.#random = parts.random.fork(this.id)
    this.disk = this.#newDisk()
  }

  get isUp(): boolean {
    return this.process?.alive === true
  }

  /** Starts a process on what is on the disk. With a fuse it crashes after so many calls of ports. */
  start(fuse: number | null = null): void {
    if (this.isUp) return
    const { timeline, network, events, setup } = this.#parts
    network.powered(this.id)
    const process: SimProcess = new SimProcess({
      timeline,
      random: this.#random.fork(`process ${++this.starts}`),
      clock: this.clock,
      faults: this.faults,
      events: {
        ended: (failure) => this.#processEnded(process, failure, false),
        turned: () => events.turned(this),
        report: (report) => events.report(this, report),
      },
    })
    process.fuse = fuse
    this.process = process
    this.isStopping = false
    this.mayFailToWrite = false
    this.heardAt.clear()
    process.begin(() => {
      const store = this.disk.openLog()
      const parts = {
        host: process,
        wire: network.wireOf(this.id, process),
        store: {
          stored: store.stored,
          bytes: store.bytes,
          write: (...args: Parameters<typeof store.write>) => {
            process.burn()
            events.writes(this, args[0])
            store.write(...args)
          },
          read: (...args: Parameters<typeof store.read>) => {
            process.burn()
            store.read(...args)
          },
          chainAt: (...args: Parameters<typeof store.chainAt>) => {
            process.burn()
            store.chainAt(...args)
          },
          close: () => {
            this.#closed(process)
            return store.close()
          },
        },
        state: burning(this.disk.openState(), process),
        resetState: (done: (error: Error | null, state: StateStore | null) => void) => {
          process.burn()
          this.disk.wipeState()
          done(null, burning(this.disk.openState(), process))
        },
        foundingStore: this.disk.openFounding(),
        volume: {
          freeBytes: (done: (error: Error | null, bytes: number) => void) =>
            timeline.after(0.1, () => process.arrive(() => done(null, this.freeBytes))),
        },
      }
      this.node = new HoldfastNode(setup, parts)
      this.node.start()
    })
  }

  /** The process reads a frame. */
  heard(from: NodeId): void {
    if (this.process !== null) this.heardAt.set(from, this.process.now())
  }

  /** Asks the process to stop in order, as Ctrl-C does. */
  stop(): void {
    const { process, node } = this
    if (process === null || node === null || !process.alive || this.isStopping) return
    process.arrive(() => {
      if (this.isStopping) return
      this.isStopping = true
      // Told by a promise, which is too late here: the process ends when it closes its disk.
      node.stop(() => {})
    })
  }

  /** The next write fails, as on a full disk. */
  failWrite(): void {
    if (!this.isUp) return
    this.mayFailToWrite = true
    this.disk.failNextWrite(new Error('no space left on device (simulated)'))
  }

  /** SIGKILL; with `dark` the machine loses its power, and nobody is told. */
  crash(dark: boolean): void {
    const { process } = this
    if (process === null || !process.alive) return
    process.alive = false
    this.#processEnded(process, null, dark)
  }

  /** An empty disk in place of this one. */
  wipe(): void {
    this.crash(false)
    this.lostDisks.push(this.disk)
    this.disk = this.#newDisk()
  }

  /** The node has closed its disk, the last thing it does; the process exits when its answers have left. */
  #closed(process: SimProcess): void {
    this.#parts.timeline.after(20, () => {
      if (process.alive) this.crash(false)
    })
  }

  #processEnded(process: SimProcess, failure: Failure | null, dark: boolean): void {
    if (this.process !== process) return
    process.kill()
    this.disk.crash()
    this.#parts.network.processEnded(this.id, dark)
    this.#parts.events.ended(this, failure)
    this.node = null
  }

  #newDisk(): MemoryDisk {
    const { timeline, writeMs } = this.#parts
    const random = this.#random.fork(`disk ${this.starts}`)
    return new MemoryDisk({
      schedule: (delayMs, run) => {
        timeline.after(delayMs, () => this.process?.arrive(run))
      },
      random: () => random.next(),
      writeMs,
      rules: { hashRecord, voidKeys },
    })
  }
}

/** The process may crash before each of these calls. */
function burning(store: StateStore, process: SimProcess): StateStore {
  const ours = <Args extends readonly unknown[], Result>(call: (...args: Args) => Result) => {
    return (...args: Args): Result => {
      process.burn()
      return call(...args)
    }
  }
  const writer = (made: CheckpointWriter): CheckpointWriter => ({
    put: (record) => made.put(record),
    delete: (key) => made.delete(key),
    commit: ours((checkpoint, done) => made.commit(checkpoint, done)),
    abandon: () => made.abandon(),
  })
  const install = (made: StateInstall): StateInstall => ({
    generation: made.generation,
    put: ours((records, done) => made.put(records, done)),
    finish: ours((checkpoint, done) => made.finish(checkpoint, done)),
    flip: ours((done) => made.flip(done)),
    discard: ours((done) => made.discard(done)),
  })
  return {
    get stored() {
      return store.stored
    },
    get nextGeneration() {
      return store.nextGeneration
    },
    load: ours((take, done) => store.load(take, done)),
    begin: () => writer(store.begin()),
    openView: () => store.openView(),
    install: (generation) => install(store.install(generation)),
    close: () => store.close(),
  }
}
