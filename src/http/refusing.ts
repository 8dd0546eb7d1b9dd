// Everything that is answered before or instead of a route: paths and methods that do not exist, requests that do not
// match their schema, bytes that are not HTTP, and our own bugs. All of it in the form of errors.ts.
import { randomUUID } from 'node:crypto'
import { METHODS } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { appliedIndex, leaderUrl } from './door.ts'
import type { App, Door } from './door.ts'
import { errorRows } from './errors.ts'
import { lockNameRule } from './names.ts'
import { InvalidRequest, problemBody, problemType, sendProblem } from './problem.ts'
import type { ProblemDetails } from './problem.ts'

/** Answers everything for which there is no route. To be called before any route is added. */
export function refuseTheRest(app: App, door: Door): void {
  app.setErrorHandler((error, request, reply) => sendError(door, error, request, reply))
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(door, reply, { code: 'not_found', detail: 'there is nothing at this path' }),
  )
  for (const method of METHODS) {
    // CONNECT is not routed at all: Node.js closes its connection.
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
}

/** Answers every method that a path does not have. To be called when all routes have been added. */
export function refuseOtherMethods(
  app: App,
  door: Door,
  routes: readonly { readonly url: string; readonly method: string | string[] }[],
): void {
  const methodsOf = new Map<string, Set<string>>()
  for (const { url, method } of routes) {
    const methods = methodsOf.get(url) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    methodsOf.set(url, methods)
  }
  for (const [url, methods] of methodsOf) {
    const allow = [...methods].sort()
    const refuse = (_request: FastifyRequest, reply: FastifyReply): void =>
      sendProblem(door, reply, { code: 'method_not_allowed', detail: `this path takes ${allow.join(', ')}`, allow })
    const others = app.supportedMethods.filter((method) => !methods.has(method))
    // Before the body is looked at: what is in it does not matter here.
    app.route({ method: others, url, schema: { hide: true }, onRequest: refuse, handler: refuse })
  }
}

export function sendError(door: Door, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(error) ?? internal(door, error, request)
  door.metrics.meter('unread').refused(problem.code)
  sendProblem(door, reply, problem)
}

/** What a framework error, or one thrown while a request was read, means; null when it is a bug. */
function problemOf(error: unknown): ProblemDetails | null {
  if (error instanceof InvalidRequest) return { code: error.code, detail: error.message, field: shortened(error.field) }
  if (!(error instanceof Error) || !isFastifyError(error)) return null
  const [violation] = error.validation ?? []
  if (violation !== undefined) return violated(violation, error.validationContext ?? 'body')
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return {
        code: 'unsupported_media_type',
        detail: 'the body must be JSON and say so: `Content-Type: application/json`; with curl use `curl --json`',
      }
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { code: 'too_large', detail: 'the body is larger than this path takes' }
    case 'FST_ERR_BAD_URL':
      return { code: 'invalid_request', detail: 'the path is not percent-encoded UTF-8', field: 'path' }
    default:
      return (error.statusCode ?? 500) < 500 ? { code: 'invalid_request', detail: error.message } : null
  }
}

function isFastifyError(error: Error): error is FastifyError {
  return 'code' in error || 'statusCode' in error
}

/** Names the field that does not match its schema. */
function violated(
  { keyword, instancePath, params, message }: FastifySchemaValidationError,
  context: string,
): ProblemDetails {
  const place = instancePath.slice(1).replaceAll('/', '.')
  const name = params['additionalProperty'] ?? params['missingProperty']
  const field = shortened([place, name].filter((part) => typeof part === 'string' && part !== '').join('.') || context)
  return { code: 'invalid_request', detail: `${field}: ${ruleOf(keyword, context, message)}`, field }
}

function ruleOf(keyword: string, context: string, message: string | undefined): string {
  if (keyword === 'additionalProperties')
    return context === 'querystring' ? 'is an unknown query parameter' : 'is an unknown field'
  if (keyword === 'required') return 'is missing'
  if (keyword === 'format') return lockNameRule
  return message ?? 'is not valid'
}

/** Names come from the client and may be as long as a body. */
function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}..` : text
}

function internal({ log }: Door, error: unknown, { method, routeOptions }: FastifyRequest): ProblemDetails {
  const instance = `urn:uuid:${randomUUID()}`
  log.error({ err: error, instance, method, path: routeOptions.url }, 'a request failed: this is a bug')
  return { code: 'internal', detail: 'this is a bug; the log of this node says more under the same instance', instance }
}

/** For bytes that are no HTTP request: there is no route and no reply, only the connection. */
export function refuseConnection(door: Door, error: Error, socket: Socket): void {
  const code = 'code' in error ? error.code : undefined
  // An answer that is on its way must not be torn apart by another.
  if (code !== 'ECONNRESET' && socket.writable && socket.writableLength === 0) {
    socket.write(rawAnswer(door, problemOfConnection(code)))
  }
  socket.destroySoon()
}

function problemOfConnection(code: unknown): ProblemDetails {
  if (code === 'HPE_HEADER_OVERFLOW') return { code: 'too_large', detail: 'the head of the request is too large' }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { code: 'invalid_request', detail: 'the request did not arrive in time' }
  return { code: 'invalid_request', detail: 'this is not HTTP/1.1' }
}

function rawAnswer(door: Door, problem: ProblemDetails): string {
  const body = JSON.stringify(problemBody(problem))
  const { status, title } = errorRows[problem.code]
  const leader = leaderUrl(door)
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `holdfast-index: ${appliedIndex(door)}`,
    ...(leader === null ? [] : [`holdfast-leader: ${leader}`]),
    'connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
