// HTTP of renewals in the simulator, which carries commands: what is posted becomes a command, and a node's answer becomes
// status and body, as src/http has it.
import { asLockName, asSessionId, asToken } from '../../src/ids.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import type { Result } from '../../src/lockfsm/outcome.ts'
import type { Reply } from './frontend.ts'

export function commandOf({ path, body }: { readonly path: string; readonly body: unknown }): Command {
  const fields: Readonly<Record<string, unknown>> = JSON.parse(JSON.stringify(body))
  const { sessions } = { sessions: fields['sessions'] }
  if (path === '/v1/sessions/renew' && Array.isArray(sessions)) {
    return {
      kind: 'renewSessions',
      renewals: sessions.map((session) => ({ session: asSessionId(String(session)), ttlMs: null })),
    }
  }
  const [, name] = /^\/v1\/locks\/([^/]+)\/renew$/.exec(path) ?? []
  if (name === undefined) throw new Error(`no renewal is posted to ${path}`)
  const lock = asLockName(decodeURIComponent(name))
  return { kind: 'renewGrant', lock, token: asToken(Number(fields['token'])), ttlMs: null }
}

/** null when there was no answer. */
export function answerTo(command: Command, reply: Reply): { readonly status: number; readonly body: unknown } | null {
  if (reply.kind === 'broken') return null
  if (reply.kind === 'outcome') return ofResult(command, reply.result)
  return { status: 503, body: { code: reply.kind === 'unknown' ? 'outcome_unknown' : 'no_leader' } }
}

function ofResult(command: Command, result: Exclude<Result, { kind: 'queued' }>): { status: number; body: unknown } {
  if (result.kind === 'grantRenewed') return { status: 200, body: result }
  if (result.kind === 'refused') {
    return { status: result.code === 'token_stale' ? 412 : 409, body: { ...result, kind: undefined } }
  }
  if (result.kind !== 'sessionsRenewed') throw new Error(`${command.kind} was answered with ${result.kind}`)
  const renewed = result.renewals.filter((renewal) => !('refusal' in renewal))
  const gone = result.renewals.flatMap((renewal) => ('refusal' in renewal ? [renewal.session] : []))
  return { status: 200, body: { renewed, gone } }
}
