// What can be wrong with a request: a closed set of codes, one row each. The code is what programs switch on; status,
// title and meaning follow from it here and nowhere else. The OpenAPI document is made from the same rows.

export interface ErrorRow {
  readonly status: number
  readonly title: string
  /** What it means for the caller and what to do. */
  readonly meaning: string
  /** For `Retry-After`, in seconds: nothing was done, and the same may work soon. */
  readonly retryAfterS?: number
}

export type ErrorCode =
  | 'invalid_request'
  | 'session_unknown'
  | 'not_found'
  | 'method_not_allowed'
  | 'already_released'
  | 'request_cancelled'
  | 'held_by_session'
  | 'session_ended'
  | 'token_stale'
  | 'too_large'
  | 'unsupported_media_type'
  | 'request_mismatch'
  | 'lock_held'
  | 'wait_timeout'
  | 'quota_exceeded'
  | 'replacement_under_way'
  | 'internal'
  | 'no_leader'
  | 'overloaded'
  | 'disk_low'
  | 'outcome_unknown'

export const errorRows: Readonly<Record<ErrorCode, ErrorRow>> = {
  invalid_request: {
    status: 400,
    title: 'Invalid request',
    meaning: 'the field named is missing, unknown or out of range; nothing happened',
  },
  session_unknown: { status: 404, title: 'Unknown session', meaning: 'no session with this id was ever opened' },
  not_found: { status: 404, title: 'Not found', meaning: 'there is no such path, or nothing is known of this request' },
  method_not_allowed: { status: 405, title: 'Method not allowed', meaning: 'see `Allow` for the methods of this path' },
  already_released: {
    status: 409,
    title: 'Already released',
    meaning: 'this request was granted and its grant has ended: `token` and `endedBy` say which and how',
  },
  request_cancelled: {
    status: 409,
    title: 'Request cancelled',
    meaning: 'this request was withdrawn by a DELETE before it was granted',
  },
  held_by_session: {
    status: 409,
    title: 'Held by a session',
    meaning: 'the grant lives as long as its session: renew the session',
  },
  session_ended: {
    status: 410,
    title: 'Session ended',
    meaning: 'everything it held is gone: open a new session',
  },
  token_stale: { status: 412, title: 'Stale token', meaning: 'you are not the holder: stop' },
  too_large: { status: 413, title: 'Too large', meaning: 'the body, or the head, is larger than this path takes' },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    meaning: 'bodies are JSON: send `Content-Type: application/json`',
  },
  request_mismatch: {
    status: 422,
    title: 'Request mismatch',
    meaning: 'the same request id was used before with different content',
  },
  lock_held: { status: 423, title: 'Lock held', meaning: 'somebody holds it and you did not wait: try again' },
  wait_timeout: { status: 423, title: 'Wait timed out', meaning: 'it did not become free in time: wait longer' },
  quota_exceeded: {
    status: 429,
    title: 'Quota exceeded',
    meaning: 'the limit named is reached for this caller or object',
  },
  replacement_under_way: {
    status: 409,
    title: 'Replacement under way',
    meaning: 'another member is being replaced, and not all is committed yet; nothing happened',
  },
  internal: { status: 500, title: 'Internal error', meaning: 'a bug: the log says more under the same `instance`' },
  no_leader: { status: 503, title: 'No leader', meaning: 'not done: this node finds no leader', retryAfterS: 1 },
  overloaded: { status: 503, title: 'Overloaded', meaning: 'not done: too much is under way', retryAfterS: 1 },
  disk_low: {
    status: 503,
    title: 'Disk nearly full',
    meaning: 'not done: this node, or the leader, is short of disk space',
    retryAfterS: 30,
  },
  outcome_unknown: {
    status: 503,
    title: 'Outcome unknown',
    meaning: 'it may or may not have happened: repeat it with the same request id, at any node',
  },
}

export const errorCodes = Object.keys(errorRows).filter(isErrorCode)

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorRows, text)
}
