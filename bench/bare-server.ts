// A Fastify that does nothing but parse a body and answer: what HTTP alone costs on this machine, measured in the same
// run. Started as a process of its own; prints its port.
import Fastify from 'fastify'

const app = Fastify({ logger: false })
app.post(
  '/v1/locks/:lock/acquire',
  {
    schema: {
      body: {
        type: 'object',
        properties: { requestId: { type: 'string' }, ttlMs: { type: 'integer' } },
        additionalProperties: false,
      },
      response: { 200: { type: 'object', properties: { lock: { type: 'string' }, token: { type: 'integer' } } } },
    },
  },
  (request, reply) => {
    const { lock } = request.params as { lock: string }
    reply.send({ lock, token: 1 })
  },
)
console.log(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)
