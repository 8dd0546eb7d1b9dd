// Members are interchangeable: the core compares no names. So worlds that differ only in who is called what are one, and
// of all their encodings the least stands for them. Most members differ in something that does not depend on names;
// only those that do not have to be tried in every order.
import { assert } from '../../src/assert.ts'
import type { NodeId } from '../../src/ids.ts'
import { codeOf } from './raft-messages.ts'
import { linkOf, logOf, memberCount, roleKinds } from './raft-world.ts'
import type { World } from './raft-world.ts'
import { encodeWorld } from './raft-write.ts'

const orders: readonly (readonly number[])[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]

/** The least encoding over all orders of the members, but only those orders in which their features ascend. */
export function encodeLeast(world: World): Uint8Array {
  const features = world.members.map((_, place) => featureOf(world, place))
  const candidates = orders.filter((order) => ascends(features, order))
  const [first, ...others] = candidates
  assert(first !== undefined, 'some order ascends')
  let least = encodeWorld(world, first)
  for (const order of others) {
    const before = least.slice()
    const bytes = encodeWorld(world, order)
    least = Buffer.compare(bytes, before) < 0 ? bytes : before
  }
  return least
}

function ascends(features: readonly number[], order: readonly number[]): boolean {
  for (let at = 1; at < order.length; at++) {
    if ((features[order[at - 1] ?? 0] ?? 0) > (features[order[at] ?? 0] ?? 0)) return false
  }
  return true
}

/** A number that depends on the member, and not on what it or others are called. */
function featureOf({ members, links, past }: World, place: number): number {
  const member = members[place]
  assert(member !== undefined, 'every place has a member')
  const { state, disk, queue, outbox } = member
  let feature = roleKinds.indexOf(state.role.kind)
  const add = (value: number): void => {
    feature = (Math.imul(feature, 0x01000193) ^ value) >>> 0
  }
  const addId = (id: NodeId | null): void => add(id === null ? 0 : id === state.self ? 1 : 2)
  add(state.currentTerm)
  addId(state.votedFor)
  addId(state.leaderOfTerm)
  add(state.commitIndex)
  add(state.durability.durableIndex)
  add(disk.term)
  addId(disk.votedFor)
  for (const entry of disk.entries) add(codeOf(entry))
  add(queue.length * 16 + outbox.length)
  for (const entry of logOf(member)) add(codeOf(entry))
  for (const id of past.votes[place] ?? []) addId(id)
  let sent = 0
  let received = 0
  for (let other = 0; other < memberCount; other++) {
    sent += linkFeature(links[linkOf(place, other)] ?? [])
    received += linkFeature(links[linkOf(other, place)] ?? [])
  }
  add(sent)
  add(received)
  return feature
}

function linkFeature(link: readonly number[]): number {
  let feature = 0
  for (const number of link) feature = (Math.imul(feature, 31) + number + 1) & 0xffffff
  return feature
}
