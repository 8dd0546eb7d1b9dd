// Tries for a lock, without a place in line, with drawn pauses between them: whoever finds it held comes again at a
// moment that nobody else shares.
import { isHoldfastError } from './errors.ts'
import type { Inside } from './inside.ts'
import { pause } from './pause.ts'
import type { Scope } from './scope.ts'
import type { TryAcquireOptions } from './types.ts'

const minDefaultMs = 100
const maxDefaultMs = 5000

/** Null when it was held by another to the end. */
export async function tryRepeatedly<Taken>(
  { surroundings }: Inside,
  { scope, retry = { attempts: 1 }, signal }: Pick<TryAcquireOptions, 'retry' | 'signal'> & { readonly scope: Scope },
  attempt: () => Promise<Taken>,
): Promise<Taken | null> {
  const { attempts, minMs = minDefaultMs, maxMs = maxDefaultMs } = retry
  for (let number = 1; ; number++) {
    try {
      return await attempt()
    } catch (error) {
      if (!isHoldfastError(error) || error.code !== 'lock_held') throw error
    }
    if (number >= attempts) return null
    const delayMs = surroundings.random() * Math.min(maxMs, minMs * 2 ** (number - 1))
    await scope.run(signal, (signal) => pause(surroundings, { delayMs, signal }))
  }
}
