// The figures of one run as a table, as JSON, and beside those of an earlier run.
import { readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, totalmem } from 'node:os'
import { spread } from './statistics.ts'
import type { Spread } from './statistics.ts'

/** One figure of one load, over all rounds. */
export interface Figure {
  readonly load: string
  readonly figure: string
  readonly unit: string
  readonly spread: Spread
}

export interface Report {
  readonly at: string
  readonly machine: string
  readonly node: string
  readonly figures: readonly Figure[]
}

/** Gathers values round by round. */
export class Gathering {
  readonly #values = new Map<string, { load: string; figure: string; unit: string; values: number[] }>()

  add(load: string, figures: Readonly<Record<string, readonly [value: number, unit: string]>>): void {
    for (const [figure, [value, unit]] of Object.entries(figures)) {
      const key = `${load}/${figure}`
      const known = this.#values.get(key)
      if (known === undefined) this.#values.set(key, { load, figure, unit, values: [value] })
      else known.values.push(value)
    }
  }

  report(at: Date): Report {
    const figures = [...this.#values.values()].map(({ values, ...name }) => ({ ...name, spread: spread(values) }))
    const [cpu] = cpus()
    const machine = `${cpus().length} x ${cpu?.model ?? arch()}, ${Math.round(totalmem() / 2 ** 30)} GiB`
    return { at: at.toISOString(), machine, node: process.version, figures }
  }
}

export function print(report: Report, earlier: Report | null): void {
  console.log(`${report.at}  ${report.machine}  Node ${report.node}`)
  if (earlier !== null) console.log(`compared with ${earlier.at}  ${earlier.machine}`)
  let load = ''
  for (const figure of report.figures) {
    if (figure.load !== load) console.log(`\n${(load = figure.load)}`)
    const { median, min, max } = figure.spread
    const before = earlier?.figures.find((other) => other.load === load && other.figure === figure.figure)
    const change =
      before === undefined
        ? ''
        : `   ${percentChange(before.spread.median, median)} from ${format(before.spread.median)}`
    const range = `(${format(min)} .. ${format(max)})`
    console.log(
      `  ${figure.figure.padEnd(34)} ${format(median).padStart(9)} ${figure.unit.padEnd(6)} ${range}${change}`,
    )
  }
}

export function writeReport(file: string, report: Report): void {
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
}

/** Throws when the file holds something else. */
export function readReport(file: string): Report {
  const found: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (!isReport(found)) throw new Error(`${file} is no report of \`npm run bench\``)
  return found
}

function isReport(value: unknown): value is Report {
  return typeof value === 'object' && value !== null && 'figures' in value && Array.isArray(value.figures)
}

function percentChange(before: number, now: number): string {
  const percent = ((now - before) / before) * 100
  return `${percent >= 0 ? '+' : ''}${percent.toFixed(0)} %`
}

function format(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0)
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}
