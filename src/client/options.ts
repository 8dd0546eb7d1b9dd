// What users may ask for, checked before anything is sent: a wrong option is an `invalid_option` that names it, and not a
// request that every node refuses. Defaults are filled in here and nowhere else.
import { hostname } from 'node:os'
import type { limits } from '../http/api.ts'
import { HoldfastError } from './errors.ts'
import type { ClientOptions, OnLost } from './types.ts'

type Limits = typeof limits

// The compiler holds these against the limits of the API.
export const ttlMinMs: Limits['ttlMinMs'] = 1000
export const ttlMaxMs: Limits['ttlMaxMs'] = 86_400_000
const ttlDefaultMs: Limits['ttlDefaultMs'] = 30_000
const labelMax: Limits['labelMax'] = 256
const metadataBytesMax: Limits['metadataBytesMax'] = 4096
/** How long a request without a session may wait. */
export const callMaxMs: Limits['callMaxMs'] = 240_000
/** How long a request of a session may wait without being repeated. */
export const waitMaxMs: Limits['waitMaxMs'] = 86_400_000

const timeoutDefaultMs = 15_000
const nameBytesMax = 512

export interface ResolvedOptions {
  /** Origins, as `new URL(..).origin` writes them; each once. */
  readonly endpoints: readonly string[]
  readonly owner: string
  readonly ttlMs: number
  readonly onLost: OnLost
  readonly timeoutMs: number
  readonly followLeader: boolean
}

/** Throws `invalid_option`. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const { endpoints, owner, ttlMs = ttlDefaultMs, onLost = 'abort', timeoutMs = timeoutDefaultMs } = options
  checkTtl(ttlMs)
  checkTimeout(timeoutMs)
  checkOnLost(onLost)
  if (owner !== undefined) checkLabel('owner', owner)
  return {
    endpoints: resolveEndpoints(endpoints),
    owner: owner ?? `${hostname()}:${process.pid}`.slice(0, labelMax),
    ttlMs,
    onLost,
    timeoutMs,
    followLeader: options.followLeader ?? true,
  }
}

function resolveEndpoints(endpoints: unknown): readonly string[] {
  if (!Array.isArray(endpoints) || endpoints.length === 0) throw invalid('endpoints', 'names at least one node')
  const origins = endpoints.map((endpoint: unknown) => resolveEndpoint(endpoint))
  return [...new Set(origins)]
}

/** Throws `invalid_option`. */
export function resolveEndpoint(endpoint: unknown): string {
  const origin = typeof endpoint === 'string' ? originOf(endpoint) : null
  if (origin === null) throw invalid('endpoints', `${String(endpoint)} is not http://host:port or https://host:port`)
  return origin
}

/** The origin that a URL names; null when it is no HTTP, or says more than an origin. */
export function originOf(text: string): string | null {
  if (!URL.canParse(text)) return null
  const { protocol, username, password, pathname, search, hash, hostname, origin } = new URL(text)
  if (protocol !== 'http:' && protocol !== 'https:') return null
  return hostname === '' || `${username}${password}${search}${hash}` !== '' || pathname !== '/' ? null : origin
}

/** Throws `invalid_option` where a lock cannot have this name. */
export function checkLockName(name: unknown): asserts name is string {
  const isName =
    typeof name === 'string' &&
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    Buffer.byteLength(name) <= nameBytesMax &&
    !/[\p{Cc}\p{Cs}]/u.test(name)
  if (isName) return
  throw invalid(
    'name',
    `a lock is named by 1 to ${nameBytesMax} bytes of UTF-8 without control characters, not . or ..`,
  )
}

export function checkTtl(ttlMs: unknown): void {
  if (Number.isInteger(ttlMs) && Number(ttlMs) >= ttlMinMs && Number(ttlMs) <= ttlMaxMs) return
  throw invalid('ttlMs', `a whole number from ${ttlMinMs} to ${ttlMaxMs}`)
}

/** `Infinity` is allowed, fractions are. */
export function checkWait(waitMs: unknown, { hasSession }: { hasSession: boolean }): void {
  if (typeof waitMs !== 'number' || !(waitMs >= 0)) throw invalid('waitMs', 'a number of milliseconds from 0')
  if (waitMs > callMaxMs && !hasSession) throw invalid('waitMs', `without a session at most ${callMaxMs}`)
}

export function checkTimeout(timeoutMs: unknown): void {
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0)) throw invalid('timeoutMs', 'a number of milliseconds above 0')
}

export function checkOnLost(onLost: unknown): void {
  if (onLost !== 'abort' && onLost !== 'exit' && onLost !== 'kill') throw invalid('onLost', "'abort', 'exit' or 'kill'")
}

export function checkLabel(option: 'owner' | 'name', text: unknown): void {
  if (typeof text === 'string' && text.length <= labelMax && !/\p{Cs}/u.test(text)) return
  throw invalid(option, `a text of at most ${labelMax} characters`)
}

export function checkId(option: 'session' | 'requestId', id: unknown): void {
  if (typeof id === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(id)) return
  throw invalid(option, '1 to 128 characters of A-Z a-z 0-9 . _ : -')
}

/** What may stand in a request line. */
export function checkPath(path: unknown): void {
  if (typeof path !== 'string' || !/^\/[\x21-\x7e]*$/.test(path))
    throw invalid('path', 'percent-encoded, from its slash')
}

export function checkMetadata(metadata: unknown): void {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw invalid('metadata', 'an object')
  let text: string | undefined
  try {
    text = JSON.stringify(metadata)
  } catch (error) {
    throw invalid('metadata', 'what JSON can say', error)
  }
  // What has a `toJSON` may say anything, or nothing.
  if (text?.startsWith('{') !== true || Buffer.byteLength(text) > metadataBytesMax) {
    throw invalid('metadata', `an object of at most ${metadataBytesMax} bytes as JSON`)
  }
}

function invalid(option: string, rule: string, cause?: unknown): HoldfastError {
  return new HoldfastError('invalid_option', `${option}: ${rule}`, cause === undefined ? {} : { cause })
}
