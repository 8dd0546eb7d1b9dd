// What a majority has on disk is committed, if it is of the leader's own term (§5.4.2, Figure 8); what is committed is
// handed out to be applied, once and in order (§5.3).
import { assert } from '../assert.ts'
import { asIndex } from '../ids.ts'
import type { Index } from '../ids.ts'
import { ownEntryCommitted } from './cluster-time.ts'
import type { Effect } from './effect.ts'
import type { Entry } from './entry.ts'
import { entryBytes, loadUpTo, shrinkWindow, termAt, windowFirst, windowSlice } from './log.ts'
import { reachedByMajority } from './quorum.ts'
import type { Leader, RaftState } from './state.ts'

/** Moves the leader's commit index to what a majority has; the leader counts itself only for what its own disk has. */
export function advanceCommit(state: RaftState, leader: Leader, effects: Effect[]): void {
  const durable: number[] = [state.durability.durableIndex]
  // Of a member that is being replaced nothing counts yet, neither of its earlier disk nor of the new one (H28).
  for (const progress of leader.progress.values()) durable.push(progress.countedIndex)
  const index = asIndex(reachedByMajority(durable))
  // An entry of an earlier term is committed only by one of our own behind it.
  if (index <= state.commitIndex || termAt(state.log, index) !== state.currentTerm) return
  const committed = windowSlice(state.log, {
    from: asIndex(Math.max(state.commitIndex + 1, leader.termStart)),
    to: index,
    bytesMax: Infinity,
  })
  for (const entry of committed) leader.uncommittedBytes -= entryBytes(entry)
  const last = committed.at(-1)
  assert(last?.index === index, 'entries of the own term stay in memory until they are applied')
  ownEntryCommitted(leader.clock, last.time)
  commitUpTo(state, index, effects)
}

/** Whether the leader has committed an entry of its own term: only then does it know what is committed (thesis §6.4). */
export function hasCommittedInTerm(state: RaftState, leader: Leader): boolean {
  return state.commitIndex >= leader.termStart
}

/** Everything up to `index` is committed; a lower index than before is old news. */
export function commitUpTo(state: RaftState, index: Index, effects: Effect[]): void {
  if (index <= state.commitIndex) return
  assert(index <= state.log.lastIndex, () => `commit index ${index} beyond the log`)
  state.commitIndex = index
  handOut(state, effects)
}

/** Entries that `handOut` asked for have been read. */
export function entriesToApplyLoaded(state: RaftState, entries: readonly Entry[], effects: Effect[]): void {
  state.applyLoad = null
  apply(state, entries, effects)
  handOut(state, effects)
}

/** Hands out what is committed and not applied, as far as it can be had. */
export function handOut(state: RaftState, effects: Effect[]): void {
  // Without its state it will be long until they are applied, and then they can be read.
  if (!state.canServe) return forgetBodies(state, state.durability.durableIndex)
  if (state.appliedIndex === state.commitIndex || state.applyLoad !== null) return
  const from = asIndex(state.appliedIndex + 1)
  const inMemoryFrom = windowFirst(state.log)
  if (from < inMemoryFrom) {
    state.applyLoad = state.nextLoad++
    state.loads.set(state.applyLoad, from)
    const to = loadUpTo(from, asIndex(Math.min(state.commitIndex, inMemoryFrom - 1)))
    effects.push({ kind: 'loadEntries', load: state.applyLoad, from, to, bytesMax: state.options.appendBytesMax })
    return
  }
  apply(state, windowSlice(state.log, { from, to: state.commitIndex, bytesMax: Infinity }), effects)
  forgetBodies(state, asIndex(Math.min(state.appliedIndex, state.durability.durableIndex)))
}

function forgetBodies({ log, options }: RaftState, keepAbove: Index): void {
  shrinkWindow(log, { bytesMax: options.windowBytesMax, keepAbove })
}

function apply(state: RaftState, entries: readonly Entry[], effects: Effect[]): void {
  const last = entries.at(-1)
  assert(entries[0]?.index === state.appliedIndex + 1 && last !== undefined, 'entries are applied without gaps')
  assert(last.index <= state.commitIndex, 'only committed entries are applied')
  effects.push({ kind: 'apply', entries })
  state.appliedIndex = last.index
}
