// `npm run sim -- --seeds N [--from S]` runs N seeds; `--seed S` runs one and tells everything that happened in it. With
// `--faults disk` nothing but disks and processes fail.
import { parseArgs } from 'node:util'
import { assert } from '../../src/assert.ts'
import { happeningKinds, noHappenings, tell } from './happenings.ts'
import { runSeed, SeedFailed, summary } from './run.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string' },
    seed: { type: 'string' },
    quiet: { type: 'boolean' },
    faults: { type: 'string', default: 'all' },
  },
})
assert(values.faults === 'all' || values.faults === 'disk', '--faults all or --faults disk')
const only = values.faults === 'disk' ? 'disk' : null

if (values.seed !== undefined) runOne(values.seed, values.quiet ?? false)
else runMany(Number(values.seeds ?? 100), Number(values.from ?? 1))

function runOne(seed: string, quiet: boolean): void {
  try {
    const result = runSeed(seed, { only, log: quiet ? () => {} : (line) => console.log(line) })
    console.log(result.scenario)
    console.log(summary(result))
  } catch (error) {
    fail(error)
  }
}

function runMany(count: number, from: number): void {
  const began = performance.now()
  const failed: string[] = []
  const happenings = noHappenings()
  let [simulatedMs, operations, frames, grants] = [0, 0, 0, 0]
  for (let seed = from; seed < from + count; seed++) {
    try {
      const result = runSeed(seed, { only })
      for (const kind of happeningKinds) happenings[kind] += result.happenings[kind]
      simulatedMs += result.simulatedMs
      operations += result.operations
      frames += result.frames
      grants += result.grants
      if (values.quiet !== true) console.log(summary(result))
    } catch (error) {
      failed.push(String(seed))
      fail(error)
    }
  }
  const seconds = (performance.now() - began) / 1000
  const simulated = simulatedMs / 1000
  console.log(
    `${count} seeds: ${(simulated / 3600).toFixed(2)} h simulated in ${seconds.toFixed(1)} s, ` +
      `${(simulated / seconds).toFixed(0)} times real time, ${operations} operations, ${grants} grants; per simulated second ` +
      `${(operations / simulated).toFixed(1)} operations and ${(frames / simulated).toFixed(0)} messages`,
  )
  console.log(tell(happenings))
  if (failed.length > 0) console.log(`failed: ${failed.join(' ')}`)
}

function fail(error: unknown): void {
  if (!(error instanceof SeedFailed)) throw error
  process.exitCode = 1
  console.log(error.message)
}
