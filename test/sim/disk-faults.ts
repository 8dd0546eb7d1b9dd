// What goes wrong with disks while a world runs. Slow, full and failing disks keep what they confirmed; those that are
// lost, rot or lose their tail do not, and there are never more of these at once than a minority (injuries.ts).
import { assert, unreachable } from '../../src/assert.ts'
import { asIndex } from '../../src/ids.ts'
import type { FlippedBit } from '../../src/testing/memory-disk.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { FaultKind } from './scenario.ts'
import { sleep, start } from './task.ts'
import type { Task } from './task.ts'
import type { World } from './world.ts'

export type DiskFault = Extract<
  FaultKind,
  | 'slowDisk'
  | 'slowDisks'
  | 'slowedDisk'
  | 'writeError'
  | 'fullDisk'
  | 'wipe'
  | 'loseDisk'
  | 'rotLog'
  | 'rotState'
  | 'loseTail'
>

/** So long the leader has to see that a member came back with less than it had acknowledged. */
const witnessMs = 5000

export class DiskFaults {
  readonly #world: World
  readonly #random: Random
  readonly #durationMs: () => number

  constructor(world: World, random: Random, durationMs: () => number) {
    this.#world = world
    this.#random = random
    this.#durationMs = durationMs
  }

  inject(kind: DiskFault, victim: Machine): void {
    const { injuries, operator, timeline, machines } = this.#world
    const random = this.#random
    const mayHurt = injuries.mayHurt(victim)
    switch (kind) {
      case 'slowDisk':
        return this.#stall([victim])
      case 'slowDisks':
        return this.#stall(machines)
      case 'slowedDisk':
        victim.disk.slow(random.pick([5, 30, 100]))
        return timeline.after(this.#durationMs(), () => victim.disk.slow(1))
      case 'writeError':
        return victim.failWrite()
      case 'fullDisk':
        victim.fill()
        return timeline.after(this.#durationMs(), () => victim.free())
      case 'wipe':
        return this.#wipeForEver()
      case 'loseDisk':
        if (!mayHurt) return
        injuries.hurt(victim, 'lost')
        return operator.exchangeDisk(victim)
      case 'rotLog':
      case 'rotState':
        if (mayHurt) this.#rot(victim, kind)
        return
      case 'loseTail':
        if (mayHurt) start(random.chance(0.3) ? this.#loseStateTail(victim) : this.#loseLogTail(victim))
        return
      default:
        return unreachable(kind)
    }
  }

  #stall(slow: readonly Machine[]): void {
    for (const { disk } of slow) disk.stall()
    this.#world.timeline.after(this.#durationMs(), () => {
      for (const { disk } of slow) disk.resume()
    })
  }

  /** One or two disks are replaced by empty ones that nobody takes in, never so many that none is left that knows (H27). */
  #wipeForEver(): void {
    const { machines, wiped, injuries } = this.#world
    const count = this.#random.whole(1, 2)
    if (wiped.size > 0 || injuries.left.length > 0) return
    const victims = machines.filter(() => this.#random.chance(0.6)).slice(0, count)
    for (const machine of victims) {
      wiped.add(machine.id)
      machine.wipe()
    }
  }

  /** A synced bit flips. It is found when it is read, at the next start at the latest, unless it is written anew before. */
  #rot(victim: Machine, kind: 'rotLog' | 'rotState'): void {
    const { injuries, timeline } = this.#world
    const bit = kind === 'rotLog' ? this.#bitOfLog(victim) : this.#bitOfState()
    if (!victim.disk.flipBit(bit)) return
    injuries.hurt(victim, kind === 'rotLog' ? 'rottenLog' : 'rottenState')
    const { disk } = victim
    timeline.after(this.#random.exponential(this.#random.pick([20, 3000])), () => {
      if (victim.disk === disk) victim.crash(this.#random.chance(0.5))
    })
  }

  #bitOfLog({ disk }: Machine): FlippedBit {
    const { firstIndex, lastIndex } = disk.durable()
    const kind = this.#random.pick(['entry', 'entry', 'entry', 'hardState', 'meta', 'founding'] as const)
    if (kind !== 'entry') return { kind }
    return {
      kind,
      index: asIndex(Math.min(lastIndex, this.#random.whole(firstIndex, Math.max(firstIndex, lastIndex)))),
    }
  }

  #bitOfState(): FlippedBit {
    if (this.#random.chance(0.3)) return { kind: 'checkpoint' }
    return { kind: 'record', place: this.#random.whole(0, 8) }
  }

  /** Checkpoints are lost that were confirmed: what the log does not bring back costs only the state. */
  *#loseStateTail(victim: Machine): Task {
    const { injuries, operator } = this.#world
    operator.hold(victim)
    victim.crash(this.#random.chance(0.5))
    if (victim.disk.durable().state.generation === 0 && victim.disk.loseTail('state', this.#random.whole(1, 3)) > 0) {
      injuries.hurt(victim, 'rottenState')
    }
    operator.release(victim)
    yield* sleep(this.#world.timeline, 0)
  }

  /**
   * Writes to the log are lost that were confirmed. Where the leader was told of them, it must see it, and the node meets
   * nobody else before; where a checkpoint is of entries that are gone, the node must see it itself. Where they were
   * promised and nobody is left who could tell, the disk is taken out: that is beyond what can be survived.
   */
  *#loseLogTail(victim: Machine): Task {
    const { injuries, operator, raftChecks, leader, timeline } = this.#world
    const raft = leader?.node?.replica?.core.raft
    if (leader === null || leader === victim || raft?.role.kind !== 'leader') return
    const heard = raft.role.progress.get(victim.id)?.matchIndex ?? asIndex(0)
    const { currentTerm } = raft
    operator.hold(victim)
    victim.crash(this.#random.chance(0.5))
    const { disk } = victim
    const announced = disk.durable().meta?.run
    const committed = Math.min(disk.durable().lastIndex, raftChecks.lastCommitted)
    if (disk.loseTail('log', this.#random.whole(1, 6)) > 0) {
      const { hardState, lastIndex, meta, state } = disk.durable()
      // A run is stored to be told: who has met it refuses an earlier one. What a leader had on its own disk it counted, and
      // acknowledged to nobody.
      const hasForgotten =
        raftChecks.promises.hasForgotten(disk.durable()) || meta?.run !== announced || lastIndex < committed
      const isSelfEvident = state.checkpoint !== null && state.checkpoint.index > lastIndex
      const isWitnessed =
        hardState.currentTerm < currentTerm ? heard > 0 : hardState.currentTerm === currentTerm && lastIndex < heard
      // What nobody was promised may be lost.
      if (isWitnessed || hasForgotten) injuries.hurt(victim, 'lostTail')
      if (isWitnessed) {
        raftChecks.promises.excuse(disk.durable())
        yield* this.#meetWitness(victim, leader)
      } else if (hasForgotten && !isSelfEvident) {
        operator.replaceDisk(victim)
      }
    }
    operator.release(victim)
    yield* sleep(timeline, 0)
  }

  *#meetWitness(victim: Machine, leader: Machine): Task {
    const { operator, network, timeline, failures } = this.#world
    const { process } = leader
    const { disk } = victim
    this.#world.note(`fault: ${victim.id} has lost its tail, and ${leader.id} knows`)
    network.confine(victim.id, leader.id)
    victim.start()
    const until = timeline.now + witnessMs
    const isFound = (): boolean => victim.disk !== disk || failures.has(victim.id)
    let haveMet = false
    while (timeline.now < until && !isFound() && leader.isUp && leader.process === process) {
      yield* sleep(timeline, 10)
      haveMet ||= leader.process === process && victim.node?.peers.isConnected(leader.id) === true
    }
    assert(isFound() || !haveMet, () => `S3: ${leader.id} did not see what ${victim.id} has lost`)
    if (victim.disk === disk) operator.replaceDisk(victim)
    network.confine(victim.id, null)
  }
}
