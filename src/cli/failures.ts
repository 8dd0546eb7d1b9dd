// How a command of the command line ends otherwise than well: one line for people that says what happened and what to do,
// and an exit code. Every code of the client has its row here; a new one does not compile without.
import { isHoldfastError } from '../client/errors.ts'
import type { ErrorCode, HoldfastError } from '../client/errors.ts'
import { durationText } from './durations.ts'
import type { Ending } from './exit-codes.ts'
import { printable } from './table.ts'

export class Failure extends Error {
  override readonly name = 'Failure'
  readonly ending: Ending

  /** `message` is for people: what happened. What to do. */
  constructor(ending: Ending, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.ending = ending
  }
}

interface Row {
  readonly ending: Ending
  readonly advice: string
}

const tryAgain = 'Nothing was done: try again'
const lookAtNodes = '`holdfast status` shows which nodes answer'

const rows: Readonly<Record<ErrorCode, Row>> = {
  lock_held: { ending: 'not_acquired', advice: 'Wait for it with --wait, or see who waits: holdfast show NAME' },
  wait_timeout: { ending: 'not_acquired', advice: 'Wait longer with --wait, or see who waits: holdfast show NAME' },
  lock_lost: { ending: 'lost', advice: 'Stop what it guarded' },
  token_stale: { ending: 'lost', advice: 'Stop what it guarded; `holdfast show NAME` tells who holds it' },
  already_released: { ending: 'lost', advice: 'Stop what it guarded' },
  request_cancelled: { ending: 'lost', advice: tryAgain },
  session_ended: { ending: 'lost', advice: 'Everything that it held is gone' },
  session_unknown: { ending: 'refused', advice: '`holdfast sessions` lists those that there are' },
  held_by_session: { ending: 'refused', advice: 'It lives as long as its session: that is renewed by who opened it' },
  unreachable: { ending: 'unreachable', advice: `${lookAtNodes}; is --endpoints (or HOLDFAST_ENDPOINTS) right?` },
  bad_answer: { ending: 'unreachable', advice: 'Is --endpoints (or HOLDFAST_ENDPOINTS) right?' },
  no_leader: { ending: 'unreachable', advice: `Nothing was done. ${lookAtNodes}` },
  overloaded: { ending: 'unreachable', advice: tryAgain },
  disk_low: { ending: 'unreachable', advice: 'Nothing was done: the nodes need disk space' },
  outcome_unknown: { ending: 'outcome_unknown', advice: 'What was asked for ends by itself after its TTL; try again' },
  aborted: { ending: 'unreachable', advice: tryAgain },
  invalid_option: { ending: 'usage', advice: 'Nothing was sent' },
  invalid_request: { ending: 'usage', advice: 'Nothing was done' },
  request_mismatch: { ending: 'bug', advice: 'Please report this' },
  closed: { ending: 'bug', advice: 'Please report this' },
  internal: { ending: 'refused', advice: 'That is a bug: the log of the node says more' },
  not_found: { ending: 'refused', advice: 'Are the nodes of the same version?' },
  method_not_allowed: { ending: 'refused', advice: 'Are the nodes of the same version?' },
  unsupported_media_type: { ending: 'refused', advice: 'Are the nodes of the same version?' },
  too_large: { ending: 'refused', advice: 'Nothing was done' },
  quota_exceeded: { ending: 'refused', advice: 'Nothing was done' },
  replacement_under_way: { ending: 'refused', advice: tryAgain },
}

/** Errors that are neither ours nor the client's are bugs, and are thrown again. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (!isHoldfastError(error)) throw error
  const { ending, advice } = rows[error.code]
  return new Failure(ending, `${printable(sentence(error))}. ${advice}`, { cause: error })
}

/** As `--json` shows it. */
export function failureAsJson(failure: Failure): unknown {
  const { cause, ending, message } = failure
  const known = isHoldfastError(cause) ? { code: cause.code, ...cause.details } : {}
  return { error: { ending, message, ...known } }
}

function sentence(error: HoldfastError): string {
  const { code, message } = error
  const said = (message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message).replace(/\.$/, '')
  if (error.code !== 'lock_held' && error.code !== 'wait_timeout') return said
  const { lock, holders = [], queueLength = 0 } = error.details
  const [holder] = holders
  if (holder === undefined) return said
  const owner = holder.owner ?? holder.session ?? 'somebody'
  const waiting = queueLength === 0 ? '' : `, ${queueLength} in line`
  return `${lock ?? 'the lock'} is held by ${owner} (token ${holder.token}, for ${durationText(holder.heldMs)}${waiting})`
}
