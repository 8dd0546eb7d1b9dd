// One exclusive lock with fencing tokens, as those who use it one after the other would see it (S1, S2, S6). Where nobody
// knows what became of a call the model has a state for every possibility: a grant whose answer was lost has a token that
// nobody was told of, until somebody reads it.
import type { Model, Operation, Verdict } from './checker.ts'
import { linearize } from './checker.ts'

export type LockAction =
  /** The token; `refused`: somebody else held it, all the time that the request waited; null: not answered. */
  | { readonly kind: 'acquire'; readonly token: number | 'refused' | null }
  | { readonly kind: 'release'; readonly token: number; readonly said: 'released' | 'stale' | null }
  /** The grant ended by itself: by its deadline, or because nobody fetched it. */
  | { readonly kind: 'end'; readonly token: number }
  /** The grant of an acquire that was not answered ended in some way. */
  | { readonly kind: 'endUntold' }
  | { readonly kind: 'check'; readonly token: number; readonly said: boolean }
  | { readonly kind: 'read'; readonly said: number | null }

export type LockOperation = Operation<LockAction>

interface LockModelState {
  /** `untold`: somebody holds it with a token that nobody was told of yet. */
  readonly holder: number | 'untold' | null
  /** The greatest token that is known to have been given. */
  readonly greatest: number
  /** The holder's call was not answered: it may end at any time. */
  readonly isLoose: boolean
}

const free = (greatest: number): LockModelState => ({ holder: null, greatest, isLoose: false })
const held = (token: number, isLoose = false): LockModelState => ({ holder: token, greatest: token, isLoose })
/** Whether the holder may be the one with that token, which nobody was told of before. */
const mayBe = ({ holder, greatest }: LockModelState, token: number) => holder === 'untold' && token > greatest

export const lockModel: Model<LockModelState, LockAction> = {
  initial: free(0),
  step(state, action) {
    switch (action.kind) {
      case 'acquire':
        return acquire(state, action.token)
      case 'release':
        return release(state, action)
      case 'end':
        return state.holder === action.token ? [free(state.greatest)] : []
      case 'endUntold':
        return state.holder !== null && (state.isLoose || state.holder === 'untold') ? [free(state.greatest)] : []
      case 'check':
        if (action.said) return seen(state, action.token)
        return state.holder === action.token ? [] : [state]
      case 'read':
        if (action.said === null) return state.holder === null ? [state] : []
        return seen(state, action.said)
    }
  },
  keyOf: ({ holder, greatest, isLoose }) => `${holder} ${greatest} ${isLoose}`,
}

function acquire(state: LockModelState, token: number | 'refused' | null): readonly LockModelState[] {
  if (token === 'refused') return state.holder === null ? [] : [state]
  if (state.holder !== null) return []
  if (token === null) return [{ ...state, holder: 'untold' }]
  return token > state.greatest ? [held(token)] : []
}

function release(
  state: LockModelState,
  { token, said }: { readonly token: number; readonly said: 'released' | 'stale' | null },
): readonly LockModelState[] {
  if (said === 'stale') return state.holder === token ? [] : [state]
  return state.holder === token ? [free(state.greatest)] : []
}

/** Somebody was shown that `token` holds. */
function seen(state: LockModelState, token: number): readonly LockModelState[] {
  if (state.holder === token) return [state]
  return mayBe(state, token) ? [held(token, true)] : []
}

/** `operations` of one lock. */
export function linearizeLock(operations: readonly LockOperation[], statesMax?: number): Verdict<LockAction> {
  return linearize(operations, lockModel, statesMax)
}

/** A broken history in words: what led to where it broke, in the order that explains most of it, and what does not fit. */
export function tellBroken({ longest, stuck }: Extract<Verdict<LockAction>, { kind: 'broken' }>): string {
  const [first] = stuck
    .filter(({ returnedAt }) => returnedAt < Infinity)
    .toSorted((a, b) => a.returnedAt - b.returnedAt)
  return [
    ...longest.slice(-8).map((operation) => `  ${textOf(operation)}`),
    `  and then nothing explains ${first === undefined ? 'the rest' : textOf(first)}`,
  ].join('\n')
}

function textOf({ action, calledAt, returnedAt }: LockOperation): string {
  const { kind, ...rest } = action
  const what = Object.entries(rest).map(([key, value]) => `${key} ${value === null ? 'nothing' : value}`)
  return `${calledAt.toFixed(1)}..${returnedAt.toFixed(1)} ${[kind, ...what].join(' ')}`
}
