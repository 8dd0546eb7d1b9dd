// Each example ends by checking what it claims; the one with PostgreSQL runs with the guards (test/guards-real).
import t from 'tap'
import { play } from './play.ts'

// Each starts a cluster and some processes, on a machine that may be busy.
t.setTimeout(240_000)

for (const [name, claim] of [
  ['leader-election', 'nobody leads, and nobody ever led beside another'],
  ['nightly-job', 'the job ran once'],
  ['shell-section', 'with holdfast run, 8 deposits make 8'],
  ['queue-workers', 'partition-5: '],
] as const) {
  t.test(`the example ${name} does what it claims`, async (t) => {
    const { code, said } = await play(name)
    t.equal(code, 0, said)
    t.match(said, claim)
  })
}

t.test('an example that does not exist is refused with the names of those that do', async (t) => {
  const { code, said } = await play('no-such-example')
  t.equal(code, 2)
  t.match(said, 'leader-election')
})
