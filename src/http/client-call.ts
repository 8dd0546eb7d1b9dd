// One command on behalf of one client: from the request to the one answer. Whether the client is still there when the
// answer comes decides what becomes of a grant, so an answer counts as begun only when it is handed to a connection that
// can carry it, and whoever hangs up before is reported to the node (H14).
import type { FastifyReply } from 'fastify'
import type { Socket } from 'node:net'
import { unreachable } from '../assert.ts'
import type { RequestId } from '../ids.ts'
import type { Answer, CallRequest } from '../node/calls.ts'
import type { UnstampedCommand } from '../node/own-commands.ts'
import type { Door } from './door.ts'
import { errorRows } from './errors.ts'
import type { Meter } from './metrics.ts'
import { sendResult, unknownOutcome } from './outcomes.ts'
import type { Said } from './outcomes.ts'
import { sendProblem, whyNotReady } from './problem.ts'

export interface ClientCallSetup {
  readonly command: UnstampedCommand
  /** How long the answer may take once the request is in a queue; 0 for calls that do not wait. */
  readonly waitMs: number
  readonly meter: Meter
  /** Says what became of it. */
  readonly send?: typeof sendResult
}

/** Calls whose answers were not begun, by connection: one listener per connection instead of one per call. */
const openCalls = new WeakMap<Socket, Set<ClientCall>>()

/** Begins the call; the answer follows. */
export function beginCall(door: Door, reply: FastifyReply, setup: ClientCallSetup): void {
  new ClientCall(door, reply, setup).begin()
}

class ClientCall implements CallRequest {
  readonly command: UnstampedCommand
  readonly waitMs: number
  readonly #door: Door
  readonly #reply: FastifyReply
  readonly #meter: Meter
  readonly #send: typeof sendResult
  readonly #since = performance.now()
  #calls: Set<ClientCall> | null = null
  #abandon: (() => void) | null = null
  #isAnswered = false

  constructor(door: Door, reply: FastifyReply, { command, waitMs, meter, send }: ClientCallSetup) {
    this.command = command
    this.waitMs = waitMs
    this.#door = door
    this.#reply = reply
    this.#meter = meter
    this.#send = send ?? sendResult
  }

  begin(): void {
    const { replica } = this.#door.node
    const { socket } = this.#reply.raw
    if (replica === null) {
      this.answer({ kind: 'noLeader' })
      return
    }
    if (socket === null || socket.destroyed) return
    const abandon = replica.call(this)
    // An overloaded node answers within the call.
    if (this.#isAnswered) return
    this.#abandon = abandon
    this.#calls = callsOn(socket)
    this.#calls.add(this)
  }

  /** The connection is gone. */
  abandon(): void {
    this.#abandon?.()
  }

  /** Returns whether an answer was begun. */
  answer(answer: Answer): boolean {
    this.#isAnswered = true
    this.#calls?.delete(this)
    const { socket } = this.#reply.raw
    if (socket === null || !socket.writable) return false
    const said = this.#say(answer)
    this.#meter.answered(said, performance.now() - this.#since)
    // A bug of ours in writing the answer was answered as such: what was asked for must not be held by nobody.
    return this.#reply.raw.statusCode !== errorRows.internal.status
  }

  #say(answer: Answer): Said {
    try {
      return this.#sayIt(answer)
    } catch (error) {
      this.#reply.send(error)
      return 'internal'
    }
  }

  #sayIt(answer: Answer): Said {
    switch (answer.kind) {
      case 'outcome':
        return this.#send(this.#door, this.#reply, answer.result, answer.index)
      case 'noLeader':
        return this.#refuse('no_leader', whyNotReady(this.#door))
      case 'overloaded':
        return this.#refuse('overloaded', 'too many calls are under way: nothing was done')
      case 'diskLow':
        return this.#refuse('disk_low', 'this node, or the leader, is short of disk space: nothing was done')
      case 'unknown':
        sendProblem(this.#door, this.#reply, unknownOutcome(this.#requestId()))
        return 'outcome_unknown'
      default:
        return unreachable(answer)
    }
  }

  #refuse(code: 'no_leader' | 'overloaded' | 'disk_low', detail: string): Said {
    const requestId = this.#requestId()
    sendProblem(this.#door, this.#reply, requestId === null ? { code, detail } : { code, detail, requestId })
    return code
  }

  /** Of a command that can be repeated under an id. */
  #requestId(): RequestId | null {
    const { command } = this
    return command.kind === 'acquire' || command.kind === 'openSession' ? command.requestId : null
  }
}

function callsOn(socket: Socket): Set<ClientCall> {
  const known = openCalls.get(socket)
  if (known !== undefined) return known
  const calls = new Set<ClientCall>()
  openCalls.set(socket, calls)
  socket.once('close', () => {
    for (const call of calls) call.abandon()
  })
  return calls
}
