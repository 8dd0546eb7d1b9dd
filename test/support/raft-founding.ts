// A cluster as it was founded, for tests of the core: every member has its first disk, which counts, and no checkpoint.
import { asIncarnation, asIndex } from '../../src/ids.ts'
import type { Incarnation, NodeId } from '../../src/ids.ts'
import type { RaftSetup } from '../../src/raft/state.ts'

/** The disk that `member` was founded with. */
export function firstDiskOf(member: NodeId): Incarnation {
  return asIncarnation(`${member}.1`)
}

export function foundedWith(members: readonly NodeId[]): ReadonlyMap<NodeId, Incarnation> {
  return new Map(members.map((member) => [member, firstDiskOf(member)]))
}

/** What `self` says of its disk and its checkpoint when it starts with all that it has ever had. */
export function foundedSetup(
  self: NodeId,
  members: readonly NodeId[],
): Pick<RaftSetup, 'applied' | 'incarnation' | 'incarnations' | 'counted' | 'canServe'> {
  return {
    applied: asIndex(0),
    incarnation: firstDiskOf(self),
    incarnations: foundedWith(members),
    counted: asIndex(0),
    canServe: true,
  }
}
