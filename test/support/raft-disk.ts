// One member's disk in the world of the Raft core: a queue of writes that complete in order, and what survives a crash.
// Like the shell's, a write takes everything that has queued up meanwhile and becomes durable as a whole.
import { assert } from '../../src/assert.ts'
import { asIncarnation, asIndex, asTerm } from '../../src/ids.ts'
import type { Incarnation, Index, Io, NodeId, Term } from '../../src/ids.ts'
import type { InstallSnapshot, Persist } from '../../src/raft/effect.ts'
import type { Entry, HardState } from '../../src/raft/entry.ts'
import { createImage, installedImage, writeImage } from './raft-log-image.ts'
import type { LogImage, PrefixNames } from './raft-log-image.ts'

/** What stands on a disk. */
interface Contents {
  readonly incarnation: Incarnation
  readonly counted: Index | null
  readonly checkpoint: Index | null
  readonly hardState: HardState
  readonly log: LogImage
  readonly everDurable: ReadonlySet<number>
}

export interface Disk {
  incarnation: Incarnation
  /** What is on the others that its member has had, as they were taken out. */
  readonly lost: Contents[]
  /** By which entry it knows that it counts. */
  counted: Index | null
  /** Index of the checkpoint; 0 without one, null when it was lost. */
  checkpoint: Index | null
  hardState: HardState
  log: LogImage
  /** Names of all prefixes that were durable at some moment. */
  readonly everDurable: Set<number>
  /** Asked for and not durable, oldest first. */
  readonly queue: Write[]
  /** How many of the queue are in the write under way, and when it completes; null when there is none. */
  writing: { readonly count: number; readonly dueAt: number } | null
  /** How long a write takes; null: it hangs until a test completes it. */
  latencyMs: number | null
}

/** The entries of an install come from what is committed. */
export type Write = Persist | { readonly install: InstallSnapshot; readonly committed: LogImage }

export interface StoredAtFirst {
  readonly term: Term
  readonly votedFor: NodeId | null
  readonly entries: readonly Entry[]
}

export function createDisk(
  names: PrefixNames,
  incarnation: Incarnation,
  stored: StoredAtFirst,
  latencyMs: number | null,
): Disk {
  const log = createImage(names, stored.entries)
  return {
    incarnation,
    lost: [],
    counted: asIndex(0),
    checkpoint: asIndex(0),
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
    if ('install' in write) {
      const { install, committed } = write
      const { index } = install.snapshot
      disk.log = installedImage(disk.log, committed, { index, keepsTail: install.keepsTail })
      disk.checkpoint = index
      for (const prefix of disk.log.prefixes) disk.everDurable.add(prefix)
      io = install.io
    } else {
      if (write.hardState !== null) disk.hardState = write.hardState
      writeImage(disk.log, names, write)
      for (const entry of write.entries) disk.everDurable.add(disk.log.prefixes[entry.index - 1] ?? 0)
      io = write.io
    }
  }
  return io
}

/** Everything on it is gone, and it is another one: it does not know yet whether it counts. */
export function wipeDisk(disk: Disk, node: NodeId): void {
  mount(disk, {
    incarnation: asIncarnation(`${node}.${disk.lost.length + 2}`),
    counted: null,
    checkpoint: asIndex(0),
    hardState: { currentTerm: asTerm(0), votedFor: null },
    log: createImage(new Map(), []),
    everDurable: new Set(),
  })
}

/** The disk that was taken out first is there again, as it was; the present one is kept in its place. */
export function remountDisk(disk: Disk): void {
  const former = disk.lost.shift()
  assert(former !== undefined, 'it has had another disk')
  mount(disk, former)
}

function mount(disk: Disk, { everDurable, ...contents }: Contents): void {
  const { incarnation, counted, checkpoint, hardState, log } = disk
  disk.lost.push({ incarnation, counted, checkpoint, hardState, log, everDurable: new Set(disk.everDurable) })
  Object.assign(disk, contents)
  disk.everDurable.clear()
  for (const prefix of everDurable) disk.everDurable.add(prefix)
}
