// What goes wrong while a world runs: every few seconds one of the faults that its scenario allows, undone a while later.
import type { NodeId } from '../../src/ids.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { FaultKind } from './scenario.ts'
import { sleep, start } from './task.ts'
import type { Task } from './task.ts'
import type { World } from './world.ts'

export class Faults {
  readonly #world: World
  readonly #random: Random
  /** Machines whose disk was taken away: they must be refused, and stay out. */
  readonly wiped = new Set<NodeId>()
  #active = true

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork('faults')
  }

  start(): void {
    start(this.#strike())
  }

  /** A process ended by itself or by a fault: it comes back, unless it has said that it must not. */
  processEnded(machine: Machine): void {
    this.#world.timeline.after(this.#random.exponential(2500), () => {
      if (this.#active && !this.#world.failures.has(machine.id)) machine.start()
    })
  }

  /** No more faults, and everything that can be undone is undone. */
  stop(): void {
    this.#active = false
    const { network, machines } = this.#world
    network.healAll()
    network.faults = { ...network.faults, loss: 0, duplicate: 0, reorder: 0 }
    for (const machine of machines) {
      machine.disk.resume()
      machine.faults.stallChance = 0
      if (machine.process !== null) machine.process.fuse = null
      machine.process?.resume()
      if (!this.wiped.has(machine.id)) machine.start()
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
    const { machines, leader, network, timeline } = this.#world
    const random = this.#random
    const victim = random.pick(machines)
    const others = machines.filter((machine) => machine !== victim)
    switch (kind) {
      case 'crash':
        return (random.chance(0.4) ? (leader ?? victim) : victim).crash(false)
      case 'powerLoss':
        return victim.crash(true)
      case 'crashBetweenEffects':
        if (victim.process !== null) victim.process.fuse = random.whole(0, 300)
        return
      case 'crashAll':
        for (const machine of machines) machine.crash(random.chance(0.5))
        return
      case 'isolate':
        return this.#cut(others.flatMap((other) => both(victim, other)))
      case 'isolateOneWay':
        return this.#cut(others.map((other) => (random.chance(0.5) ? [victim.id, other.id] : [other.id, victim.id])))
      case 'split': {
        const side = machines.filter(() => random.chance(0.5))
        const rest = machines.filter((machine) => !side.includes(machine))
        return this.#cut(side.flatMap((a) => rest.flatMap((b) => both(a, b))))
      }
      case 'cutLink': {
        const other = random.pick(others)
        return this.#cut(random.chance(0.5) ? both(victim, other) : [[victim.id, other.id]])
      }
      case 'cutLeaderFromOne':
        // Long enough for its attempts to be taken out of their requests, its clients still connected (H12).
        if (leader === null || leader === victim) return
        return this.#cut(both(leader, victim), random.between(10_000, 15_000))
      case 'reset':
        for (const other of others) if (random.chance(0.6)) network.reset(victim.id, other.id)
        return
      case 'pause':
        return this.#pause([victim])
      case 'pauseLeader':
        return this.#pause(leader === null ? [] : [leader])
      case 'pauseAll':
        return this.#pause(machines)
      case 'slowDisk':
        victim.disk.stall()
        timeline.after(random.between(200, 6000), () => victim.disk.resume())
        return
      case 'transfer':
        victim.process?.arrive(() => {
          victim.node?.replica?.transfer({ to: random.chance(0.5) ? random.pick(others).id : null, done: () => {} })
        })
        return
      case 'clockJump':
        victim.clock.offset += random.exponential(5000)
        return
      case 'wipe':
        return this.#wipe()
    }
  }

  #cut(pairs: readonly (readonly [NodeId, NodeId])[], forMs = this.#cutMs()): void {
    const { network, timeline } = this.#world
    for (const [from, to] of pairs) network.cut(from, to)
    timeline.after(forMs, () => {
      for (const [from, to] of pairs) network.heal(from, to)
    })
  }

  /** Mostly seconds; sometimes frames lie in a kernel for minutes. */
  #cutMs(): number {
    return this.#random.chance(0.05) ? this.#random.between(60_000, 120_000) : this.#random.exponential(4000)
  }

  #pause(machines: readonly Machine[]): void {
    const until = this.#world.timeline.now + Math.min(30_000, this.#random.exponential(3000))
    for (const machine of machines) machine.process?.pauseUntil(until)
  }

  /** One or two disks are replaced by empty ones, but never so many that none is left that knows. */
  #wipe(): void {
    const { machines } = this.#world
    const count = this.#random.whole(1, 2)
    if (this.wiped.size > 0 || machines.length - count < 1) return
    const victims = machines.filter((machine) => !this.wiped.has(machine.id)).slice(0, count)
    for (const machine of victims) {
      this.wiped.add(machine.id)
      machine.wipe()
    }
  }
}

function both(a: Machine, b: Machine): (readonly [NodeId, NodeId])[] {
  return [
    [a.id, b.id],
    [b.id, a.id],
  ]
}
