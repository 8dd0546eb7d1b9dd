// Snapshots to members that need what our log has no more, or whose state is damaged (DESIGN 6). Each gets the records of
// our last checkpoint out of a frozen view, in chunks, of which a few are under way at a time: appends and heartbeats flow
// beside them, and a slow receiver costs nothing but the view. The log is kept behind what is being sent, or the receiver
// would need the next snapshot when it has this one (H36).
import type { SnapshotFrame, SnapshotReply } from '../codec/snapshot-frame.ts'
import type { ClusterId, Index, NodeId, Term } from '../ids.ts'
import type { Checkpoint, StateStore, StateView } from '../storage/state-store.ts'
import type { Host } from './host.ts'

const chunkBytes = 256 * 1024
const chunksUnderWayMax = 4
/** Without a word from the receiver for so long the transfer is given up, and may begin again. */
const silenceMs = 15_000

interface Transfer {
  readonly number: number
  readonly view: StateView
  chunksSent: number
  chunksTaken: number
  /** Records are being read for the next chunk. */
  reading: boolean
  /** The last chunk has been sent. */
  complete: boolean
  heardAt: number
}

export interface SnapshotSenderParts {
  readonly host: Host
  readonly state: StateStore
  readonly clusterId: ClusterId
  readonly currentTerm: () => Term
  send(to: NodeId, frame: SnapshotFrame): void
  /** The transfer is over: the member has installed `index`, or null: it has not. */
  ended(to: NodeId, index: Index | null): void
  failed(error: Error): void
}

export class SnapshotSender {
  readonly #parts: SnapshotSenderParts
  readonly #transfers = new Map<NodeId, Transfer>()
  #lastNumber: number
  /** For metrics. */
  sent = 0

  /** `firstNumber` must be far from those of other runs of this node. */
  constructor(parts: SnapshotSenderParts, firstNumber: number) {
    this.#parts = parts
    this.#lastNumber = firstNumber
  }

  /** The log must be kept behind this index; null when nothing is being sent. */
  get holdsFrom(): Index | null {
    const indices = [...this.#transfers.values()].map(({ view }) => view.checkpoint.index)
    return indices.length === 0 ? null : indices.reduce((a, b) => (a < b ? a : b))
  }

  /** What is being sent to that member; null when nothing is. */
  sending(to: NodeId): Checkpoint | null {
    return this.#transfers.get(to)?.view.checkpoint ?? null
  }

  begin(to: NodeId): void {
    this.#drop(to)
    const view = this.#parts.state.openView()
    // Without a checkpoint the log is whole, and nobody needs one.
    if (view === null) return this.#parts.ended(to, null)
    const { host, clusterId, currentTerm } = this.#parts
    const transfer: Transfer = {
      number: ++this.#lastNumber,
      view,
      chunksSent: 0,
      chunksTaken: 0,
      reading: false,
      complete: false,
      heardAt: host.now(),
    }
    this.#transfers.set(to, transfer)
    const { checkpoint } = view
    host.report({ level: 'info', message: `sending a snapshot to ${to}`, details: { index: checkpoint.index } })
    const { number } = transfer
    this.#parts.send(to, { kind: 'snapshotOffer', transfer: number, clusterId, term: currentTerm(), checkpoint })
  }

  onReply(from: NodeId, { transfer: number, number: chunk, said }: SnapshotReply): void {
    const transfer = this.#transfers.get(from)
    if (transfer === undefined || transfer.number !== number) return
    transfer.heardAt = this.#parts.host.now()
    if (said === 'taken') {
      transfer.chunksTaken = Math.max(transfer.chunksTaken, Math.min(chunk, transfer.chunksSent))
      this.#sendNext(from, transfer)
    } else {
      const { index } = transfer.view.checkpoint
      if (said === 'installed') this.sent++
      this.#end(from, said === 'installed' ? index : null)
    }
  }

  /** The link to that member is new, or its process another: what was under way is lost. */
  linkChanged(to: NodeId): void {
    if (this.#transfers.has(to)) this.#end(to, null)
  }

  /** We lead no more: nobody waits for what is being sent. */
  stop(): void {
    if (this.#transfers.size === 0) return
    for (const to of [...this.#transfers.keys()]) this.#drop(to)
  }

  /** To be called every now and then. */
  expire(now: number): void {
    if (this.#transfers.size === 0) return
    for (const [to, { heardAt }] of [...this.#transfers]) if (now - heardAt >= silenceMs) this.#end(to, null)
  }

  #sendNext(to: NodeId, transfer: Transfer): void {
    if (transfer.reading || transfer.complete) return
    if (transfer.chunksSent - transfer.chunksTaken >= chunksUnderWayMax) return
    transfer.reading = true
    transfer.view.read(chunkBytes, (error, records, isLast) => {
      if (this.#transfers.get(to) !== transfer) return
      if (error !== null) return this.#parts.failed(error)
      transfer.reading = false
      const { number } = transfer
      if (records.length > 0) {
        transfer.chunksSent++
        this.#parts.send(to, { kind: 'snapshotChunk', transfer: number, number: transfer.chunksSent, records })
      }
      if (isLast) {
        transfer.complete = true
        this.#parts.send(to, { kind: 'snapshotEnd', transfer: number, chunks: transfer.chunksSent })
      } else {
        this.#sendNext(to, transfer)
      }
    })
  }

  #end(to: NodeId, index: Index | null): void {
    this.#drop(to)
    this.#parts.ended(to, index)
  }

  #drop(to: NodeId): void {
    this.#transfers.get(to)?.view.close()
    this.#transfers.delete(to)
  }
}
