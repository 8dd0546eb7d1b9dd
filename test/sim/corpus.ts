// The seeds that once failed, as they stand in corpus.txt.
import { readFileSync } from 'node:fs'

export interface CorpusSeed {
  readonly seed: number
  /** Which faults it was run with; null: all. */
  readonly only: 'disk' | null
  /** What it found. */
  readonly found: string
}

const file = new URL('../../../test/sim/corpus.txt', import.meta.url)

/** In the order of the file; a line that is neither a comment nor a seed with its story is an error. */
export function readCorpus(): readonly CorpusSeed[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map(parseLine)
}

function parseLine(line: string): CorpusSeed {
  const [, disk, seed, found] = /^(disk )?(\d+) # (\S.*)$/.exec(line) ?? []
  if (seed === undefined || found === undefined) throw new Error(`corpus.txt: neither a comment nor a seed: ${line}`)
  return { seed: Number(seed), only: disk === undefined ? null : 'disk', found }
}
