// A state in place of another, as a snapshot brings it: whoever holds the lock table of a node goes on holding it.
import type { LockState } from './state.ts'

/** From now on `state` is what `by` was, which must not be used any more. */
export function replaceState(state: LockState, by: LockState): void {
  Object.assign(state, by)
}
