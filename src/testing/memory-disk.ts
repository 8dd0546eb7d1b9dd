// A disk in memory for the testing kit, the simulator and unit tests: the ports of storage, and the faults of a disk. What is durable
// and what was only written are kept apart; a crash keeps of the latter any prefix, each write whole or not at all, as
// LevelDB does: of what was written to the log and to the state independently of each other.
//
// Everything is driven from outside: time passes when the owner runs what it was given to `schedule`, chance comes from
// its `random`. There is no promise on the way of a write or a read. Payloads are copied when they are written, so that a
// caller who uses its buffer again does no harm here that a real disk would not do.
import { assert, unreachable } from '../assert.ts'
import { asIndex, type Index } from '../ids.ts'
import type { Entry, HardState, LogStart } from '../raft/entry.ts'
import { damaged } from '../storage/damage.ts'
import type { FoundingRecord, FoundingStore } from '../storage/founding-store.ts'
import type { LogMeta, LogStore } from '../storage/log-store.ts'
import type { RecordRules, StateStore, StoredState } from '../storage/state-store.ts'
import { type Device, type DeviceTiming, MemoryDevice } from './memory-device.ts'
import { LogImage } from './memory-log-image.ts'
import { MemoryLogStore } from './memory-log.ts'
import { MemoryStateStore, StateImage } from './memory-state.ts'

export interface MemoryDiskOptions {
  /** Runs `run` once, `delayMs` from now, never before it returns. */
  readonly schedule: (delayMs: number, run: () => void) => void
  /** From 0 to below 1. */
  readonly random: () => number
  /** How long a write with its sync takes: drawn evenly from this range. */
  readonly writeMs?: readonly [least: number, most: number]
  readonly readMs?: readonly [least: number, most: number]
  /** Where the log of this disk begins. */
  readonly firstIndex?: Index
  /** What records are to the state store; by default none is void. */
  readonly rules?: RecordRules
}

/** What would be found after a power cut at this moment. Live: it changes with the disk. */
export interface DurableDisk {
  readonly meta: LogMeta | null
  readonly hardState: HardState
  /** What the log begins behind. */
  readonly start: LogStart
  readonly firstIndex: Index
  /** `firstIndex - 1` when there is no entry. */
  readonly lastIndex: Index
  readonly founding: FoundingRecord | null
  readonly state: StoredState
  /** A snapshot is being installed: the log is marked. */
  readonly isInstalling: boolean
  entryAt(index: Index): Entry | null
}

/** A synced record of which a bit has flipped. */
export type FlippedBit =
  | { readonly kind: 'hardState' | 'meta' | 'founding' | 'checkpoint' }
  | { readonly kind: 'entry'; readonly index: Index }
  /** In that place among the records of the current generation. */
  | { readonly kind: 'record'; readonly place: number }

const defaults = {
  writeMs: [0, 0],
  readMs: [0, 0],
  firstIndex: asIndex(1),
  rules: { hashRecord: () => 1, voidKeys: () => [] },
} as const

export class MemoryDisk {
  readonly #options: Required<MemoryDiskOptions>
  readonly #log: LogImage
  readonly #founding: FoundingImage = { record: null, isDamaged: false }
  #state = new StateImage()
  readonly #logDevice: MemoryDevice
  readonly #stateDevice: MemoryDevice
  /** Counts the crashes: what was scheduled before one never happens. */
  #life = 0
  #isStalled = false
  #held: (() => void)[] = []
  #nextFailure: Error | null = null
  #isFull = false
  #slowness = 1
  readonly #durable: DurableDisk
  #openLog: MemoryLogStore | null = null
  #openState: MemoryStateStore | null = null

  constructor(options: MemoryDiskOptions) {
    this.#options = { ...defaults, ...options }
    this.#log = new LogImage(this.#options.firstIndex)
    this.#durable = this.#viewDurable()
    const timing: DeviceTiming = {
      after: (range, run) => this.#afterDelay(range, run),
      writeMs: this.#options.writeMs,
      readMs: this.#options.readMs,
      nextFailure: () => this.#takeFailure(),
    }
    this.#logDevice = new MemoryDevice(timing)
    this.#stateDevice = new MemoryDevice(timing)
  }

  /** Throws DamagedError. */
  openLog(): LogStore {
    assert(this.#openLog === null || this.#openLog.isReleased, 'the log of this disk is open already')
    this.#openLog = new MemoryLogStore(this.#log, this.#logDevice)
    return this.#openLog
  }

  /** Throws DamagedStateError. */
  openState(): StateStore {
    assert(this.#openState === null || this.#openState.isReleased, 'the state of this disk is open already')
    this.#openState = new MemoryStateStore(this.#state, this.#stateDevice, this.#options.rules)
    return this.#openState
  }

  openFounding(): FoundingStore {
    return new MemoryFoundingStore(this.#founding, this.#logDevice)
  }

  durable(): DurableDisk {
    return this.#durable
  }

  #viewDurable(): DurableDisk {
    const log = this.#log
    const founding = this.#founding
    const state = (): StoredState => this.#state.stored
    return {
      get meta() {
        return log.records.meta
      },
      get hardState() {
        return log.records.hardState
      },
      get start() {
        return log.records.start
      },
      get firstIndex() {
        return log.firstIndex
      },
      get lastIndex() {
        return log.lastIndex
      },
      get founding() {
        return founding.record
      },
      get state() {
        return state()
      },
      get isInstalling() {
        return log.records.installing !== null
      },
      entryAt: (index) => log.entryAt(index),
    }
  }

  /** From now on nothing completes until `resume`, also if the process crashes meanwhile. */
  stall(): void {
    this.#isStalled = true
  }

  resume(): void {
    this.#isStalled = false
    for (const run of this.#held.splice(0)) this.#afterDelay([0, 0], run)
  }

  /** From now on everything takes so many times as long; 1 is the usual speed. */
  slow(factor: number): void {
    this.#slowness = factor
  }

  /**
   * The next write to complete fails with `error`, be it in the write itself or in its sync: whether it reached the disk
   * shows after a crash.
   */
  failNextWrite(error: Error): void {
    this.#nextFailure = error
  }

  /** From now on every write fails, until there is space again. */
  fill(): void {
    this.#isFull = true
  }

  free(): void {
    this.#isFull = false
  }

  /** Flips a bit of a record that was synced, if there is such a one: it is found out when that is read. */
  flipBit(bit: FlippedBit): boolean {
    switch (bit.kind) {
      case 'hardState':
      case 'meta':
        return this.#log.damage(bit.kind)
      case 'entry':
        return this.#log.damage(bit.index)
      case 'founding':
        this.#founding.isDamaged = this.#founding.record !== null
        return this.#founding.isDamaged
      case 'checkpoint':
        this.#state.isCheckpointDamaged = this.#state.stored.checkpoint !== null
        return this.#state.isCheckpointDamaged
      case 'record':
        return this.#state.damageRecord(bit.place)
      default:
        return unreachable(bit)
    }
  }

  /** The newest synced batches are gone, and nothing tells. Returns how many were there to be lost. */
  loseTail(what: 'log' | 'state', batches: number): number {
    const open = what === 'log' ? this.#openLog : this.#openState
    assert(open === null || open.isReleased, 'a disk loses its tail while nobody has it open')
    return what === 'log' ? this.#log.loseTail(batches) : this.#state.loseTail(batches)
  }

  /** All checkpoints are deleted. */
  wipeState(): void {
    assert(this.#openState === null || this.#openState.isReleased, 'a state is wiped while nobody has it open')
    this.#state = new StateImage()
  }

  /**
   * The process is gone, or the power. Of the writes that were not confirmed a prefix, chosen by chance, is on the disk:
   * one of those to the log, then one of those to the state. No callback of before comes any more. Then the stores can be
   * opened again.
   */
  crash(): void {
    this.#life++
    this.#openLog = null
    this.#openState = null
    this.#held = []
    this.#nextFailure = null
    this.#logDevice.crash(this.#options.random)
    this.#stateDevice.crash(this.#options.random)
  }

  #takeFailure(): Error | null {
    const failure = this.#nextFailure
    this.#nextFailure = null
    return this.#isFull ? new Error('ENOSPC: no space left on device') : failure
  }

  #afterDelay([least, most]: readonly [number, number], run: () => void): void {
    const life = this.#life
    const delayMs = (least === most ? least : least + this.#options.random() * (most - least)) * this.#slowness
    this.#options.schedule(delayMs, () => {
      if (life !== this.#life) return
      if (this.#isStalled) this.#held.push(run)
      else run()
    })
  }
}

interface FoundingImage {
  record: FoundingRecord | null
  isDamaged: boolean
}

class MemoryFoundingStore implements FoundingStore {
  readonly #image: FoundingImage
  readonly #device: Device
  #isWriting = false

  constructor(image: FoundingImage, device: Device) {
    this.#image = image
    this.#device = device
  }

  read(): FoundingRecord | null {
    if (this.#image.isDamaged) throw damaged('the founding file of the memory disk', 'its checksum is wrong')
    return this.#image.record
  }

  write(record: FoundingRecord, done: (error: Error | null) => void): void {
    assert(!this.#isWriting && this.read() === null, 'a cluster is founded once')
    this.#isWriting = true
    this.#device.write(() => {
      this.#image.record = record
    }, done)
  }
}
