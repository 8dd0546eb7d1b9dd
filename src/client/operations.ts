// The API as functions: each is one call with all its repetitions, and rejects with a HoldfastError and nothing else. What
// is held, and until when, is not known here: an answer says from which moment it counts.
import type { Static } from 'typebox'
import type * as api from '../http/api.ts'
import { Acquisition } from './acquisition.ts'
import type { AcquireAsked, Granted } from './acquisition.ts'
import * as answers from './answers.ts'
import { makeCall } from './calls.ts'
import type { Answered, CallTerms, SimpleCall } from './calls.ts'
import type { Instant } from './clock.ts'
import { Endpoints } from './endpoints.ts'
import {
  checkId,
  checkLabel,
  checkLockName,
  checkMetadata,
  checkPath,
  checkTimeout,
  checkTtl,
  checkWait,
  resolveEndpoint,
} from './options.ts'
import type { ResolvedOptions } from './options.ts'
import type { StopSignal } from './stopping.ts'
import type { Surroundings } from './surroundings.ts'
import { WaitWatch } from './wait-watch.ts'
import { Withdrawals } from './withdrawals.ts'
import type { OpeningBody, Unconfirmed } from './withdrawals.ts'

export type { Granted } from './acquisition.ts'
export type { Unconfirmed } from './withdrawals.ts'

/** Fields may be undefined, so that options can be handed on as they came. */
type Loose<Options> = { readonly [Name in keyof Options]: Options[Name] | undefined }

/** As a user's CallOptions; what ends a call may be less than an AbortSignal. */
export interface Terms {
  readonly signal?: StopSignal | undefined
  readonly timeoutMs?: number | undefined
}

export interface Opened {
  readonly session: string
  readonly ttlMs: number
  /** From `sentAt`. */
  readonly validForMs: number
  readonly sentAt: Instant
}

export interface Renewed {
  /** From `sentAt`. */
  readonly validForMs: number
  readonly sentAt: Instant
}

/** Of reads: whom to ask, and nobody else. */
export interface ReadOptions extends Terms {
  readonly endpoint?: string | undefined
}

export class Operations {
  readonly #surroundings: Surroundings
  readonly #options: ResolvedOptions
  readonly #endpoints: Endpoints
  readonly #withdrawals: Withdrawals
  readonly #watch: WaitWatch

  constructor({ surroundings, options }: { surroundings: Surroundings; options: ResolvedOptions }) {
    const { endpoints, followLeader, timeoutMs } = options
    this.#surroundings = surroundings
    this.#options = options
    const turn = Math.floor(surroundings.random() * endpoints.length)
    this.#endpoints = new Endpoints(endpoints, { followLeader, turn })
    this.#withdrawals = new Withdrawals({ surroundings, endpoints: this.#endpoints }, { timeoutMs })
    this.#watch = new WaitWatch(surroundings)
  }

  async acquire(asked: Omit<AcquireAsked, 'timeoutMs'> & Terms): Promise<Granted> {
    const { lock, session, waitMs, owner = this.#options.owner, metadata, timeoutMs = this.#options.timeoutMs } = asked
    const ttlMs = session === undefined ? (asked.ttlMs ?? this.#options.ttlMs) : undefined
    checkLockName(lock)
    if (session !== undefined) checkId('session', session)
    checkWait(waitMs, { hasSession: session !== undefined })
    checkTimeout(timeoutMs)
    checkLabel('owner', owner)
    if (ttlMs !== undefined) checkTtl(ttlMs)
    if (metadata !== undefined) checkMetadata(metadata)
    const acquisition = new Acquisition(
      {
        surroundings: this.#surroundings,
        endpoints: this.#endpoints,
        watch: this.#watch,
        withdraw: (givenUp) => this.#withdrawals.withdraw(givenUp),
      },
      { lock, session, waitMs, owner, metadata, timeoutMs, ttlMs, signal: asked.signal },
    )
    return acquisition.granted()
  }

  async renewLock(
    asked: { readonly lock: string; readonly token: number; readonly ttlMs?: number | undefined } & Terms,
  ): Promise<Renewed> {
    const { lock, token, ttlMs } = asked
    if (ttlMs !== undefined) checkTtl(ttlMs)
    const path = lockPath(lock, 'renew')
    // What was meant for somebody else is no answer.
    const check = answers.about(answers.isGrantRenewed, { lock, token })
    const { result, sentAt } = await this.#call({ method: 'POST', path, body: { token, ttlMs }, check }, asked)
    return { validForMs: result.validForMs, sentAt }
  }

  async release(
    asked: {
      readonly lock: string
      readonly token: number
      readonly session?: string | undefined
    } & Terms,
  ): Promise<void> {
    const { lock, token, session } = asked
    const path = lockPath(lock, 'release')
    const check = answers.about(answers.isReleased, { lock, token })
    await this.#call({ method: 'POST', path, body: { token, session }, check }, asked)
  }

  async openSession(
    asked: Loose<Omit<OpeningBody, 'requestId' | 'ttlMs'>> & { readonly ttlMs: number } & Terms,
  ): Promise<Opened> {
    const { ttlMs, name, metadata } = asked
    checkTtl(ttlMs)
    if (name !== undefined) checkLabel('name', name)
    if (metadata !== undefined) checkMetadata(metadata)
    const requestId = this.#surroundings.randomId()
    const body = {
      ttlMs,
      requestId,
      ...(name === undefined ? {} : { name }),
      ...(metadata === undefined ? {} : { metadata }),
    }
    const opening = { method: 'POST', path: '/v1/sessions', body, check: answers.isSessionOpened } as const
    const onUnknown = (): void => this.#withdrawals.withdraw({ kind: 'opening', body, lastsMs: ttlMs })
    const { result, sentAt } = await this.#call(opening, asked, { effect: 'repeatable', onUnknown })
    return { session: result.session, ttlMs: result.ttlMs, validForMs: result.validForMs, sentAt }
  }

  async renewSession(
    asked: { readonly session: string; readonly ttlMs?: number | undefined } & Terms,
  ): Promise<Renewed> {
    const { session, ttlMs } = asked
    if (ttlMs !== undefined) checkTtl(ttlMs)
    const path = `${sessionPath(session)}/renew`
    const check = answers.about(answers.isSessionOpened, { session })
    const { result, sentAt } = await this.#call({ method: 'POST', path, body: { ttlMs }, check }, asked)
    return { validForMs: result.validForMs, sentAt }
  }

  async closeSession(asked: { readonly session: string } & Terms): Promise<void> {
    await this.#call({ method: 'DELETE', path: sessionPath(asked.session), check: answers.isNothing }, asked)
  }

  async lock(name: string, options: ReadOptions = {}): Promise<Static<typeof api.LockView>> {
    return this.#read(lockPath(name), answers.isLockView, options)
  }

  /** The held or awaited ones in byte order. */
  async locks(
    page: { readonly prefix?: string; readonly limit?: number; readonly cursor?: string },
    options: ReadOptions = {},
  ): Promise<Static<typeof api.LocksView>> {
    return this.#read(`/v1/locks${queryOf(page)}`, answers.isLocksView, options)
  }

  /** What became of a request. */
  async request(
    asked: { readonly lock: string; readonly requestId: string; readonly session?: string },
    options: ReadOptions = {},
  ): Promise<Static<typeof api.RequestView>> {
    const { lock, requestId, session } = asked
    checkId('requestId', requestId)
    const path = `${lockPath(lock, 'requests')}/${requestId}${queryOf({ session })}`
    return this.#read(path, answers.isRequestView, options)
  }

  async session(id: string, options: ReadOptions = {}): Promise<Static<typeof api.SessionView>> {
    return this.#read(sessionPath(id), answers.isSessionView, options)
  }

  async sessions(
    page: { readonly limit?: number; readonly cursor?: string },
    options: ReadOptions = {},
  ): Promise<Static<typeof api.SessionsView>> {
    return this.#read(`/v1/sessions${queryOf(page)}`, answers.isSessionsView, options)
  }

  /** As the node that is asked sees it. */
  async cluster(options: ReadOptions = {}): Promise<Static<typeof api.ClusterView>> {
    return this.#read('/v1/cluster', answers.isClusterView, options)
  }

  async get(path: string, options: ReadOptions = {}): Promise<unknown> {
    checkPath(path)
    return this.#read(path, answers.isAnything, options)
  }

  /** Repeated only while nothing can have been done. */
  async post(path: string, body: unknown, options: ReadOptions = {}): Promise<unknown> {
    checkPath(path)
    const call = { method: 'POST', path, body, check: answers.isAnything } as const
    return (await this.#call(call, options, { effect: 'once' })).result
  }

  /** Waits for the withdrawals that are under way; what cannot be confirmed until then is told, and not tried again. */
  settled({ timeoutMs }: { timeoutMs: number }): Promise<readonly Unconfirmed[]> {
    return this.#withdrawals.settled({ timeoutMs })
  }

  async #read<Result>(path: string, check: SimpleCall<Result>['check'], options: ReadOptions): Promise<Result> {
    return (await this.#call({ method: 'GET', path, check }, options, { effect: 'none' })).result
  }

  #call<Result>(
    call: SimpleCall<Result>,
    options: ReadOptions,
    more: Pick<CallTerms, 'effect' | 'onUnknown'> = { effect: 'repeatable' },
  ): Promise<Answered<Result>> {
    const { timeoutMs = this.#options.timeoutMs, signal } = options
    checkTimeout(timeoutMs)
    const endpoint = options.endpoint === undefined ? undefined : resolveEndpoint(options.endpoint)
    const parts = { surroundings: this.#surroundings, endpoints: this.#endpoints }
    return makeCall(parts, call, { timeoutMs, signal, endpoint, ...more })
  }
}

function lockPath(name: string, verb?: 'renew' | 'release' | 'requests'): string {
  checkLockName(name)
  const path = `/v1/locks/${encodeURIComponent(name)}`
  return verb === undefined ? path : `${path}/${verb}`
}

function sessionPath(session: string): string {
  checkId('session', session)
  return `/v1/sessions/${session}`
}

function queryOf(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, String(value))
  return query.size === 0 ? '' : `?${query.toString()}`
}
