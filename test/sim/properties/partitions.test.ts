// The property that a lock store stands or falls with: whatever is cut, heals, crashes, freezes and comes back, and
// whatever clients ask again at other nodes meanwhile, nobody holds a lock beside somebody else, tokens grow, what was
// acknowledged stays, and the healed cluster grants again. PARTITIONS=5000 plays more schedules than the few of every run,
// PARTITIONS_SEED repeats those of a failure.
import fc from 'fast-check'
import t from 'tap'
import { play, ScheduleFailed } from './play.ts'
import { describe, schedules } from './schedule.ts'
import type { Schedule, Step } from './schedule.ts'

const count = Number(process.env['PARTITIONS'] ?? 120)
const given = process.env['PARTITIONS_SEED']
// Many take longer than a test may, and so does shrinking.
t.setTimeout(process.env['PARTITIONS'] === undefined ? 240_000 : 0)

t.test(`S1 S2 S3 L3: ${count} schedules of partitions keep every promise, and heal`, async (t) => {
  const drawn = new Map<Step['kind'], number>()
  let [leaders, grants, answers] = [0, 0, 0]
  const property = fc.property(schedules, (schedule) => {
    const played = play(schedule)
    for (const { kind } of schedule.steps) drawn.set(kind, (drawn.get(kind) ?? 0) + 1)
    leaders += played.leaders
    grants += played.grants
    answers += played.calls.filter(({ told }) => told.repliedAt < Infinity).length
  })
  const details = fc.check(property, { numRuns: count, ...(given === undefined ? {} : { seed: Number(given) }) })
  if (details.failed) {
    const { message, story } = storyOf(details)
    t.fail(message, story)
    return
  }
  t.comment(`${leaders} leaders, ${grants} grants, ${answers} answers; ${JSON.stringify(Object.fromEntries(drawn))}`)
  t.ok(grants > 0.8 * count, 'locks were granted')
  t.ok(leaders > 1.3 * count, 'leaders changed')
})

/** What a person needs: the broken promise, how to see it again, the steps in words, a script for test/sim/histories. */
function storyOf({ seed, numRuns, numShrinks, counterexample, errorInstance }: fc.RunDetails<[Schedule]>) {
  if (!(errorInstance instanceof ScheduleFailed)) throw errorInstance
  const { message, script } = errorInstance
  const steps = counterexample?.[0].steps.map(describe) ?? []
  return { message, story: { again: `PARTITIONS_SEED=${seed}`, numRuns, numShrinks, steps, script } }
}
