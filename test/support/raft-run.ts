// The world living by itself: messages arrive after the network's latency, writes and loads complete after the disk's,
// and every process ends its turns with a tick, as the shell's loop does. Nothing is skipped and nothing polled: time
// jumps from one happening to the next.
import { nextArrivalAt, nextArrived } from './raft-network.ts'
import { wakeAt } from '../../src/raft/step.ts'
import { completeSending } from './raft-snapshots.ts'
import { completeLoad, completeWrite, deliver, give } from './raft-world.ts'
import type { Member, World } from './raft-world.ts'

/** At least so often a process ticks its core. */
const tickMs = 50

/** Lets the world live until `end`, or until `isEnough` holds after a turn. Returns whether it did. */
export function run(world: World, end: number, isEnough: () => boolean = () => false): boolean {
  for (;;) {
    if (isEnough()) return true
    const at = nextAt(world)
    if (at > end) {
      world.now = end
      return false
    }
    world.now = Math.max(world.now, at)
    turn(world)
  }
}

/** Everything that is due now happens; then the processes concerned end their turns. */
function turn(world: World): void {
  const busy = new Set<Member>()
  for (
    let flight = nextArrived(world.network, world.now);
    flight !== undefined;
    flight = nextArrived(world.network, world.now)
  ) {
    deliver(world, flight)
    for (const member of world.members) if (member.id === flight.to) busy.add(member)
  }
  for (const member of world.members) {
    const { writing } = member.disk
    if (writing !== null && writing.dueAt <= world.now) {
      completeWrite(world, member, writing.count)
      busy.add(member)
    }
    while ((member.loads[0]?.dueAt ?? Infinity) <= world.now) {
      completeLoad(world, member)
      busy.add(member)
    }
  }
  for (const member of world.members) {
    for (const sending of member.sendings.filter(({ isThere, dueAt }) => !isThere && dueAt <= world.now)) {
      completeSending(world, member, sending)
      busy.add(member)
      for (const other of world.members) if (other.id === sending.to) busy.add(other)
    }
  }
  if (world.timer !== null && world.timer.dueAt <= world.now) {
    world.timer.dueAt += world.timer.everyMs
    world.timer.act()
    for (const member of world.members) busy.add(member)
  }
  for (const member of world.members) {
    if (runs(member) && (busy.has(member) || tickAt(member) <= world.now)) give(world, member, { kind: 'tick' })
  }
}

function nextAt(world: World): number {
  let at = Math.min(nextArrivalAt(world.network), world.timer?.dueAt ?? Infinity)
  for (const member of world.members) {
    at = Math.min(at, member.disk.writing?.dueAt ?? Infinity, member.loads[0]?.dueAt ?? Infinity)
    for (const { isThere, dueAt } of member.sendings) if (!isThere) at = Math.min(at, dueAt)
    if (runs(member)) at = Math.min(at, tickAt(member))
  }
  return at
}

function runs(member: Member): boolean {
  return member.isUp && !member.isStalled
}

/** When this process ticks by itself, by the world's clock; never twice in a millisecond. */
function tickAt({ state, lastTickAt, clockAhead }: Member): number {
  return Math.max(lastTickAt + 1, Math.min(lastTickAt + tickMs, wakeAt(state))) - clockAhead
}
