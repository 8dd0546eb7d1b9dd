// Routes for those who operate the node: does it work, should clients come here, and its figures.
import * as api from './api.ts'
import { documented } from './documented.ts'
import { appliedIndex, stamp } from './door.ts'
import type { App, Door } from './door.ts'
import { sendProblem, whyNotReady } from './problem.ts'

const { NoQuery: querystring } = api

export function addOperationRoutes(app: App, door: Door): void {
  const health = documented({
    tag: 'operation',
    summary: 'Whether the process works at all',
    answers: { 200: api.Healthy },
    problems: [],
  })
  app.get('/healthz', { schema: { ...health, querystring } }, (_request, reply) => {
    stamp(door, reply, appliedIndex(door))
    reply.send({ status: 'ok' })
  })

  const ready = documented({
    tag: 'operation',
    summary: 'Whether clients should come here: a leader is known and nearly everything committed is applied',
    answers: { 200: api.Ready },
    problems: ['no_leader'],
  })
  app.get('/readyz', { schema: { ...ready, querystring } }, (_request, reply) => {
    if (door.node.replica?.readiness().ready !== true) {
      sendProblem(door, reply, { code: 'no_leader', detail: whyNotReady(door) })
      return
    }
    stamp(door, reply, appliedIndex(door))
    reply.send({ ready: true })
  })

  const figures = documented({
    tag: 'operation',
    summary: 'Prometheus text',
    answers: { 200: api.MetricsText },
    problems: [],
  })
  app.get('/metrics', { schema: { ...figures, querystring } }, async (_request, reply) => {
    const text = await door.metrics.text()
    stamp(door, reply, appliedIndex(door))
    return reply.type(door.metrics.contentType).send(text)
  })
}
