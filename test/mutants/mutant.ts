// A mutant: our code with one mistake made in it on purpose, one that somebody shipped or that a rule of the design is there
// to prevent (RAFT.md 7). It is told as edits of the compiled text, so that nothing is compiled between two of them, and
// an edit that does not fit its file exactly once any more is refused, not skipped.
import { assert } from '../../src/assert.ts'

export interface Edit {
  /** The source file; what is edited is its compiled text. */
  readonly file: string
  /** Stands in the compiled text exactly once. */
  readonly find: string
  readonly put: string
}

export interface Mutant {
  /** What the code does then, as a sentence. */
  readonly name: string
  /** What that breaks: promises (S1), histories (H10), shipped bugs (B25). */
  readonly breaks: string
  /** In the list of RAFT.md 7; without one it is our own. */
  readonly number?: number
  /** Most mistakes are one edit; what is guarded twice takes two. */
  readonly edits: readonly Edit[]
  /** Test files below `test`, without their ending, that are run before the rest. */
  readonly tests?: readonly string[]
  /** In which worlds the simulator looks for it; all faults unless it says otherwise. */
  readonly faults?: 'disk'
  /** Why the simulator cannot see it: then it does not look. */
  readonly unseen?: string
}

export function compiledPath(file: string): string {
  return `build/${file.replace(/\.ts$/, '.js')}`
}

/** The text with the edits made in it. Throws when one does not fit. */
export function edited(text: string, edits: readonly Edit[]): string {
  let result = text
  for (const { file, find, put } of edits) {
    const count = text.split(find).length - 1
    assert(count === 1, `${file} has ${count} times: ${find}`)
    // A function, because `$` means something in a text that replaces another.
    result = result.replace(find, () => put)
  }
  return result
}

/** The edits of a mutant by file. */
export function byFile(edits: readonly Edit[]): ReadonlyMap<string, readonly Edit[]> {
  return new Map(edits.map(({ file }) => [file, edits.filter((edit) => edit.file === file)]))
}
