// `npm run sim -- --seeds N [--from S]` runs N seeds, on as many cores as there are (`--jobs J`); `--seed S` runs one and
// tells everything that happened in it. `--twice` plays each two times and compares the runs; with `--faults disk` nothing
// but disks and processes fail. The exit code is 1 when a promise was broken.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { assert } from '../../src/assert.ts'
import { playSeeds } from './crew.ts'
import type { Manner } from './crew.ts'
import { runSeed, runTwice, SeedFailed, summary } from './run.ts'
import { Tally } from './tally.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string' },
    quiet: { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
    faults: { type: 'string', default: 'all' },
  },
})
assert(values.faults === 'all' || values.faults === 'disk', '--faults all or --faults disk')
const manner: Manner = { only: values.faults === 'disk' ? 'disk' : null, twice: values.twice }

if (values.seed !== undefined) runOne(values.seed)
else await runMany({ count: wholeOf('seeds'), from: wholeOf('from'), jobs: wholeOf('jobs') })

function wholeOf(name: 'seeds' | 'from' | 'jobs'): number {
  const number = Number(values[name])
  assert(
    Number.isSafeInteger(number) && number >= (name === 'from' ? 0 : 1),
    `--${name} is a number, not ${values[name]}`,
  )
  return number
}

function runOne(seed: string): void {
  const log = values.quiet ? () => {} : (line: string) => console.log(line)
  try {
    const result = (manner.twice ? runTwice : runSeed)(seed, { only: manner.only, log })
    console.log(result.scenario)
    console.log(summary(result))
  } catch (error) {
    if (!(error instanceof SeedFailed)) throw error
    process.exitCode = 1
    console.log(error.message)
  }
}

async function runMany({ count, from, jobs }: { count: number; from: number; jobs: number }): Promise<void> {
  const began = performance.now()
  const tally = new Tally(manner.twice ? 2 : 1)
  await playSeeds({
    ...{ count, from, jobs, manner },
    told: (verdict) => {
      if (verdict.kind === 'passed') {
        tally.add(verdict.result)
        if (!values.quiet) console.log(summary(verdict.result))
      } else {
        tally.failed.push(verdict.seed)
        process.exitCode = 1
        console.log(verdict.message)
      }
    },
  })
  const { user, system } = process.cpuUsage()
  const effort = { elapsedMs: performance.now() - began, cpuMs: (user + system) / 1000, jobs }
  for (const line of tally.lines(effort)) console.log(line)
  const seeds = `${from}-${from + count - 1}${manner.only === null ? '' : `, ${manner.only}`}`
  console.log(`for the table of test/sim/README.md:\n${tally.row(seeds, effort)}`)
  if (tally.failed.length > 0) console.log(`failed: ${tally.failed.join(' ')}`)
}
