// What is printed: a line for each mutant, as the table of README.md has them, and the sum.
import type { Finding } from './trial.ts'

export const head = '| mutant | breaks | caught by | seeds | the simulator said |\n| --- | --- | --- | --- | --- |'

const saidMax = 90

export function row({ mutant, tests, simulator }: Finding): string {
  const number = mutant.number === undefined ? '' : `${mutant.number}. `
  const why = simulator?.why ?? ''
  const said = why.length > saidMax ? `${why.slice(0, saidMax)}…` : why
  const seeds = simulator === null ? '-' : `${simulator.seeds ?? `>${simulator.budget}`}`
  const cells = [number + mutant.name, mutant.breaks, tests?.caught?.title ?? '-', seeds, mutant.unseen ?? said]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

export function survived({ tests, simulator }: Finding): boolean {
  return (tests?.caught ?? null) === null && (simulator?.seeds ?? null) === null
}

/** One that the simulator did not find took more seeds than any that it did; half of all took no more than the median. */
function medianSeeds(findings: readonly Finding[], budget: number): string {
  const needed = findings.map(({ simulator }) => simulator?.seeds ?? Infinity)
  const ascending = needed.toSorted((a, b) => a - b)
  const median = ascending[Math.floor((ascending.length - 1) / 2)] ?? Infinity
  return median === Infinity ? `above ${budget}` : `${median}`
}

export function summary(findings: readonly Finding[], budget: number): string {
  const byTest = findings.filter(({ tests }) => (tests?.caught ?? null) !== null).length
  const bySeed = findings.filter(({ simulator }) => (simulator?.seeds ?? null) !== null).length
  const visible = findings.filter(({ mutant }) => mutant.unseen === undefined)
  const revisions = new Set(
    findings.flatMap(({ tests, simulator }) => [tests, simulator]).map((each) => each?.revision),
  )
  revisions.delete(undefined)
  const caught =
    `${findings.length} mutants: ${byTest} caught by a test, ${bySeed} by the simulator within ${budget} seeds, ` +
    `${findings.filter(survived).length} survived both`
  const median =
    `median of seeds: ${medianSeeds(visible, budget)} over the ${visible.length} in reach of the simulator, ` +
    `${medianSeeds(findings, budget)} over all`
  const told = `found out at ${[...revisions].join(', ') || 'no commit: nobody was asked'}`
  return (budget === 0 ? [caught, told] : [caught, median, told]).join('\n')
}
