// Who counts (DESIGN 6, "Coming back after a wipe"; H28). A disk that was lost takes its promises with it: catching up
// brings its entries back but not its votes. So a member counts (votes, pre-votes, acknowledgements, rounds) only as
// the disk that is in force: the one named by the newest memberReplaced in the log of the member that counts, committed
// or not, else by the checkpoint or the founding. Membership is not changed by it: the size of a majority stays.
import { asIndex } from '../ids.ts'
import type { Incarnation, Index, NodeId } from '../ids.ts'
import type { Log, Replacement } from './log.ts'
import type { Standing } from './message.ts'
import type { RaftState } from './state.ts'

/** The disk of `member` that counts, as our log says; null for one that is no member. */
export function inForce({ log, incarnations }: RaftState, member: NodeId): Incarnation | null {
  return newestOf(log, member)?.incarnation ?? incarnations.get(member) ?? null
}

/** Whose disks were in force after the entry at `index`, which is in the log or where it starts. */
export function incarnationsAt({ log, incarnations }: RaftState, index: Index): ReadonlyMap<NodeId, Incarnation> {
  const then = new Map(incarnations)
  for (const each of log.replacements) if (each.index <= index) then.set(each.member, each.incarnation)
  return then
}

/**
 * Whether what `member` says as `as` counts. A disk that was replaced and does not know it yet speaks as it did, and while
 * the entry that names it once more is not committed, others count another one: so it must know that entry, too, or the
 * two of them could elect two leaders of one term.
 */
export function counts(state: RaftState, member: NodeId, as: Standing | null): boolean {
  return as !== null && as.disk === inForce(state, member) && as.since >= namedAt(state, member)
}

/** As whom we speak; null while we do not count. */
export function standing(state: RaftState): Standing | null {
  const { countedBy, log, incarnation } = state
  if (countedBy === null || !isCounted(state)) return null
  return { disk: incarnation, since: asIndex(Math.max(countedBy, log.start.index)) }
}

/** The newest entry in our log that says which disk `member` has; 0: what is before the log does, and that is committed. */
export function namedAt({ log }: RaftState, member: NodeId): Index {
  return newestOf(log, member)?.index ?? asIndex(0)
}

/** Asked for several times a step, and hardly ever is there any. */
function newestOf({ replacements }: Log, member: NodeId): Replacement | null {
  if (replacements.length === 0) return null
  return replacements.findLast((each) => each.member === member) ?? null
}

/**
 * Whether we count ourselves: our disk is in force, and knows for certain by which entry. A disk that was replaced and is
 * named again counted by an earlier one, and begins anew like an empty one: its own acknowledgement would commit what
 * names it (H28).
 */
export function isCounted(state: RaftState): boolean {
  const { countedBy, incarnation, self } = state
  return countedBy !== null && inForce(state, self) === incarnation && countedBy >= namedAt(state, self)
}
