// What `run` tells its watchdog: lines of text on a pipe. The end of the pipe without `done` is the last word of a `run`
// that was killed.
import type { Instant } from '../client/clock.ts'
import { isMark } from './process-tree.ts'

export type Word =
  /** Everything about to be started carries this mark. */
  | { readonly kind: 'mark'; readonly mark: string }
  /** The command runs as this process, group and session. */
  | { readonly kind: 'leader'; readonly leader: number }
  /** The lock was sure for so long at that instant. Replaces what was told before. */
  | { readonly kind: 'deadline'; readonly at: Instant; readonly remainingMs: number }
  /** Nothing of the command is left. */
  | { readonly kind: 'done' }

export function writeWord(word: Word): string {
  switch (word.kind) {
    case 'mark':
      return `mark ${word.mark}\n`
    case 'leader':
      return `leader ${word.leader}\n`
    case 'deadline':
      return `deadline ${word.at.monotonicMs} ${word.at.sinceBootMs ?? '-'} ${word.remainingMs}\n`
    case 'done':
      return 'done\n'
  }
}

/** A line without its end; null when it is none of ours. */
export function readWord(line: string): Word | null {
  const [kind, first = '', second = '', third = ''] = line.split(' ')
  if (kind === 'done') return { kind }
  if (kind === 'mark' && isMark(first)) return { kind, mark: first }
  if (kind === 'leader' && Number(first) > 1) return { kind, leader: Number(first) }
  if (kind !== 'deadline' || third === '') return null
  const at = { monotonicMs: Number(first), sinceBootMs: second === '-' ? null : Number(second) }
  return { kind, at, remainingMs: Number(third) }
}
