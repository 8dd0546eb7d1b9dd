import t from 'tap'
import { gate, startWorld } from '../support/client-world.ts'

t.test('a session keeps many locks with one lease', async (t) => {
  const { client, keeper, holders } = await startWorld(t)
  const session = await client.session({ ttlMs: 20_000, name: 'worker', metadata: { zone: 1 } })
  const locks = await Promise.all(['a', 'b', 'c'].map((name) => session.acquire(name)))
  t.equal(keeper.leases.length, 1)
  t.match(keeper.last, { what: { kind: 'session', session: session.id }, ttlMs: 20_000 })
  for (const lock of locks) {
    lock.assertHeld()
    t.ok(lock.remainingMs() > 15_000)
  }
  await locks[0]?.release()
  t.same(await holders('a'), [])
  t.same(await holders('b'), ['tester'])
  t.equal(keeper.kept.length, 1, 'the session lives on')
  session.assertHeld()
})

t.test('two waits of one session exclude each other', async (t) => {
  const { client } = await startWorld(t)
  const session = await client.session()
  const first = await session.acquire('own')
  t.equal(await session.tryAcquire('own'), null)
  await first.release()
  t.ok(await session.tryAcquire('own', { retry: { attempts: 2, minMs: 1, maxMs: 1 } }))
})

t.test('closing a session tells its locks before anything is sent, and ends locks and waits', async (t) => {
  const { client, other, keeper, queued, free, meddle } = await startWorld(t)
  const session = await client.session()
  const lock = await session.acquire('ends')
  await other().acquire('awaited')
  const waiting = session.acquire('awaited')
  await queued('awaited', 1)
  let wasAborted: boolean | null = null
  meddle(({ method, path }, go) => {
    if (method === 'DELETE' && path === `/v1/sessions/${session.id}`) {
      wasAborted = lock.signal.aborted && session.signal.aborted && keeper.kept.length === 0
    }
    return go()
  })
  const closing = session.close()
  await t.rejects(waiting, { code: 'closed' })
  await closing
  await session.close()
  t.equal(wasAborted, true)
  t.match(lock.signal.reason, { code: 'closed' })
  await free('ends')
  await queued('awaited', 0)
  await lock.release()
  await t.rejects(session.acquire('x'), { code: 'closed' })
  t.throws(() => session.assertHeld(), { code: 'closed' })
})

t.test('a lost session takes its locks along, and its waits', async (t) => {
  const { client, other, keeper, queued } = await startWorld(t)
  const session = await client.session()
  const [a, b] = [await session.acquire('a'), await session.acquire('b')]
  await other().acquire('c')
  const waiting = session.acquire('c')
  await queued('c', 1)
  // Whoever hears of one loss finds all of them.
  const atFirstNews: boolean[] = []
  a.signal.addEventListener('abort', () => atFirstNews.push(b.remainingMs() === 0, session.remainingMs() === 0))
  keeper.last.lose()
  t.same(atFirstNews, [true, true])
  for (const lock of [a, b]) t.match(lock.signal.reason, { code: 'lock_lost', details: { lock: lock.name } })
  await t.rejects(waiting, { code: 'session_ended', cause: { code: 'lock_lost' } })
  await t.rejects(session.acquire('d'), { code: 'session_ended' })
  await t.rejects(a.release(), { code: 'lock_lost' })
  await session.close()
})

t.test('a session that ended by the clock takes its locks along', async (t) => {
  const { client, keeper } = await startWorld(t)
  const session = await client.session()
  const lock = await session.acquire('slept')
  keeper.last.runOut()
  t.throws(() => lock.assertHeld(), { code: 'lock_lost' })
  t.equal(session.signal.aborted, true)
  await t.rejects(session.tryAcquire('x'), { code: 'session_ended' })
})

t.test('a grant that comes when the session is being closed is not handed on', async (t) => {
  const { client, meddle, free } = await startWorld(t)
  const session = await client.session()
  const [asked, go] = [gate(), gate()]
  meddle(async ({ path }, pass) => {
    const answer = await pass()
    if (!path.endsWith('/acquire')) return answer
    asked.open()
    await go.opened
    return answer
  })
  const acquiring = session.acquire('crossed')
  await asked.opened
  const closing = session.close()
  go.open()
  await t.rejects(acquiring, { code: 'closed' })
  await closing
  await free('crossed')
  t.same((await client.close()).unconfirmed, [])
})

t.test('a grant that comes when the session is over by the clock is not handed on', async (t) => {
  const { client, meddle, keeper, sent } = await startWorld(t)
  const session = await client.session()
  meddle(async ({ path }, go) => {
    const answer = await go()
    if (path.endsWith('/acquire')) keeper.last.runOut()
    return answer
  })
  await t.rejects(session.acquire('late'), { code: 'session_ended' })
  t.ok(sent.some((call) => call.endsWith('/release')))
})

t.test('a release that crosses the closing of its session is done with it', async (t) => {
  const { client, meddle, free } = await startWorld(t)
  const session = await client.session()
  const lock = await session.acquire('crossing')
  const closed = gate()
  meddle(async ({ path }, go) => {
    if (path.endsWith('/release')) await closed.opened
    return go()
  })
  const released = lock.release()
  await session.close()
  closed.open()
  await released
  await free('crossing')
})

t.test('the opening of a session that came too late is not used', async (t) => {
  const { client, meddle, member } = await startWorld(t)
  let openings = 0
  meddle(async ({ path }, go) => {
    const answer = await go()
    if (path !== '/v1/sessions') return answer
    return openings++ > 0 ? answer : { ...answer, body: { ...Object(answer.body), validForMs: 3 } }
  })
  const session = await client.session()
  t.equal(openings, 2)
  session.assertHeld()
  await session.close()
  await client.close()
  t.same((await member.app.inject('/v1/sessions')).json().sessions, [])
})

t.test('a session is closed at the end of its block', async (t) => {
  const { client, member, free } = await startWorld(t)
  {
    await using session = await client.session()
    await session.acquire('in block')
  }
  await free('in block')
  t.same((await member.app.inject('/v1/sessions')).json().sessions, [])
})
