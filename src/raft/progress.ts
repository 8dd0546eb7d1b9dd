// What the leader knows of one other member, and how much it may have under way to it (§5.3, thesis §10.2.1).
//
// `probe`: we do not know where the logs agree; one append at a time. `replicate`: appends are pipelined, bounded in
// messages and bytes; `nextIndex` runs ahead of `matchIndex`, which moves only by acknowledgements of durable entries.
// `snapshot`: it needs what our log has no more (§7); heartbeats flow, nothing else, until the shell has sent a snapshot.
import { asIndex } from '../ids.ts'
import type { Index } from '../ids.ts'
import type { RaftOptions } from './state.ts'

export interface Progress {
  mode: 'probe' | 'replicate' | 'snapshot'
  /** The member's durable log is ours up to here, as it said itself in this term. */
  matchIndex: Index
  /** What of that counts: acknowledged by the disk that is in force (members.ts). */
  countedIndex: Index
  nextIndex: Index
  /** Appends that carried entries and are not acknowledged, oldest first. */
  readonly inflight: SentAppend[]
  inflightBytes: number
  /** In `probe`: the append that is out, until its answer or the next heartbeat round comes. */
  probe: SentAppend | null
  /** Newest round and commit index that the member was told of. */
  roundSent: number
  commitSent: Index
  /** It waits for what was committed up to here. */
  commitAwaited: Index
  /** Newest round that it answered, and when that began. */
  roundAnswered: number
  contactAt: number
  /** The `loadEntries` under way to read what it lacks; null when there is none. */
  load: number | null
}

/** Entries up to `lastIndex`, or none when that is below `nextIndex`. */
interface SentAppend {
  readonly lastIndex: Index
  readonly bytes: number
}

export function createProgress(lastIndex: Index, now: number): Progress {
  return {
    mode: 'probe',
    matchIndex: asIndex(0),
    countedIndex: asIndex(0),
    nextIndex: asIndex(lastIndex + 1),
    inflight: [],
    inflightBytes: 0,
    probe: null,
    roundSent: 0,
    commitSent: asIndex(0),
    commitAwaited: asIndex(0),
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
  progress.probe = null
  progress.load = null
}

/** Nothing but heartbeats until the snapshot is there. */
export function awaitSnapshot(progress: Progress): void {
  probeFrom(progress, progress.nextIndex)
  progress.mode = 'snapshot'
}

/** Whether another append with entries may be sent now. */
export function hasRoom(progress: Progress, options: RaftOptions): boolean {
  if (progress.load !== null || progress.mode === 'snapshot') return false
  if (progress.mode === 'probe') return progress.probe === null
  return progress.inflight.length < options.inflightMessagesMax && progress.inflightBytes < options.inflightBytesMax
}

/** An append is on its way. In `probe` the next one starts where this one did, until it is answered. */
export function appendSent(progress: Progress, append: SentAppend): void {
  const isEmpty = append.lastIndex < progress.nextIndex
  if (progress.mode === 'probe') {
    if (progress.probe === null || !isEmpty) progress.probe = append
  } else if (progress.mode === 'replicate' && !isEmpty) {
    progress.inflight.push(append)
    progress.inflightBytes += append.bytes
    progress.nextIndex = asIndex(append.lastIndex + 1)
  }
}

/**
 * The member acknowledged its durable log up to `matchIndex`: the logs agree, and what a probe carried is in the pipeline.
 * One that waits for a snapshot goes on waiting, or it would get two things at once.
 */
export function acknowledged(progress: Progress, matchIndex: Index): void {
  if (progress.mode === 'probe') progress.mode = 'replicate'
  if (progress.probe !== null) appendSent(progress, progress.probe)
  progress.probe = null
  progress.matchIndex = asIndex(Math.max(progress.matchIndex, matchIndex))
  progress.nextIndex = asIndex(Math.max(progress.nextIndex, progress.matchIndex + 1))
  while ((progress.inflight[0]?.lastIndex ?? Infinity) <= progress.matchIndex) {
    progress.inflightBytes -= progress.inflight.shift()?.bytes ?? 0
  }
}
