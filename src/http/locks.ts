// Routes of locks: acquire, renew and release by token, check, and what is to be seen of them.
import type { Static, TSchema } from 'typebox'
import { asLockName, asSessionId, asToken } from '../ids.ts'
import type { RequestId } from '../ids.ts'
import type { Acquire } from '../lockfsm/command.ts'
import { checkToken, listLocks, viewLock } from '../lockfsm/views.ts'
import type { Unstamped } from '../node/own-commands.ts'
import * as api from './api.ts'
import { beginCall } from './client-call.ts'
import { cursorOf, lockAfter } from './cursor.ts'
import { documented, ofChanges, ofReads } from './documented.ts'
import type { App, Door } from './door.ts'
import type { ErrorCode } from './errors.ts'
import { bodyMayBeAbsent } from './json-body.ts'
import { metadataText } from './metadata.ts'
import { checkQueryEncoding } from './names.ts'
import { InvalidRequest } from './problem.ts'
import { beginRead } from './read.ts'
import { requestIdOf } from './request-id.ts'
import { shownHolders } from './shown.ts'

const { limits } = api
const { LockParams: params, NoQuery } = api

export function addLockRoutes(app: App, door: Door): void {
  addAcquire(app, door)
  addByToken(app, door)
  addLockReads(app, door)
}

function addAcquire(app: App, door: Door): void {
  const meter = door.metrics.meter('acquire')
  const schema = {
    ...documented({
      tag: 'locks',
      summary: 'Take a lock, or wait for it',
      answers: { 200: api.Granted, 202: api.StillWaiting },
      idempotencyKey: true,
      problems: [...ofChanges, ...refusalsOfAcquire],
    }),
    params,
    querystring: NoQuery,
    body: api.AcquireBody,
  }
  app.post('/v1/locks/:lock/acquire', { schema, preValidation: bodyMayBeAbsent }, (request, reply) => {
    const { body } = request
    const requestId = requestIdOf(request.headers['idempotency-key'], body.requestId, {
      isAlone: body.session === undefined,
    })
    const command = acquireCommand(request.params.lock, body, requestId)
    beginCall(door, reply, { command, waitMs: command.session === null ? command.waitMs : command.pollMs, meter })
  })
}

const refusalsOfAcquire = [
  'lock_held',
  'wait_timeout',
  'already_released',
  'request_cancelled',
  'session_ended',
  'session_unknown',
  'request_mismatch',
  'quota_exceeded',
] as const

/** Throws InvalidRequest where fields do not go together. */
function acquireCommand(lock: string, body: Static<typeof api.AcquireBody>, requestId: RequestId): Unstamped<Acquire> {
  const { session, ttlMs, waitMs = 0, pollMs } = body
  if (session === undefined) {
    if (pollMs !== undefined)
      throw new InvalidRequest('pollMs', 'only with session: without one a call waits for waitMs')
    if (waitMs > limits.callMaxMs) throw new InvalidRequest('waitMs', `without session at most ${limits.callMaxMs}`)
  } else if (ttlMs !== undefined) {
    throw new InvalidRequest('ttlMs', 'only without session: with one the grant lives as long as the session')
  }
  return {
    kind: 'acquire',
    lock: asLockName(lock),
    session: session === undefined ? null : asSessionId(session),
    requestId,
    mode: 'exclusive',
    ttlMs: session === undefined ? (ttlMs ?? limits.ttlDefaultMs) : null,
    waitMs,
    pollMs: session === undefined ? waitMs : (pollMs ?? limits.pollDefaultMs),
    owner: body.owner ?? null,
    metadata: metadataText(body.metadata),
  }
}

function addByToken(app: App, door: Door): void {
  const answers = (tag: 'locks', summary: string, body: TSchema, problems: readonly ErrorCode[]) =>
    documented({ tag, summary, answers: { 200: body }, problems: [...ofChanges, ...problems] })

  const renewals = door.metrics.meter('renew_grant')
  const renewal = answers('locks', 'Renew a grant that has a TTL of its own', api.GrantRenewed, [
    'token_stale',
    'held_by_session',
  ])
  app.post(
    '/v1/locks/:lock/renew',
    { schema: { ...renewal, params, querystring: NoQuery, body: api.RenewGrantBody } },
    ({ params, body }, reply) => {
      const lock = asLockName(params.lock)
      const command = { kind: 'renewGrant', lock, token: asToken(body.token), ttlMs: body.ttlMs ?? null } as const
      beginCall(door, reply, { command, waitMs: 0, meter: renewals })
    },
  )

  const releases = door.metrics.meter('release')
  const release = answers('locks', 'Release a lock by its token', api.Released, ['token_stale'])
  app.post(
    '/v1/locks/:lock/release',
    { schema: { ...release, params, querystring: NoQuery, body: api.ReleaseBody } },
    ({ params, body }, reply) => {
      const session = body.session === undefined ? null : asSessionId(body.session)
      const command = { kind: 'release', lock: asLockName(params.lock), token: asToken(body.token), session } as const
      beginCall(door, reply, { command, waitMs: 0, meter: releases })
    },
  )
}

function addLockReads(app: App, door: Door): void {
  const checks = door.metrics.meter('check')
  const check = documented({
    tag: 'locks',
    summary: "Ask whether a token is still a holder's",
    answers: { 200: api.Checked },
    problems: ['too_large', 'unsupported_media_type', ...ofReads],
  })
  app.post(
    '/v1/locks/:lock/check',
    { schema: { ...check, params, querystring: NoQuery, body: api.CheckBody } },
    ({ params, body }, reply) => {
      const asked = { lock: asLockName(params.lock), token: asToken(body.token) }
      beginRead(door, reply, {
        meter: checks,
        stale: false,
        view: (state) => {
          const { valid, holders } = checkToken(state, asked)
          return { body: { valid, holders: shownHolders(holders) } }
        },
      })
    },
  )

  const reads = door.metrics.meter('read_lock')
  const one = documented({
    tag: 'locks',
    summary: 'Who holds a lock, and who waits',
    answers: { 200: api.LockView },
    problems: [...ofReads],
  })
  app.get('/v1/locks/:lock', { schema: { ...one, params, querystring: api.ReadQuery } }, ({ params, query }, reply) => {
    const name = asLockName(params.lock)
    beginRead(door, reply, {
      meter: reads,
      stale: query.consistency === 'stale',
      view: (state) => {
        const lock = viewLock(state, name)
        return { body: { ...lock, holders: shownHolders(lock.holders) } }
      },
    })
  })

  const lists = door.metrics.meter('list_locks')
  const all = documented({
    tag: 'locks',
    summary: 'The held or awaited locks in byte order',
    answers: { 200: api.LocksView },
    problems: [...ofReads],
  })
  app.get('/v1/locks', { schema: { ...all, querystring: api.LocksQuery } }, (request, reply) => {
    const { query } = request
    checkQueryEncoding(request.raw.url ?? '')
    const { prefix = '' } = query
    const page = { prefix, after: lockAfter(query.cursor), limit: Number(query.limit ?? limits.pageDefault) }
    beginRead(door, reply, {
      meter: lists,
      stale: query.consistency === 'stale',
      view: (state) => {
        const { locks, next } = listLocks(state, page)
        const shown = locks.map((lock) => ({ ...lock, holders: shownHolders(lock.holders) }))
        return { body: { locks: shown, cursor: cursorOf('locks', next) } }
      },
    })
  })
}
