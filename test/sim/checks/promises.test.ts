// Answers that promised what the log then broke, and the same answers over a log that keeps them.
import t from 'tap'
import { asRequestId, asToken } from '../../../src/ids.ts'
import type { SessionId, Token } from '../../../src/ids.ts'
import { lockNamed, sessionNamed } from '../../lockfsm/table.ts'
import { PromiseChecks } from './promises.ts'
import { Witnessed } from './witnessed.ts'

function scene(): { table: Witnessed; checks: PromiseChecks } {
  const table = new Witnessed()
  const checks = new PromiseChecks(table.state, table.lives)
  table.watch = () => checks.entryApplied()
  return { table, checks }
}

const grant = (token: Token, until: number) => ({ token, session: null, until })
const life = (session: SessionId, until: number) => ({ token: null, session, until })

t.test('S3 a token that nobody was granted is seen', async (t) => {
  const { table, checks } = scene()
  checks.assured(grant(table.hold().token, 1000))
  t.throws(() => checks.assured(grant(asToken(7), 1000)), /^S3: nobody was ever granted the answered token 7/)
})

t.test('S3 a session that was never opened is seen', async (t) => {
  const { table, checks } = scene()
  checks.assured(life(sessionNamed(table.open()), 1000))
  t.throws(() => checks.assured(life(sessionNamed('s-9'), 1000)), /^S3: the answered session s-9 was never opened/)
})

t.test('S5 a grant that ended before its promise is seen, and one that ended at it is not', async (t) => {
  const { table, checks } = scene()
  const { token } = table.hold({ ttlMs: 1000 })
  table.at(1000)
  checks.assured(grant(token, 1000))
  t.throws(() => checks.assured(grant(token, 1001)), /^S5: token 1 ended at 1000.0 ms, promised until 1001.0 ms/)
})

t.test('S5 a session that ended before its promise is seen', async (t) => {
  const { table, checks } = scene()
  const session = sessionNamed(table.open(1000))
  table.at(1000)
  checks.assured(life(session, 1000))
  t.throws(() => checks.assured(life(session, 1001)), /^S5: session s-1 ended at 1000.0 ms/)
})

t.test('S5 a grant with a session is promised only as long as both', async (t) => {
  const { table, checks } = scene()
  const session = sessionNamed(table.open(1000))
  const { token } = table.hold({ session })
  table.at(1000)
  t.throws(() => checks.assured({ token, session, until: 1001 }), /^S5: token 1 ended/)
})

t.test('S5 what was asked to end may end', async (t) => {
  const { table, checks } = scene()
  const { token } = table.hold()
  table.release(token)
  checks.assured(grant(token, 30_000))
  t.not(table.lives.grants.get(token)?.ended, null)
})

t.test('S3 a release that did not happen is seen', async (t) => {
  const { table, checks } = scene()
  const { token } = table.hold()
  t.throws(() => checks.released(token), /^S3: token 1 was answered as released, but holds/)
  table.release(token)
  checks.released(token)
})

t.test('S3 a session that was not closed is seen', async (t) => {
  const { table, checks } = scene()
  const session = table.open()
  t.throws(() => checks.sessionClosed(sessionNamed(session)), /^S3: session s-1 was answered as closed, but lives/)
  table.close(session)
  checks.sessionClosed(sessionNamed(session))
})

t.test('S4 a cancelled request that comes back is seen while it is remembered', async (t) => {
  const { table, checks } = scene()
  const requestId = 'cancelled-0000000'
  const name = { lock: lockNamed('x'), session: null, requestId: asRequestId(requestId) }
  table.hold({ requestId })
  t.throws(() => checks.cancelled(name), /^S4: request cancelled-0000000 was answered as cancelled, but is granted/)
  table.cancel(requestId)
  checks.cancelled(name)
  const again = scene()
  again.checks.cancelled(name)
  t.throws(() => again.table.hold({ requestId }), /^S4: request cancelled-0000000 .* but is granted/)
})

t.test('S4 a cancelled request may be asked for anew when it is forgotten', async (t) => {
  const { table, checks } = scene()
  const requestId = 'cancelled-0000000'
  checks.cancelled({ lock: lockNamed('x'), session: null, requestId: asRequestId(requestId) })
  table.at(50_000)
  t.equal(table.hold({ requestId }).token, 1)
})
