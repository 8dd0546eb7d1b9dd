// H19: what a snapshot means for the commands of the node that takes it in.
import t from 'tap'
import { asIndex, asLockName, asRequestId, asSequence, asToken } from '../../src/ids.ts'
import type { Granted } from '../../src/lockfsm/outcome.ts'
import { acquire, Bench, session } from './own-commands-bench.ts'

const granted: Granted = {
  kind: 'granted',
  lock: asLockName('x'),
  session,
  requestId: asRequestId('r'),
  mode: 'exclusive',
  sequence: asSequence(5),
  token: asToken(9),
  ttlMs: 2000,
  validForMs: 1000,
}

/** An install whose state has applied our commands up to `number`; `told` says what it tells each that asks. */
function install(bench: Bench, number: number, told: Readonly<Record<number, 'queued' | 'granted'>> = {}): number[] {
  const asked: number[] = []
  bench.commands.installed(number, asIndex(500), (_, own) => {
    asked.push(own)
    const result = told[own]
    if (result === undefined) return null
    return result === 'queued' ? { kind: 'queued' } : granted
  })
  return asked
}

t.test('H19 of what an install jumped over nothing is concluded, but that an attempt in the set goes on', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 4; count++) bench.submit(acquire)
  bench.send()
  t.same(install(bench, 3, { 1: 'granted', 2: 'queued' }), [1, 2, 3])
  t.same(bench.fates, [['granted at 500'], ['queued at 500'], ['jumped over'], []])
  bench.apply(2, granted)
  t.same(bench.fates[1], ['queued at 500', 'granted at 20'], 'it is told like one that was queued here')
})

t.test('H19 numbers above those of the snapshot stay: their fate is still to come', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 4; count++) bench.submit()
  bench.send()
  install(bench, 2)
  t.same(bench.fates, [['jumped over'], ['jumped over'], [], []])
  bench.commands.routeChanged()
  t.same(bench.send(), [3, 4], 'and go again')
  bench.apply(4)
  t.same(bench.fates.slice(2), [['not done: passedOver'], ['done at 40']])
})

t.test('H19 what waited for its outcome goes on only while its attempt is in the set', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 3; count++) bench.submit(acquire)
  bench.send()
  for (const number of [1, 2, 3]) bench.apply(number, { kind: 'queued' })
  t.same(install(bench, 3, { 1: 'queued', 2: 'granted' }), [1, 2, 3])
  t.same(bench.fates, [['queued at 10'], ['queued at 20', 'granted at 500'], ['queued at 30', 'jumped over']])
  t.equal(bench.commands.size, 1, 'the first, which is not told twice that it waits')
  bench.apply(1, granted)
  t.same(bench.fates[0], ['queued at 10', 'granted at 10'])
})

t.test('H19 a snapshot that has applied nothing of ours changes nothing', async (t) => {
  const bench = new Bench()
  bench.submit()
  bench.send()
  t.same(install(bench, 0), [])
  t.same(bench.fates, [[]])
  t.same(bench.send(), [], 'it is still on its route')
})

t.test('what was never sent is untouched by an install, and numbers go on', async (t) => {
  const bench = new Bench()
  bench.submit()
  bench.send()
  const unsent = bench.submit()
  install(bench, 1)
  t.same(bench.fates, [['jumped over'], []])
  t.same(bench.send(), [2])
  t.equal(unsent.number, 2)
})

t.test('H24 when our disk is named again, what was sent is not done and what was queued is unknown', async (t) => {
  const bench = new Bench()
  for (let count = 0; count < 3; count++) bench.submit(acquire)
  bench.send()
  bench.apply(1, { kind: 'queued' })
  bench.submit(acquire)
  bench.commands.runEnded()
  t.match(bench.fates, [[/^queued/, 'jumped over'], [/not done|passedOver/], [/not done|passedOver/], []])
  t.equal(bench.commands.size, 1, 'what has not left goes under the new run')
})
