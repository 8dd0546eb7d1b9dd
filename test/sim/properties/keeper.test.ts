// Whatever is cut, paused, blocked or suspended: who holds a lock through the client is told that it is lost before anybody
// else is granted it. The real keeper and the real renewer run against a real cluster, all on virtual time with clocks that
// differ by the 1/1000 that S5 allows. KEEPER=2000 plays more seeds than the few of every run, KEEPER_FROM begins elsewhere.
import t from 'tap'
import { play } from '../kept-world.ts'

const count = Number(process.env['KEEPER'] ?? 24)
// Among these are holders that are blocked while they are cut off; most worlds have none.
const from = Number(process.env['KEEPER_FROM'] ?? 20)
// Many take longer than a test may.
t.setTimeout(process.env['KEEPER'] === undefined ? 240_000 : 0)

t.test(`S5: in ${count} worlds every lost lock is told of before another has it`, async (t) => {
  const sums = { grants: 0, lost: 0, blocked: 0, killed: 0 }
  const failed: string[] = []
  for (let seed = from; seed < from + count; seed++) {
    try {
      const { grants, lost, blocked, killed } = play(seed)
      sums.grants += grants
      sums.lost += lost
      sums.blocked += blocked
      sums.killed += killed
    } catch (error) {
      failed.push(`KEEPER=1 KEEPER_FROM=${seed}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  t.comment(JSON.stringify(sums))
  t.same(failed, [])
  t.ok(sums.grants > 4 * count, 'locks were held')
  t.ok(sums.lost > count / 2, 'and lost')
  t.ok(sums.blocked > 0, 'also by who was blocked')
})
