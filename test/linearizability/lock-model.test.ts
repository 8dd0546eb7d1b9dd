import t from 'tap'
import { linearizeLock, tellBroken } from './lock-model.ts'
import type { LockAction, LockOperation } from './lock-model.ts'

const at = (calledAt: number, returnedAt: number, action: LockAction): LockOperation => ({
  action,
  calledAt,
  returnedAt,
})
const never = Infinity
const verdict = (...operations: LockOperation[]) => linearizeLock(operations).kind

t.test('good histories have an order', (t) => {
  t.equal(
    verdict(
      at(0, 1, { kind: 'acquire', token: 1 }),
      at(0, 9, { kind: 'acquire', token: 2 }),
      at(2, 3, { kind: 'acquire', token: 'refused' }),
      at(3, 4, { kind: 'check', token: 1, said: true }),
      at(5, 6, { kind: 'release', token: 1, said: 'released' }),
      at(9, 10, { kind: 'read', said: 2 }),
      at(9, 10, { kind: 'release', token: 1, said: 'stale' }),
    ),
    'linearizable',
    'one hands over to the next',
  )
  t.equal(
    verdict(
      at(0, 1, { kind: 'acquire', token: 1 }),
      at(2, never, { kind: 'release', token: 1, said: null }),
      at(5, 6, { kind: 'acquire', token: 2 }),
    ),
    'linearizable',
    'a release without an answer has happened',
  )
  t.equal(
    verdict(
      at(0, never, { kind: 'acquire', token: null }),
      at(2, 3, { kind: 'read', said: 1 }),
      at(4, 5, { kind: 'acquire', token: 'refused' }),
      at(4, never, { kind: 'endUntold' }),
      at(6, 7, { kind: 'acquire', token: 2 }),
    ),
    'linearizable',
    'a grant that nobody was told of was shown, and given back',
  )
  t.equal(
    verdict(
      at(0, 1, { kind: 'acquire', token: 1 }),
      at(30, never, { kind: 'end', token: 1 }),
      at(20, 40, { kind: 'acquire', token: 2 }),
      at(41, 42, { kind: 'release', token: 1, said: 'stale' }),
    ),
    'linearizable',
    'a deadline passed',
  )
  t.end()
})

t.test('S1 two holders at once have no order', (t) => {
  t.equal(verdict(at(0, 1, { kind: 'acquire', token: 1 }), at(2, 3, { kind: 'acquire', token: 2 })), 'broken')
  t.equal(
    verdict(
      at(0, 1, { kind: 'acquire', token: 1 }),
      at(30, never, { kind: 'end', token: 1 }),
      at(20, 25, { kind: 'acquire', token: 2 }),
    ),
    'broken',
    'S5: before the deadline',
  )
  t.end()
})

t.test('S2 a token that is not greater has no order', (t) => {
  const first = [at(0, 1, { kind: 'acquire', token: 5 }), at(2, 3, { kind: 'release', token: 5, said: 'released' })]
  for (const token of [4, 5]) {
    t.equal(verdict(...first, at(4, 5, { kind: 'acquire', token })), 'broken')
  }
  t.end()
})

t.test('S3 a grant or a release that is forgotten has no order', (t) => {
  const granted = at(0, 1, { kind: 'acquire', token: 1 })
  const released = at(2, 3, { kind: 'release', token: 1, said: 'released' })
  t.equal(verdict(granted, at(2, 3, { kind: 'release', token: 1, said: 'stale' })), 'broken')
  t.equal(verdict(granted, released, at(4, 5, { kind: 'acquire', token: 'refused' })), 'broken')
  t.equal(verdict(granted, released, at(4, 5, { kind: 'check', token: 1, said: true })), 'broken')
  t.end()
})

t.test('S6 a read of the past has no order', (t) => {
  const history = [
    at(0, 1, { kind: 'acquire', token: 1 }),
    at(2, 3, { kind: 'release', token: 1, said: 'released' }),
  ] as const
  t.equal(verdict(...history, at(4, 5, { kind: 'read', said: 1 })), 'broken')
  t.equal(verdict(history[0], at(2, 3, { kind: 'read', said: null })), 'broken')
  t.end()
})

t.test('a broken history is told with what led to it', (t) => {
  const found = linearizeLock([at(0, 1, { kind: 'acquire', token: 1 }), at(2, 3, { kind: 'acquire', token: 2 })])
  if (found.kind !== 'broken') throw new Error(found.kind)
  t.equal(tellBroken(found), '  0.0..1.0 acquire token 1\n  and then nothing explains 2.0..3.0 acquire token 2')
  t.end()
})
