// What users ask for, checked before anything is sent or begun: who writes JavaScript, or a number that came from
// elsewhere, hears of a mistake here and not from a node. Throws `invalid_option`.
import { HoldfastError } from './errors.ts'
import {
  checkLabel,
  checkLockName,
  checkMetadata,
  checkOnLost,
  checkTimeout,
  checkTtl,
  checkWait,
  ttlMaxMs,
} from './options.ts'
import type {
  AcquireOptions,
  CallOptions,
  ElectOptions,
  SessionOptions,
  TryAcquireOptions,
  WithLockOptions,
  Work,
} from './types.ts'

export function checkLeader(name: string, options: CallOptions): void {
  checkLockName(name)
  checkCall(options)
}

export function checkAcquire(name: string, options: AcquireOptions): void {
  checkLeader(name, options)
  const { waitMs, ttlMs, owner, metadata, onLost } = options
  // Longer waits get a session of their own.
  if (waitMs !== undefined) checkWait(waitMs, { hasSession: true })
  if (ttlMs !== undefined) checkTtl(ttlMs)
  if (owner !== undefined) checkLabel('owner', owner)
  if (metadata !== undefined) checkMetadata(metadata)
  if (onLost !== undefined) checkOnLost(onLost)
}

export function checkTry(name: string, options: TryAcquireOptions): void {
  checkAcquire(name, options)
  const { retry } = options
  if (retry === undefined) return
  const { attempts, minMs = 0, maxMs = Infinity } = retry
  if (!(attempts >= 1)) throw invalid('retry.attempts', 'a number from 1')
  if (!(minMs >= 0)) throw invalid('retry.minMs', 'a number of milliseconds from 0')
  if (!(maxMs >= minMs)) throw invalid('retry.maxMs', 'a number of milliseconds from minMs')
}

export function checkWithLock(name: string, options: WithLockOptions): void {
  checkAcquire(name, options)
  const { minHoldMs } = options
  if (minHoldMs === undefined || (minHoldMs >= 0 && minHoldMs <= ttlMaxMs)) return
  throw invalid('minHoldMs', `a number of milliseconds from 0 to ${ttlMaxMs}`)
}

export function checkSession(options: SessionOptions): void {
  checkCall(options)
  const { ttlMs, name, metadata, onLost } = options
  if (ttlMs !== undefined) checkTtl(ttlMs)
  if (name !== undefined) checkLabel('name', name)
  if (metadata !== undefined) checkMetadata(metadata)
  if (onLost !== undefined) checkOnLost(onLost)
}

export function checkElection(name: string, options: ElectOptions): void {
  checkLockName(name)
  const { value, ttlMs, owner, signal, onElected, onLost } = options
  if (value !== undefined) checkMetadata({ value })
  if (ttlMs !== undefined) checkTtl(ttlMs)
  if (owner !== undefined) checkLabel('owner', owner)
  if (signal !== undefined) checkSignal(signal)
  if (onElected !== undefined && typeof onElected !== 'function') throw invalid('onElected', 'a function')
  if (onLost !== undefined && typeof onLost !== 'function') throw invalid('onLost', 'a function')
}

/** `withLock` takes work and options in either order. */
export function workAndOptions<Result>(
  first: Work<Result> | WithLockOptions,
  second: Work<Result> | WithLockOptions,
): { readonly work: Work<Result>; readonly options: WithLockOptions } {
  if (typeof first === 'function') return { work: first, options: typeof second === 'function' ? {} : second }
  if (typeof second === 'function') return { work: second, options: first }
  throw invalid('work', 'a function')
}

export function checkCall({ signal, timeoutMs }: CallOptions): void {
  if (signal !== undefined) checkSignal(signal)
  if (timeoutMs !== undefined) checkTimeout(timeoutMs)
}

function checkSignal(signal: unknown): void {
  if (!(signal instanceof AbortSignal)) throw invalid('signal', 'an AbortSignal')
}

function invalid(option: string, rule: string): HoldfastError {
  return new HoldfastError('invalid_option', `${option}: ${rule}`)
}
