// What an answer to a renewal says of each lease that it was sent for. Believed is only what names the very session or token
// that was asked for; anything else is no answer, and the renewal is tried again elsewhere.
import type { EndedBy } from './errors.ts'
import type { LeaseName, SaidOver } from './keeper-messages.ts'

export interface AnswerText {
  readonly status: number
  /** Parsed JSON. */
  readonly body: unknown
}

export type RenewalAnswer =
  | { readonly kind: 'renewed'; readonly validForMs: number }
  | SaidOver
  | { readonly kind: 'unusable'; readonly why: string }

/** With these words a node says that the lease is over, and no other node will say otherwise. */
const endings = new Set(['token_stale', 'held_by_session', 'session_ended', 'session_unknown'])
const waysToEnd: readonly EndedBy[] = ['released', 'expired', 'session_closed', 'unclaimed', 'unknown']

export function readLockAnswer(answer: AnswerText, { token }: Extract<LeaseName, { kind: 'lock' }>): RenewalAnswer {
  const body = recordOf(answer.body)
  if (answer.status === 200 && body['token'] === token) return renewedFor(body['validForMs'])
  const code = body['code']
  if (answer.status >= 400 && answer.status < 500 && typeof code === 'string' && endings.has(code)) {
    return { kind: 'ended', code, endedBy: waysToEnd.find((way) => way === body['endedBy']) ?? null }
  }
  return unusable(answer, body)
}

/** Of a call that renews many; the returned function tells of each of them. */
export function readSessionsAnswer(answer: AnswerText): (session: string) => RenewalAnswer {
  const body = recordOf(answer.body)
  const { renewed, gone } = { renewed: body['renewed'], gone: body['gone'] }
  if (answer.status !== 200 || !Array.isArray(renewed) || !Array.isArray(gone)) return () => unusable(answer, body)
  const validFor = new Map<unknown, unknown>()
  for (const each of renewed.map(recordOf)) validFor.set(each['session'], each['validForMs'])
  const ended = new Set<unknown>(gone)
  return (session) => {
    if (ended.has(session)) return { kind: 'ended', code: 'session_ended', endedBy: null }
    return renewedFor(validFor.get(session))
  }
}

function renewedFor(validForMs: unknown): RenewalAnswer {
  if (typeof validForMs === 'number' && validForMs >= 0 && validForMs < Infinity) return { kind: 'renewed', validForMs }
  return { kind: 'unusable', why: 'the answer does not say for how long' }
}

function unusable({ status }: AnswerText, body: Readonly<Record<string, unknown>>): RenewalAnswer {
  const code = body['code']
  return { kind: 'unusable', why: typeof code === 'string' ? code : `answered with status ${status}` }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {}
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
