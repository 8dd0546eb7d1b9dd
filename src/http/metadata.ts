// Metadata of clients on its way in: an object that is carried through the log as JSON text and shown to others.
import { limits } from './api.ts'
import { InvalidRequest } from './problem.ts'

/** Throws InvalidRequest when it is too large, too deep, or holds a number that JSON text cannot carry. */
export function metadataText(metadata: Readonly<Record<string, unknown>> | undefined): string | null {
  if (metadata === undefined) return null
  check(metadata)
  const text = JSON.stringify(metadata)
  if (Buffer.byteLength(text) > limits.metadataBytesMax) {
    throw new InvalidRequest('metadata', `at most ${limits.metadataBytesMax} bytes as JSON text`)
  }
  return text
}

/** Level by level, so that no depth can exhaust our stack, or that of whoever reads the answer. */
function check(metadata: Readonly<Record<string, unknown>>): void {
  let level: unknown[] = [metadata]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limits.metadataDepthMax) {
      throw new InvalidRequest('metadata', `nested more than ${limits.metadataDepthMax} levels deep`)
    }
    const next: unknown[] = []
    for (const value of level) {
      // 1e400 is JSON, but not a number that anybody would get back.
      if (value === Infinity || value === -Infinity) throw new InvalidRequest('metadata', 'a number is out of range')
      if (typeof value === 'object' && value !== null) next.push(...Object.values(value))
    }
    level = next
  }
}
