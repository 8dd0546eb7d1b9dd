// Whether a node takes a call at all, before anything is done for it: so many are open, so much disk is free. What ends work
// instead of bringing it (releases, renewals, cancels) is taken longer, or nobody could make room.
import type { DiskSpace } from './disk-space.ts'
import type { Calls } from './calls.ts'
import { bringsWork } from './own-commands.ts'
import type { UnstampedCommand } from './own-commands.ts'

const callsOpenMax = 10_000
/** So many more may be open of those that end work. */
const callsReserve = 2000
const callsQueuedMax = 100_000

/** Why the call is not taken; null when it is. Blocked waits count only against a limit of their own. */
export function refusalOf(
  command: UnstampedCommand,
  { calls, space }: { readonly calls: Pick<Calls, 'open' | 'queued'>; readonly space: Pick<DiskSpace, 'isLow'> },
): 'overloaded' | 'diskLow' | null {
  const { open, queued } = calls
  if (queued >= callsQueuedMax && command.kind === 'acquire') return 'overloaded'
  if (open - queued >= (bringsWork(command) ? callsOpenMax : callsOpenMax + callsReserve)) return 'overloaded'
  return space.isLow && bringsWork(command) ? 'diskLow' : null
}
