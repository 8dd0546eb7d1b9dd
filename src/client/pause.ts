// A pause that its signal cuts short.
import type { Surroundings } from './surroundings.ts'

/** Rejects with the signal's reason once that has aborted. */
export function pause(
  surroundings: Pick<Surroundings, 'setTimer'>,
  { delayMs, signal }: { readonly delayMs: number; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = (): void => {
      timer.cancel()
      reject(signal.reason)
    }
    const timer = surroundings.setTimer(delayMs, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
