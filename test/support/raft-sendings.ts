// Snapshots on their way in the world of the Raft core. Records do not exist here: a checkpoint is an index, and a snapshot
// stands for the committed entries up to one.
import { assert } from '../../src/assert.ts'
import type { Index, NodeId, Term } from '../../src/ids.ts'
import type { SnapshotMeta } from '../../src/raft/entry.ts'
import { foundedWith } from './raft-founding.ts'
import { snapshotAt } from './raft-log-image.ts'
import type { Member, World } from './raft-world.ts'

/** A snapshot on its way; with `isThere` the member at the other end has it and has not said what became of it. */
export interface Sending {
  readonly to: NodeId
  readonly snapshot: SnapshotMeta
  readonly senderTerm: Term
  readonly dueAt: number
  isThere: boolean
}

/** Sends the last checkpoint, asked for by the core or not. */
export function beginSending(world: World, member: Member, to: NodeId, latencyMs: number): void {
  forget(member, (each) => each.to === to)
  const index = member.disk.checkpoint
  if (index === null || index === 0 || !member.isUp) return
  const { currentTerm: senderTerm } = member.state
  const dueAt = world.now + latencyMs
  member.sendings.push({ to, snapshot: snapshotOf(world, index), senderTerm, dueAt, isThere: false })
}

export function forget(member: Member, isForgotten: (sending: Sending) => boolean): void {
  const kept = member.sendings.filter((sending) => !isForgotten(sending))
  member.sendings.splice(0, member.sendings.length, ...kept)
}

/** What a checkpoint of committed entries says of itself. */
export function snapshotOf({ history, members }: World, index: Index): SnapshotMeta {
  assert(index > 0 && index <= history.committed.length, `a snapshot of ${index}, which is not committed`)
  return snapshotAt(history.committedLog, index, foundedWith(members.map(({ id }) => id)))
}
