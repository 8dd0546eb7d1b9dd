// Where most histories of requests begin: a founded cluster of three, by the names that HISTORIES gives its nodes.
import { assert } from '../../../src/assert.ts'
import type { Machine } from '../machine.ts'
import { Script } from '../script.ts'

export interface Scene {
  readonly script: Script
  /** The leader, and the two others. */
  readonly a: Machine
  readonly b: Machine
  readonly c: Machine
}

export function scene(): Scene {
  const script = new Script().found()
  const [b, c] = script.followers
  assert(b !== undefined && c !== undefined, 'two followers')
  return { script, a: script.leader, b, c }
}
