// Walks every state that a model can reach, breadth first, so that the first breach it meets has a shortest path. It
// knows nothing of Raft or locks. What it keeps of a state is the model's encoding of it: two states with the same
// encoding are one, and successors are made from the encoding, so nothing that matters can hide beside it.
import { assert, AssertionFailure } from '../../src/assert.ts'
import { Frontier } from './frontier.ts'
import { hashBytes, Visited } from './visited.ts'
import type { Hash } from './visited.ts'

export interface Model<State, Action> {
  start(): State
  actions(state: State): readonly Action[]
  /** The state that follows; `state` stays as it is. Throws AssertionFailure when a promise is broken. */
  perform(state: State, action: Action): State
  /** The same bytes for states that differ only in what does not matter; to be used before the next call. */
  encode(state: State): Uint8Array
  /** One of the states with this encoding. */
  decode(bytes: Uint8Array): State
  /** Like `decode` after `encode`, but without exchanging what is interchangeable, so that a script keeps its names. */
  settle(state: State): State
  tell(state: State, action: Action): string
}

export interface Limits {
  readonly statesMax: number
  readonly secondsMax: number
  /** Told now and then. */
  readonly progress?: (soFar: Report) => void
}

export interface Report {
  readonly states: number
  readonly transitions: number
  /** Steps from the first state to the last one that was expanded. */
  readonly depth: number
  readonly seconds: number
  /** Everything that can be reached was reached. */
  readonly isWhole: boolean
  readonly breach: Breach | null
}

export interface Breach {
  readonly message: string
  /** What happens, step by step, until the promise is broken. */
  readonly script: readonly string[]
}

export function explore<State, Action>(model: Model<State, Action>, limits: Limits): Report {
  const began = performance.now()
  const visited = new Visited(limits.statesMax)
  const frontier = new Frontier()
  const first = model.encode(model.start())
  visited.add(hashBytes(first), 0)
  frontier.push(first)
  let [number, transitions, depth, levelEnd] = [0, 0, 0, 1]
  const report = (isWhole: boolean, breach: Breach | null): Report => ({
    states: visited.count,
    transitions,
    depth,
    seconds: (performance.now() - began) / 1000,
    isWhole,
    breach,
  })
  for (; frontier.length > 0; number++) {
    if (number === levelEnd) {
      depth++
      levelEnd = visited.count
      limits.progress?.(report(false, null))
    }
    if (number % 256 === 0 && performance.now() - began > limits.secondsMax * 1000) return report(false, null)
    const state = model.decode(frontier.shift())
    for (const action of model.actions(state)) {
      transitions++
      const next = attempt(model, state, action)
      if (next instanceof AssertionFailure) {
        return report(false, { message: next.message, script: scriptTo(model, visited.pathTo(number), next.message) })
      }
      const bytes = model.encode(next)
      const hash = hashBytes(bytes)
      if (visited.isFull) return report(false, null)
      if (visited.add(hash, number)) frontier.push(bytes)
    }
  }
  return report(true, null)
}

function attempt<State, Action>(model: Model<State, Action>, state: State, action: Action): State | AssertionFailure {
  try {
    return model.perform(state, action)
  } catch (error) {
    if (error instanceof AssertionFailure) return error
    throw error
  }
}

/** Walks the path once more, with the names that it began with, and then the step that breaks the promise. */
function scriptTo<State, Action>(model: Model<State, Action>, path: readonly Hash[], message: string): string[] {
  const script: string[] = []
  let state = model.settle(model.start())
  for (const wanted of path.slice(1)) {
    const step = model
      .actions(state)
      .map((action) => ({ action, next: attempt(model, state, action) }))
      .find(({ next }) => !(next instanceof AssertionFailure) && isSame(hashBytes(model.encode(next)), wanted))
    assert(step !== undefined && !(step.next instanceof AssertionFailure), 'a path can be walked again')
    script.push(model.tell(state, step.action))
    state = model.settle(step.next)
  }
  const last = model.actions(state).find((action) => {
    const end = attempt(model, state, action)
    return end instanceof AssertionFailure && isSimilar(end.message, message)
  })
  assert(last !== undefined, 'a breach can be repeated')
  return [...script, model.tell(state, last)]
}

function isSame(a: Hash, b: Hash): boolean {
  return a.low === b.low && a.high === b.high
}

/** Messages may name members, and those may have been exchanged. */
function isSimilar(a: string, b: string): boolean {
  const plain = (text: string): string => text.replaceAll(/\bn[1-9]\b/g, 'n')
  return plain(a) === plain(b)
}
