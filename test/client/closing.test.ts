import t from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { gate, ManualKeeper, startWorld } from '../support/client-world.ts'

t.test('closing gives back everything: locks, sessions, waits, offices', async (t) => {
  const { client, other, queued, free, keeper, member } = await startWorld(t)
  const lock = await client.acquire('a lock')
  const session = await client.session()
  await session.acquire('in a session')
  await client.acquire('a long one', { waitMs: Infinity })
  await client.elect('an office').elected()
  await other().acquire('busy')
  const waits = [client.acquire('busy'), session.acquire('busy'), client.acquire('busy', { waitMs: Infinity })]
  await queued('busy', 3)
  const candidate = client.elect('busy')
  await queued('busy', 4)

  const closing = client.close()
  for (const wait of waits) await t.rejects(wait, { code: 'closed' })
  await t.rejects(candidate.elected(), { code: 'closed' })
  t.same(await closing, { unconfirmed: [] })
  t.match(lock.signal.reason, { code: 'closed' })
  for (const name of ['a lock', 'in a session', 'a long one', 'an office']) await free(name)
  await queued('busy', 0)
  t.same((await member.app.inject('/v1/sessions')).json().sessions, [])
  t.equal(keeper.kept.length, 0)
  t.equal(keeper.isClosed, true)
})

t.test('what is used after closing says so, and closing again says the same', async (t) => {
  const { client, sent } = await startWorld(t)
  const session = await client.session()
  const lock = await client.acquire('x')
  const first = await client.close()
  t.equal(await client.close(), first)
  const before = sent.length
  const closed = { name: 'HoldfastError', code: 'closed' }
  await t.rejects(client.acquire('x'), closed)
  await t.rejects(client.acquire('x', { waitMs: Infinity }), closed)
  await t.rejects(client.tryAcquire('x', { retry: { attempts: 3 } }), closed)
  await t.rejects(
    client.withLock('x', () => t.fail('no work')),
    closed,
  )
  await t.rejects(client.session(), closed)
  await t.rejects(session.acquire('x'), closed)
  await t.rejects(client.leader('x'), closed)
  t.throws(() => client.elect('x'), closed)
  await lock.release()
  await session.close()
  t.equal(sent.length, before, 'nothing is sent any more')
})

t.test('what a closing client could not confirm is told', async (t) => {
  const { client, other, queued, meddle } = await startWorld(t, { timeoutMs: 100 })
  await client.acquire('lock')
  const session = await client.session()
  await other().acquire('busy')
  const waiting = client.acquire('busy')
  await queued('busy', 1)
  meddle(() => new Promise(() => {}))
  const closing = client.close({ timeoutMs: 40 })
  await t.rejects(waiting, { code: 'closed' })
  const { unconfirmed } = await closing
  t.same(
    unconfirmed.map(({ what, name }) => `${what} ${name}`).toSorted(),
    ['lock lock', 'request busy', `session ${session.id}`].toSorted(),
  )
})

t.test('what is ended in the background belongs to what a closing client tells of', async (t) => {
  const { client, other, queued, meddle, keeper } = await startWorld(t, { timeoutMs: 60 })
  await other().acquire('busy')
  const waiting = client.acquire('busy', { waitMs: Infinity })
  await queued('busy', 1)
  const { what } = keeper.last
  meddle(({ path }, go) => (path.startsWith('/v1/sessions/') ? new Promise(() => {}) : go()))
  const closing = client.close()
  await t.rejects(waiting, { code: 'closed' })
  t.same(await closing, { unconfirmed: [{ what: 'session', name: what.kind === 'session' ? what.session : '' }] })
})

t.test('a lock that comes while the client is being closed is given back', async (t) => {
  const { client, free, meddle, keeper } = await startWorld(t)
  const [asked, go] = [gate(), gate()]
  meddle(async ({ path }, pass) => {
    const answer = await pass()
    if (!path.endsWith('/acquire')) return answer
    asked.open()
    await go.opened
    return answer
  })
  const acquiring = client.acquire('crossed')
  await asked.opened
  const closing = client.close()
  go.open()
  await t.rejects(acquiring, { code: 'closed' })
  t.same(await closing, { unconfirmed: [] })
  await free('crossed')
  t.equal(keeper.kept.length, 0)
})

t.test('closing at any moment of an acquire leaves nothing behind', async (t) => {
  const { other, meddle, free, sent } = await startWorld(t)
  for (let ticks = 0; ticks < 12; ticks++) {
    const keeper = new ManualKeeper()
    const client = other({}, keeper)
    let closing: Promise<unknown> = Promise.resolve()
    meddle(async ({ path }, go) => {
      const answer = await go()
      if (path.endsWith('/acquire') || path === '/v1/sessions') {
        void inTicks(ticks, () => {
          closing = client.close()
        })
      }
      return answer
    })
    const acquiring = [client.acquire('alone'), client.acquire('own session', { waitMs: Infinity })]
    for (const outcome of await Promise.allSettled(acquiring)) {
      if (outcome.status === 'fulfilled') t.equal(outcome.value.signal.aborted, true)
      else t.match(outcome.reason, { code: 'closed' })
    }
    t.same(await closing, { unconfirmed: [] })
    const before = sent.length
    await free('alone')
    await free('own session')
    t.equal(sent.length, before, 'a closed client is quiet')
    t.equal(keeper.kept.length, 0)
  }
})

t.test('closing at any moment of a campaign is a resignation', async (t) => {
  const { other, meddle, free, member } = await startWorld(t)
  for (let ticks = 0; ticks < 40; ticks++) {
    const keeper = new ManualKeeper()
    const client = other({}, keeper)
    meddle(ticks % 2 === 0 ? null : (_, go) => inTicks(ticks, () => {}).then(go))
    const election = client.elect('office', { onLost: () => t.fail('nothing was lost') })
    await inTicks(ticks, () => {})
    t.same(await client.close(), { unconfirmed: [] })
    await t.rejects(election.elected(), { code: 'closed' })
    t.equal(keeper.kept.length, 0)
  }
  await free('office')
  t.same((await member.app.inject('/v1/sessions')).json().sessions, [])
})

t.test('work does not begin when the client was closed first', async (t) => {
  const { other, meddle, free } = await startWorld(t)
  for (let ticks = 0; ticks < 12; ticks++) {
    const client = other()
    let closing: Promise<unknown> = Promise.resolve()
    let isClosed = false
    meddle(async ({ path }, go) => {
      const answer = await go()
      if (path.endsWith('/acquire')) {
        void inTicks(ticks, () => {
          isClosed = true
          closing = client.close()
        })
      }
      return answer
    })
    const working = client.withLock('work', async () => t.equal(isClosed, false))
    await working.catch((error: unknown) => t.match(error, { code: 'closed' }))
    await closing
    await free('work')
  }
})

async function inTicks(count: number, run: () => void): Promise<void> {
  for (let tick = 0; tick < count; tick++) await Promise.resolve()
  run()
}

t.test('a closing client tells work under a lock to stop, and keeps the lock until it has ended', async (t) => {
  const { client, holders } = await startWorld(t)
  const [begun, told, windDown] = [gate(), gate(), gate()]
  const working = client.withLock('job', async ({ signal }) => {
    begun.open()
    await wait(100_000, null, { signal }).catch(() => {})
    told.open()
    await windDown.opened
    return 'ended in order'
  })
  await begun.opened
  const closing = client.close()
  await told.opened
  t.same(await holders('job'), ['tester'])
  windDown.open()
  t.equal(await working, 'ended in order')
  t.same(await closing, { unconfirmed: [] })
  t.same(await holders('job'), [])
})

t.test('work that does not end keeps its lock, which is told of', async (t) => {
  const { client, holders, keeper } = await startWorld(t)
  const [begun, never] = [gate(), gate()]
  const working = client.withLock('stubborn', () => {
    begun.open()
    return never.opened
  })
  await begun.opened
  t.same(await client.close({ timeoutMs: 30 }), { unconfirmed: [{ what: 'lock', name: 'stubborn' }] })
  t.same(await holders('stubborn'), ['tester'])
  t.equal(keeper.kept.length, 0)
  never.open()
  await working
})

t.test('a client is closed at the end of its block', async (t) => {
  const { other, free } = await startWorld(t)
  {
    await using client = other()
    await client.acquire('block')
  }
  await free('block')
})
