// The id of a request: in the body or in the header `Idempotency-Key`, or made here when the client gave none.
import { randomUUID } from 'node:crypto'
import { asRequestId } from '../ids.ts'
import type { RequestId } from '../ids.ts'
import { limits } from './api.ts'
import { InvalidRequest } from './problem.ts'

const header = 'Idempotency-Key'

/**
 * `isAlone`: no session keeps the names of different callers apart, so the id has to be long enough to be random: two
 * cron jobs that both send "nightly" would be given the same grant (H22). Throws InvalidRequest.
 */
export function requestIdOf(
  key: string | string[] | undefined,
  inBody: string | undefined,
  { isAlone }: { isAlone: boolean },
): RequestId {
  const inHeader = key === undefined ? undefined : keyOf(key)
  if (inHeader !== undefined && inBody !== undefined && inHeader !== inBody) {
    throw new InvalidRequest(header, 'differs from requestId in the body')
  }
  const given = inHeader ?? inBody
  if (given === undefined) return asRequestId(`r-${randomUUID()}`)
  if (isAlone && given.length < limits.requestIdAloneMin) {
    const field = inBody === undefined ? header : 'requestId'
    throw new InvalidRequest(
      field,
      `without a session it has at least ${limits.requestIdAloneMin} characters: make it random`,
    )
  }
  return asRequestId(given)
}

/** The quotes of a structured header are optional. */
function keyOf(value: string | string[]): string {
  const text = Array.isArray(value) ? value.join(', ') : value
  const key = /^"(.*)"$/.exec(text)?.[1] ?? text
  if (!/^[A-Za-z0-9._:-]{1,128}$/.test(key)) {
    throw new InvalidRequest(header, '1 to 128 characters of A-Z a-z 0-9 . _ : -, with or without quotes')
  }
  return key
}
