// What stands before every command: that it was not applied before, that it is no late copy, and that its durations
// are durations. A command passed over here has no effect and no outcome.
import type { ClusterTime } from '../ids.ts'
import { leaveOfNode } from './attempts.ts'
import type { Step } from './answers.ts'
import type { Origin } from './command.ts'
import type { LockState } from './state.ts'

const ageMaxMs = 20_000
const durationMaxMs = 86_400_000

/**
 * Whether the command of `origin` is to be applied: numbers grow within a run and runs within a node, so a repeated
 * sending, or one that later ones have overtaken, is passed over (H20, H21). The first command of a later run, whatever
 * it is, says that the node has started again: attempts of its earlier runs leave the requests that still wait.
 */
export function admit(step: Step, origin: Origin): boolean {
  const known = step.state.runs.get(origin.node)
  if (known === undefined) {
    step.state.runs.set(origin.node, { run: origin.run, number: origin.number, digested: 0 })
    return true
  }
  if (origin.run < known.run || (origin.run === known.run && origin.number <= known.number)) return false
  if (origin.run > known.run) leaveOfNode(step, origin.node, known)
  known.run = origin.run
  known.number = origin.number
  return true
}

/**
 * A frame can lie for minutes in a kernel's buffer. Less is remembered of an ended request than that, so whatever makes
 * a new request or session is refused when its node took it in too long ago (H15); nothing else is (H16).
 */
export function isTooOld(state: LockState, takenInAt: ClusterTime): boolean {
  return state.time - takenInAt > ageMaxMs
}

/**
 * The gateways let only whole milliseconds within their limits through. `apply` is total nevertheless: a number that
 * got past them is brought into the range, alike on every replica, before it can turn a deadline into no number (B107).
 */
export function durationMs(value: number): number {
  return value > 0 ? Math.min(Math.floor(value), durationMaxMs) : 0
}
