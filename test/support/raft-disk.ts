// One member's disk in the world of the Raft core: a queue of writes that complete in order, and what survives a crash.
// Like the shell's, a write takes everything that has queued up meanwhile and becomes durable as a whole.
import { assert } from '../../src/assert.ts'
import type { Io, NodeId, Term } from '../../src/ids.ts'
import type { Persist } from '../../src/raft/effect.ts'
import type { Entry, HardState } from '../../src/raft/entry.ts'
import { createImage, writeImage } from './raft-log-image.ts'
import type { LogImage, PrefixNames } from './raft-log-image.ts'

export interface Disk {
  hardState: HardState
  readonly log: LogImage
  /** Names of all prefixes that were durable at some moment. */
  readonly everDurable: Set<number>
  /** Asked for and not durable, oldest first. */
  readonly queue: Persist[]
  /** How many of the queue are in the write under way, and when it completes; null when there is none. */
  writing: { readonly count: number; readonly dueAt: number } | null
  /** How long a write takes; null: it hangs until a test completes it. */
  latencyMs: number | null
}

export interface StoredAtFirst {
  readonly term: Term
  readonly votedFor: NodeId | null
  readonly entries: readonly Entry[]
}

export function createDisk(names: PrefixNames, stored: StoredAtFirst, latencyMs: number | null): Disk {
  const log = createImage(names, stored.entries)
  return {
    hardState: { currentTerm: stored.term, votedFor: stored.votedFor },
    log,
    everDurable: new Set(log.prefixes),
    queue: [],
    writing: null,
    latencyMs,
  }
}

/** Begins a write of all that waits, if none is under way and the disk does not hang. */
export function startWriting(disk: Disk, now: number): void {
  if (disk.writing !== null || disk.queue.length === 0 || disk.latencyMs === null) return
  disk.writing = { count: disk.queue.length, dueAt: now + disk.latencyMs }
}

/** The `count` oldest writes are durable now. Returns the number of the last, null when nothing was written. */
export function completeWrites(disk: Disk, names: PrefixNames, count: number): Io | null {
  assert(count <= disk.queue.length, 'only what was asked for is written')
  disk.writing = null
  let io: Io | null = null
  for (const write of disk.queue.splice(0, count)) {
    if (write.hardState !== null) disk.hardState = write.hardState
    writeImage(disk.log, names, write)
    for (const entry of write.entries) disk.everDurable.add(disk.log.prefixes[entry.index - 1] ?? 0)
    io = write.io
  }
  return io
}
