import t from 'tap'
import { asIndex, asRequestId } from '../../src/ids.ts'
import type { WithdrawnAttempt } from '../../src/lockfsm/command.ts'
import type { Submission } from '../../src/node/own-commands.ts'
import { Withdrawals } from '../../src/node/withdrawals.ts'

function attemptNumber(number: number): WithdrawnAttempt {
  return { of: 'acquire', session: null, requestId: asRequestId('r'), number }
}

class Bench {
  readonly sent: Submission[] = []
  readonly withdrawn: number[] = []
  readonly withdrawals = new Withdrawals(
    {
      submit: (submission) => {
        this.sent.push(submission)
        return { number: this.sent.length, takeBack: () => false, abandon: () => {} }
      },
    },
    ({ number }) => this.withdrawn.push(number),
  )

  get packs(): number[][] {
    return this.sent.map(({ command }) =>
      command.kind === 'withdraw' ? command.attempts.map(({ number }) => number) : [],
    )
  }
}

t.test('withdrawals of a turn go together', async (t) => {
  const bench = new Bench()
  for (const number of [1, 2, 3]) bench.withdrawals.add(attemptNumber(number))
  t.equal(bench.withdrawals.isEmpty, false)
  bench.withdrawals.flush()
  t.same(bench.packs, [[1, 2, 3]])
  t.equal(bench.withdrawals.isEmpty, true)
  bench.withdrawals.flush()
  t.equal(bench.sent.length, 1)
})

t.test('H14 a withdrawal that was not done is made again until it is', async (t) => {
  const bench = new Bench()
  bench.withdrawals.add(attemptNumber(1))
  bench.withdrawals.flush()
  bench.sent[0]?.learn({ kind: 'notDone', reason: 'passedOver' })
  t.equal(bench.withdrawals.isEmpty, false)
  bench.withdrawals.add(attemptNumber(2))
  bench.withdrawals.flush()
  bench.sent[1]?.learn({ kind: 'notDone', reason: 'overloaded' })
  bench.withdrawals.flush()
  bench.sent[2]?.learn({ kind: 'outcome', index: asIndex(1), result: { kind: 'done' } })
  bench.withdrawals.flush()
  t.same(bench.packs, [[1], [1, 2], [1, 2]])
  t.same(bench.withdrawn, [1, 2], 'then nothing more will be said to the attempts')
})

t.test('a command has at most 1,000 withdrawals', async (t) => {
  const bench = new Bench()
  for (let number = 1; number <= 2500; number++) bench.withdrawals.add(attemptNumber(number))
  bench.withdrawals.flush()
  t.same(
    bench.packs.map((pack) => pack.length),
    [1000, 1000, 500],
  )
})
