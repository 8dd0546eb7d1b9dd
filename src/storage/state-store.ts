// The port to the disk that keeps checkpoints of the state machine (DESIGN 6). The records live in memory; a checkpoint
// writes those that changed as one atomic, synced batch, a snapshot from another node brings all of them under a new
// generation beside the current one. Records are bytes here: what they mean, and what their digest is, is known elsewhere.
//
// Unlike the log, a state that is damaged costs only itself: the node can wipe it and install a snapshot.
import type { ClusterTime, Digest, Incarnation, Index, Term } from '../ids.ts'
import { type ChainHash, DamagedError } from './log-store.ts'

/** What a checkpoint is a checkpoint of: the state after the entry at `index`. */
export interface Checkpoint {
  readonly index: Index
  readonly term: Term
  readonly time: ClusterTime
  /** Of the entry at `index`. */
  readonly chain: ChainHash
  readonly digest: Digest
  /** How many there are. */
  readonly records: number
  /** Remembered records of earlier buckets are void, and may still be on the disk. */
  readonly oldestBucket: number
  /** In force at `index`, by node. */
  readonly incarnations: Readonly<Record<string, Incarnation>>
}

export interface StoredState {
  /** Counts the snapshots installed; 0 before the first. */
  readonly generation: number
  /** null before the first checkpoint. */
  readonly checkpoint: Checkpoint | null
}

/** A record as the codec makes it; the store adds the generation and a checksum. */
export interface RecordBytes {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** What the store must know of records to which it is blind otherwise. Both are in codec/record.ts. */
export interface RecordRules {
  /** Its part of the digest, which is the sum of all modulo 2^48. */
  readonly hashRecord: (record: RecordBytes) => number
  /** The keys of the records that are void when this is the oldest bucket. */
  readonly voidKeys: (oldestBucket: number) => readonly KeyRange[]
}

export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/** `mismatch`: what was sent is not what the checkpoint says. Nobody's disk is damaged. */
export type InstallVerdict = 'sound' | 'mismatch'

export interface StateStore {
  /** Of the generation that is current: as found when it was opened, and after every checkpoint and flip. */
  readonly stored: StoredState
  /** Above every generation that was ever begun on this disk: of the next install. */
  readonly nextGeneration: number
  /**
   * Reads all records of the current generation, in chunks of a few milliseconds, each in a turn of its own. Damage, and
   * a wrong count, is a DamagedStateError. Void records are left out.
   */
  load(take: (records: readonly RecordBytes[]) => void, done: (error: Error | null) => void): void
  /** Gathers one checkpoint; one at a time. Nothing is on the disk before `commit`. */
  begin(): CheckpointWriter
  /** The records of the last checkpoint as they are now, however many are written meanwhile. null when there is none. */
  openView(): StateView | null
  /** Takes the records of another node under a generation of their own, `nextGeneration`; one at a time. */
  install(generation: number): StateInstall
  /** Waits for the write in flight, then frees the folder. What was not committed or flipped is gone. */
  close(): Promise<void>
}

/** Keys and values may be used again when a call has returned. */
export interface CheckpointWriter {
  put(record: RecordBytes): void
  delete(key: Uint8Array): void
  /** One synced batch. Calls `done` once, later: null when it is durable. Whatever fails stops the process. */
  commit(checkpoint: Checkpoint, done: (error: Error | null) => void): void
  /** Forgets what was gathered. */
  abandon(): void
}

export interface StateView {
  readonly checkpoint: Checkpoint
  /** The next records, in the order of their keys, at least one unless none is left; void ones are left out. */
  read(bytesMax: number, done: (error: Error | null, records: readonly RecordBytes[], isLast: boolean) => void): void
  close(): void
}

export interface StateInstall {
  readonly generation: number
  /** Repeated keys replace each other. Calls `done` once, later; not durable yet. */
  put(records: readonly RecordBytes[], done: (error: Error | null) => void): void
  /** Reads everything back and compares count and digest. When sound, records and checkpoint are durable. */
  finish(checkpoint: Checkpoint, done: (error: Error | null, verdict: InstallVerdict) => void): void
  /** After a sound finish: from now on this generation is the current one. The old one is deleted in the background. */
  flip(done: (error: Error | null) => void): void
  /** Deletes it again, in the background; calls `done` once, later. */
  discard(done: (error: Error | null) => void): void
}

/** Damage in `state/` alone: log, term and vote are intact, so the node may go on voting while it gets a snapshot. */
export class DamagedStateError extends DamagedError {
  override readonly name = 'DamagedStateError'
}
