// Majority arithmetic: the only place where votes, acknowledgements, read rounds and contact are counted.
import fc from 'fast-check'
import t from 'tap'
import { majority, reachedByMajority } from '../../src/raft/quorum.ts'

t.test('§5.2 B18 a majority is more than half, of even numbers too', async (t) => {
  t.same([1, 2, 3, 4, 5, 6, 7, 8, 9].map(majority), [1, 2, 2, 3, 3, 4, 4, 5, 5])
})

t.test('§5.2 any two majorities share a member', async (t) => {
  for (let members = 1; members <= 20; members++) {
    t.ok(2 * majority(members) > members)
    t.ok(2 * (majority(members) - 1) <= members, 'and none is larger than it must be')
  }
})

t.test(
  '§5.3 B16 reachedByMajority is the greatest value that more than half have reached, in whatever order',
  async (t) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(12), fc.constant(-Infinity)), { minLength: 1, maxLength: 9 }), (values) => {
        const reached = values.filter((value) => values.filter((other) => other >= value).length * 2 > values.length)
        const expected = Math.max(...reached)
        const found = reachedByMajority(values)
        if (found !== expected) throw new Error(`${values.join()}: ${found}, not ${expected}`)
      }),
      { numRuns: 2000 },
    )
    t.pass()
  },
)

t.test('§5.3 counting does not disturb what is counted', async (t) => {
  const values = [3, 1, 2]
  t.equal(reachedByMajority(values), 2)
  t.same(values, [3, 1, 2])
})
