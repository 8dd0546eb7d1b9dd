// What goes wrong while a world runs: every few seconds one of the faults that its scenario allows, undone a while later.
import { unreachable } from '../../src/assert.ts'
import type { NodeId } from '../../src/ids.ts'
import { DiskFaults } from './disk-faults.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { FaultKind } from './scenario.ts'
import { sleep, start } from './task.ts'
import type { Task } from './task.ts'
import type { World } from './world.ts'

type Direction = readonly [from: NodeId, to: NodeId]

export class Faults {
  readonly #world: World
  readonly #random: Random
  #active = true
  /** How many of the next leaders are hit as soon as they lead. */
  #leadersToHit = 0
  /** How many of the next snapshots are cut off while they are taken in. */
  #installsToHit = 0
  #lastLeader: Machine | null = null
  readonly #disks: DiskFaults

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork('faults')
    this.#disks = new DiskFaults(world, world.random.fork('faults of disks'), () => this.#durationMs())
  }

  start(): void {
    start(this.#strike())
  }

  /** Between its election and the first commit of its term a leader is at its most delicate (§5.4.2, Figure 8). */
  newLeader(machine: Machine): void {
    this.#askDeposed(machine)
    if (!this.#active || this.#leadersToHit === 0) return
    this.#leadersToHit--
    const { timeline, machines } = this.#world
    const isCrash = this.#random.chance(0.5)
    timeline.after(this.#random.exponential(this.#random.pick([2, 20, 200])), () => {
      if (isCrash) return machine.crash(this.#random.chance(0.5))
      // All but one of the others, at times, so that a minority has what it brought into the log.
      const keeps = this.#random.pick(machines)
      const cutOff = machines.filter((other) => other !== machine && (other !== keeps || this.#random.chance(0.3)))
      this.#cut(cutOff.flatMap((other) => both(machine, other)))
    })
  }

  /** Between the mark, the records, the flip and the last write of an install there are many places to stop at. */
  takesSnapshot(machine: Machine): void {
    if (!this.#active || this.#installsToHit === 0) return
    this.#installsToHit--
    const { timeline, scenario } = this.#world
    const [, writeMs] = scenario.writeMs
    const isDark = this.#random.chance(0.5)
    timeline.after(this.#random.between(0, this.#random.pick([1, 2, 5]) * writeMs), () => machine.crash(isDark))
  }

  /** Clients go on reading at the leader they know, which may not know yet that there is another (B54, S6). */
  #askDeposed(machine: Machine): void {
    const deposed = this.#lastLeader
    this.#lastLeader = machine
    if (!this.#active || deposed === null || deposed === machine) return
    const { clients, timeline } = this.#world
    for (let read = 0; read < 12; read++) {
      timeline.after(this.#random.between(0, 700), () => this.#random.pick(clients).look(deposed.id))
    }
  }

  /** No more faults, and everything that can be undone is undone. */
  stop(): void {
    this.#active = false
    const { network, machines, wiped, failures } = this.#world
    network.healAll()
    network.faults = { ...network.faults, loss: 0, duplicate: 0, reorder: 0 }
    this.#world.operator.pauseMs = 0
    for (const machine of machines) {
      machine.disk.resume()
      machine.disk.slow(1)
      machine.free()
      machine.faults.stallChance = 0
      if (machine.process !== null) machine.process.fuse = null
      machine.process?.resume()
      if (!wiped.has(machine.id) && !failures.has(machine.id)) this.#world.operator.visit(machine)
    }
    this.#world.note('healed')
  }

  *#strike(): Task {
    const { faults, faultPauseMs } = this.#world.scenario
    while (this.#active && faults.length > 0) {
      yield* sleep(this.#world.timeline, this.#random.exponential(faultPauseMs))
      if (!this.#active) return
      const kind = this.#random.pick(faults)
      this.#world.faults++
      this.#world.note(`fault: ${kind}`)
      this.#inject(kind)
    }
  }

  #inject(kind: FaultKind): void {
    const { machines } = this.#world
    const victim = this.#random.pick(machines)
    switch (kind) {
      case 'crash':
      case 'crashBetweenEffects':
      case 'crashAll':
      case 'powerLoss':
      case 'stop':
      case 'pause':
      case 'pauseLeader':
      case 'suspendLeader':
      case 'pauseAll':
      case 'transfer':
      case 'clockJump':
      case 'away':
      case 'hitInstalls':
        return this.#disturbProcess(kind, victim)
      case 'slowDisk':
      case 'slowDisks':
      case 'slowedDisk':
      case 'writeError':
      case 'fullDisk':
      case 'wipe':
      case 'loseDisk':
      case 'rotLog':
      case 'rotState':
      case 'loseTail':
        return this.#disks.inject(kind, victim)
      case 'isolate':
      case 'isolateLeader':
      case 'isolateOneWay':
      case 'split':
      case 'cutLink':
      case 'cutLeaderFromOne':
      case 'holdLink':
      case 'leaderWithOne':
      case 'hitNewLeaders':
      case 'slowLink':
      case 'reset':
      case 'breakOff':
        return this.#disturbNetwork(kind, victim)
      default:
        return unreachable(kind)
    }
  }

  #disturbProcess(kind: FaultKind, victim: Machine): void {
    const { machines, leader } = this.#world
    const random = this.#random
    switch (kind) {
      case 'crash':
        return this.#leaderOr(victim).crash(false)
      case 'powerLoss':
        return this.#leaderOr(victim).crash(true)
      case 'crashBetweenEffects':
        if (victim.process !== null) victim.process.fuse = random.whole(0, 300)
        return
      case 'crashAll':
        for (const machine of machines) machine.crash(random.chance(0.5))
        return
      case 'stop':
        return this.#leaderOr(victim).stop()
      case 'pause':
        return this.#pause([victim])
      case 'pauseLeader':
        return this.#pause(leader === null ? [] : [leader])
      case 'suspendLeader':
        return this.#suspend(leader)
      case 'pauseAll':
        return this.#pause(machines)
      case 'transfer': {
        const to = random.chance(0.5) ? random.pick(machines).id : null
        victim.process?.arrive(() => victim.node?.replica?.transfer({ to, done: () => {} }))
        return
      }
      case 'hitInstalls':
        this.#installsToHit = random.whole(2, 6)
        return this.#takeAway(victim)
      case 'away':
        return this.#takeAway(victim)
      default:
        victim.clock.offset += random.exponential(5000)
    }
  }

  #disturbNetwork(kind: FaultKind, victim: Machine): void {
    const { machines, leader, network } = this.#world
    const random = this.#random
    const others = machines.filter((machine) => machine !== victim)
    const other = random.pick(others)
    switch (kind) {
      case 'isolate':
        return this.#cut(others.flatMap((peer) => both(victim, peer)))
      case 'isolateLeader': {
        // Not from its clients: what they bring it will not be committed, and is truncated when it comes back.
        const followers = machines.filter((machine) => machine !== leader)
        return this.#cut(leader === null ? [] : followers.flatMap((follower) => both(leader, follower)))
      }
      case 'isolateOneWay':
        return this.#cut(others.map((peer) => (random.chance(0.5) ? [victim.id, peer.id] : [peer.id, victim.id])))
      case 'split': {
        const side = machines.filter(() => random.chance(0.5))
        const rest = machines.filter((machine) => !side.includes(machine))
        return this.#cut(side.flatMap((a) => rest.flatMap((b) => both(a, b))))
      }
      case 'cutLink':
        return this.#cut(random.chance(0.5) ? both(victim, other) : [[victim.id, other.id]])
      case 'cutLeaderFromOne':
        // Long enough for its attempts to be taken out of their requests, its clients still connected (H12).
        if (leader === null || leader === victim) return
        return this.#cut(
          random.chance(0.7) ? both(leader, victim) : [[victim.id, leader.id]],
          random.between(10_000, 15_000),
        )
      case 'holdLink':
        // So late that what was asked for over it was granted elsewhere, released and forgotten meanwhile (H15).
        if (leader === null || leader === victim) return
        return this.#slow(victim, leader, { extraMs: random.between(60_000, 90_000), forMs: 120_000 })
      case 'leaderWithOne': {
        const cutOff = machines.filter((machine) => machine !== leader && machine !== victim)
        return this.#cut(leader === null ? [] : cutOff.flatMap((machine) => both(leader, machine)))
      }
      case 'hitNewLeaders':
        this.#leadersToHit = random.whole(2, 6)
        return this.#leaderOr(victim).crash(false)
      case 'slowLink':
        return this.#slow(random.chance(0.5) && leader !== null ? leader : other, victim, {
          extraMs: random.pick([300, 700, 2000, 8000, 25_000]),
          forMs: 2 * this.#durationMs(),
        })
      case 'reset':
        for (const peer of others) if (random.chance(0.6)) network.reset(victim.id, peer.id)
        return
      default:
        return network.breakOff(victim.id, other.id)
    }
  }

  /** Faults of processes hit the leader more often than chance would. */
  #leaderOr(victim: Machine): Machine {
    return this.#random.chance(0.4) ? (this.#world.leader ?? victim) : victim
  }

  #cut(directions: readonly Direction[], forMs = this.#durationMs()): void {
    const { network, timeline } = this.#world
    for (const [from, to] of directions) network.cut(from, to)
    timeline.after(forMs, () => {
      for (const [from, to] of directions) network.heal(from, to)
    })
  }

  /** What `to` hears of `from` is seconds old, but goes on coming: it follows, far behind. */
  #slow(from: Machine, to: Machine, { extraMs, forMs }: { extraMs: number; forMs: number }): void {
    const { network, timeline } = this.#world
    network.slow(from.id, to.id, extraMs)
    timeline.after(forMs, () => network.slow(from.id, to.id, 0))
  }

  #durationMs(): number {
    return Math.min(30_000, this.#random.exponential(this.#world.scenario.faultMs))
  }

  /** For so long that the others may have trimmed what it needs. */
  #takeAway(machine: Machine): void {
    const { operator, timeline } = this.#world
    if (!machine.isUp) return
    operator.hold(machine)
    machine.crash(this.#random.chance(0.5))
    timeline.after(this.#random.between(2000, 12_000), () => operator.release(machine))
  }

  #pause(machines: readonly Machine[]): void {
    const until = this.#world.timeline.now + this.#durationMs()
    for (const machine of machines) machine.process?.pauseUntil(until)
  }

  /** About as long as others need to elect another, and without the network that would tell of it when it wakes up (B67). */
  #suspend(leader: Machine | null): void {
    const { machines, timeline } = this.#world
    if (leader === null) return
    const forMs = this.#random.between(500, 1100)
    leader.process?.pauseUntil(timeline.now + forMs)
    const others = machines.filter((machine) => machine !== leader)
    this.#cut(
      others.flatMap((other) => both(leader, other)),
      forMs + this.#durationMs(),
    )
  }
}

function both(a: Machine, b: Machine): Direction[] {
  return [
    [a.id, b.id],
    [b.id, a.id],
  ]
}
