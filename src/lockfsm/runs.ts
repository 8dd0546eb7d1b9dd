// Runs of nodes across the loss of their disks (H24). A new disk counts its starts from 1 again, and its node's commands from
// 1 again, so its runs stand in a range of their own above all of the disk before: what is left of that one is of an
// older run, wherever it still lies, and no attempt is ever named like one of another disk.
import { asRun } from '../ids.ts'
import type { NodeId, Run } from '../ids.ts'
import type { NumberedCommand } from './command.ts'
import type { LockState } from './state.ts'

/** More than a process can be started. */
const startsMax = 2 ** 40

/** The run that a node has in its commands when its process was started so often with the disk that it has now. */
export function runOf(state: LockState, node: NodeId, starts: number): Run {
  return asRun(rangeOf(state, node) * startsMax + starts)
}

/** What is to be applied when a node comes with another disk: nobody answers for the attempts of the disk before. */
export function diskReplaced(state: LockState, node: NodeId): NumberedCommand {
  const run = asRun((rangeOf(state, node) + 1) * startsMax)
  return { origin: { node, run, number: 0 }, command: { kind: 'nodeStarted' } }
}

function rangeOf(state: LockState, node: NodeId): number {
  return Math.floor((state.runs.get(node)?.run ?? 0) / startsMax)
}
