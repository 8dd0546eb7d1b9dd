// Checkpoints, trims and the arrival of snapshots in the world of the Raft core: what the shell does beside the core.
import { assert } from '../../src/assert.ts'
import { asIndex } from '../../src/ids.ts'
import { prefixAt } from './raft-log-image.ts'
import { linkName } from './raft-network.ts'
import type { Sending } from './raft-sendings.ts'
import { endSending, give, memberOf } from './raft-world.ts'
import type { Member, World } from './raft-world.ts'

/** The member's state as it is becomes its checkpoint, if it may. Returns whether it did. */
export function makeCheckpoint(world: World, member: Member): boolean {
  const { state, disk, appliedIndex, isUp, isStalled } = member
  if (!isUp || isStalled || !state.canServe || disk.log.entries.length < appliedIndex) return false
  // It is written when the log is durable up to it (H30); an install under way is not.
  if (state.durability.durableIndex < appliedIndex) return false
  const prefix = prefixAt(disk.log, appliedIndex)
  assert(prefix === prefixAt(world.history.committedLog, appliedIndex), 'a checkpoint is of committed entries')
  disk.checkpoint = appliedIndex
  return true
}

/** Trims the log behind the checkpoint, but for `tail` entries. */
export function trim(world: World, member: Member, tail: number): void {
  const upTo = (member.disk.checkpoint ?? 0) - tail
  if (upTo > 0) give(world, member, { kind: 'trimLog', upTo: asIndex(upTo) })
}

/** The snapshot has arrived, or has not. */
export function completeSending(world: World, member: Member, sending: Sending): void {
  const receiver = memberOf(world, sending.to)
  const isLost = world.network.cut.has(linkName({ from: member.id, to: sending.to })) || !receiver.isUp
  if (isLost) return endSending(world, sending, null)
  sending.isThere = true
  receiver.received.set(sending.snapshot, sending)
  const { snapshot, senderTerm } = sending
  give(world, receiver, { kind: 'snapshotReceived', snapshot, senderTerm })
}
