// One mutant on trial: the tests, then the simulator. What does not end is caught only if the same without the mistake
// takes a tenth of the time at most; otherwise it is given more of it, for the machine may just be slow.
import type { Mutant } from './mutant.ts'
import { hunt } from './seeds.ts'
import type { Hunt, SeedRange } from './seeds.ts'
import { runTest, testsFor } from './unit-tests.ts'
import type { Verdict } from './unit-tests.ts'
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
}

export interface Finding {
  readonly mutant: Mutant
  /** Title of the first test that failed; null: none did, or none was run. */
  readonly test: string | null
  /** How many seeds it took, the one that failed included; null: more than there were. */
  readonly seeds: number | null
  /** What the simulator said. */
  readonly why: string
}

export async function tryMutant(mutant: Mutant, workshop: Workshop, options: TrialOptions): Promise<Finding> {
  workshop.apply(mutant.edits)
  try {
    const test = options.withTests ? await firstTestToFail(mutant, workshop, options.repository) : null
    if (mutant.unseen !== undefined || options.seeds === 0) return { mutant, test, seeds: null, why: '' }
    const { seeds, why } = await seedsToFail(mutant, workshop.root, options)
    return { mutant, test, seeds, why }
  } finally {
    workshop.restore(mutant.edits)
  }
}

async function firstTestToFail(mutant: Mutant, workshop: Workshop, repository: string): Promise<string | null> {
  const { root } = workshop
  for (const test of testsFor(root, mutant)) {
    const run = (folder: string, silenceMs: number): Promise<Verdict> => runTest(folder, test, silenceMs)
    const verdict = await patiently(run, { root, repository })
    if (verdict.kind === 'passed' || !(await passesWithout(mutant, test, workshop))) continue
    return verdict.kind === 'failed' ? verdict.title : `${test}, which did not end`
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

async function seedsToFail(
  mutant: Mutant,
  root: string,
  { repository, seeds }: TrialOptions,
): Promise<{ seeds: number | null; why: string }> {
  const faults: SeedRange['faults'] = mutant.faults ?? 'all'
  // Again from behind a seed that was merely slow.
  for (let from = 1; from <= seeds;) {
    const range: SeedRange = { from, to: seeds, faults }
    const first = await hunt(root, range, firstSilenceMs)
    if (first.kind === 'clean') break
    if (first.kind === 'failed') return { seeds: first.seed, why: first.why }
    const one = { from: first.seed, to: first.seed, faults }
    const again = await patiently((folder, silenceMs) => hunt(folder, one, silenceMs), { root, repository })
    if (again.kind === 'failed') return { seeds: again.seed, why: again.why }
    if (again.kind === 'stuck') return { seeds: again.seed, why: 'did not end' }
    from = first.seed + 1
  }
  return { seeds: null, why: '' }
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
