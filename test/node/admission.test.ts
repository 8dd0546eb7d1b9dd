import t from 'tap'
import { asLockName, asRequestId, asSessionId, asToken } from '../../src/ids.ts'
import { refusalOf } from '../../src/node/admission.ts'
import type { UnstampedCommand } from '../../src/node/own-commands.ts'

const lock = asLockName('x')
const requestId = asRequestId('request-of-somebody')
const wait = { ttlMs: 1000, waitMs: 0, pollMs: 0, owner: null, metadata: null }
const acquire: UnstampedCommand = { kind: 'acquire', lock, session: null, requestId, mode: 'exclusive', ...wait }
const open: UnstampedCommand = { kind: 'openSession', requestId, ttlMs: 1000, name: null, metadata: null }
const release: UnstampedCommand = { kind: 'release', lock, token: asToken(1), session: null }
const renew: UnstampedCommand = { kind: 'renewSessions', renewals: [{ session: asSessionId('s-1'), ttlMs: null }] }

/** What becomes of an acquire, an opening, a release and a renewal. */
function refusals({ calls = { open: 0, queued: 0 }, isLow = false }) {
  return [acquire, open, release, renew].map((command) => refusalOf(command, { calls, space: { isLow } }))
}

t.test('there is a limit on open calls, and a reserve for those that end work', async (t) => {
  t.same(refusals({ calls: { open: 9999, queued: 0 } }), [null, null, null, null])
  t.same(refusals({ calls: { open: 10_000, queued: 0 } }), ['overloaded', 'overloaded', null, null])
  t.same(refusals({ calls: { open: 12_000, queued: 0 } }), ['overloaded', 'overloaded', 'overloaded', 'overloaded'])
})

t.test('blocked waits count only against a limit of their own', async (t) => {
  t.same(refusals({ calls: { open: 99_999, queued: 99_999 } }), [null, null, null, null])
  t.same(refusals({ calls: { open: 100_000, queued: 100_000 } }), ['overloaded', null, null, null])
})

t.test('while the disk is low only what ends work is taken', async (t) => {
  t.same(refusals({ isLow: true }), ['diskLow', 'diskLow', null, null])
})
