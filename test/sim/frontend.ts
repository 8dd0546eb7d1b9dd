// What stands between clients and nodes in place of HTTP: a request travels, is taken up by the node's process, its answer
// travels back. Either side may be gone by then, and a client that hangs up is noticed by the node only later.
import { asClusterTime } from '../../src/ids.ts'
import type { ClusterTime, NodeId } from '../../src/ids.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import type { Answer } from '../../src/node/calls.ts'
import type { Replica } from '../../src/node/replica.ts'
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { SimProcess } from './process.ts'
import type { Timeline } from './timeline.ts'

/**
 * What a client hears: an answer, or that the connection broke (refused, reset: nothing is known). `atStop`: said by a
 * node that was about to end.
 */
export type Reply = { readonly kind: 'broken' } | (Answer & { readonly atStop?: boolean })

/** Whether a reply promises that nothing was done and nothing will be. */
export function isDefinitelyNotDone({ kind }: Reply): boolean {
  return kind === 'noLeader' || kind === 'overloaded' || kind === 'diskLow'
}

/** One request on one connection. */
export interface Exchange {
  /** The client hangs up: it hears nothing more, and the node learns of it a little later. */
  hangUp(): void
}

interface Connection {
  readonly machine: Machine
  readonly process: SimProcess
  /** Of the attempt that it carries. */
  mark: string | null
  clientGone: boolean
  serverSawClose: boolean
  answered: boolean
  abandon: () => void
  broken: () => void
}

export class Frontend {
  readonly #machines: ReadonlyMap<NodeId, Machine>
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #connections = new Set<Connection>()
  /** Told of every answer of a node that reaches its client. */
  heard: (from: NodeId, answer: Answer) => void = () => {}
  /** Answers that took their time, in milliseconds, with this chance. */
  slowAnswers = { chance: 0, msMax: 0 }
  /** Clients who hang up and of whom the node learns late. */
  slowHangUps = { chance: 0, msMax: 0 }
  /** Marks of attempts whose answer, a grant, was begun: somebody may have read it. */
  readonly grantsBegun = new Set<string>()

  constructor(parts: { machines: readonly Machine[]; timeline: Timeline; random: Random }) {
    this.#machines = new Map(parts.machines.map((machine) => [machine.id, machine]))
    this.#timeline = parts.timeline
    this.#random = parts.random
  }

  /** Sends a command; `build` is told the cluster time that the node has applied when it takes the request in. */
  send(
    node: NodeId,
    request: { build(takenInAt: ClusterTime): Command; waitMs: number; reply(reply: Reply): void },
  ): Exchange {
    return this.#exchange(node, request.reply, (replica, connection) => {
      const command = request.build(replica?.clusterTime ?? asClusterTime(0))
      connection.mark = markOf(command)
      if (replica === null) return this.#answer(connection, request.reply, { kind: 'noLeader' })
      connection.abandon = replica.call({
        command,
        waitMs: request.waitMs,
        answer: (answer) => this.#answer(connection, request.reply, answer),
      })
      return true
    })
  }

  /** A linearizable read: `evaluate` runs at the node when it may answer. */
  read(node: NodeId, request: { evaluate(replica: Replica): void; reply(reply: 'done' | 'failed'): void }): Exchange {
    const reply = (answer: Reply) => request.reply(answer.kind === 'outcome' ? 'done' : 'failed')
    return this.#exchange(node, reply, (replica, connection) => {
      if (replica === null) return this.#answer(connection, reply, { kind: 'noLeader' })
      replica.read({
        ready: () => {
          request.evaluate(replica)
          const index = replica.appliedIndex
          this.#answer(connection, reply, { kind: 'outcome', index, result: { kind: 'done' } })
        },
        noLeader: () => this.#answer(connection, reply, { kind: 'noLeader' }),
      })
      return true
    })
  }

  /** A process is gone, and with it its clients' connections. */
  processEnded(process: SimProcess): void {
    for (const connection of this.#connections) {
      if (connection.process !== process) continue
      this.#connections.delete(connection)
      this.#timeline.after(this.#delay(), () => connection.broken())
    }
  }

  #exchange(
    node: NodeId,
    reply: (reply: Reply) => void,
    serve: (replica: Replica | null, connection: Connection) => boolean,
  ): Exchange {
    const connection = this.#connect(node)
    let over = false
    const broken = () => {
      if (over) return
      over = true
      reply({ kind: 'broken' })
    }
    if (connection === null) {
      this.#timeline.after(this.#delay(), broken)
      return { hangUp: () => (over = true) }
    }
    connection.broken = broken
    this.#connections.add(connection)
    this.#timeline.after(this.#delay(), () => {
      connection.process.arrive(() => {
        if (!connection.serverSawClose) serve(this.#machines.get(node)?.node?.replica ?? null, connection)
      })
    })
    return {
      hangUp: () => {
        over = true
        connection.clientGone = true
        const { chance, msMax } = this.slowHangUps
        const slow = this.#random.chance(chance) ? this.#random.between(0, msMax) : 0
        this.#timeline.after(this.#delay() + slow, () => {
          connection.process.arrive(() => {
            connection.serverSawClose = true
            this.#connections.delete(connection)
            if (!connection.answered) connection.abandon()
          })
        })
      },
    }
  }

  #connect(node: NodeId): Connection | null {
    const machine = this.#machines.get(node)
    const process = machine?.process
    if (machine === undefined || process?.alive !== true) return null
    const state = { mark: null, clientGone: false, serverSawClose: false, answered: false }
    return { machine, process, ...state, abandon: () => {}, broken: () => {} }
  }

  /** The node answers: true when the answer was begun, whoever hears it. */
  #answer(connection: Connection, reply: (reply: Reply) => void, answer: Answer): boolean {
    if (connection.serverSawClose || !connection.process.alive) return false
    connection.answered = true
    this.#connections.delete(connection)
    const isGrant = answer.kind === 'outcome' && answer.result.kind === 'granted'
    if (isGrant && connection.mark !== null) this.grantsBegun.add(connection.mark)
    const said = connection.machine.isStopping ? { ...answer, atStop: true } : answer
    const slow = this.#random.chance(this.slowAnswers.chance) ? this.#random.between(0, this.slowAnswers.msMax) : 0
    this.#timeline.after(this.#delay() + slow, () => {
      if (connection.clientGone) return
      this.heard(connection.machine.id, said)
      reply(said)
    })
    return true
  }

  #delay(): number {
    return 0.1 + this.#random.exponential(0.5)
  }
}

/** What tells attempts apart in the log: their clients write it where the command has room for a text. */
export function markOf(command: Command): string | null {
  if (command.kind === 'acquire') return command.owner
  return command.kind === 'openSession' ? command.name : null
}
