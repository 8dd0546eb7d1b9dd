// Logs that begin later (§7): trimming behind a checkpoint, and the snapshot for a member who needs what was trimmed. The
// records themselves never come here. The shell makes checkpoints, sends and verifies snapshots; here is decided from
// where on the log is kept, who needs a snapshot, and what installing one means for log, commit index and durability.
import { asIndex } from '../ids.ts'
import type { Incarnation, Index, NodeId } from '../ids.ts'
import { handOut } from './commit.ts'
import { persistSnapshot, persistTrim } from './durability.ts'
import type { Effect } from './effect.ts'
import type { SnapshotMeta } from './entry.ts'
import type { SnapshotReceived } from './input.ts'
import { startAt, startOver, termAt } from './log.ts'
import { awaitSnapshot, probeFrom } from './progress.ts'
import type { Progress } from './progress.ts'
import { awaitLeader, enterTerm } from './roles.ts'
import type { RaftState } from './state.ts'

/**
 * Forgets entries up to `upTo`, as far as they are applied and durable and nobody is reading them. How much is kept for
 * followers that are slow is the shell's to say: whoever needs more gets a snapshot.
 */
export function trimLog(state: RaftState, upTo: Index, effects: Effect[]): void {
  const { log, durability, loads } = state
  let end = Math.min(upTo, state.appliedIndex, durability.durableIndex)
  for (const from of loads.values()) end = Math.min(end, from - 1)
  if (end <= log.start.index) return
  const start = asIndex(end)
  state.incarnations = incarnationsAt(state, start)
  startAt(log, start)
  persistTrim(state, effects, start)
}

/** Whose disks are in force behind the entry at `index`. */
function incarnationsAt({ log, incarnations }: RaftState, index: Index): ReadonlyMap<NodeId, Incarnation> {
  const at = new Map(incarnations)
  for (const { index: from, member, incarnation } of log.replacements) if (from <= index) at.set(member, incarnation)
  return at
}

// ---- the leader's side

/** Asks for a snapshot to be sent to a member whose next entry, or the one before, is gone. Once for each try. */
export function sendSnapshotIfNeeded(
  state: RaftState,
  { member, progress }: { member: NodeId; progress: Progress },
  effects: Effect[],
): void {
  if (progress.mode === 'snapshot' || progress.nextIndex > state.log.start.index) return
  awaitSnapshot(progress)
  effects.push({ kind: 'sendSnapshot', to: member })
}

/** The sending of a snapshot is over. */
export function onSnapshotEnded(state: RaftState, to: NodeId, index: Index | null): void {
  const progress = state.role.kind === 'leader' ? state.role.progress.get(to) : undefined
  if (progress?.mode !== 'snapshot') return
  const { lastIndex } = state.log
  if (index !== null) {
    // If the log was trimmed beyond it meanwhile, the next one follows at once (H36 is the shell's: it keeps the log).
    probeFrom(progress, asIndex(Math.max(progress.matchIndex, Math.min(index, lastIndex)) + 1))
    return
  }
  // Where the member is now a probe will find out, but not before the next heartbeat: it may fail again at once.
  probeFrom(progress, asIndex(lastIndex + 1))
  progress.probe = { lastIndex, bytes: 0 }
}

// ---- the follower's side

/** A verified snapshot is on our disk: takes its place in the log, or is of no use. */
export function onSnapshotReceived(state: RaftState, received: SnapshotReceived, effects: Effect[]): void {
  const { snapshot, senderTerm } = received
  // What it holds may have been committed by a term that we have not heard of; an earlier leader must not contradict it.
  if (senderTerm > state.currentTerm) enterTerm(state, senderTerm, effects)
  if (snapshot.term > senderTerm || !isUseful(state, snapshot)) {
    effects.push({ kind: 'ignoreSnapshot', snapshot })
    return
  }
  // Votes for another log than ours is from now on are no use any more.
  if (state.role.kind === 'preCandidate' || state.role.kind === 'candidate') awaitLeader(state)
  install(state, snapshot, effects)
}

/** A leader has everything. Others learn something new from what they have not committed; B79, B89. */
function isUseful({ role, canServe, commitIndex, log }: RaftState, { index }: SnapshotMeta): boolean {
  if (role.kind === 'leader') return false
  // Without the records of our own state even those of committed entries are welcome, if the log follows them.
  return canServe ? index > commitIndex : index >= log.start.index
}

/**
 * The snapshot stands for all entries up to its last. Those behind it stay if our log holds that one; otherwise everything
 * after what is committed here may contradict it, and goes (B79). What was being read to be applied is void (B80).
 */
function install(state: RaftState, snapshot: SnapshotMeta, effects: Effect[]): void {
  const { log, role } = state
  const keepsTail = termAt(log, snapshot.index) === snapshot.term
  const sameUpTo = keepsTail ? log.lastIndex : state.commitIndex
  if (keepsTail) startAt(log, snapshot.index)
  else startOver(log, snapshot)
  if (role.kind === 'follower') {
    role.verifiedIndex = asIndex(Math.min(role.verifiedIndex, sameUpTo))
    role.acknowledgedIndex = asIndex(Math.min(role.acknowledgedIndex, sameUpTo))
  }
  state.incarnations = snapshot.incarnations
  state.commitIndex = asIndex(Math.max(state.commitIndex, snapshot.index))
  state.appliedIndex = snapshot.index
  state.canServe = true
  state.applyLoad = null
  state.loads.clear()
  persistSnapshot(state, effects, { snapshot, keepsTail, sameUpTo })
  handOut(state, effects)
}
