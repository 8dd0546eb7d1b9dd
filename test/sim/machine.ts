// One simulated machine: a disk that outlives its processes, a clock, and at most one process running a real node.
import type { NodeId } from '../../src/ids.ts'
import type { Failure, Report } from '../../src/node/host.ts'
import { HoldfastNode } from '../../src/node/node.ts'
import type { NodeParts, NodeSetup } from '../../src/node/node.ts'
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import { DamagedError } from '../../src/storage/log-store.ts'
import type { LogBatch } from '../../src/storage/log-store.ts'
import { DamagedStateError } from '../../src/storage/state-store.ts'
import type { StateStore } from '../../src/storage/state-store.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { burningLog, burningState } from './burning.ts'
import type { SimNetwork } from './network.ts'
import { ProcessEnd, SimProcess } from './process.ts'
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
  /** A checkpoint, or a snapshot, is its durable state now. */
  stateStored(machine: Machine): void
  /** Its process ended, its node is still as it was then; `failure` says why when it did so by itself. */
  ended(machine: Machine, failure: Failure | null): void
  report(machine: Machine, report: Report): void
}

export class Machine {
  readonly id: NodeId
  readonly clock: ClockFault
  readonly faults: ProcessFaults
  disk: MemoryDisk
  process: SimProcess | null = null
  node: HoldfastNode | null = null
  /** Its process was asked to stop in order, and has not ended yet. */
  isStopping = false
  /** A write was made to fail: the process may end because of it. */
  mayFailToWrite = false
  #isFull = false
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
    const { timeline, network, events } = this.#parts
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
    this.mayFailToWrite = this.#isFull
    this.heardAt.clear()
    process.begin(() => this.#boot(process))
  }

  /** As main.ts does it: what is damaged of the state is thrown away, what is damaged of the rest ends the process. */
  #boot(process: SimProcess): void {
    const { timeline, network, events, setup } = this.#parts
    try {
      const log = this.disk.openLog()
      let state = this.#openState()
      const opened = (): StateStore => burningState(state, process, () => events.stateStored(this))
      const parts: NodeParts = {
        host: process,
        wire: network.wireOf(this.id, process),
        store: burningLog(log, process, {
          writes: (batch) => events.writes(this, batch),
          closed: () => this.#closed(process),
        }),
        state: opened(),
        resetState: (done) => {
          process.burn()
          void state.close()
          this.disk.wipeState()
          state = this.disk.openState()
          done(null, opened())
        },
        foundingStore: this.disk.openFounding(),
        volume: {
          freeBytes: (done) => timeline.after(0.1, () => process.arrive(() => done(null, this.freeBytes))),
        },
      }
      this.node = new HoldfastNode(setup, parts)
      this.node.start()
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error
      throw new ProcessEnd({ code: 'damaged', message: error.message, advice: '' })
    }
  }

  #openState(): StateStore {
    try {
      return this.disk.openState()
    } catch (error) {
      if (!(error instanceof DamagedStateError)) throw error
      this.#parts.events.report(this, { level: 'error', message: `the state is given up: ${error.message}` })
      this.disk.wipeState()
      return this.disk.openState()
    }
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

  /** Every write fails from now on, until there is room again. */
  fill(): void {
    this.#isFull = true
    this.mayFailToWrite = true
    this.disk.fill()
  }

  free(): void {
    this.#isFull = false
    this.disk.free()
  }

  /** SIGKILL; with `dark` the machine loses its power, and nobody is told. */
  crash(dark: boolean): void {
    const { process } = this
    if (process === null || !process.alive) return
    process.alive = false
    this.#processEnded(process, null, dark)
  }

  /** A disk that was taken out is in place of this one. */
  mount(disk: MemoryDisk): void {
    this.crash(false)
    this.#isFull = false
    this.disk = disk
  }

  /** An empty disk in place of this one. */
  wipe(): void {
    this.crash(false)
    this.#isFull = false
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
