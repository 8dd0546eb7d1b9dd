// A connection carries one answer at a time, in the order of the requests. One that was sent behind another (pipelining)
// waits here, unread, until that other's answer is out: otherwise a grant could be answered into a buffer that nobody
// will ever empty, and it would count as told (H14).
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'

/** More requests behind one that waits make no sense; each would take memory for as long as that one waits. */
const waitingMax = 100
const waiting = new WeakMap<Socket, number>()

export function inTurn(
  { raw: { socket } }: FastifyRequest,
  { raw }: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  if (raw.socket !== null) return done()
  const count = (waiting.get(socket) ?? 0) + 1
  waiting.set(socket, count)
  if (count > waitingMax) {
    socket.destroy()
    return
  }
  raw.once('socket', () => {
    waiting.set(socket, (waiting.get(socket) ?? 0) - 1)
    done()
  })
}
