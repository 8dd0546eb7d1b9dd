// Highest tokens in the memory of this process. It forgets everything when the process ends, and a second process knows
// nothing of the first: after a restart, or behind a load balancer, a stale token is let in. That is right for what dies
// with the process as well (its own memory, a device it alone drives) and for nothing else; whatever outlives the process
// wants one of the other stores.
import { GuardError } from './errors.ts'
import { checkFence } from './fence.ts'
import type { Fence, HighestTokens, Verdict } from './fence.ts'

export interface MemoryTokens extends HighestTokens {
  /** The same at once: what follows in the same turn of the event loop cannot be overtaken by a higher token. */
  admitNow(fence: Fence): Verdict
}

/** `resourcesMax`: beyond so many resources new ones are refused (`memory_full`), because forgetting one would open it. */
export function memoryTokens({ resourcesMax = 1_000_000 }: { resourcesMax?: number } = {}): MemoryTokens {
  const highestOf = new Map<string, number>()
  const admitNow = (fence: Fence): Verdict => {
    checkFence(fence)
    const { resource, token } = fence
    const highest = highestOf.get(resource)
    if (highest !== undefined && token < highest) return { kind: 'stale', highest }
    if (highest === undefined && highestOf.size >= resourcesMax) {
      throw new GuardError('memory_full', `${resourcesMax} resources are remembered, and none may be forgotten`)
    }
    highestOf.set(resource, token)
    return { kind: 'admitted' }
  }
  return { admitNow, admit: async (fence) => admitNow(fence) }
}
