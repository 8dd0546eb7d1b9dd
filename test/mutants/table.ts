// What is printed: a line for each mutant, as the table of README.md has them, and the sum.
import type { Finding } from './trial.ts'

export const head = '| mutant | breaks | caught by | seeds | the simulator said |\n| --- | --- | --- | --- | --- |'

const saidMax = 90

export function row({ mutant, test, seeds, why }: Finding): string {
  const number = mutant.number === undefined ? '' : `${mutant.number}. `
  const said = why.length > saidMax ? `${why.slice(0, saidMax)}…` : why
  const cells = [number + mutant.name, mutant.breaks, test ?? '-', `${seeds ?? '-'}`, mutant.unseen ?? said]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

export function survived({ test, seeds }: Finding): boolean {
  return test === null && seeds === null
}

/** Over the mutants that the simulator could see; one that it did not find took more seeds than any that it did. */
export function medianSeeds(findings: readonly Finding[]): number {
  const needed = findings.filter(({ mutant }) => mutant.unseen === undefined).map(({ seeds }) => seeds ?? Infinity)
  const ascending = needed.toSorted((a, b) => a - b)
  return ascending[Math.floor((ascending.length - 1) / 2)] ?? Infinity
}

export function summary(findings: readonly Finding[], budget: number): string {
  const byTest = findings.filter(({ test }) => test !== null).length
  const bySeed = findings.filter(({ seeds }) => seeds !== null).length
  const blind = findings.filter(({ mutant }) => mutant.unseen !== undefined).length
  const median = medianSeeds(findings)
  return (
    `${findings.length} mutants: ${byTest} caught by a test, ${bySeed} by the simulator within ${budget} seeds ` +
    `(median ${median === Infinity ? `above ${budget}` : median}; ${blind} it cannot see), ` +
    `${findings.filter(survived).length} survived`
  )
}
