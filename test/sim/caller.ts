// One call of a client: to the node it is used to or to any other, waited for as long as the client has patience. What the
// answer says about the order of things is checked here: whatever was asked for after an answer was heard comes into the
// log behind the entry of that answer (S6, for changes).
import { assert } from '../../src/assert.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Frontend, Reply } from './frontend.ts'
import type { Random } from './random.ts'
import { wait } from './task.ts'
import type { Task } from './task.ts'
import type { Timeline } from './timeline.ts'

/** What all clients of a world know together. */
export interface SharedFacts {
  /** The greatest index that any client has seen in an answer. */
  ackedIndex: number
  operations: number
  grants: number
  /** Clients stop taking new work, and later close their sessions, too. */
  closing: boolean
  dismissed: boolean
}

export interface CallParts {
  readonly build: Parameters<Frontend['send']>[1]['build']
  readonly waitMs: number
  readonly patienceMs: number
  /** Where to call; left out, the node it is used to, or any. */
  readonly node?: NodeId
}

export class Caller {
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #frontend: Frontend
  readonly #nodes: readonly NodeId[]
  readonly #shared: SharedFacts
  #home: NodeId

  constructor(parts: {
    timeline: Timeline
    random: Random
    frontend: Frontend
    nodes: readonly NodeId[]
    shared: SharedFacts
  }) {
    this.#timeline = parts.timeline
    this.#random = parts.random
    this.#frontend = parts.frontend
    this.#nodes = parts.nodes
    this.#shared = parts.shared
    this.#home = parts.random.pick(parts.nodes)
  }

  /** The node that the next call goes to: the one it is used to, or any. */
  pickNode(): NodeId {
    return this.#random.chance(0.5) ? this.#home : this.#random.pick(this.#nodes)
  }

  *call({ build, waitMs, patienceMs, node = this.pickNode() }: CallParts): Task<Reply> {
    const shared = this.#shared
    shared.operations++
    const after = shared.ackedIndex
    const reply = yield* wait<Reply>((settle) => {
      const exchange = this.#frontend.send(node, { build, waitMs, reply: settle })
      this.#timeline.after(patienceMs, () => {
        exchange.hangUp()
        settle({ kind: 'broken' })
      })
    })
    if (reply.kind === 'broken' && this.#random.chance(0.5)) this.#home = this.#random.pick(this.#nodes)
    if (reply.kind !== 'outcome') return reply
    assert(
      reply.atStop === true || reply.index > after,
      () => `S6: answered with entry ${reply.index}, asked after ${after} was heard of`,
    )
    shared.ackedIndex = Math.max(shared.ackedIndex, reply.index)
    return reply
  }
}
