// A few mutants on trial, by the tests alone, and what is told and kept of them: that the trial can say yes and no, and
// that a run which was cut off goes on with what it had found out. All mutants: `npm run mutants`.
import t from 'tap'
import { appendFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../storage/temporary-folder.ts'
import { mutants, sample } from './catalogue.ts'
import type { Mutant } from './mutant.ts'
import { row, summary, survived } from './table.ts'
import { tryMutant } from './trial.ts'
import { Verdicts } from './verdicts.ts'
import { Workshop } from './workshop.ts'

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
const [first] = sample
if (first === undefined) throw new Error('there is a sample')
const caught = { title: 'a test', file: 'raft/election.test.js' }

t.test('mistakes of every kind are caught by the tests of what they are made in', async (t) => {
  const workshop = new Workshop(repository)
  t.teardown(() => workshop.dispose())
  const verdicts = new Verdicts(temporaryFolder(t))
  const options = { repository, seeds: 0, withTests: true, verdicts, resume: false }
  const found = []
  for (const mutant of sample) found.push(await tryMutant(mutant, workshop, options))
  t.equal(found.length, 6)
  t.same(found.filter(survived).map(row), [])
})

t.test('what was found out is there after a restart, also when the last line was cut off', async (t) => {
  const folder = temporaryFolder(t)
  const before = new Verdicts(folder)
  const said = before.keepTests(first, caught)
  const hunted = before.keepSimulator(first, { budget: 60, seeds: 7, why: 'S1' })
  appendFileSync(join(folder, '.holdfast/mutants.jsonl'), '{"mutant":')
  const after = new Verdicts(folder)
  t.same(after.tests(first), said)
  t.same(after.simulator(first, 60), hunted)
})

t.test('a verdict does not count for other edits, nor one of the simulator for other seeds', async (t) => {
  const verdicts = new Verdicts(temporaryFolder(t))
  const other: Mutant = { ...first, edits: [{ file: 'src/x.ts', find: 'a', put: 'b' }] }
  verdicts.keepTests(first, caught)
  t.equal(verdicts.tests(first)?.caught?.title, 'a test')
  t.equal(verdicts.tests(other), null)
  verdicts.keepTests(first, null)
  t.equal(verdicts.tests(first), null, 'who survived is asked again')
  verdicts.keepSimulator(first, { budget: 60, seeds: 7, why: 'S1' })
  t.equal(verdicts.simulator(other, 60), null)
  t.equal(verdicts.simulator(first, 7)?.seeds, 7)
  t.equal(verdicts.simulator(first, 6), null, 'with fewer seeds it would not have been seen')
  t.equal(verdicts.simulator({ ...first, faults: 'disk' }, 60), null)
  verdicts.keepSimulator(first, { budget: 60, seeds: null, why: '' })
  t.equal(verdicts.simulator(first, 60)?.seeds, null)
  t.equal(verdicts.simulator(first, 61), null, 'perhaps the next seed would see it')
  t.equal(verdicts.cleared(first), 60, 'but there is no need to begin again')
  t.equal(verdicts.cleared(other), 0)
})

t.test('the sum counts what the simulator did not find as more seeds than it had, and names survivors', async (t) => {
  const verdicts = new Verdicts(temporaryFolder(t))
  const [a, b, c] = mutants
    .filter(({ unseen }) => unseen === undefined)
    .slice(0, 3)
    .map((mutant, position) => ({
      mutant,
      tests: verdicts.keepTests(mutant, position === 0 ? caught : null),
      simulator: verdicts.keepSimulator(mutant, { budget: 60, seeds: [null, 9, null][position] ?? null, why: '' }),
    }))
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are three')
  t.same([a, b, c].map(survived), [false, false, true])
  t.match(summary([a, b, c], 60), /3 mutants: 1 caught by a test, 1 by the simulator within 60 seeds, 1 survived both/)
  t.match(summary([a, b, c], 60), /median of seeds: above 60 over the 3 in reach of the simulator/)
  t.match(summary([a, b], 60), /median of seeds: 9 /)
  t.match(row(c), /\| - \| >60 \|/)
})
