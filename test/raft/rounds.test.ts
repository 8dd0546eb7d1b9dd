// Heartbeat rounds (thesis §6.2, §6.4): what an answer to a round proves is when that round began.
import fc from 'fast-check'
import t from 'tap'
import { beginRound, createRounds, roundStartedAt } from '../../src/raft/rounds.ts'

t.test('thesis §6.4 rounds are numbered from 1 and remember when they began', async (t) => {
  const rounds = createRounds()
  t.equal(roundStartedAt(rounds, 0), -Infinity, 'none has begun')
  beginRound(rounds, 100, 1000)
  beginRound(rounds, 175, 1000)
  t.same(
    [1, 2].map((round) => roundStartedAt(rounds, round)),
    [100, 175],
  )
  t.equal(roundStartedAt(rounds, 3), -Infinity, 'not yet begun')
})

t.test(
  'thesis §6.4 what began long ago is forgotten and counts as never; what is recent is kept, in bounded space',
  async (t) => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 300 }), (pauses) => {
        const rounds = createRounds()
        const beginnings: number[] = []
        let now = 0
        for (const pause of pauses) {
          beginRound(rounds, (now += pause), 2000)
          beginnings.push(now)
        }
        for (const [position, began] of beginnings.entries()) {
          const remembered = roundStartedAt(rounds, position + 1)
          if (now - began <= 2000 ? remembered !== began : remembered !== began && remembered !== -Infinity) {
            throw new Error(`round ${position + 1} began at ${began}, remembered is ${remembered}`)
          }
        }
        const recent = beginnings.filter((began) => now - began <= 2000).length
        if (rounds.startedAt.length > recent + 65)
          throw new Error(`${rounds.startedAt.length} rounds kept for ${recent}`)
      }),
    )
    t.pass()
  },
)
