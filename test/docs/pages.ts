// The blocks of the documentation that a reader may copy: `sh` is typed into a shell, `js` is a program of its own.
// Whatever else is shown (`console`, text, drawings) is not run.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../../', import.meta.url))

export interface Block {
  readonly page: string
  /** Of its first line. */
  readonly line: number
  readonly language: 'sh' | 'js'
  readonly text: string
}

/** In the order of the page. */
export function blocksOf(page: string): readonly Block[] {
  const text = readFileSync(`${root}${page}`, 'utf8')
  return [...text.matchAll(/^```(sh|js)\n(.*?)^```$/gms)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length + 1,
    language: match[1] === 'js' ? 'js' : 'sh',
    text: match[2] ?? '',
  }))
}
