// The HTTP side of a node: a Fastify application with all routes, which does not listen.
import { LogController, fastify } from 'fastify'
import type { FastifyBaseLogger } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { NodeId } from '../ids.ts'
import { Problem, limits } from './api.ts'
import { addBackupRoute } from './backup.ts'
import { addClusterRoutes } from './cluster.ts'
import type { App, Door, ServedNode } from './door.ts'
import { inTurn } from './in-turn.ts'
import { readJsonBodies } from './json-body.ts'
import { addLockRoutes } from './locks.ts'
import { Metrics } from './metrics.ts'
import { isLockName, isPartOfName } from './names.ts'
import { addOpenApi, addOpenApiRoute } from './open-api.ts'
import { addOperationRoutes } from './operation.ts'
import { refuseConnection, refuseOtherMethods, refuseTheRest, sendError } from './refusing.ts'
import { addRequestRoutes } from './requests.ts'
import { addSessionRoutes } from './sessions.ts'

export interface ServerSetup {
  readonly log: FastifyBaseLogger
  /** Where the members listen for each other, by id: `host:port`. */
  readonly peerAddresses: ReadonlyMap<NodeId, string>
  /** Shows the figures of the process, too; one server in a process can. */
  readonly withProcessMetrics: boolean
}

/** Nobody needs longer to send a request. */
const requestTimeoutMs = 60_000
/** A client whose machine is gone sends nothing more: so long after that the kernel begins to ask. */
const keepAliveProbeMs = 15_000

export async function buildServer(node: ServedNode, setup: ServerSetup): Promise<App> {
  const { log, peerAddresses, withProcessMetrics } = setup
  const reads = { open: 0 }
  const metrics = new Metrics({ node, reads, withProcess: withProcessMetrics })
  const door: Door = { node, log, peerAddresses, metrics, reads }
  const app = createApp(door)
  app.addSchema(Problem)
  readJsonBodies(app)
  refuseTheRest(app, door)
  app.addHook('onRequest', inTurn)
  await addOpenApi(app, door)
  const routes: { url: string; method: string | string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => void routes.push({ url, method }))
  addOpenApiRoute(app, door)
  addSessionRoutes(app, door)
  addLockRoutes(app, door)
  addRequestRoutes(app, door)
  addClusterRoutes(app, door)
  addOperationRoutes(app, door)
  addBackupRoute(app, door)
  refuseOtherMethods(app, door, [...routes])
  await app.ready()
  return app
}

function createApp(door: Door): App {
  const app = fastify({
    logger: false,
    logController: new LogController({ disableRequestLogging: true }),
    http: { requireHostHeader: false, keepAlive: true, keepAliveInitialDelay: keepAliveProbeMs, noDelay: true },
    requestTimeout: requestTimeoutMs,
    bodyLimit: limits.bodyBytesMax,
    // While it closes, the node itself answers that it stops.
    return503OnClosing: false,
    routerOptions: {
      // Names are measured in bytes, by their schema.
      maxParamLength: 64 * 1024,
    },
    ajv: {
      customOptions: {
        // What was sent is what counts: nothing is converted, dropped or filled in.
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: false,
        formats: { 'lock-name': isLockName, 'lock-name-prefix': isPartOfName },
      },
    },
    frameworkErrors: (error, request, reply) => sendError(door, error, request, reply),
    clientErrorHandler: (error, socket) => refuseConnection(door, error, socket),
  }).withTypeProvider<TypeBoxTypeProvider>()
  // A connection that could not be accepted, for want of file descriptors: its client sees it fail, we go on. A door that
  // does not open at all is the affair of who opens it.
  app.server.once('listening', () => {
    app.server.on('error', (error) => door.log.warn({ err: error }, 'a connection was not accepted'))
  })
  // An expectation that we do not know may be ignored (RFC 9110, 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  return app
}
