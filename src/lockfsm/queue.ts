// Who is next. A lock has a holder or a line of waiters behind one; requests hold in the order of their sequence
// numbers, and what is past due never does. Every change of a holder or of a queue ends in `serve` (H26). Shared modes
// and permits will go here.
import { granted, say } from './answers.ts'
import type { Step } from './answers.ts'
import { leaveDue, watchUnattended } from './attempts.ts'
import { isNameBefore, isPlain } from './byte-order.ts'
import { changeRequest } from './changes.ts'
import { grantEnding, isRequestOver, isSessionOver } from './due.ts'
import { endGrant, endWait, leaveQueue } from './ending.ts'
import { insertSorted, removeSorted } from './sorted.ts'
import { later, noQueue, takeToken } from './state.ts'
import type { Lock, LockState, Request } from './state.ts'
import type { LockName } from '../ids.ts'

/** The lock, free, ready for a first holder. */
export function createLock(state: LockState, name: LockName): Lock {
  const lock: Lock = { name, plain: isPlain(name), holder: null, queue: noQueue }
  state.locks.set(name, lock)
  insertSorted(state.locksByName, lock)
  return lock
}

/** The lock as a command finds it: a holder past due is gone and the next served. null = nobody holds or awaits it. */
export function touchLock(step: Step, name: LockName): Lock | null {
  const { state } = step
  const lock = state.locks.get(name)
  if (lock === undefined) return null
  if (lock.holder !== null) {
    if (!isRequestOver(lock.holder, state.time)) return lock
    endGrant(state, lock.holder, grantEnding(lock.holder, state.time))
  }
  serve(step, lock)
  return state.locks.get(name) ?? null
}

/** The request gets in line; its sequence must be above all others'. */
export function enqueue(state: LockState, request: Request): void {
  if (request.lock.queue === noQueue) request.lock.queue = [request]
  else request.lock.queue.push(request)
  state.waiting += 1
}

/** The request, in no queue, becomes the holder of its free lock. Nothing is said to its attempts. */
export function hold(state: LockState, request: Request): void {
  const change = changeRequest(state, request)
  change.token = takeToken(state)
  change.since = state.time
  change.deadline = request.ttlMs === null ? null : later(state, request.ttlMs)
  request.lock.holder = request
  state.held += 1
  watchUnattended(state, request)
}

/**
 * Grants a free lock to the first in line who is not past due, and drops the record of a lock that nobody holds or
 * awaits. Those past due end here; when that would be more than `endedMax`, the lock stays free until their turn comes,
 * which serves it again. Returns how many ended.
 */
export function serve(step: Step, lock: Lock, endedMax = Infinity): number {
  const { state } = step
  let ended = 0
  while (lock.holder === null) {
    const next = lock.queue[0]
    if (next === undefined) {
      state.locks.delete(lock.name)
      removeSorted(state.locksByName, lock)
      break
    }
    if (isRequestOver(next, state.time)) {
      if (ended >= endedMax) break
      endOverdueWait(step, next)
      ended += 1
    } else grantTo(step, next)
  }
  return ended
}

/** Serves locks whose holders or queues have changed together, in the order of their names. Returns how many ended. */
export function serveAll(step: Step, locks: ReadonlySet<Lock>, endedMax = Infinity): number {
  let ended = 0
  for (const lock of [...locks].sort(byName)) ended += serve(step, lock, endedMax - ended)
  return ended
}

const byName = (a: Lock, b: Lock): number => (isNameBefore(a, b) ? -1 : 1)

/** A wait past its own deadline, its session's, or the time to be attended; only the last has nobody to answer. */
export function endOverdueWait(step: Step, wait: Request): void {
  const isOfSession = wait.session !== null && isSessionOver(wait.session, step.state.time)
  endWait(step, wait, isOfSession ? 'session_ended' : 'wait_timeout')
}

function grantTo(step: Step, request: Request): void {
  // Calls whose time is up are not answered with a grant, even if their turn to leave has not come.
  leaveDue(step, request)
  leaveQueue(step.state, request)
  hold(step.state, request)
  for (const attempt of request.attempts) say(step, attempt, granted(request, attempt.carriedAt))
}
