// What happens to the processes of the users of the keeper and to their network, now and then: loops are blocked, machines
// suspended, nodes out of reach, requests and answers lost or late, processes killed and begun again.
import type { KeptClient, KeptCounts } from './kept-client.ts'
import type { Random } from './random.ts'
import { sleep } from './task.ts'
import type { Task } from './task.ts'
import type { World } from './world.ts'

export function* disturb(parts: {
  world: World
  random: Random
  clients: readonly KeptClient[]
  counts: KeptCounts
}): Task {
  const { world, random, clients, counts } = parts
  const { timeline } = world
  const lengthMs = (): number => Math.min(15_000, random.exponential(1500))
  for (;;) {
    yield* sleep(timeline, random.exponential(1000))
    const client = random.pick(clients)
    const { process } = client
    if (!process.isAlive) {
      counts.killed++
      client.restart()
      continue
    }
    const { network } = process
    switch (
      random.pick(['block', 'stop', 'starve', 'suspend', 'cut', 'cutSome', 'lose', 'swallow', 'delay', 'kill'] as const)
    ) {
      case 'block':
        process.pause('main', lengthMs())
        break
      case 'stop':
        process.pause('both', lengthMs())
        break
      case 'starve':
        process.pause('worker', lengthMs())
        break
      case 'suspend':
        if (!process.main.isPaused && !process.worker.isPaused) process.suspend(lengthMs())
        break
      case 'cut':
      case 'cutSome': {
        const cut = world.machines.filter(() => random.chance(0.7)).map(({ id }) => id)
        for (const id of cut) network.cut.add(id)
        timeline.after(2 * lengthMs(), () => network.cut.clear())
        break
      }
      case 'lose':
        network.lostRequests = random.between(0, 0.7)
        network.lostAnswers = random.between(0, 0.7)
        timeline.after(2 * lengthMs(), () => Object.assign(network, { lostRequests: 0, lostAnswers: 0 }))
        break
      case 'swallow':
        network.swallowed = random.pick(world.locks)
        timeline.after(4 * lengthMs(), () => (network.swallowed = null))
        break
      case 'delay':
        network.delayMs = network.farMs + random.pick([30, 300, 1500])
        timeline.after(2 * lengthMs(), () => (network.delayMs = network.farMs))
        break
      case 'kill':
        if (random.chance(0.3)) process.kill()
    }
  }
}
