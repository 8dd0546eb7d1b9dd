// A pause that its signal cuts short.
import { aborted } from './endings.ts'
import type { StopSignal } from './stopping.ts'
import type { Surroundings } from './surroundings.ts'

/** Rejects with `aborted` then. */
export function pause(
  surroundings: Pick<Surroundings, 'setTimer'>,
  { delayMs, signal }: { readonly delayMs: number; readonly signal: StopSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(aborted(undefined))
      return
    }
    const onAbort = (): void => {
      timer.cancel()
      reject(aborted(undefined))
    }
    const timer = surroundings.setTimer(delayMs, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
