// Cursors: where the next page of a list begins. Opaque to clients; what comes back is checked like any other input,
// because nothing says that we made it.
import { asLockName, asSequence } from '../ids.ts'
import type { LockName, Sequence } from '../ids.ts'
import { isLockName } from './names.ts'
import { InvalidRequest } from './problem.ts'

type List = 'locks' | 'sessions'

const marks: Readonly<Record<List, string>> = { locks: 'l:', sessions: 's:' }

export function cursorOf(list: List, after: string | number | null): string | null {
  return after === null ? null : Buffer.from(`${marks[list]}${after}`).toString('base64url')
}

/** The name after which the page begins. Throws InvalidRequest. */
export function lockAfter(cursor: string | undefined): LockName | null {
  if (cursor === undefined) return null
  const name = decode('locks', cursor)
  if (!isLockName(name)) throw invalid()
  return asLockName(name)
}

/** The opening sequence after which the page begins. Throws InvalidRequest. */
export function sessionAfter(cursor: string | undefined): Sequence | null {
  if (cursor === undefined) return null
  const sequence = decode('sessions', cursor)
  if (!/^[1-9][0-9]{0,15}$/.test(sequence) || !Number.isSafeInteger(Number(sequence))) throw invalid()
  return asSequence(Number(sequence))
}

function decode(list: List, cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString()
  // Decoding skips what it does not know and replaces what is no UTF-8; only a cursor of ours comes out again unchanged.
  if (!text.startsWith(marks[list]) || Buffer.from(text).toString('base64url') !== cursor) throw invalid()
  return text.slice(marks[list].length)
}

function invalid(): InvalidRequest {
  return new InvalidRequest('cursor', 'is none that this list gave')
}
