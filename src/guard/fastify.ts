// The door as a Fastify plugin: `app.register(fastifyFencing({ resource, tokens }))`. It guards what is registered in the
// same scope, before and after it. It looks in `preHandler`, after authentication and validation: whoever may not write
// must not be able to raise the highest token either, because that would lock the holder out.
import { pass, problemType } from './door.ts'
import type { DoorOptions, RequestWithHeaders } from './door.ts'

/** The little of Fastify that is used, so that it is no dependency. */
export interface FastifyLike<Request> {
  addHook(name: 'preHandler', hook: (request: Request, reply: ReplyLike) => Promise<unknown>): unknown
}

export interface ReplyLike {
  code(status: number): unknown
  type(contentType: string): unknown
  send(body: unknown): unknown
}

export type FastifyPlugin<Request> = (app: FastifyLike<Request>) => Promise<void>

/** Say what a request is to be given its fields: `resource: (request: FastifyRequest) => ..`. */
export function fastifyFencing<Request extends RequestWithHeaders>(
  options: DoorOptions<Request>,
): FastifyPlugin<Request> {
  const plugin: FastifyPlugin<Request> = async (app) => {
    app.addHook('preHandler', async (request, reply) => {
      const passage = await pass(request, options)
      if (passage.kind !== 'refused') return undefined
      reply.code(passage.problem.status)
      reply.type(problemType)
      // As text: a schema of the route's own must not take fields away. Returning the reply ends the request here.
      reply.send(JSON.stringify(passage.problem))
      return reply
    })
  }
  // By these names Fastify knows a plugin that belongs to the scope that registers it, and what to call it.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'holdfast-fencing',
  })
}
