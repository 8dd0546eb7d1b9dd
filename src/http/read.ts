// Reads of the lock table: linearizable unless the client asked for what this node has. Those that ask the others are
// bounded in number, as the calls of a node are.
import type { FastifyReply } from 'fastify'
import type { LockState } from '../lockfsm/state.ts'
import type { ReadRequest } from '../node/read-rounds.ts'
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

const openMax = 10_000

/** Begins the read; the answer follows. */
export function beginRead(door: Door, reply: FastifyReply, setup: ReadSetup): void {
  const { replica } = door.node
  const read = new ClientRead(door, reply, setup)
  if (replica?.hasState !== true) read.refuse({ code: 'no_leader', detail: whyNotReady(door) })
  else if (setup.stale) read.show(replica.lock)
  else if (door.reads.open >= openMax) read.refuse({ code: 'overloaded', detail: 'too many reads are under way' })
  else {
    door.reads.open++
    replica.read(read)
  }
}

class ClientRead implements ReadRequest {
  readonly #door: Door
  readonly #reply: FastifyReply
  readonly #setup: ReadSetup
  readonly #since = performance.now()

  constructor(door: Door, reply: FastifyReply, setup: ReadSetup) {
    this.#door = door
    this.#reply = reply
    this.#setup = setup
  }

  ready(): void {
    const { replica } = this.#door.node
    this.#door.reads.open--
    if (replica === null || this.#reply.raw.destroyed) return
    try {
      this.show(replica.lock)
    } catch (error) {
      // A bug of ours, in the middle of the node's turn: it concerns this answer alone.
      this.#reply.send(error)
    }
  }

  noLeader(): void {
    this.#door.reads.open--
    if (!this.#reply.raw.destroyed) this.refuse({ code: 'no_leader', detail: whyNotReady(this.#door) })
  }

  show(state: LockState): void {
    const shown = this.#setup.view(state)
    if ('problem' in shown) return this.refuse(shown.problem)
    const index = appliedIndex(this.#door)
    stamp(this.#door, this.#reply, index)
    this.#reply.send(this.#setup.stale ? { ...shown.body, appliedIndex: index } : shown.body)
    this.#setup.meter.answered('ok', performance.now() - this.#since)
  }

  refuse(problem: ProblemDetails): void {
    sendProblem(this.#door, this.#reply, problem)
    this.#setup.meter.answered(problem.code, performance.now() - this.#since)
  }
}
