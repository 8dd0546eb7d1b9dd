// What the leader knows of one other member, and how much it may have under way to it (§5.3, thesis §10.2.1).
//
// `probe`: we do not know where the logs agree; one append at a time. `replicate`: appends are pipelined, bounded in
// messages and bytes; `nextIndex` runs ahead of `matchIndex`, which moves only by acknowledgements of durable entries.
import { asIndex } from '../ids.ts'
import type { Index } from '../ids.ts'
import type { RaftOptions } from './state.ts'

export interface Progress {
  mode: 'probe' | 'replicate'
  /** The member's durable log is ours up to here, as it said itself in this term. */
  matchIndex: Index
  nextIndex: Index
  /** Appends that carried entries and are not acknowledged, oldest first. */
  readonly inflight: { readonly lastIndex: Index; readonly bytes: number }[]
  inflightBytes: number
  /** In `probe`: an append is out and neither its answer nor the next heartbeat round has come. */
  probeOut: boolean
  /** Newest round and commit index that the member was told of. */
  roundSent: number
  commitSent: Index
  /** Newest round that it answered, and when that began. */
  roundAnswered: number
  contactAt: number
  /** The `loadEntries` under way to read what it lacks; null when there is none. */
  load: number | null
}

export function createProgress(lastIndex: Index, now: number): Progress {
  return {
    mode: 'probe',
    matchIndex: asIndex(0),
    nextIndex: asIndex(lastIndex + 1),
    inflight: [],
    inflightBytes: 0,
    probeOut: false,
    roundSent: 0,
    commitSent: asIndex(0),
    roundAnswered: 0,
    contactAt: now,
    load: null,
  }
}

/** Starts over from `nextIndex`: what is under way may be lost. */
export function probeFrom(progress: Progress, nextIndex: Index): void {
  progress.mode = 'probe'
  progress.nextIndex = nextIndex
  progress.inflight.length = 0
  progress.inflightBytes = 0
  progress.probeOut = false
  progress.load = null
}

/** Whether another append with entries may be sent now. */
export function hasRoom(progress: Progress, options: RaftOptions): boolean {
  if (progress.load !== null) return false
  if (progress.mode === 'probe') return !progress.probeOut
  return progress.inflight.length < options.inflightMessagesMax && progress.inflightBytes < options.inflightBytesMax
}

/** Entries up to `lastIndex`, of `bytes`, are on their way in the pipeline. */
export function entriesSent(progress: Progress, lastIndex: Index, bytes: number): void {
  progress.inflight.push({ lastIndex, bytes })
  progress.inflightBytes += bytes
  progress.nextIndex = asIndex(lastIndex + 1)
}

/** The member acknowledged its durable log up to `matchIndex`. */
export function acknowledged(progress: Progress, matchIndex: Index): void {
  progress.matchIndex = asIndex(Math.max(progress.matchIndex, matchIndex))
  progress.nextIndex = asIndex(Math.max(progress.nextIndex, progress.matchIndex + 1))
  while ((progress.inflight[0]?.lastIndex ?? Infinity) <= progress.matchIndex) {
    progress.inflightBytes -= progress.inflight.shift()?.bytes ?? 0
  }
}
