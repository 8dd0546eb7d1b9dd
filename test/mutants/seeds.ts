// Whether the simulator notices a mutant, and after how many seeds. Run as a script it is the child that runs them: it
// says which seed it begins, and of the first that fails why.
import { join } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { runSeed } from '../sim/run.ts'
import { runChild } from './child.ts'

export interface SeedRange {
  readonly from: number
  readonly to: number
  readonly faults: 'all' | 'disk'
}

export type Hunt =
  | { readonly kind: 'clean' }
  | { readonly kind: 'failed'; readonly seed: number; readonly why: string }
  /** No end of that seed for as long as it may take. */
  | { readonly kind: 'stuck'; readonly seed: number }

const script = 'build/test/mutants/seeds.js'

/** Runs the seeds with the code below `root` until one fails. */
export async function hunt(root: string, { from, to, faults }: SeedRange, silenceMs: number): Promise<Hunt> {
  let seed = from
  let why: string | null = null
  const take = (line: string): boolean => {
    const [, word, rest] = /^(seed|failed) (.*)$/.exec(line) ?? []
    if (word === 'seed') seed = Number(rest)
    if (word === 'failed') why = rest ?? ''
    return why !== null
  }
  const end = await runChild([join(root, script), `${from}`, `${to}`, faults], { cwd: root, silenceMs, take })
  if (end.kind === 'silent') return { kind: 'stuck', seed }
  if (why !== null) return { kind: 'failed', seed, why }
  if (end.kind === 'ended' && end.status === '0') return { kind: 'clean' }
  return { kind: 'failed', seed, why: 'the process ended' }
}

function runAll([from, to, faults]: readonly (string | undefined)[]): void {
  const only = faults === 'disk' ? 'disk' : null
  for (let seed = Number(from); seed <= Number(to); seed++) {
    console.log(`seed ${seed}`)
    try {
      runSeed(seed, { only })
    } catch (error) {
      const [why = ''] = String(error instanceof Error ? error.message : error).split('\n')
      console.log(`failed ${why.replace(/^seed \S+ at /, '')}`)
      process.exitCode = 1
      return
    }
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) runAll(argv.slice(2))
