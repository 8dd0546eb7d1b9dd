// The one way in which the lock table changes: entry after entry, as they stand in the log. The same entries give the
// same state and the same outcomes on every replica, because nothing is read but the state and the entry. Total for
// commands: what cannot be done is a refusal among the outcomes, never an exception; an exception is a bug (B118).
import { assert, unreachable } from '../assert.ts'
import type { ClusterTime } from '../ids.ts'
import { admit } from './admission.ts'
import { done } from './answers.ts'
import type { Step } from './answers.ts'
import { leaveOfNode, withdraw } from './attempts.ts'
import type { Command, NodeLost, NumberedCommand, Origin, RenewSessions, Withdraw } from './command.ts'
import { expireDue } from './expiry.ts'
import { release, renewGrant } from './grants.ts'
import type { Outcome, Result } from './outcome.ts'
import { acquire, cancelRequest } from './requests.ts'
import { closeSession, openSession, renewSession } from './sessions.ts'
import type { LockState } from './state.ts'

export interface TableEntry {
  readonly time: ClusterTime
  readonly commands: readonly NumberedCommand[]
}

/**
 * Applies one entry. Outcomes come in the order in which things happened; what a command causes for others stands
 * before its own outcome.
 */
export function apply(state: LockState, entry: TableEntry): readonly Outcome[] {
  assert(entry.time >= state.time, () => `cluster time never runs backwards: ${entry.time} after ${state.time}`)
  state.time = entry.time
  const step: Step = { state, outcomes: [] }
  expireDue(step)
  for (const { origin, command } of entry.commands) {
    if (admit(step, origin)) step.outcomes.push({ to: origin, result: execute(step, origin, command) })
  }
  return step.outcomes
}

function execute(step: Step, origin: Origin, command: Command): Result {
  switch (command.kind) {
    case 'nodeStarted':
      // What it announces was done when it was admitted, as with any first command of a run.
      return done
    case 'nodeLost':
      return nodeLost(step, command)
    case 'openSession':
      return openSession(step.state, origin, command)
    case 'renewSessions':
      return renewSessions(step.state, command)
    case 'closeSession':
      closeSession(step, command.session)
      return done
    case 'acquire':
      return acquire(step, origin, command)
    case 'release':
      return release(step, command)
    case 'renewGrant':
      return renewGrant(step, command)
    case 'cancelRequest':
      return cancelRequest(step, command)
    case 'withdraw':
      return withdrawAll(step.state, origin, command)
    default:
      return unreachable(command)
  }
}

function nodeLost(step: Step, { node, run, number }: NodeLost): Result {
  leaveOfNode(step, node, { run, number })
  return done
}

function renewSessions(state: LockState, { renewals }: RenewSessions): Result {
  return { kind: 'sessionsRenewed', renewals: renewals.map((renewal) => renewSession(state, renewal)) }
}

function withdrawAll(state: LockState, origin: Origin, { attempts }: Withdraw): Result {
  for (const attempt of attempts) withdraw(state, origin, attempt)
  return done
}
