// A receiver of snapshots whose disk and log do what they are asked for when a test says so.
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import type { SnapshotReply } from '../../src/codec/snapshot-frame.ts'
import { asClusterId, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import { LoadingState } from '../../src/node/loading-state.ts'
import { SnapshotReceiver } from '../../src/node/snapshot-receiver.ts'
import type { Received } from '../../src/node/snapshot-receiver.ts'
import type { Installing } from '../../src/storage/log-store.ts'
import type {
  Checkpoint,
  InstallVerdict,
  RecordBytes,
  StateInstall,
  StateStore,
} from '../../src/storage/state-store.ts'
import { ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { checkpointOf, lockTable, recordsOf } from './lock-tables.ts'

export const [n2, n3] = [asNodeId('n2'), asNodeId('n3')]
export const cluster = asClusterId('c')
export const table = lockTable(5)
export const records = recordsOf(table)
export const whole = checkpointOf(records, { index: asIndex(99), term: asTerm(2) })

/** A receiver on a disk whose writes, and marks in the log, are done when a test says so. */
export class Bench {
  readonly host: ManualHost
  readonly replies: string[] = []
  readonly failed: string[] = []
  readonly received: Received[] = []
  /** As they were stored in the log. */
  readonly marks: (Installing | null)[] = []
  commitIndex = 0
  /** What the disk finds in place of the truth. */
  verdict: InstallVerdict | null = null
  readonly disk: MemoryDisk
  readonly state: StateStore
  readonly receiver: SnapshotReceiver
  #pending: (() => void)[] = []

  constructor(host = new ManualHost()) {
    this.host = host
    const rules = { hashRecord, voidKeys }
    this.disk = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0, rules })
    this.state = this.disk.openState()
    this.receiver = new SnapshotReceiver({
      host: this.host,
      state: this.#judging(this.state),
      clusterId: cluster,
      isNews: ({ index }) => index > this.commitIndex,
      newLoading: ({ oldestBucket }) => new LoadingState(this.host, defaultLimits, oldestBucket),
      mark: (installing, stored) =>
        this.#pending.push(() => {
          this.marks.push(installing)
          stored()
        }),
      send: (to, frame) => {
        if (frame.kind === 'snapshotReply') this.replies.push(`${to}: ${textOfReply(frame)}`)
      },
      received: (received) => this.received.push(received),
      failed: (error) => this.failed.push(error.message),
    })
  }

  #judging(state: StateStore): StateStore {
    return {
      stored: state.stored,
      get nextGeneration() {
        return state.nextGeneration
      },
      load: (take, done) => state.load(take, done),
      begin: () => state.begin(),
      openView: () => state.openView(),
      install: (generation) => {
        const install = state.install(generation)
        const finish: StateInstall['finish'] = (checkpoint, done) =>
          install.finish(checkpoint, (error, verdict) => done(error, this.verdict ?? verdict))
        return { ...install, finish }
      },
      close: () => state.close(),
    }
  }

  /** What the disk was asked for is done. */
  settleDisk(): void {
    while (this.#pending.length > 0) for (const run of this.#pending.splice(0)) run()
  }

  /** What the disk was asked for is done, and what followed from it. */
  settle(): void {
    while (this.#pending.length > 0) {
      for (const run of this.#pending.splice(0)) run()
      this.host.settle()
    }
    this.host.settle()
  }

  offer({ transfer = 1, from = n2, clusterId = cluster, checkpoint = whole, term = 3 } = {}): void {
    this.receiver.onOffer(from, { kind: 'snapshotOffer', transfer, clusterId, term: asTerm(term), checkpoint })
  }

  chunk(number: number, part: readonly RecordBytes[], { transfer = 1, from = n2 } = {}): void {
    this.receiver.onChunk(from, { kind: 'snapshotChunk', transfer, number, records: part })
  }

  end(chunks: number, { transfer = 1, from = n2 } = {}): void {
    this.receiver.onEnd(from, { kind: 'snapshotEnd', transfer, chunks })
  }

  /** A whole transfer of these records as that checkpoint, up to the verdict. */
  takeIn(sent: readonly RecordBytes[], checkpoint: Checkpoint, transfer = 1): void {
    this.offer({ transfer, checkpoint })
    this.settle()
    this.chunk(1, sent, { transfer })
    this.end(1, { transfer })
    this.settle()
  }

  /** What was said since the last look. */
  news(): string[] {
    return this.replies.splice(0)
  }
}

function textOfReply({ transfer, number, said }: SnapshotReply): string {
  return `${said} ${transfer}/${number}`
}
