// `holdfast serve`: a node of the cluster, in this process. All flags, the exit codes and the signals are those of
// src/main.ts, which reads its own command line: ours less one word.
import type { Command } from 'commander'
import { withExamples } from './flags.ts'

const example = `holdfast serve --id n1 --members n1=10.0.0.1:7201,n2=10.0.0.2:7201,n3=10.0.0.3:7201 --http 10.0.0.1:7101`

/** Only for its line in the help, and for completion. */
export function addServe(program: Command): void {
  withExamples(program.command('serve'), example)
    .summary('runs a node of the cluster in this process')
    .argument('[flags...]', 'see: holdfast serve --help')
    .helpOption(false)
}

export function isServe([, , verb]: readonly string[]): boolean {
  return verb === 'serve'
}

/** The server is loaded here and nowhere else: other commands start without it. */
export async function serve(): Promise<void> {
  if (process.argv.includes('--help')) process.stdout.write(`  ${example}\n\n`)
  process.argv.splice(2, 1)
  await import('../main.ts')
}
