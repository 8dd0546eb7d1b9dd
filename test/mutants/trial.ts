// One mutant on trial: the tests, then the simulator. What does not end is caught only if the same without the mistake
// takes a tenth of the time at most; otherwise it is given more of it, for the machine may just be slow.
import type { Mutant } from './mutant.ts'
import { hunt } from './seeds.ts'
import type { Hunt, SeedRange } from './seeds.ts'
import { runTest, testsFor } from './unit-tests.ts'
import type { Verdict } from './unit-tests.ts'
import type { Caught, Hunted, SimulatorSaid, TestsSaid, Verdicts } from './verdicts.ts'
import type { Workshop } from './workshop.ts'

const firstSilenceMs = 120_000
const slowerThanOriginal = 10
/** As long as a timer goes. */
const endlessMs = 2 ** 31 - 1

export interface TrialOptions {
  readonly repository: string
  /** How many seeds the simulator may take; 0: it is not asked. */
  readonly seeds: number
  readonly withTests: boolean
  readonly verdicts: Verdicts
  /** Whether verdicts that are there count, instead of being found anew. */
  readonly resume: boolean
}

export interface Finding {
  readonly mutant: Mutant
  /** Null: they were not asked. */
  readonly tests: TestsSaid | null
  readonly simulator: SimulatorSaid | null
}

export async function tryMutant(mutant: Mutant, workshop: Workshop, options: TrialOptions): Promise<Finding> {
  const { verdicts, seeds, resume, withTests, repository } = options
  const looks = seeds > 0 && mutant.unseen === undefined
  let tests = resume ? verdicts.tests(mutant) : null
  let simulator = resume && looks ? verdicts.simulator(mutant, seeds) : null
  workshop.apply(mutant.edits)
  try {
    if (withTests) {
      const lastTime = verdicts.tests(mutant)?.caught?.file ?? null
      tests ??= verdicts.keepTests(mutant, await firstTestToFail(mutant, workshop, { repository, lastTime }))
    }
    if (looks) simulator ??= verdicts.keepSimulator(mutant, await seedsToFail(mutant, workshop.root, options))
    return { mutant, tests, simulator }
  } finally {
    workshop.restore(mutant.edits)
  }
}

async function firstTestToFail(
  mutant: Mutant,
  workshop: Workshop,
  { repository, lastTime }: { readonly repository: string; readonly lastTime: string | null },
): Promise<Caught> {
  const { root } = workshop
  const all = testsFor(root, mutant)
  const inOrder = lastTime !== null && all.includes(lastTime) ? [...new Set([lastTime, ...all])] : all
  for (const file of inOrder) {
    const run = (folder: string, silenceMs: number): Promise<Verdict> => runTest(folder, file, silenceMs)
    const verdict = await patiently(run, { root, repository })
    if (verdict.kind === 'passed' || !(await passesWithout(mutant, file, workshop))) continue
    return { title: verdict.kind === 'failed' ? verdict.title : `${file}, which did not end`, file }
  }
  return null
}

/** A test that fails without a mistake, too, catches none. */
async function passesWithout({ edits }: Mutant, test: string, workshop: Workshop): Promise<boolean> {
  const known = workshop.passes.get(test)
  if (known !== undefined) return known
  workshop.restore(edits)
  const { kind } = await runTest(workshop.root, test, endlessMs)
  workshop.passes.set(test, kind === 'passed')
  workshop.apply(edits)
  return kind === 'passed'
}

async function seedsToFail(mutant: Mutant, root: string, options: TrialOptions): Promise<Hunted> {
  const { repository, seeds, verdicts, resume } = options
  const faults: SeedRange['faults'] = mutant.faults ?? 'all'
  // Again from behind a seed that was merely slow.
  for (let from = resume ? verdicts.cleared(mutant) + 1 : 1; from <= seeds;) {
    const range: SeedRange = { from, to: seeds, faults }
    const first = await hunt(root, range, firstSilenceMs)
    if (first.kind === 'clean') break
    if (first.kind === 'failed') return { budget: seeds, seeds: first.seed, why: first.why }
    const one = { from: first.seed, to: first.seed, faults }
    const again = await patiently((folder, silenceMs) => hunt(folder, one, silenceMs), { root, repository })
    if (again.kind === 'failed') return { budget: seeds, seeds: again.seed, why: again.why }
    if (again.kind === 'stuck') return { budget: seeds, seeds: again.seed, why: 'did not end' }
    from = first.seed + 1
  }
  return { budget: seeds, seeds: null, why: '' }
}

/** Runs the mutant; when it does not end, the original for comparison, and then perhaps the mutant once more. */
async function patiently<T extends Verdict | Hunt>(
  run: (root: string, silenceMs: number) => Promise<T>,
  { root, repository }: { readonly root: string; readonly repository: string },
): Promise<T> {
  const first = await run(root, firstSilenceMs)
  if (first.kind !== 'stuck') return first
  const began = performance.now()
  await run(repository, endlessMs)
  const originalMs = performance.now() - began
  if (originalMs * slowerThanOriginal <= firstSilenceMs) return first
  return run(root, originalMs * slowerThanOriginal)
}
