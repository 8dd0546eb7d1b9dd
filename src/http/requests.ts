// Routes of single requests: what became of one, and its end, whatever became of it.
import { asLockName, asRequestId, asSessionId } from '../ids.ts'
import { viewRequest } from '../lockfsm/views.ts'
import * as api from './api.ts'
import { beginCall } from './client-call.ts'
import { documented, ofChanges, ofReads } from './documented.ts'
import type { App, Door } from './door.ts'
import { noBody } from './json-body.ts'
import { beginRead } from './read.ts'

const { RequestParams: params } = api
const path = '/v1/locks/:lock/requests/:requestId'

export function addRequestRoutes(app: App, door: Door): void {
  const reads = door.metrics.meter('read_request')
  const read = documented({
    tag: 'requests',
    summary: 'What became of a request',
    answers: { 200: api.RequestView },
    problems: [...ofReads, 'not_found'],
  })
  app.get(path, { schema: { ...read, params, querystring: api.RequestReadQuery } }, ({ params, query }, reply) => {
    const asked = namedBy(params, query)
    beginRead(door, reply, {
      meter: reads,
      stale: query.consistency === 'stale',
      view: (state) => {
        const request = viewRequest(state, asked)
        if (request !== null) return { body: request }
        const detail = 'nothing is known of such a request: it never came, was refused, or is forgotten'
        return { problem: { code: 'not_found', detail, requestId: asked.requestId } }
      },
    })
  })

  const cancels = door.metrics.meter('cancel_request')
  const cancel = documented({
    tag: 'requests',
    summary: 'End a request: afterwards it holds and awaits nothing, and a copy still on its way is refused',
    answers: { 200: api.RequestCancelled },
    problems: [...ofChanges, 'session_unknown', 'request_mismatch', 'quota_exceeded'],
  })
  app.delete(
    path,
    { schema: { ...cancel, params, querystring: api.RequestQuery }, preValidation: noBody },
    ({ params, query }, reply) => {
      beginCall(door, reply, {
        command: { kind: 'cancelRequest', ...namedBy(params, query) },
        waitMs: 0,
        meter: cancels,
      })
    },
  )
}

function namedBy(
  { lock, requestId }: { readonly lock: string; readonly requestId: string },
  { session }: { readonly session?: string },
) {
  return {
    lock: asLockName(lock),
    session: session === undefined ? null : asSessionId(session),
    requestId: asRequestId(requestId),
  }
}
