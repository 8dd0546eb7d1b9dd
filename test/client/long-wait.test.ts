// Waits longer than a connection may be kept: a lock in a session of its own.
import t from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { gate, startWorld } from '../support/client-world.ts'

const waitMs = Infinity

t.test('a long wait stands in line with a session of its own, which ends with the lock', async (t) => {
  const { client, other, keeper, queued, sent, member, free } = await startWorld(t)
  const holder = await other().acquire('long')
  const waiting = client.acquire('long', { waitMs, onLost: 'kill' })
  await queued('long', 1)
  t.match(keeper.kept, [{ what: { kind: 'session' }, onLost: 'abort' }], 'nothing is held while it waits')
  await holder.release()
  const lock = await waiting
  lock.assertHeld()
  t.match(keeper.kept, [{ what: { kind: 'session' }, onLost: 'kill' }])
  await lock.release()
  t.equal(keeper.kept.length, 0)
  await free('long')
  await client.close()
  t.ok(sent.some((call) => call.startsWith('DELETE /v1/sessions/')))
  const { sessions } = (await member.app.inject('/v1/sessions')).json()
  t.same(sessions, [])
})

t.test('who loses the session while waiting stands in line again with another', async (t) => {
  const { client, other, keeper, queued } = await startWorld(t)
  const holder = await other().acquire('again')
  const waiting = client.acquire('again', { waitMs })
  await queued('again', 1)
  const [first] = keeper.leases
  first?.lose()
  while (keeper.leases.length < 2) await new Promise((resolve) => setTimeout(resolve, 2))
  await queued('again', 1)
  await holder.release()
  const lock = await waiting
  lock.assertHeld()
})

t.test('the loss of the session is the loss of the lock', async (t) => {
  const { client, keeper } = await startWorld(t)
  const lock = await client.acquire('with session', { waitMs })
  const { signal } = lock
  keeper.last.lose()
  t.equal(signal.aborted, true)
  t.match(signal.reason, { code: 'lock_lost', details: { lock: 'with session', token: lock.token } })
  await t.rejects(lock.release(), { code: 'lock_lost' })
  await lock.release()
})

t.test('a long wait that was given up leaves neither place nor session', async (t) => {
  const { client, other, queued, member, keeper, meddle } = await startWorld(t)
  await other().acquire('left')
  const abort = new AbortController()
  const waiting = client.acquire('left', { waitMs, signal: abort.signal })
  await queued('left', 1)
  meddle(async ({ method }, go) => {
    if (method === 'DELETE') await wait(20)
    return go()
  })
  abort.abort()
  await t.rejects(waiting, { code: 'aborted' })
  t.same((await client.close()).unconfirmed, [])
  t.same((await member.app.inject('/v1/sessions')).json().sessions, [])
  await queued('left', 0)
  t.equal(keeper.kept.length, 0)
})

t.test('an abort while the session is being opened leaves no session', async (t) => {
  const { client, meddle, member } = await startWorld(t)
  const abort = new AbortController()
  const opened = gate()
  meddle(async ({ path }, go) => {
    const answer = await go()
    if (path === '/v1/sessions') {
      abort.abort()
      opened.open()
    }
    return answer
  })
  await t.rejects(client.acquire('opening', { waitMs, signal: abort.signal }), { code: 'aborted' })
  await opened.opened
  meddle(null)
  t.same((await client.close()).unconfirmed, [])
  t.same((await member.app.inject('/v1/sessions')).json().sessions, [])
})

t.test('a release that nobody confirmed may be tried again, and says what it finds', async (t) => {
  const { client, meddle, free, keeper } = await startWorld(t)
  const lock = await client.acquire('unconfirmed', { waitMs })
  meddle(() => new Promise(() => {}))
  for (let time = 0; time < 2; time++) await t.rejects(lock.release({ timeoutMs: 20 }), { code: 'outcome_unknown' })
  t.equal(keeper.kept.length, 0)
  meddle(null)
  await lock.release()
  await free('unconfirmed')
})
