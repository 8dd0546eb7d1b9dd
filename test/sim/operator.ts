// Whoever keeps the machines of a world running: starts what has ended, frees full disks, takes a disk out that was found
// damaged, and, when the new one is refused, has a member take it in as the advice says (DESIGN 6, "Coming back after
// a wipe"). An operator who did more than he is told would hide what nodes do not find out.
import { assert } from '../../src/assert.ts'
import type { Incarnation } from '../../src/ids.ts'
import type { Failure } from '../../src/node/host.ts'
import type { MemoryDisk } from '../../src/testing/memory-disk.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import { sleep, start, wait } from './task.ts'
import type { Task } from './task.ts'
import type { World } from './world.ts'

/** Longer than a node needs to say that it does not know. */
const answerMs = 8000

export class Operator {
  /** Disks that members were asked to take in. */
  readonly asked = new Set<Incarnation>()
  readonly #replaced = new Set<Incarnation>()
  /** Sound disks that machines have had. */
  readonly #takenOut = new Map<Machine, MemoryDisk>()
  readonly #exchanges: Random
  readonly #world: World
  readonly #random: Random
  /** Machines that others start again. */
  readonly #held = new Set<Machine>()
  readonly #bringing = new Set<Machine>()
  /** How long it takes to come round. */
  pauseMs = 2500

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork('operator')
    this.#exchanges = this.#random.fork('exchanges')
  }

  /** Whoever holds a machine starts it. */
  hold(machine: Machine): void {
    this.#held.add(machine)
  }

  release(machine: Machine): void {
    this.#held.delete(machine)
    this.#startLater(machine)
  }

  /** Starts a machine, unless there is a reason why not. */
  visit(machine: Machine): void {
    if (!this.#held.has(machine) && !this.#world.failures.has(machine.id)) machine.start()
  }

  /** A process ended, by itself for that reason, or by a fault. */
  ended(machine: Machine, failure: Failure | null): void {
    if (failure === null) return this.#startLater(machine)
    const { injuries, wiped, happenings } = this.#world
    const injury = injuries.of(machine)
    switch (failure.code) {
      case 'write_failed':
        happenings.count('writes failed')
        return this.#startLater(machine)
      case 'damaged':
        happenings.count(injury === 'lostTail' ? 'tails found missing' : 'disks found damaged')
        // What is damaged is given up at the next start.
        if (injury === 'rottenState') return this.#startLater(machine)
        return this.replaceDisk(machine)
      case 'old_run':
        happenings.count('tails found missing')
        return this.replaceDisk(machine)
      case 'stranger':
        if (!wiped.has(machine.id)) start(this.#bringBack(machine))
        return
      case 'diverged':
        return
    }
  }

  /** An empty disk in place of the one there is. */
  replaceDisk(machine: Machine): void {
    this.#world.note(`operator: ${machine.id} gets an empty disk`)
    machine.wipe()
    this.#startLater(machine)
  }

  /** Somebody is asked to take the present disk of the machine in: it stays where it is until that is answered. */
  isBringing(machine: Machine): boolean {
    return this.#bringing.has(machine)
  }

  /** A sound disk is taken out: for an empty one, or for the one that was taken out before, which is named once more. */
  exchangeDisk(machine: Machine): void {
    const { disk } = machine
    const former = this.#takenOut.get(machine)
    this.#takenOut.set(machine, disk)
    if (former === undefined || this.#exchanges.chance(0.4)) {
      this.replaceDisk(machine)
    } else {
      this.#world.note(`operator: ${machine.id} gets a disk that it has had`)
      this.#world.happenings.count('disks named again')
      machine.mount(former)
      // By who remembers what it is called, or when it is refused.
      if (this.#exchanges.chance(0.7)) start(this.#bringBack(machine))
      this.#startLater(machine)
    }
    // It lies in a drawer: what was wrong with it for a while is over.
    disk.resume()
    disk.slow(1)
    disk.free()
  }

  #startLater(machine: Machine): void {
    this.#world.timeline.after(this.#random.exponential(this.pauseMs), () => this.visit(machine))
  }

  /** Asks members until one says that the disk was taken in. */
  *#bringBack(machine: Machine): Task {
    if (this.#bringing.has(machine)) return
    this.#bringing.add(machine)
    const incarnation = machine.disk.durable().meta?.incarnation ?? null
    assert(incarnation !== null, () => `${machine.id} was refused with a disk without a name`)
    const { timeline, machines, failures, happenings } = this.#world
    for (let isDone = false; !isDone;) {
      yield* sleep(timeline, 100 + this.#random.exponential(this.pauseMs / 4))
      const member = this.#random.pick(machines.filter((other) => other !== machine))
      isDone = (yield* this.#ask(member, machine, incarnation)) === 'done'
    }
    if (!this.#replaced.has(incarnation)) happenings.count('members replaced')
    this.#replaced.add(incarnation)
    this.#bringing.delete(machine)
    failures.delete(machine.id)
    machine.start()
  }

  *#ask(member: Machine, { id }: Machine, incarnation: Incarnation): Task<string> {
    const { timeline } = this.#world
    return yield* wait<string>((settle) => {
      const replica = member.node?.replica ?? null
      timeline.after(replica === null ? 1 : answerMs, () => settle('unknown'))
      if (replica === null) return
      // From here on it may be taken in, whatever is answered.
      this.asked.add(incarnation)
      member.process?.arrive(() =>
        replica.replace({ member: id, incarnation, done: (result) => timeline.after(1, () => settle(result)) }),
      )
    })
  }
}
