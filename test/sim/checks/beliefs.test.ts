// Two clients and one lock: what each may count on, and when both do.
import t from 'tap'
import { asLockName, asToken } from '../../../src/ids.ts'
import { BeliefChecks } from './beliefs.ts'
import type { Belief } from './beliefs.ts'

const clock = { now: 0 }
const lock = asLockName('x')

function belief(client: string, token: number, until: number, of = lock): Belief {
  return { client, lock: of, token: asToken(token), until: () => until }
}

function checksAt(now: number): BeliefChecks {
  clock.now = now
  return new BeliefChecks(() => clock.now)
}

t.test('S1 two who count on a lock at once are seen', async (t) => {
  const checks = checksAt(0)
  checks.begin(belief('X', 1, 100))
  clock.now = 99
  t.throws(() => checks.begin(belief('Y', 2, 200)), /^S1: Y \(token 2\) and X \(token 1\) both count on x/)
})

t.test('S1 who counts on what was extended meanwhile is seen', async (t) => {
  const checks = checksAt(0)
  let until = 100
  checks.begin({ ...belief('X', 1, 0), until: () => until })
  until = 300
  clock.now = 250
  t.throws(() => checks.begin(belief('Y', 2, 400)), /^S1: /)
})

t.test('S1 one after the other is right', async (t) => {
  const checks = checksAt(0)
  checks.begin(belief('X', 1, 100))
  clock.now = 100
  checks.begin(belief('Y', 2, 200))
  checks.end(belief('Y', 2, 200))
  checks.begin(belief('Z', 3, 300))
  checks.begin(belief('Z', 4, 300, asLockName('another')))
  t.pass('nobody objects')
})

t.test('S1 a grant that is heard of too late to count on is no belief', async (t) => {
  const checks = checksAt(0)
  checks.begin(belief('X', 1, 100))
  clock.now = 50
  checks.begin(belief('Y', 2, 50))
  t.throws(() => checks.begin(belief('Z', 3, 60)), /^S1: /)
})

t.test('S1 an end that concerns another token ends nothing', async (t) => {
  const checks = checksAt(0)
  checks.begin(belief('X', 2, 100))
  checks.end(belief('X', 1, 100))
  t.throws(() => checks.begin(belief('Y', 3, 100)), /^S1: /)
})
