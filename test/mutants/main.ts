// `npm run mutants`: makes one mistake at a time in a copy of the compiled code and asks who notices. `--only TEXT` takes the
// mutants whose name has it, or whose number it is, `--quick` the sample of `npm test`; `--seeds N` is what the simulator may
// take (0: it is not asked), `--seeds-only` leaves the tests out, `--jobs N` is how many mutants are tried at once (as many
// as there are processors), `--resume` goes on with what an earlier run found out. Fails when a mutant survives both.
import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { assert } from '../../src/assert.ts'
import { mutants, sample } from './catalogue.ts'
import type { Mutant } from './mutant.ts'
import { head, row, summary, survived } from './table.ts'
import { tryMutant } from './trial.ts'
import type { Finding, TrialOptions } from './trial.ts'
import { Verdicts } from './verdicts.ts'
import { Workshop } from './workshop.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seeds: { type: 'string' },
    jobs: { type: 'string', default: `${availableParallelism()}` },
    quick: { type: 'boolean', default: false },
    'seeds-only': { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
  },
})
const began = performance.now()
const seeds = Number(values.seeds ?? (values.quick ? 0 : 60))
const jobs = Number(values.jobs)
assert(Number.isInteger(seeds) && seeds >= 0, '--seeds takes a number of seeds')
assert(Number.isInteger(jobs) && jobs >= 1, '--jobs takes a number of mutants at once')
const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
const options: TrialOptions = {
  repository,
  seeds,
  withTests: !values['seeds-only'],
  verdicts: new Verdicts(repository),
  resume: values.resume,
}

const chosen = (values.quick ? sample : mutants).filter(
  ({ name, number }) => `${number ?? ''}` === values.only || name.includes(values.only),
)
assert(chosen.length > 0, `no mutant is named like ${values.only}`)
// Copies and children go with us.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
console.log(head)
const findings: Finding[] = []
const useless = new Set<string>()
const waiting = [...chosen]
await Promise.all(Array.from({ length: Math.min(jobs, chosen.length) }, work))
console.log(`\n${summary(findings, seeds)}; this run took ${Math.ceil((performance.now() - began) / 60_000)} min`)
for (const finding of findings.filter(survived)) console.log(`survived: ${finding.mutant.name}`)
for (const test of useless) console.log(`fails without a mutant: ${test}`)
if (findings.some(survived) || useless.size > 0) process.exitCode = 1

/** Tries what waits, in a copy of its own. */
async function work(): Promise<void> {
  const workshop = new Workshop(repository)
  const dispose = (): void => workshop.dispose()
  process.once('exit', dispose)
  try {
    for (let mutant: Mutant | undefined = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const finding = await tryMutant(mutant, workshop, options)
      findings.push(finding)
      console.log(row(finding))
    }
  } finally {
    process.off('exit', dispose)
    for (const [test, passes] of workshop.passes) if (!passes) useless.add(test)
    dispose()
  }
}
