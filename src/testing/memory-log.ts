// The port of the log over its image on the memory disk: it keeps the rules that every log store keeps, and hands its writes
// to the device, which decides when they are durable, and whether at all.
import { assert } from '../assert.ts'
import { asIndex, type Index } from '../ids.ts'
import type { Entry } from '../raft/entry.ts'
import {
  assertEntryFollows,
  assertHardStateFollows,
  assertInstalls,
  assertKeepsTail,
  assertTrims,
} from '../storage/batch-rules.ts'
import { damaged } from '../storage/damage.ts'
import type { ChainHash, LogBatch, LogStore, StoredLog } from '../storage/log-store.ts'
import type { Device } from './memory-device.ts'
import { logName, type LogImage } from './memory-log-image.ts'

export class MemoryLogStore implements LogStore {
  readonly stored: StoredLog
  /** Closed, and no write in flight any more. */
  isReleased = false
  readonly #image: LogImage
  readonly #device: Device
  #isClosed = false
  #isWriting = false
  #failure: Error | null = null
  /** Entries up to here stay whatever becomes of the write in flight. */
  #readableIndex: Index
  #afterWrite: (() => void)[] = []

  /** Throws DamagedError. */
  constructor(image: LogImage, device: Device) {
    image.verify()
    this.#image = image
    this.#device = device
    this.stored = image.toStored()
    this.#readableIndex = image.lastIndex
  }

  get bytes(): number {
    return this.#image.bytes
  }

  write(batch: LogBatch, done: (error: Error | null) => void): void {
    assert(!this.#isClosed, 'a write to a log store that was closed')
    assert(!this.#isWriting, 'a second write while one is in flight')
    const failure = this.#failure
    if (failure !== null) {
      this.#device.read(() => done(failure))
      return
    }
    const keptIndex = this.#check(batch)
    this.#readableIndex = asIndex(Math.min(this.#readableIndex, keptIndex))
    const entries = batch.entries.map((entry) => ({ ...entry, payload: new Uint8Array(entry.payload) }))
    this.#isWriting = true
    this.#device.write(
      () => this.#image.apply({ ...batch, entries }),
      (error) => {
        this.#isWriting = false
        this.#failure = error
        if (error === null) this.#readableIndex = this.#image.lastIndex
        done(error)
        for (const run of this.#afterWrite.splice(0)) run()
      },
    )
  }

  read(
    range: { from: Index; to: Index; bytesMax: number },
    done: (error: Error | null, entries: readonly Entry[]) => void,
  ): void {
    assert(!this.#isClosed, 'a read from a log store that was closed')
    const failure = this.#failure
    if (failure !== null) {
      this.#device.read(() => done(failure, []))
      return
    }
    const { from, to, bytesMax } = range
    const { firstIndex } = this.#image
    assert(firstIndex <= from && from <= to, () => `a read of entries ${from} to ${to} of a log from ${firstIndex}`)
    assert(to <= this.#readableIndex, () => `a read up to entry ${to} while only ${this.#readableIndex} is durable`)
    const found: Entry[] = []
    let payloadBytes = 0
    for (let index = from; index <= to; index = asIndex(index + 1)) {
      const entry = this.#image.entryAt(index)
      assert(entry !== null, () => `entry ${index} is in the image`)
      payloadBytes += entry.payload.length
      if (found.length > 0 && payloadBytes > bytesMax) break
      if (this.#image.isDamagedAt(index)) {
        this.#device.read(() => done(damaged(logName, `entry ${index} has a wrong checksum`), []))
        return
      }
      found.push(entry)
    }
    this.#device.read(() => done(null, found))
  }

  chainAt(index: Index, done: (error: Error | null, chain: ChainHash) => void): void {
    assert(!this.#isClosed, 'a read from a log store that was closed')
    const failure = this.#failure
    if (failure !== null) {
      this.#device.read(() => done(failure, ''))
      return
    }
    const tip = this.#image.tipAt(index)
    const isDurable = index <= this.#readableIndex || index === this.#image.records.start.index
    assert(tip !== null && isDurable, () => `the hash of entry ${index}, which is not durable`)
    const error = this.#image.isDamagedAt(index) ? damaged(logName, `entry ${index} has a wrong checksum`) : null
    this.#device.read(() => done(error, error === null ? tip.chain : ''))
  }

  close(): Promise<void> {
    this.#isClosed = true
    return new Promise((resolve) => {
      const release = (): void => {
        this.isReleased = true
        resolve()
      }
      if (this.#isWriting) this.#afterWrite.push(release)
      else release()
    })
  }

  /** Returns the last entry that was there before and stays. */
  #check(batch: LogBatch): Index {
    const { lastIndex, records } = this.#image
    const { truncateFrom, installed, trimTo } = batch
    let { start } = records
    assert(
      truncateFrom === null || truncateFrom > start.index,
      () => `a truncation from ${truncateFrom}, before the log begins`,
    )
    let kept = truncateFrom === null ? lastIndex : asIndex(Math.min(lastIndex, truncateFrom - 1))
    if (installed !== null) {
      assertInstalls(records.installing, installed, start.index)
      start = installed.start
      if (installed.keepsTail) {
        const held = start.index <= kept ? this.#image.tipAt(start.index) : null
        assert(held !== null, () => `a tail is kept behind ${start.index}, the log ends before`)
        assertKeepsTail(installed.start, held)
      } else kept = asIndex(Math.min(kept, start.index))
    }
    let last: Pick<Entry, 'index' | 'term' | 'time'> =
      installed?.keepsTail === false ? start : (this.#image.tipAt(kept) ?? start)
    for (const entry of batch.entries) {
      assertEntryFollows(last, entry)
      last = entry
    }
    if (trimTo !== null) assertTrims(trimTo, { after: start.index, upTo: kept })
    assertHardStateFollows(records.hardState, batch.hardState ?? records.hardState, last.term)
    assert(batch.meta !== null || records.meta !== null, 'the first write must say whose disk this is')
    return kept
  }
}
