// Several seeds on several threads: the same runs, told in the same order, as one after the other; and their sum.
import t from 'tap'
import { playSeeds } from './crew.ts'
import type { Verdict } from './crew.ts'
import { runSeed } from './run.ts'
import { Tally } from './tally.ts'

t.setTimeout(120_000)

const verdicts: Verdict[] = []
const alone = runSeed(9)

t.test('threads play the same runs, and tell them in the order of the seeds', async (t) => {
  const manner = { only: null, twice: false } as const
  await playSeeds({ from: 9, count: 3, jobs: 2, manner, told: (verdict) => verdicts.push(verdict) })
  t.same(
    verdicts.map(({ kind, seed }) => `${seed} ${kind}`),
    ['9 passed', '10 passed', '11 passed'],
  )
  const [first] = verdicts
  t.equal(first?.kind === 'passed' && first.result.trace, alone.trace)
})

t.test('the row for the table has what was played, and what failed', async (t) => {
  const tally = new Tally(2)
  tally.add({ ...alone, simulatedMs: 1_800_000, operations: 700, grants: 50 })
  tally.add({ ...alone, simulatedMs: 1_800_000, operations: 300, grants: 40 })
  tally.failed.push(17)
  const effort = { elapsedMs: 30_000, cpuMs: 48_000, jobs: 2 }
  t.match(
    tally.row('9-11', effort),
    /^\| \d{4}-\d\d-\d\d \| \S+ \| 9-11, twice \| 1\.0 h \| 1000 \| 90 \| 17 \| 150x \|$/,
  )
  t.match(tally.lines(effort)[0], '3 seeds, each twice: 1.00 h simulated, 1000 operations, 90 grants, 1 failed')
  t.match(tally.lines(effort)[1], '30.0 s with 2 at once, 48.0 s of processor time: 150 times real time per core')
})

t.test('what goes wrong in the telling ends the whole run, threads and all', async (t) => {
  const manner = { only: null, twice: false } as const
  const told = () => {
    throw new Error('nobody listens')
  }
  await t.rejects(playSeeds({ from: 9, count: 1, jobs: 1, manner, told }), /nobody listens/)
})
