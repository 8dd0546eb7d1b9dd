import t from 'tap'
import { setTimeout as wait } from 'node:timers/promises'
import { gate, startWorld } from '../support/client-world.ts'

t.test('work runs while the lock is held, and its result comes through', async (t) => {
  const { client, holders, keeper } = await startWorld(t)
  const result = await client.withLock('work', async ({ token, signal, lock }) => {
    t.same(await holders('work'), ['tester'])
    t.equal(token, lock.token)
    t.equal(signal, lock.signal)
    return 42
  })
  t.equal(result, 42)
  t.same(await holders('work'), [])
  t.equal(keeper.kept.length, 0)
})

t.test('options may stand before or after the work', async (t) => {
  const { client } = await startWorld(t)
  t.equal(await client.withLock('order', { ttlMs: 5000 }, () => 'before'), 'before')
  t.equal(await client.withLock('order', () => 'after', { ttlMs: 5000 }), 'after')
})

t.test('the lock is released when the work fails, and the error is that of the work', async (t) => {
  const { client, holders, meddle } = await startWorld(t)
  const failing = client.withLock('fails', () => {
    throw new TypeError('of the work')
  })
  await t.rejects(failing, { name: 'TypeError', message: 'of the work' })
  t.same(await holders('fails'), [])

  // Also when the release fails, too.
  meddle(({ path }, go) => (path.endsWith('/release') ? new Promise(() => {}) : go()))
  const both = client.withLock('fails', { timeoutMs: 50 }, ({ lock }) => {
    void lock.release({ timeoutMs: 20 }).catch(() => {})
    throw new TypeError('of the work')
  })
  await t.rejects(both, { name: 'TypeError', message: 'of the work' })
})

t.test('work during which the lock was lost has failed, whatever it says', async (t) => {
  const { client, keeper } = await startWorld(t)
  const done = client.withLock('lost', () => {
    keeper.last.lose()
    return 'done'
  })
  await t.rejects(done, { name: 'HoldfastError', code: 'lock_lost' })
  const ranOut = client.withLock('lost by the clock', () => {
    keeper.last.runOut()
    return 'done'
  })
  await t.rejects(ranOut, { code: 'lock_lost' })
})

t.test('work that was stopped by the signal ends with lock_lost, and its own error is the cause', async (t) => {
  const { client, keeper } = await startWorld(t)
  const stopped = client.withLock('stopped', async ({ signal }) => {
    setImmediate(() => keeper.last.lose())
    await wait(100_000, null, { signal })
  })
  await t.rejects(stopped, { code: 'lock_lost', cause: { name: 'AbortError' } })

  const thrown = client.withLock('thrown', async ({ signal }) => {
    keeper.last.lose()
    signal.throwIfAborted()
  })
  await t.rejects(thrown, { code: 'lock_lost', message: 'the test says that it is lost' })
})

t.test('work that fails for a reason of its own keeps its error though the lock was lost', async (t) => {
  const { client, keeper } = await startWorld(t)
  const failed = client.withLock('own reason', () => {
    keeper.last.lose()
    throw new RangeError('of the work')
  })
  await t.rejects(failed, { name: 'RangeError' })
})

t.test('the signal of the caller stops the work, and the lock is held until it has ended', async (t) => {
  const { client, holders } = await startWorld(t)
  const abort = new AbortController()
  const [windingDown, windDown] = [gate(), gate()]
  const working = client.withLock('caller', { signal: abort.signal }, async ({ signal, lock }) => {
    setImmediate(() => abort.abort('no more'))
    await wait(100_000, null, { signal }).catch(() => {})
    t.throws(() => lock.assertHeld(), { code: 'aborted' })
    windingDown.open()
    await windDown.opened
    signal.throwIfAborted()
  })
  await windingDown.opened
  t.same(await holders('caller'), ['tester'])
  windDown.open()
  await t.rejects(working, { code: 'aborted', cause: 'no more' })
  t.same(await holders('caller'), [])
})

t.test('work may release the lock itself', async (t) => {
  const { client, holders } = await startWorld(t)
  const result = await client.withLock('early', async ({ lock }) => {
    await lock.release()
    return (await holders('early')).length
  })
  t.equal(result, 0)
})

t.test('minHoldMs: the lock outlives the work, and nobody renews or releases it', async (t) => {
  const { client, keeper, sent, other, member } = await startWorld(t)
  await client.withLock('nightly', { minHoldMs: 3_600_000, ttlMs: 5000 }, () => 'done')
  t.equal(keeper.kept.length, 0)
  t.notOk(sent.some((call) => call.endsWith('/release')))
  t.equal(await other().tryAcquire('nightly'), null)
  const { holders } = (await member.app.inject('/v1/locks/nightly')).json()
  t.ok(holders[0].expiresInMs > 3_590_000, 'also when this process ends')
  t.same((await client.close()).unconfirmed, [])
  t.equal(await other().tryAcquire('nightly'), null)
})

t.test(
  'minHoldMs: it is held for so long from before the work begins, and renewals do not add as much again',
  async (t) => {
    const { client, keeper, member } = await startWorld(t)
    const work = client.withLock('from the start', { minHoldMs: 600_000, ttlMs: 5000 }, async ({ token }) => {
      t.ok(keeper.last.validForMs > 590_000)
      // As the keeper does.
      const renewed = await member.app.inject({
        method: 'POST',
        url: '/v1/locks/from%20the%20start/renew',
        payload: { token },
      })
      t.equal(renewed.json().ttlMs, 5000)
      t.ok(renewed.json().validForMs < 600_000)
      throw new Error('failed')
    })
    await t.rejects(work, { message: 'failed' })
    const { holders } = (await member.app.inject('/v1/locks/from%20the%20start')).json()
    t.ok(holders[0].expiresInMs > 590_000, 'failed work has run, too')
    t.ok(holders[0].expiresInMs <= 600_001)
  },
)

t.test('minHoldMs: work that took longer ends with a release', async (t) => {
  const { client, holders, sent } = await startWorld(t)
  await client.withLock('long enough', { minHoldMs: 5 }, () => wait(20))
  t.same(await holders('long enough'), [])
  t.notOk(
    sent.some((call) => call.endsWith('/renew')),
    'the TTL was long enough as it was',
  )
})

t.test('minHoldMs with a long wait holds the session', async (t) => {
  const { client, member, keeper } = await startWorld(t)
  await client.withLock('patient', { waitMs: Infinity, minHoldMs: 600_000, ttlMs: 5000 }, ({ lock }) => {
    t.ok(lock.remainingMs() > 590_000)
  })
  t.equal(keeper.kept.length, 0)
  const { holders } = (await member.app.inject('/v1/locks/patient')).json()
  t.ok(holders[0].expiresInMs > 590_000)
  const { sessions } = (await member.app.inject('/v1/sessions')).json()
  t.match(sessions, [{ ttlMs: 5000 }])
})

t.test('minHoldMs: a lock that cannot be held for long enough is given back, and no work is done', async (t) => {
  const { client, meddle, holders } = await startWorld(t)
  let worked = false
  meddle(({ path }, go) => (path.endsWith('/renew') ? Promise.resolve(tooMuch) : go()))
  const work = client.withLock('refused', { minHoldMs: 600_000 }, () => {
    worked = true
  })
  await t.rejects(work, { code: 'quota_exceeded' })
  t.equal(worked, false)
  t.same(await holders('refused'), [])
})

const tooMuch = {
  status: 429,
  body: { code: 'quota_exceeded', detail: 'the test says so', status: 429, type: '', title: '' },
  leader: null,
  retryAfterMs: null,
}
