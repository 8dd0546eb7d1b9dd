// Bodies: JSON objects in UTF-8, or nothing where every field may be left out.
import { isUtf8 } from 'node:buffer'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { App } from './door.ts'
import { InvalidRequest } from './problem.ts'

/** Makes JSON the only kind of body that is read; any other is answered with 415. */
export function readJsonBodies(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parse(Buffer.isBuffer(body) ? body : Buffer.from(body)))
    } catch (error) {
      done(error instanceof InvalidRequest ? error : new InvalidRequest('body', 'is not valid JSON'))
    }
  })
}

function parse(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  // Decoding would replace what is no UTF-8, and two different requests would become one.
  if (!isUtf8(bytes)) throw new InvalidRequest('body', 'is not valid UTF-8')
  const body: unknown = JSON.parse(bytes.toString())
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new InvalidRequest('body', 'is not a JSON object')
  return body
}

/** For routes all of whose fields may be left out: no body is an empty one. */
export function bodyMayBeAbsent(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  request.body ??= {}
  done()
}

/** For routes without fields: no body, or an empty object. */
export function noBody(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const [unknown] = Object.keys(request.body ?? {})
  done(unknown === undefined ? undefined : new InvalidRequest(unknown, 'is unknown: this call takes no body'))
}
