import t from 'tap'
import type { Lock } from '../../src/client/types.ts'
import { eventually } from '../http/calling.ts'
import { startWorld } from '../support/client-world.ts'
import type { World } from '../support/client-world.ts'

t.test('a candidate is elected, and whoever asks learns of the leader and its value', async (t) => {
  const { client, other } = await startWorld(t)
  t.equal(await client.leader('primary'), null)
  const election = client.elect('primary', { value: { url: 'http://10.0.0.1' } })
  const office = await election.elected()
  t.equal(election.office, office)
  office.assertHeld()
  t.same(await other().leader('primary'), { token: office.token, owner: 'tester', value: { url: 'http://10.0.0.1' } })
  t.equal(await election.elected(), office)
})

t.test('the next in line is elected when the leader resigns', async (t) => {
  const { client, other, queued } = await startWorld(t)
  const calls: string[] = []
  const listener = (who: string) => ({
    value: who,
    onElected: (lock: Lock) => void calls.push(`${who} ${lock.name}`),
    onLost: () => void calls.push(`${who} lost`),
  })
  const first = client.elect('line', listener('first'))
  const office = await first.elected()
  const second = other().elect('line', listener('second'))
  await queued('line', 1)
  t.equal(second.office, null)
  await first.resign()
  t.equal(office.signal.aborted, true, 'whoever works in office is told')
  t.match(office.signal.reason, { code: 'closed', message: /election line/ })
  t.equal(first.office, null)
  const next = await second.elected()
  t.ok(next.token > office.token)
  t.same(calls, ['first line', 'second line'], 'a resignation is no loss')
  t.equal((await client.leader('line'))?.value, 'second')
  await t.rejects(first.elected(), { code: 'closed' })
})

t.test('after a loss the campaign goes on, in a session of its own', async (t) => {
  const world = await startWorld(t)
  const { client, keeper } = world
  const calls: string[] = []
  const election = client.elect('lost', {
    onElected: () => void calls.push('elected'),
    onLost: (reason) => void calls.push(`lost: ${'code' in reason ? String(reason.code) : ''}`),
  })
  const office = await election.elected()
  await loseSession(world)
  t.equal(office.signal.aborted, true)
  t.equal(election.office, null)
  const next = await election.elected()
  t.ok(next.token > office.token)
  t.same(calls, ['elected', 'lost: lock_lost', 'elected'])
  const sessions = new Set(keeper.leases.map(({ what }) => (what.kind === 'session' ? what.session : '')))
  t.equal(sessions.size, 2)
})

/** That of the newest lease: it has ended, and the keeper finds out. */
async function loseSession({ member, keeper }: World): Promise<void> {
  const { what } = keeper.last
  if (what.kind === 'session') await member.app.inject({ method: 'DELETE', url: `/v1/sessions/${what.session}` })
  keeper.last.lose()
}

t.test('who loses the session in line stands in line again', async (t) => {
  const { client, other, keeper, queued } = await startWorld(t)
  const holder = await other().acquire('in line')
  const election = client.elect('in line')
  await queued('in line', 1)
  keeper.last.lose()
  await eventually(() => (keeper.leases.length > 1 ? true : null))
  await queued('in line', 1)
  await holder.release()
  ;(await election.elected()).assertHeld()
})

t.test('an office is lost in the way that the client asks for, waiting is not', async (t) => {
  const { client, other, keeper, queued } = await startWorld(t, { onLost: 'exit' })
  const holder = await other({ onLost: 'abort' }).acquire('exit')
  const election = client.elect('exit')
  await queued('exit', 1)
  t.equal(keeper.last.onLost, 'abort')
  await holder.release()
  await election.elected()
  t.match(keeper.kept, [{ onLost: 'exit' }])
})

t.test('resigning leaves neither office nor place in line nor session', async (t) => {
  const { client, other, queued, free, member, keeper } = await startWorld(t)
  const holder = await other().acquire('left')
  const inLine = client.elect('left')
  await queued('left', 1)
  const waiting = inLine.elected()
  await Promise.all([t.rejects(waiting, { code: 'closed' }), inLine.resign(), inLine.resign()])
  await queued('left', 0)
  await holder.release()
  await free('left')
  t.same((await member.app.inject('/v1/sessions')).json().sessions, [])
  t.equal(keeper.kept.length, 0)
})

t.test('who resigned may stand again', async (t) => {
  const { client } = await startWorld(t)
  const election = client.elect('again')
  const first = await election.elected()
  await election.resign()
  election.campaign()
  election.campaign()
  t.ok((await election.elected()).token > first.token)
})

t.test('an office that was released is given back, and the campaign goes on', async (t) => {
  const { client, queued, other } = await startWorld(t)
  let losses = 0
  const election = client.elect('stepped down', { onLost: () => void losses++ })
  const office = await election.elected()
  const next = other().elect('stepped down')
  await queued('stepped down', 1)
  await office.release()
  await next.elected()
  await queued('stepped down', 1)
  await next.resign()
  t.ok((await election.elected()).token > office.token)
  t.equal(losses, 0)
})

t.test('the signal resigns', async (t) => {
  const { client, free } = await startWorld(t)
  const abort = new AbortController()
  const election = client.elect('signal', { signal: abort.signal })
  const office = await election.elected()
  abort.abort()
  t.equal(office.signal.aborted, true)
  await free('signal')
  await t.rejects(election.elected(), { code: 'closed' })
  await t.rejects(client.elect('signal', { signal: abort.signal }).elected(), { code: 'closed' })
})

t.test('a campaign outlasts nodes that cannot be reached', async (t) => {
  const { client, meddle } = await startWorld(t, { timeoutMs: 30 })
  let failures = 0
  meddle((_, go) => (failures++ < 3 ? new Promise(() => {}) : go()))
  const election = client.elect('patient')
  ;(await election.elected()).assertHeld()
  t.ok(failures > 3)
})

t.test('a campaign that no node will ever take is told to whoever waits for it', async (t) => {
  const { client, meddle } = await startWorld(t)
  meddle(() => Promise.resolve(refused))
  const election = client.elect('hopeless')
  await t.rejects(election.elected(), { code: 'invalid_request' })
  await t.rejects(election.elected(), { code: 'invalid_request' })
  meddle(null)
  election.campaign()
  await election.elected()
})

const refused = {
  status: 400,
  body: { code: 'invalid_request', detail: 'the test says so', status: 400, type: '', title: '' },
  leader: null,
  retryAfterMs: null,
}

t.test('what a callback throws is an uncaught exception, and the campaign goes on', async (t) => {
  const world = await startWorld(t)
  const { client } = world
  const thrown: string[] = []
  const onUncaught = (error: Error): void => void thrown.push(error.message)
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', onUncaught)
  t.teardown(() => {
    process.off('uncaughtException', onUncaught)
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  let terms = 0
  const election = client.elect('throws', {
    onElected: () => {
      terms++
      throw new Error('of onElected')
    },
    onLost: () => {
      throw new Error('of onLost')
    },
  })
  await election.elected()
  await loseSession(world)
  await eventually(() => (terms === 2 && election.office !== null ? true : null))
  await eventually(() => (thrown.length === 3 ? true : null))
  t.same(thrown, ['of onElected', 'of onLost', 'of onElected'])
})

t.test('a candidate resigns at the end of its block', async (t) => {
  const { client, free } = await startWorld(t)
  {
    await using election = client.elect('block')
    await election.elected()
  }
  await free('block')
})
