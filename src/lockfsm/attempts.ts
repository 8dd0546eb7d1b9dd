// The set of attempts of a request: who joins it, who leaves it and what is said to those who leave, and when a request
// or a session whose set is empty is given back because nobody would ever learn of it. A late copy of a call only adds
// to the set, so that its withdrawal takes nothing from the others (H10, H11).
import type { ClusterTime, NodeId } from '../ids.ts'
import { leftWaiting, say } from './answers.ts'
import type { Step } from './answers.ts'
import { changeRequest, changeSession } from './changes.ts'
import type { Origin, WithdrawnAttempt } from './command.ts'
import { scheduleRequest, scheduleSession } from './due.ts'
import { later, requestsOf } from './state.ts'
import type { Attempt, LockState, Request } from './state.ts'

const unattendedMs = 2_000
const unattendedGrantOfSessionMs = 30_000

/** `callMs` is how long the call may take to be answered. */
export function attemptOf(state: LockState, origin: Origin, callMs: number): Attempt {
  const { node, run, number } = origin
  return { node, run, number, carriedAt: state.time, pollUntil: later(state, callMs) }
}

/** The call attends the request from now on. */
export function join(state: LockState, request: Request, attempt: Attempt): void {
  const change = changeRequest(state, request)
  change.attempts = [...request.attempts, attempt]
  change.giveBackAt = null
  scheduleRequest(state, request)
}

/** To be called when a set may have become empty, or a request with an empty set has come to hold. */
export function watchUnattended(state: LockState, request: Request): void {
  const isUnattended = request.attempts.length === 0 && !request.claimed
  // A time that runs already goes on: it counts from when the set became empty.
  if (isUnattended && request.giveBackAt === null) {
    changeRequest(state, request).giveBackAt = giveBackTime(state, request)
  }
  scheduleRequest(state, request)
}

function giveBackTime(state: LockState, request: Request): ClusterTime | null {
  if (request.session === null) return later(state, unattendedMs)
  // With a session a wait may be unattended; its grant is kept for a repeat to fetch.
  return request.token === null ? null : later(state, unattendedGrantOfSessionMs)
}

/** The attempts whose call has taken its time leave a waiting request. */
export function leaveDue(step: Step, request: Request): void {
  const { time } = step.state
  if (request.attempts.some((attempt) => attempt.pollUntil <= time)) {
    leaveWaiting(step, request, (attempt) => attempt.pollUntil <= time)
  }
}

/**
 * What `node` sent up to that command is attended no more, because it started again or is out of reach: these attempts
 * leave the requests that still wait.
 */
export function leaveOfNode(step: Step, node: NodeId, { run, number }: Omit<Origin, 'node'>): void {
  const { state } = step
  const isLeaving = (attempt: Attempt): boolean =>
    attempt.node === node && (attempt.run < run || (attempt.run === run && attempt.number <= number))
  // Every waiting request has a deadline. Nodes are lost or restarted seldom enough to look at all of them.
  const waits: Request[] = []
  for (const item of state.deadlines.items) {
    if (item.kind === 'request' && item.token === null && item.attempts.some(isLeaving)) waits.push(item)
  }
  waits.sort((a, b) => a.sequence - b.sequence)
  for (const request of waits) leaveWaiting(step, request, isLeaving)
}

function leaveWaiting(step: Step, request: Request, isLeaving: (attempt: Attempt) => boolean): void {
  const leaving = request.attempts.filter(isLeaving)
  changeRequest(step.state, request).attempts = request.attempts.filter((attempt) => !isLeaving(attempt))
  for (const attempt of leaving) say(step, attempt, leftWaiting(request))
  watchUnattended(step.state, request)
}

/**
 * The node of `origin` says that nobody was or will be answered with what this attempt obtained. Of an attempt that is
 * not in a set any more, or of a request that has ended, there is nothing to take.
 */
export function withdraw(state: LockState, origin: Origin, withdrawn: WithdrawnAttempt): void {
  const isKept = (attempt: Origin): boolean =>
    attempt.node !== origin.node || attempt.run !== origin.run || attempt.number !== withdrawn.number
  if (withdrawn.of === 'openSession') {
    const session = state.openings.get(withdrawn.requestId)
    if (session === undefined || session.attempts.every(isKept)) return
    const change = changeSession(state, session)
    change.attempts = session.attempts.filter(isKept)
    if (session.attempts.length > 0 || session.claimed) return
    change.giveBackAt = later(state, unattendedMs)
    scheduleSession(state, session)
    return
  }
  const session = withdrawn.session === null ? null : state.sessions.get(withdrawn.session)
  const request = session === undefined ? undefined : requestsOf(state, session).get(withdrawn.requestId)
  if (request === undefined || request.attempts.every(isKept)) return
  changeRequest(state, request).attempts = request.attempts.filter(isKept)
  watchUnattended(state, request)
}
