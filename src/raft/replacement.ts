// How a new disk takes the place of a lost one (DESIGN 6, H28): the leader proposes memberReplaced, a majority of all
// members *without* that one commits it, and whoever finds it in his log counts accordingly from then on (members.ts).
// The member itself counts only when it has it on disk, knows it to be committed, and has stored that it knows.
//
// Why this is enough: a majority without the member has the entry, so whoever was elected or committed anything with a
// promise of the lost disk either has it as well, or meets one of them, who no longer listens to him.
import { asIndex } from '../ids.ts'
import { hasCommittedInTerm } from './commit.ts'
import type { Effect, RefuseReplacement } from './effect.ts'
import type { ReplaceMember } from './input.ts'
import { inForce, isCounted, namedAt } from './members.ts'
import { createProgress } from './progress.ts'
import { appendOwn } from './propose.ts'
import type { RaftState } from './state.ts'

/** Proposes that `member` is whoever has the disk `incarnation`, or says why not. */
export function replaceMember(state: RaftState, request: ReplaceMember, effects: Effect[]): void {
  const { member, incarnation } = request
  const reason = whyNot(state, request)
  if (reason !== null || state.role.kind !== 'leader') {
    effects.push({ kind: 'refuseReplacement', member, incarnation, reason: reason ?? 'notLeader' })
    return
  }
  appendOwn(
    state,
    state.role,
    { payload: new Uint8Array(0), note: { kind: 'memberReplaced', member, incarnation } },
    effects,
  )
  // What the lost disk said counts for nothing from here on, the moments at which it was heard included.
  state.role.progress.set(member, createProgress(state.log.lastIndex, -Infinity))
}

function whyNot(state: RaftState, { member, incarnation }: ReplaceMember): RefuseReplacement['reason'] | null {
  const { role, log, members, self } = state
  if (role.kind !== 'leader') return 'notLeader'
  if (role.transfer !== null) return 'transferring'
  // A leader that counted itself out could not commit it.
  if (!members.includes(member) || member === self) return 'unknownMember'
  // Before that it does not know which replacement is the last that was committed (B93).
  if (!hasCommittedInTerm(state, role)) return 'takingOver'
  // Perhaps not committed yet: whoever asks a second time sees it in the log like the first.
  if (inForce(state, member) === incarnation) return 'inForce'
  // One at a time: two majorities that each leave out another member need not meet (B94).
  return (log.replacements.at(-1)?.index ?? 0) > state.commitIndex ? 'underWay' : null
}

/** To be called when log, commit index or disk have changed: perhaps our disk is known to be in force now. */
export function storeThatWeCount(state: RaftState, effects: Effect[]): void {
  // Without its state a disk whose log begins later does not know who is in force: it takes itself for that (starting.ts).
  if (!state.canServe) return
  if (state.countedByStoring !== null || inForce(state, state.self) !== state.incarnation || isCounted(state)) return
  // In no entry of the log: then what it starts behind says it, or did before.
  const by = asIndex(Math.max(namedAt(state, state.self), state.log.start.index))
  if (by > state.commitIndex || by > state.durability.durableIndex) return
  state.countedByStoring = by
  effects.push({ kind: 'storeCounted', incarnation: state.incarnation, by })
}

/** It is stored: from now on we vote and are counted, as long as we are in force. */
export function onCountedStored(state: RaftState): void {
  state.countedBy = state.countedByStoring
  state.countedByStoring = null
}
