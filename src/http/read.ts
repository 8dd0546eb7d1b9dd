// Reads of the lock table: linearizable unless the client asked for what this node has.
import type { FastifyReply } from 'fastify'
import type { LockState } from '../lockfsm/state.ts'
import { appliedIndex, stamp } from './door.ts'
import type { Door } from './door.ts'
import type { Meter } from './metrics.ts'
import { sendProblem, whyNotReady } from './problem.ts'
import type { ProblemDetails } from './problem.ts'

export interface ReadSetup {
  readonly meter: Meter
  readonly stale: boolean
  /** Makes the body of the answer, or says why there is none. */
  readonly view: (state: LockState) => { readonly body: object } | { readonly problem: ProblemDetails }
}

export function beginRead(door: Door, reply: FastifyReply, setup: ReadSetup): void {
  const { replica } = door.node
  const since = performance.now()
  const refuse = (): void => {
    sendProblem(door, reply, { code: 'no_leader', detail: whyNotReady(door) })
    setup.meter.answered('no_leader', performance.now() - since)
  }
  const answer = (state: LockState): void => {
    const shown = setup.view(state)
    const index = appliedIndex(door)
    if ('problem' in shown) sendProblem(door, reply, shown.problem, index)
    else {
      stamp(door, reply, index)
      reply.send(setup.stale ? { ...shown.body, appliedIndex: index } : shown.body)
    }
    setup.meter.answered('problem' in shown ? shown.problem.code : 'ok', performance.now() - since)
  }
  if (replica === null) return refuse()
  if (setup.stale) return answer(replica.lock)
  replica.read({
    ready: () => {
      if (reply.raw.destroyed) return
      try {
        answer(replica.lock)
      } catch (error) {
        reply.send(error)
      }
    },
    noLeader: () => {
      if (!reply.raw.destroyed) refuse()
    },
  })
}
