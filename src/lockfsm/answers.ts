// What is said to attempts, and the figures in it. An answer is made from the state as it is at that moment and names
// the origin of the command it answers, never a request or a session.
import { assert } from '../assert.ts'
import type { ClusterTime, RequestId, Token } from '../ids.ts'
import type { Origin } from './command.ts'
import { isRequestOver } from './due.ts'
import type { Detached, Granted, HolderView, Outcome, Refusal, Refused, Result, StillWaiting } from './outcome.ts'
import type { Lock, LockState, Request } from './state.ts'

/** One entry on its way through the table: the state and what has been said so far. */
export interface Step {
  readonly state: LockState
  readonly outcomes: Outcome[]
}

export const done: Result = { kind: 'done' }

export function say(step: Step, to: Origin, result: Result): void {
  step.outcomes.push({ to: { node: to.node, run: to.run, number: to.number }, result })
}

export function refused(refusal: Refusal): Refused {
  return { kind: 'refused', ...refusal }
}

export function quotaExceeded(limit: string, max: number): Refused {
  return refused({ code: 'quota_exceeded', limit, max })
}

/**
 * What the sender may count on from the moment before sending (S5). Cluster time and the sender's clock each run
 * within 1/1000 of real time: 1/400 covers both, the millisecond the rounding down of two stamps (H3).
 */
export function validForMs({ deadline, carriedAt }: { deadline: ClusterTime; carriedAt: ClusterTime }): number {
  return Math.max(0, Math.floor(((deadline - carriedAt) * 399) / 400) - 1)
}

/** To an attempt that an entry of `carriedAt` carried, of a request that holds. */
export function granted(request: Request, carriedAt: ClusterTime): Granted {
  return {
    kind: 'granted',
    lock: request.lock.name,
    token: tokenOf(request),
    session: request.session?.id ?? null,
    requestId: request.id,
    mode: 'exclusive',
    sequence: request.sequence,
    ttlMs: request.session?.ttlMs ?? ownTtlOf(request),
    validForMs: validForMs({ deadline: livesUntil(request), carriedAt }),
  }
}

/** To an attempt that leaves a waiting request: with a session the request keeps its place. */
export function leftWaiting(request: Request): StillWaiting | Detached {
  if (request.session === null) return { kind: 'detached', requestId: request.id }
  return {
    kind: 'stillWaiting',
    lock: request.lock.name,
    session: request.session.id,
    requestId: request.id,
    sequence: request.sequence,
    position: placeInLine(request.lock, request) + 1,
    queueLength: request.lock.queue.length,
  }
}

/** Of a lock that somebody else holds, after the request has left its queue (or never joined it). */
export function notGranted(
  state: LockState,
  code: 'lock_held' | 'wait_timeout',
  lock: Lock,
  requestId: RequestId,
): Refused {
  return refused({ code, requestId, holders: holdersOf(state, lock), queueLength: lock.queue.length })
}

/** A holder past due is none. */
export function holdersOf(state: LockState, lock: Lock): readonly HolderView[] {
  const { holder } = lock
  if (holder === null || isRequestOver(holder, state.time)) return []
  return [
    {
      session: holder.session?.id ?? null,
      owner: holder.owner,
      mode: 'exclusive',
      token: tokenOf(holder),
      sequence: holder.sequence,
      heldMs: state.time - holder.since,
      expiresInMs: livesUntil(holder) - state.time,
      metadata: holder.metadata,
    },
  ]
}

/** Index in the lock's queue of a request that waits there. */
export function placeInLine(lock: Lock, request: Request): number {
  const { queue } = lock
  let low = 0
  let high = queue.length
  while (low < high) {
    const middle = (low + high) >> 1
    const other = queue[middle]
    assert(other !== undefined, 'the middle lies inside the queue')
    if (other.sequence < request.sequence) low = middle + 1
    else high = middle
  }
  assert(queue[low] === request, 'a waiting request stands in the queue of its lock')
  return low
}

export function tokenOf(request: Request): Token {
  assert(request.token !== null, 'a request that holds has a token')
  return request.token
}

/** End of what keeps a grant alive: its session or its own TTL. */
function livesUntil(request: Request): ClusterTime {
  const deadline = request.session?.deadline ?? request.deadline
  assert(deadline !== null, 'a grant has a session or a deadline of its own')
  return deadline
}

function ownTtlOf(request: Request): number {
  assert(request.ttlMs !== null, 'a request without a session has a TTL of its own')
  return request.ttlMs
}
