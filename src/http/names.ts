// Lock names as they come out of a path: 1-512 bytes of UTF-8, taken byte by byte without any normalisation.

import { InvalidRequest } from './problem.ts'

const bytesMax = 512

export const lockNameRule = `1 to ${bytesMax} bytes of UTF-8 without control characters, percent-encoded (slashes as %2F); not "." or ".."`

/** Whether `text` may name a lock. */
export function isLockName(text: string): boolean {
  // Clients and proxies swallow these as path segments, so a lock of that name could not be reached reliably.
  return text !== '' && text !== '.' && text !== '..' && isPartOfName(text)
}

/** Whether some lock's name may begin with `text`, which may be empty. */
export function isPartOfName(text: string): boolean {
  // Nearly every name is plain ASCII, for which one character is one byte.
  if (text.length <= bytesMax && /^[\x20-\x7e]*$/.test(text)) return true
  // No character takes more than three bytes for each of its UTF-16 units.
  if (text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax) return false
  return !/[\p{Cc}\p{Cs}]/u.test(text)
}

/**
 * Throws InvalidRequest when the query of `url` is not percent-encoded UTF-8: the parser would take what it cannot decode
 * as it stands, and list names that begin with a percent sign.
 */
export function checkQueryEncoding(url: string): void {
  const start = url.indexOf('?')
  if (start === -1 || !url.includes('%', start)) return
  try {
    decodeURIComponent(url.slice(start))
  } catch {
    throw new InvalidRequest('query', 'is not percent-encoded UTF-8')
  }
}
