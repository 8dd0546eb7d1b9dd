// A snapshot from the leader, on its way to our disk (DESIGN 6). The log is marked first, then the records are written
// beside the current ones under a generation of their own and read into a lock table of their own; when everything has
// been verified, the core decides. Until it does, a crash leaves what there was; whatever is wrong with what is sent
// ends the transfer and nothing else.
import { FormatError } from '../codec/packr.ts'
import type {
  SnapshotChunk,
  SnapshotEnd,
  SnapshotFrame,
  SnapshotOffer,
  SnapshotReply,
} from '../codec/snapshot-frame.ts'
import type { ClusterId, NodeId, Term } from '../ids.ts'
import type { Installing } from '../storage/log-store.ts'
import type { Checkpoint, StateInstall, StateStore } from '../storage/state-store.ts'
import type { Host } from './host.ts'
import type { LoadedState, LoadingState } from './loading-state.ts'

/** The leader may be gone, or another: what it began is forgotten after so long without a word. */
const silenceMs = 30_000
/** Verifying and loading take as long as they take: so often the sender hears that it goes on (H36). */
const wordMs = 5000

/** Verified, on disk under its generation, and in memory. */
export interface Received {
  readonly checkpoint: Checkpoint
  /** The sender's current term when it began. */
  readonly senderTerm: Term
  readonly install: StateInstall
  readonly loaded: LoadedState
}

export interface SnapshotReceiverParts {
  readonly host: Host
  readonly state: StateStore
  readonly clusterId: ClusterId
  /** Whether a state at that checkpoint would be news to us. */
  isNews(checkpoint: Checkpoint): boolean
  newLoading(checkpoint: Checkpoint): LoadingState
  /** Stores the mark in the log (null: takes it away), and says when it is durable. */
  mark(installing: Installing | null, stored: () => void): void
  send(to: NodeId, frame: SnapshotFrame): void
  /** The core is to decide; `decided` must be called then. */
  received(received: Received): void
  failed(error: Error): void
}

interface Transfer {
  readonly from: NodeId
  readonly number: number
  readonly checkpoint: Checkpoint
  readonly senderTerm: Term
  readonly loading: LoadingState
  /** null until the mark is stored. */
  install: StateInstall | null
  chunks: number
  /** Chunks that are with the disk. */
  stored: number
  /** Everything has come; what follows is ours alone. */
  complete: boolean
  heardAt: number
  /** When its sender was last told something that was not asked for. */
  saidAt: number
}

export class SnapshotReceiver {
  readonly #parts: SnapshotReceiverParts
  #transfer: Transfer | null = null
  /** A transfer that was given up is being cleared away: nothing new begins before. */
  #clearing = false
  #stopped = false
  /** Snapshots taken in since the start, for metrics. */
  installed = 0

  constructor(parts: SnapshotReceiverParts) {
    this.#parts = parts
  }

  get isBusy(): boolean {
    return this.#transfer !== null || this.#clearing
  }

  onOffer(from: NodeId, offer: SnapshotOffer): void {
    const { transfer: number, clusterId, checkpoint } = offer
    if (this.#stopped) return
    const { host } = this.#parts
    const current = this.#transfer
    if (current !== null && (current.complete || current.install === null)) return this.#say(from, number, 'refused')
    if (current !== null) this.#giveUp(current, 'another was offered')
    if (clusterId !== this.#parts.clusterId) return this.#say(from, number, 'refused')
    // It has caught up by entries meanwhile.
    if (!this.#parts.isNews(checkpoint)) return this.#say(from, number, 'installed')
    if (this.#clearing) return this.#say(from, number, 'refused')
    host.report({ level: 'info', message: `taking a snapshot from ${from}`, details: { index: checkpoint.index } })
    const transfer: Transfer = {
      from,
      number,
      checkpoint,
      senderTerm: offer.term,
      loading: this.#parts.newLoading(checkpoint),
      install: null,
      chunks: 0,
      stored: 0,
      complete: false,
      heardAt: host.now(),
      saidAt: host.now(),
    }
    this.#transfer = transfer
    const { index, term, time, chain } = checkpoint
    const generation = this.#parts.state.nextGeneration
    this.#parts.mark({ index, term, time, chain, generation }, () => {
      if (this.#transfer !== transfer) return
      transfer.install = this.#parts.state.install(generation)
      this.#say(from, number, 'taken')
    })
  }

  onChunk(from: NodeId, { transfer: number, number: chunk, records }: SnapshotChunk): void {
    const transfer = this.#transferOf(from, number)
    if (transfer === null) return
    if (chunk !== transfer.chunks + 1 || transfer.complete) return this.#refuse(transfer, `chunk ${chunk} out of order`)
    transfer.chunks = chunk
    try {
      for (const bytes of records) transfer.loading.take(bytes)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      return this.#refuse(transfer, error.message)
    }
    transfer.install.put(records, (error) => {
      if (error !== null) return this.#parts.failed(error)
      if (this.#transfer !== transfer) return
      transfer.stored++
      this.#say(from, number, 'taken', chunk)
      this.#finishWhenStored(transfer)
    })
  }

  onEnd(from: NodeId, { transfer: number, chunks }: SnapshotEnd): void {
    const transfer = this.#transferOf(from, number)
    if (transfer === null || transfer.complete) return
    if (chunks !== transfer.chunks) return this.#refuse(transfer, `${transfer.chunks} chunks of ${chunks}`)
    transfer.complete = true
    transfer.saidAt = transfer.heardAt
    this.#finishWhenStored(transfer)
  }

  /** What is read back to be verified must be there: the end may come while the last chunks are being written. */
  #finishWhenStored(transfer: Transfer & { readonly install: StateInstall }): void {
    if (!transfer.complete || transfer.stored < transfer.chunks) return
    const { install, checkpoint, senderTerm, loading } = transfer
    install.finish(checkpoint, (error, verdict) => {
      if (error !== null) return this.#parts.failed(error)
      if (this.#transfer !== transfer) return
      if (verdict !== 'sound') return this.#refuse(transfer, 'its records are not those of its checkpoint')
      loading.finish(checkpoint, (problem, loaded) => {
        // That took many turns: it may have been given up meanwhile.
        if (this.#transfer !== transfer) return
        if (loaded === null) this.#refuse(transfer, problem)
        else this.#parts.received({ checkpoint, senderTerm, install, loaded })
      })
    })
  }

  /** The core has decided about what was received. The snapshot is ours from now on, or it is discarded. */
  decided(isInstalled: boolean): void {
    const transfer = this.#transfer
    if (transfer === null) return
    if (!isInstalled) return this.#giveUp(transfer, 'it is not needed any more', 'installed')
    this.installed++
  }

  /** What was installed is durable: the sender may go on behind it. */
  durable(): void {
    const transfer = this.#transfer
    if (transfer === null) return
    this.#transfer = null
    this.#say(transfer.from, transfer.number, 'installed')
  }

  /** The disks are about to be closed: what is under way is left as after a crash. */
  stop(): void {
    this.#transfer = null
    this.#stopped = true
  }

  /** To be called every now and then. */
  expire(now: number): void {
    const transfer = this.#transfer
    if (transfer === null || transfer.install === null) return
    if (!transfer.complete) {
      if (now - transfer.heardAt >= silenceMs) this.#giveUp(transfer, 'nothing more comes')
    } else if (now - transfer.saidAt >= wordMs) {
      transfer.saidAt = now
      this.#say(transfer.from, transfer.number, 'taken', transfer.chunks)
    }
  }

  /** Our link to that member is new, or its process another: what it was sending is over there, too. */
  linkChanged(peer: NodeId): void {
    const transfer = this.#transfer
    if (transfer === null || transfer.from !== peer || transfer.complete || transfer.install === null) return
    this.#giveUp(transfer, 'its sender is another')
  }

  #transferOf(from: NodeId, number: number): (Transfer & { readonly install: StateInstall }) | null {
    const transfer = this.#transfer
    if (transfer === null || transfer.from !== from || transfer.number !== number || !hasInstall(transfer)) return null
    transfer.heardAt = this.#parts.host.now()
    return transfer
  }

  #refuse(transfer: Transfer, why: string): void {
    this.#giveUp(transfer, why, 'refused')
  }

  #giveUp({ from, number, install }: Transfer, why: string, said: SnapshotReply['said'] = 'refused'): void {
    this.#parts.host.report({ level: 'warn', message: `a snapshot from ${from} was given up`, details: { why } })
    this.#transfer = null
    this.#say(from, number, said)
    if (install === null) return
    this.#clearing = true
    install.discard((error) => {
      if (error !== null) return this.#parts.failed(error)
      this.#parts.mark(null, () => {
        this.#clearing = false
      })
    })
  }

  #say(to: NodeId, transfer: number, said: SnapshotReply['said'], number = 0): void {
    this.#parts.send(to, { kind: 'snapshotReply', transfer, number, said })
  }
}

function hasInstall(transfer: Transfer): transfer is Transfer & { readonly install: StateInstall } {
  return transfer.install !== null
}
