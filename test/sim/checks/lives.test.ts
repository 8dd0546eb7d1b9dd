// Each promise that lives.ts judges, broken once: by doctoring the table behind the back of its log, or what is told of
// its outcomes. Beside it the innocent case that looks much the same.
import t from 'tap'
import { asClusterTime, asRequestId, asToken } from '../../../src/ids.ts'
import { changeRequest, changeSession } from '../../../src/lockfsm/changes.ts'
import type { Granted } from '../../../src/lockfsm/outcome.ts'
import type { Request, Session } from '../../../src/lockfsm/state.ts'
import { lockNamed, sessionNamed } from '../../lockfsm/table.ts'
import { Witnessed } from './witnessed.ts'

const never = asClusterTime(Number.MAX_SAFE_INTEGER)
const another = asRequestId('another-0000000000')

function holderOf({ state }: Witnessed): Request {
  const holder = state.locks.get(lockNamed('x'))?.holder ?? null
  if (holder === null) throw new Error('x is held')
  return holder
}

function sessionOf({ state }: Witnessed, id: string): Session {
  const session = state.sessions.get(sessionNamed(id))
  if (session === undefined) throw new Error(`${id} is open`)
  return session
}

/** Tells of a second grant in every entry that grants. */
function tellOfAnother(table: Witnessed, change: Partial<Granted>): void {
  table.retell = (outcomes) =>
    outcomes.flatMap((outcome) => {
      const { to, result } = outcome
      return result.kind === 'granted' ? [outcome, { to, result: { ...result, ...change } }] : [outcome]
    })
}

/** The lock loses its holder, and nobody had asked for it. */
function loseHolder(table: Witnessed): void {
  holderOf(table).lock.holder = null
  table.state.locks.delete(lockNamed('x'))
}

t.test('S1 one holder after the other is right', async (t) => {
  const table = new Witnessed()
  const { token } = table.hold()
  table.acquire({ waitMs: 5000 })
  table.release(token)
  t.equal(table.holder(), 2)
})

t.test('S1 two holders at once are seen', async (t) => {
  const table = new Witnessed()
  tellOfAnother(table, { token: asToken(2), requestId: another })
  t.throws(() => table.hold(), /^S1: token 2 was given for x, which 1 holds/)
})

t.test('S1 a renewal after the end is seen', async (t) => {
  const table = new Witnessed()
  const { token, lock } = table.hold()
  t.equal(table.renewGrant(token).kind, 'grantRenewed')
  table.release(token)
  table.retellResults(() => ({ kind: 'grantRenewed', lock, token, ttlMs: 1000, validForMs: 0 }))
  t.throws(() => table.renewGrant(token), /^S1: token 1 was renewed after its end/)
})

t.test('S2 a token that is given twice is seen', async (t) => {
  const table = new Witnessed()
  table.release(table.hold().token)
  table.state.nextToken = asToken(1)
  t.throws(() => table.hold(), /^S2: token 1 was given to/)
})

t.test('S2 a token that is given again to the same request is seen', async (t) => {
  const table = new Witnessed()
  const requestId = 'the-same-00000000'
  const { token } = table.hold({ requestId })
  table.release(token)
  table.entry(100_000, [])
  table.state.nextToken = asToken(1)
  t.throws(() => table.hold({ requestId }), /^S2: token 1 was given again after its end/)
})

t.test('S2 a token below an earlier one is seen', async (t) => {
  const table = new Witnessed()
  table.state.nextToken = asToken(7)
  t.equal(table.hold().token, 7)
  table.state.nextToken = asToken(3)
  t.throws(() => table.hold({ lock: 'y' }), /^S2: token 3 was given after 7/)
})

t.test('S2 a repeat that is told the same token is right', async (t) => {
  const table = new Witnessed()
  const requestId = 'the-same-00000000'
  table.hold({ requestId })
  t.equal(table.hold({ requestId }).token, 1)
})

t.test('S4 a request that is granted twice is seen', async (t) => {
  const table = new Witnessed()
  const requestId = 'the-same-00000000'
  table.release(table.hold({ requestId }).token)
  tellOfAnother(table, { token: asToken(9), lock: lockNamed('z'), requestId: asRequestId(requestId) })
  t.throws(() => table.hold({ lock: 'y' }), /^S4: request null the-same-00000000 was granted tokens 1 and 9/)
})

t.test('S4 a request that is asked for anew after it was forgotten may be granted anew', async (t) => {
  const table = new Witnessed()
  const requestId = 'the-same-00000000'
  table.release(table.hold({ requestId }).token)
  table.entry(100_000, [])
  t.equal(table.hold({ requestId }).token, 2)
})

t.test('S5 a grant that ends without a reason is seen', async (t) => {
  const table = new Witnessed()
  table.renewGrant(table.hold().token)
  table.entry(29_000, [])
  loseHolder(table)
  t.throws(() => table.at(29_500), /^S5: token 1 ended at 29500/)
})

t.test('S5 a grant of a session that is given back too soon is seen', async (t) => {
  const table = new Witnessed()
  table.hold({ session: table.open() })
  table.entry(20_000, [])
  loseHolder(table)
  t.throws(() => table.at(20_001), /^S5: token 1 ended at 20001, 20001 ms after the grant/)
})

t.test('S5 a grant that nobody attends may be given back', async (t) => {
  const table = new Witnessed()
  const requestId = 'unattended-000000'
  table.withdraw(table.acquire({ requestId }), requestId)
  table.at(2000)
  t.equal(table.holder(), null)
})

t.test('S5 a session that ends before its deadline is seen', async (t) => {
  const table = new Witnessed()
  const id = table.open()
  table.renew(id)
  table.state.sessions.delete(sessionNamed(id))
  t.throws(() => table.at(1000), /^S5: session s-1 ended at 1000, its deadline is 30000/)
})

t.test('S5 an assurance beyond the deadline is seen', async (t) => {
  const table = new Witnessed()
  table.retellResults((result) => ('validForMs' in result ? { ...result, validForMs: result.ttlMs } : result))
  t.throws(() => table.hold(), /^S5: 30000 ms assured, 29925 ms are left/)
  t.throws(() => table.open(), /^S5: 30000 ms assured, 29925 ms are left/)
})

t.test('S5 an assurance of a wait that counts from the grant is seen', async (t) => {
  const table = new Witnessed()
  const { token } = table.hold({ ttlMs: 60_000 })
  table.acquire({ waitMs: 50_000, ttlMs: 30_000 })
  table.entry(20_000, [])
  table.retellResults((result) => (result.kind === 'granted' ? { ...result, validForMs: 60_000 } : result))
  t.throws(() => table.release(token), /^S5: 60000 ms assured/)
})

t.test('26 a renewal of a session that is over is seen', async (t) => {
  const table = new Witnessed()
  const id = table.open()
  table.close(id)
  const renewed = { session: sessionNamed(id), ttlMs: 1000, validForMs: 0 }
  table.retellResults(() => ({ kind: 'sessionsRenewed', renewals: [renewed] }))
  t.throws(() => table.renew(id), /^26: session s-1 was renewed after its end/)
})

t.test('26 a grant to a session that is over is seen', async (t) => {
  const table = new Witnessed()
  const session = sessionNamed(table.open())
  table.close(session)
  table.at(5)
  tellOfAnother(table, { token: asToken(2), lock: lockNamed('y'), session, requestId: another })
  t.throws(() => table.hold(), /^26: token 2 was granted to session s-1, which is over/)
})

t.test('L1 a session that lives on behind its deadline is seen', async (t) => {
  const table = new Witnessed()
  const id = table.open()
  table.at(29_999)
  changeSession(table.state, sessionOf(table, id)).deadline = never
  table.state.deadlines.times[0] = never
  t.throws(() => table.at(30_000), /^L1: session s-1 lives on at 30000/)
})

t.test('L1 a grant that holds on behind its deadline is seen', async (t) => {
  const table = new Witnessed()
  table.hold()
  table.at(29_999)
  changeRequest(table.state, holderOf(table)).deadline = never
  table.state.deadlines.times[0] = never
  t.throws(() => table.at(30_000), /^L1: token 1 holds x after its end/)
})

t.test('L1 what has been renewed lives on', async (t) => {
  const table = new Witnessed()
  const id = table.open()
  const { token } = table.hold()
  table.at(29_999)
  table.renew(id)
  table.renewGrant(token)
  table.at(59_998)
  t.ok(table.state.sessions.has(sessionNamed(id)))
  table.at(59_999)
  t.equal(table.holder(), null)
})

t.test('L2 a waiter that is overtaken is seen', async (t) => {
  const table = new Witnessed()
  const { token } = table.hold()
  table.acquire({ waitMs: 5000 })
  table.acquire({ waitMs: 5000 })
  const { lock } = holderOf(table)
  const skipped = lock.queue.splice(0, 1)
  table.retell = (outcomes) => {
    lock.queue.push(...skipped)
    return outcomes
  }
  t.throws(() => table.release(token), /^L2: sequence 3 was served before 2/)
})
