// The OpenAPI document, made from the schemas of the routes, at /openapi.json and to be read at /docs.
import swagger from '@fastify/swagger'
import type { SwaggerTransformObject } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { NoQuery } from './api.ts'
import { asDocumented } from './documented.ts'
import { appliedIndex, stamp } from './door.ts'
import type { App, Door } from './door.ts'

/** A body may be left out where all its fields may. */
const withOptionalBodies: SwaggerTransformObject = (document) => {
  if (!('openapiObject' in document)) return document.swaggerObject
  for (const path of Object.values(document.openapiObject.paths ?? {})) {
    const body = path?.post?.requestBody
    if (body === undefined || '$ref' in body) continue
    const schema = body.content['application/json']?.schema
    body.required = schema !== undefined && 'required' in schema
  }
  return document.openapiObject
}

/** To be called before the routes that it describes are added. */
export async function addOpenApi(app: App, door: Door): Promise<void> {
  await app.register(swagger, {
    transform: ({ schema, url }) => ({ schema: asDocumented(schema), url }),
    transformObject: withOptionalBodies,
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Holdfast', version: '1', description: 'A replicated lock store. Every node answers every call.' },
    },
    refResolver: {
      buildLocalReference: ({ $id }, _base, _fragment, i) => (typeof $id === 'string' ? $id : `schema-${i}`),
    },
  })
  await app.register(async (docs) => {
    docs.addHook('onSend', (_request, reply, _payload, done) => {
      stamp(door, reply, appliedIndex(door))
      done()
    })
    await docs.register(swaggerUi, { routePrefix: '/docs' })
  })
}

export function addOpenApiRoute(app: App, door: Door): void {
  app.get('/openapi.json', { schema: { hide: true, querystring: NoQuery } }, (_request, reply) => {
    stamp(door, reply, appliedIndex(door))
    reply.send(app.swagger())
  })
}
