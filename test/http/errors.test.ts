import t from 'tap'
import { errorCodes, errorRows } from '../../src/http/errors.ts'

t.test('the codes and their statuses are those that programs were told', (t) => {
  t.same(Object.fromEntries(errorCodes.map((code) => [code, errorRows[code].status])), {
    invalid_request: 400,
    session_unknown: 404,
    not_found: 404,
    method_not_allowed: 405,
    already_released: 409,
    request_cancelled: 409,
    held_by_session: 409,
    session_ended: 410,
    token_stale: 412,
    too_large: 413,
    unsupported_media_type: 415,
    request_mismatch: 422,
    lock_held: 423,
    wait_timeout: 423,
    quota_exceeded: 429,
    replacement_under_way: 409,
    internal: 500,
    no_leader: 503,
    overloaded: 503,
    disk_low: 503,
    outcome_unknown: 503,
  })
  t.end()
})

t.test('what was not done and may be tried again says when; what may have been done does not', (t) => {
  const retried = errorCodes.filter((code) => errorRows[code].retryAfterS !== undefined)
  t.same(retried, ['no_leader', 'overloaded', 'disk_low'])
  t.end()
})

t.test('every code says what it means', (t) => {
  for (const code of errorCodes) t.match(errorRows[code], { title: /^[A-Z]/, meaning: /\w{3}/ }, code)
  t.end()
})
