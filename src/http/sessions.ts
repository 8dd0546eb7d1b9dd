// Routes of sessions: open, renew one or many, read, close.
import { asSessionId } from '../ids.ts'
import { listSessions, viewSession } from '../lockfsm/views.ts'
import * as api from './api.ts'
import { beginCall } from './client-call.ts'
import { cursorOf, sessionAfter } from './cursor.ts'
import { documented, ofChanges, ofReads } from './documented.ts'
import type { App, Door } from './door.ts'
import { bodyMayBeAbsent, noBody } from './json-body.ts'
import { metadataText } from './metadata.ts'
import { noSession, sendRenewal } from './outcomes.ts'
import { beginRead } from './read.ts'
import { requestIdOf } from './request-id.ts'
import { shownMetadata } from './shown.ts'

const { limits, NoQuery, SessionParams: params } = api

export function addSessionRoutes(app: App, door: Door): void {
  addOpening(app, door)
  addRenewals(app, door)
  addClosing(app, door)
  addSessionReads(app, door)
}

function addOpening(app: App, door: Door): void {
  const meter = door.metrics.meter('open_session')
  const schema = {
    ...documented({
      tag: 'sessions',
      summary: 'Open a session',
      answers: { 201: api.SessionOpened, 200: api.SessionOpened },
      idempotencyKey: true,
      problems: [...ofChanges, 'session_ended', 'request_mismatch', 'quota_exceeded'],
    }),
    querystring: NoQuery,
    body: api.OpenSessionBody,
  }
  app.post('/v1/sessions', { schema, preValidation: bodyMayBeAbsent }, ({ body, headers }, reply) => {
    const command = {
      kind: 'openSession',
      requestId: requestIdOf(headers['idempotency-key'], body.requestId, { isAlone: true }),
      ttlMs: body.ttlMs ?? limits.ttlDefaultMs,
      name: body.name ?? null,
      metadata: metadataText(body.metadata),
    } as const
    beginCall(door, reply, { command, waitMs: 0, meter })
  })
}

function addRenewals(app: App, door: Door): void {
  const meter = door.metrics.meter('renew_session')
  const one = documented({
    tag: 'sessions',
    summary: 'Renew a session; its deadline never moves to an earlier moment',
    answers: { 200: api.SessionOpened },
    problems: [...ofChanges, 'session_ended', 'session_unknown'],
  })
  app.post(
    '/v1/sessions/:session/renew',
    { schema: { ...one, params, querystring: NoQuery, body: api.RenewSessionBody }, preValidation: bodyMayBeAbsent },
    ({ params, body }, reply) => {
      const renewals = [{ session: asSessionId(params.session), ttlMs: body.ttlMs ?? null }]
      beginCall(door, reply, { command: { kind: 'renewSessions', renewals }, waitMs: 0, meter, send: sendRenewal })
    },
  )

  const manyMeter = door.metrics.meter('renew_sessions')
  const many = documented({
    tag: 'sessions',
    summary: 'Renew many sessions at once',
    answers: { 200: api.SessionsRenewed },
    problems: ofChanges,
  })
  app.post(
    '/v1/sessions/renew',
    { schema: { ...many, querystring: NoQuery, body: api.RenewSessionsBody }, bodyLimit: limits.renewalBodyBytesMax },
    ({ body }, reply) => {
      const renewals = body.sessions.map((session) => ({ session: asSessionId(session), ttlMs: null }))
      beginCall(door, reply, { command: { kind: 'renewSessions', renewals }, waitMs: 0, meter: manyMeter })
    },
  )
}

function addClosing(app: App, door: Door): void {
  const meter = door.metrics.meter('close_session')
  const schema = {
    ...documented({
      tag: 'sessions',
      summary: 'Close a session: releases everything it holds, leaves every queue',
      answers: { 204: api.Nothing },
      problems: ofChanges,
    }),
    params,
    querystring: NoQuery,
  }
  app.delete('/v1/sessions/:session', { schema, preValidation: noBody }, ({ params }, reply) => {
    beginCall(door, reply, {
      command: { kind: 'closeSession', session: asSessionId(params.session) },
      waitMs: 0,
      meter,
    })
  })
}

function addSessionReads(app: App, door: Door): void {
  const reads = door.metrics.meter('read_session')
  const one = documented({
    tag: 'sessions',
    summary: 'What a session holds and awaits',
    answers: { 200: api.SessionView },
    problems: [...ofReads, 'session_ended', 'session_unknown'],
  })
  app.get(
    '/v1/sessions/:session',
    { schema: { ...one, params, querystring: api.ReadQuery } },
    ({ params, query }, reply) => {
      const id = asSessionId(params.session)
      beginRead(door, reply, {
        meter: reads,
        stale: query.consistency === 'stale',
        view: (state) => {
          const session = viewSession(state, id)
          if (session === 'unknown' || session === 'ended') return { problem: noSession(`session_${session}`, id) }
          return { body: { ...session, metadata: shownMetadata(session.metadata) } }
        },
      })
    },
  )

  const lists = door.metrics.meter('list_sessions')
  const all = documented({
    tag: 'sessions',
    summary: 'The living sessions in the order of their opening',
    answers: { 200: api.SessionsView },
    problems: [...ofReads],
  })
  app.get('/v1/sessions', { schema: { ...all, querystring: api.SessionsQuery } }, ({ query }, reply) => {
    const page = { after: sessionAfter(query.cursor), limit: Number(query.limit ?? limits.pageDefault) }
    beginRead(door, reply, {
      meter: lists,
      stale: query.consistency === 'stale',
      view: (state) => {
        const { sessions, next } = listSessions(state, page)
        const shown = sessions.map((session) => ({ ...session, metadata: shownMetadata(session.metadata) }))
        return { body: { sessions: shown, cursor: cursorOf('sessions', next) } }
      },
    })
  })
}
