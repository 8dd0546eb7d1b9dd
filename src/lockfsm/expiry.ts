// What ends when cluster time passes (DESIGN 4). All that is due at an entry's time ends together: first the waits
// leave, then the grants end, then the queues concerned are served once, in the order of their locks' names. Otherwise
// a lock would be granted to a session that ends in the same entry (H6). Order among the due: by time, then sequence.
import type { ClusterTime } from '../ids.ts'
import type { Step } from './answers.ts'
import { leaveDue } from './attempts.ts'
import { firstDue, unschedule } from './deadlines.ts'
import { grantEnding, isRequestOver } from './due.ts'
import { forgetOldTokens } from './ended-tokens.ts'
import { endGrant } from './ending.ts'
import { endOverdueWait, serveAll } from './queue.ts'
import { forgetOld } from './remembered.ts'
import { takeApart } from './sessions.ts'
import type { Lock, LockState, Request } from './state.ts'

// Once so much has ended in an entry nothing further is begun, so that a storm of expiries stalls nobody (B109). One
// session is never split, and what is left over counts as ended all the same; the next entry follows at once.
const sessionsEndedMax = 1_000
const requestsEndedMax = 10_000

/** The earliest time at which something is due; not after the state's time when something due was left over. */
export function nextDeadline(state: LockState): ClusterTime | null {
  return state.deadlines.times[0] ?? null
}

/** To be called when the state's time has moved, before any command. */
export function expireDue(step: Step): void {
  const { state } = step
  forgetOld(state.remembered, state.time)
  forgetOldTokens(state.endedTokens, state.time)
  if (firstDue(state.deadlines, state.time) === null) return

  const touched = new Set<Lock>()
  const { grants, requestsEnded } = leaveAllDue(step, touched)
  for (const grant of grants) {
    endGrant(state, grant, grantEnding(grant, state.time))
    touched.add(grant.lock)
  }
  serveAll(step, touched, Math.max(0, requestsEndedMax - requestsEnded))
}

/** The waits leave, with the sessions and the calls that are due; the grants that are due are returned. */
function leaveAllDue(step: Step, touched: Set<Lock>): { grants: ReadonlySet<Request>; requestsEnded: number } {
  const { state } = step
  // A grant can be due itself and with its session: it ends once.
  const grants = new Set<Request>()
  let sessionsEnded = 0
  let requestsEnded = 0
  while (sessionsEnded < sessionsEndedMax && requestsEnded < requestsEndedMax) {
    const due = firstDue(state.deadlines, state.time)
    if (due === null) break
    if (due.kind === 'session') {
      sessionsEnded += 1
      requestsEnded += due.requests.size
      for (const grant of takeApart(step, due, touched)) grants.add(grant)
      continue
    }
    requestsEnded += 1
    if (!isRequestOver(due, state.time)) leaveDue(step, due)
    else if (due.token === null) {
      endOverdueWait(step, due)
      touched.add(due.lock)
    } else {
      unschedule(state.deadlines, due)
      grants.add(due)
    }
  }
  return { grants, requestsEnded }
}
