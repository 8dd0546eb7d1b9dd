// The first minute of a world: all members take part in founding the cluster (DESIGN 6). Processes crash at one of their
// first steps and come back, the network is bad for a while, and now and then an empty disk takes the place of one that
// had begun: then there may never be a cluster, but there must not be two.
import { assert } from '../../src/assert.ts'
import type { Machine } from './machine.ts'
import type { World } from './world.ts'

/** Returns whether a cluster was founded. */
export function found(world: World): boolean {
  const { scenario, machines, timeline } = world
  const random = world.random.fork('founding')
  for (const [number, machine] of machines.entries()) {
    const fuse = number < scenario.foundingCrashes ? random.whole(0, 60) : null
    timeline.after(random.exponential(200), () => machine.start(fuse))
  }
  for (let lookAt = 1000; lookAt < 30_000; lookAt += 1000) {
    timeline.at(lookAt + random.between(0, 500), () => {
      for (const machine of machines) if (!world.failures.has(machine.id)) machine.start()
    })
  }
  let isOver = false
  crashAtAnyMoment(world)
  if (scenario.foundingTrouble) disturb(world)
  for (let wipe = 0; wipe < scenario.foundingWipes; wipe++) {
    timeline.at(random.exponential(300), () => {
      const machine = random.pick(machines)
      // Who comes late is wiped all the same, but as a member.
      if (isOver) world.wiped.add(machine.id)
      replaceDisk(world, machine)
    })
  }
  const serves = () => world.leader !== null && world.lockChecks.index > 0
  const isFounded = world.run(
    60_000,
    () => serves() && machines.every(({ id, isUp }) => isUp || world.failures.has(id)),
  )
  assert(isFounded || scenario.foundingWipes > 0, 'L3: the members did not found a cluster')
  isOver = true
  for (const machine of machines) if (!isMember(world, machine)) world.wiped.add(machine.id)
  return isFounded
}

/** A fuse burns at the calls of ports; between two of them something may be on its way to the disk, and the power fail. */
function crashAtAnyMoment({ scenario, machines, timeline, random: ofWorld }: World): void {
  const random = ofWorld.fork('crashes while founding')
  for (let crash = 0; crash < scenario.foundingCrashes; crash++) {
    const machine = random.pick(machines)
    const isDark = random.chance(0.5)
    timeline.at(random.exponential(200), () => machine.crash(isDark))
  }
}

/** Links are cut and reset until everybody must have met everybody several times. */
function disturb(world: World): void {
  const { machines, network, timeline } = world
  const random = world.random.fork('bad founding')
  for (let count = 0; count < 30; count++) {
    timeline.at(random.between(0, 8000), () => {
      const [a, b] = [random.pick(machines), random.pick(machines)]
      if (a === b) return
      if (random.chance(0.5)) return network.reset(a.id, b.id)
      network.cut(a.id, b.id)
      timeline.after(random.exponential(500), () => network.heal(a.id, b.id))
    })
  }
}

function replaceDisk(world: World, machine: Machine): void {
  world.note(`founding: ${machine.id} gets an empty disk`)
  machine.wipe()
}

/** Whether its present disk took part in the founding. */
function isMember(world: World, machine: Machine): boolean {
  const record = world.leader?.node?.founding ?? null
  const own = record?.members.find(({ id }) => id === machine.id)
  return record === null || own?.incarnation === machine.disk.durable().meta?.incarnation
}
