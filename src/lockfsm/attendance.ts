// What a command would be told now whose outcome was never seen, because a snapshot came in place of the entry that held
// it (H19). Only an attempt that is in a set has a future: the others may have been granted and withdrawn, refused, or
// never have arrived, and the records do not say which.
import { granted, validForMs } from './answers.ts'
import type { Acquire, OpenSession, Origin } from './command.ts'
import type { Granted, Queued, SessionOpened } from './outcome.ts'
import { requestsOf } from './state.ts'
import type { LockState } from './state.ts'

/** null: this attempt is in no set. What is valid is counted from now, not from an entry that nobody here has seen. */
export function attendance(
  state: LockState,
  origin: Origin,
  command: Pick<Acquire, 'kind' | 'session' | 'requestId'> | Pick<OpenSession, 'kind' | 'requestId'>,
): Queued | Granted | SessionOpened | null {
  const isOurs = ({ node, run, number }: Origin): boolean =>
    node === origin.node && run === origin.run && number === origin.number
  if (command.kind === 'openSession') {
    const session = state.openings.get(command.requestId)
    if (session === undefined || !session.attempts.some(isOurs)) return null
    const { id, ttlMs, deadline } = session
    const validFor = validForMs({ deadline, carriedAt: state.time })
    return { kind: 'sessionOpened', session: id, ttlMs, validForMs: validFor, repeated: false }
  }
  const session = command.session === null ? null : state.sessions.get(command.session)
  const request = session === undefined ? undefined : requestsOf(state, session).get(command.requestId)
  if (request === undefined || !request.attempts.some(isOurs)) return null
  return request.token === null ? { kind: 'queued' } : granted(request, state.time)
}
