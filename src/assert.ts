/** Thrown when the program contradicts itself: a bug, never a refusal or an outage. The shell stops the process. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure'
}

/**
 * Throws AssertionFailure with `message` unless `condition` holds. Stays on in production: a message that has to be made
 * is given as a function, because making it costs more than the question.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionFailure(typeof message === 'string' ? message : message())
}

/** Ends an exhaustive switch: adding a kind must fail to compile wherever it is not handled. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${JSON.stringify(value)}`)
}
