import t from 'tap'
import { HoldfastError, isHoldfastError } from '../../src/client/errors.ts'
import { gate, startWorld } from '../support/client-world.ts'

t.test('a lock that was taken is held until it is released', async (t) => {
  const { client, holders, keeper } = await startWorld(t)
  const lock = await client.acquire('jobs/nightly', { metadata: { step: 1 } })
  t.equal(lock.name, 'jobs/nightly')
  t.ok(lock.token > 0)
  t.ok(lock.sequence > 0)
  t.ok(lock.remainingMs() > 25_000)
  lock.assertHeld()
  t.same(await holders('jobs/nightly'), ['tester'])
  t.match(keeper.last, { what: { kind: 'lock', lock: 'jobs/nightly', token: lock.token }, ttlMs: 30_000 })

  await lock.release()
  t.same(await holders('jobs/nightly'), [])
  t.equal(keeper.kept.length, 0)
  t.equal(lock.remainingMs(), 0)
  t.throws(() => lock.assertHeld(), { code: 'lock_lost' })
  t.equal(lock.signal.aborted, false, 'who releases knows it')
})

t.test('a lock is given back at the end of its block', async (t) => {
  const { client, free, holders } = await startWorld(t)
  {
    await using lock = await client.acquire('block')
    t.same(await holders('block'), [lock.name === 'block' ? 'tester' : ''])
  }
  await free('block')
})

t.test('a release may be repeated, at once and later', async (t) => {
  const { client, sent } = await startWorld(t)
  const lock = await client.acquire('twice')
  await Promise.all([lock.release(), lock.release()])
  await lock.release()
  t.equal(sent.filter((call) => call.endsWith('/release')).length, 1)
})

t.test('nothing keeps a lock alive from the moment its release is asked for', async (t) => {
  const { client, keeper, meddle } = await startWorld(t)
  const lock = await client.acquire('released')
  const [asked, go] = [gate(), gate()]
  meddle(async (_, pass) => {
    asked.open()
    await go.opened
    return pass()
  })
  const released = lock.release()
  await asked.opened
  t.equal(keeper.kept.length, 0)
  go.open()
  await released
})

t.test('a release that nobody confirmed may be tried again', async (t) => {
  const { client, meddle, holders } = await startWorld(t)
  const lock = await client.acquire('unconfirmed')
  meddle(() => new Promise(() => {}))
  const abort = new AbortController()
  const first = lock.release({ signal: abort.signal })
  abort.abort()
  await t.rejects(first, { code: 'aborted' })
  meddle(null)
  await lock.release()
  t.same(await holders('unconfirmed'), [])
})

t.test('a lost lock: the signal aborts with the reason, and a release tells of it once', async (t) => {
  const { client, keeper, sent } = await startWorld(t)
  const lock = await client.acquire('lost')
  const { signal } = lock
  keeper.last.lose()
  t.equal(signal.aborted, true)
  t.match(signal.reason, { name: 'HoldfastError', code: 'lock_lost' })
  t.equal(lock.remainingMs(), 0)
  const before = sent.length
  await t.rejects(lock.release(), { code: 'lock_lost' })
  await lock.release()
  t.equal(sent.length, before, 'nothing is sent for it')
})

t.test('who was told of the loss by assertHeld is not told again at the end of the block', async (t) => {
  const { client, keeper } = await startWorld(t)
  const run = async (): Promise<void> => {
    await using lock = await client.acquire('told')
    keeper.last.lose()
    lock.assertHeld()
  }
  await t.rejects(run(), { name: 'HoldfastError', code: 'lock_lost' })
})

t.test('a deadline that has passed is seen before any timer fires', async (t) => {
  const { client, keeper } = await startWorld(t)
  const lock = await client.acquire('slept')
  keeper.last.runOut()
  t.equal(lock.signal.aborted, true, 'whoever asks for the signal finds it aborted')
  t.throws(() => lock.assertHeld(), { code: 'lock_lost' })
})

t.test('a lock that had ended before is told as lost by its release, once', async (t) => {
  const { client, member, sent } = await startWorld(t)
  const session = await client.session()
  const lock = await session.acquire('taken away')
  await member.app.inject({ method: 'DELETE', url: `/v1/sessions/${session.id}` })
  await t.rejects(lock.release(), { code: 'lock_lost', cause: { code: 'token_stale' } })
  const before = sent.length
  await lock.release()
  t.equal(sent.length, before)
})

t.test('who waits too long is told so, and nothing is left in line', async (t) => {
  const { client, other, free, queued } = await startWorld(t)
  const holder = await other().acquire('busy')
  await t.rejects(client.acquire('busy', { waitMs: 0 }), {
    code: 'lock_held',
    details: { holders: [{ owner: 'tester' }] },
  })
  await t.rejects(client.acquire('busy', { waitMs: 20 }), { code: 'wait_timeout' })
  await queued('busy', 0)
  await holder.release()
  await free('busy')
})

t.test('a wait that was given up leaves nothing in the store', async (t) => {
  const { client, other, free, queued } = await startWorld(t)
  const holder = await other().acquire('given up')
  const abort = new AbortController()
  const waiting = client.acquire('given up', { signal: abort.signal })
  await queued('given up', 1)
  abort.abort(new Error('enough'))
  await t.rejects(waiting, { code: 'aborted', cause: { message: 'enough' } })
  await queued('given up', 0)
  await holder.release()
  await free('given up')
})

t.test('an abort that comes when the grant is already answered gives the lock back', async (t) => {
  const { client, keeper, free, meddle, holders } = await startWorld(t)
  const abort = new AbortController()
  meddle(async ({ path }, go) => {
    const answer = await go()
    if (path.endsWith('/acquire')) abort.abort()
    return answer
  })
  await t.rejects(client.acquire('crossed', { signal: abort.signal }), { code: 'aborted' })
  await free('crossed')
  t.equal(keeper.kept.length, 0)
  t.same(await holders('crossed'), [])
})

t.test('an abort at any later moment before the lock is in hand does not leak it', async (t) => {
  const { client, keeper, free, meddle, sent } = await startWorld(t)
  for (let ticks = 0; ticks < 12; ticks++) {
    const abort = new AbortController()
    meddle(async ({ path }, go) => {
      const answer = await go()
      if (path.endsWith('/acquire')) void inTicks(ticks, () => abort.abort())
      return answer
    })
    try {
      // Taken in time: it is the caller's.
      await (await client.acquire('any tick', { signal: abort.signal })).release()
    } catch (error) {
      t.match(error, { code: 'aborted' })
    }
    await free('any tick')
    t.equal(keeper.kept.length, 0)
  }
  t.ok(sent.length > 0)
})

async function inTicks(count: number, run: () => void): Promise<void> {
  for (let tick = 0; tick < count; tick++) await Promise.resolve()
  run()
}

t.test('a grant whose answer came too late is given back and asked anew', async (t) => {
  const { client, meddle, keeper, holders } = await startWorld(t)
  let late = 2
  const tokens: unknown[] = []
  meddle(async ({ path }, go) => {
    const answer = await go()
    if (!path.endsWith('/acquire') || !isGrant(answer.body)) return answer
    tokens.push(answer.body.token)
    // As if it had been on its way for longer than it is worth.
    return late-- > 0 ? { ...answer, body: { ...answer.body, validForMs: 1000 } } : answer
  })
  const lock = await client.acquire('late', { waitMs: 5000 })
  t.equal(tokens.length, 3)
  t.equal(lock.token, tokens[2])
  t.equal(keeper.leases.length, 1, 'nothing else was ever kept')
  t.same(await holders('late'), ['tester'])
  lock.assertHeld()
})

t.test('when every answer comes too late there is no lock', async (t) => {
  const { client, meddle, keeper, free } = await startWorld(t)
  meddle(async (_, go) => {
    const answer = await go()
    return isGrant(answer.body) ? { ...answer, body: { ...answer.body, validForMs: 0 } } : answer
  })
  await t.rejects(client.acquire('too late', { waitMs: 0, timeoutMs: 50 }), { code: 'lock_lost' })
  meddle(null)
  await free('too late')
  t.equal(keeper.leases.length, 0)
})

function isGrant(body: unknown): body is { readonly token: number; readonly validForMs: number } {
  return typeof body === 'object' && body !== null && 'validForMs' in body && 'token' in body
}

t.test('a try finds it free, or tells that it is held', async (t) => {
  const { client, other } = await startWorld(t)
  const lock = await client.tryAcquire('tried')
  t.ok(lock)
  t.equal(await other().tryAcquire('tried'), null)
  t.equal(await other().tryAcquire('tried', { retry: { attempts: 3, minMs: 1, maxMs: 2 } }), null)
  await lock?.release()
  t.ok(await other().tryAcquire('tried'))
})

t.test('tries go on until the lock is free, and each is one call', async (t) => {
  const { client, other, sent, meddle } = await startWorld(t)
  const holder = await other().acquire('tried again')
  let tries = 0
  meddle(async ({ path }, go) => {
    if (path.endsWith('/acquire') && ++tries === 4) await holder.release()
    return go()
  })
  const before = sent.filter((call) => call.endsWith('/acquire')).length
  const lock = await client.tryAcquire('tried again', { retry: { attempts: 10, minMs: 1, maxMs: 3 } })
  t.ok(lock)
  t.equal(sent.filter((call) => call.endsWith('/acquire')).length - before, 4)
})

t.test('a pause between tries ends with the signal, and what is not a refusal is told at once', async (t) => {
  const { client, other, meddle } = await startWorld(t)
  await other().acquire('pause')
  const abort = new AbortController()
  let tries = 0
  meddle(async (_, go) => {
    tries++
    const answer = await go()
    setImmediate(() => abort.abort())
    return answer
  })
  const retry = { attempts: 5, minMs: 1e9, maxMs: 1e9 }
  await t.rejects(client.tryAcquire('pause', { retry, signal: abort.signal }), { code: 'aborted' })
  t.equal(tries, 1)
})

t.test('what makes no sense is refused before anything is sent', async (t) => {
  const { client, sent } = await startWorld(t)
  const wrong = { code: 'invalid_option' }
  await t.rejects(client.acquire(''), wrong)
  await t.rejects(client.acquire('..', { waitMs: Infinity }), wrong)
  await t.rejects(client.acquire('x', { waitMs: -1 }), wrong)
  await t.rejects(client.acquire('x', { waitMs: Number.NaN }), wrong)
  await t.rejects(client.acquire('x', { ttlMs: 999 }), wrong)
  await t.rejects(client.acquire('x', { metadata: { text: 'x'.repeat(5000) } }), wrong)
  await t.rejects(client.acquire('x', { timeoutMs: 0 }), wrong)
  await t.rejects(client.tryAcquire('x', { retry: { attempts: 0 } }), wrong)
  await t.rejects(client.tryAcquire('x', { retry: { attempts: 2, minMs: 5, maxMs: 1 } }), wrong)
  await t.rejects(
    client.withLock('x', { minHoldMs: -1 }, () => 1),
    wrong,
  )
  await t.rejects(client.session({ ttlMs: 1.5 }), wrong)
  t.throws(() => client.elect('x', { value: 1n }), wrong)
  t.throws(() => client.elect('.', {}), wrong)
  t.same(sent, [])
})

t.test('errors are known as those of this package, and narrow by their codes', async (t) => {
  const { client } = await startWorld(t)
  const error: unknown = await client.acquire('').catch((error: unknown) => error)
  t.ok(error instanceof HoldfastError)
  t.ok(isHoldfastError(error) && error.code === 'invalid_option')
})
