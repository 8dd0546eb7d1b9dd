// What virtual time promises: it stands still by itself, minutes pass at once, and everything due has happened, in order
// and the same in every run, when `advance` resolves.
import t from 'tap'
import { TestCluster } from '../../src/testing/index.ts'

t.test('calls are answered while time stands still', async (t) => {
  await using cluster = await TestCluster.start({ time: 'virtual' })
  const before = cluster.now()
  const lock = await cluster.client().acquire('a')
  const session = await cluster.client().session()
  await (await session.acquire('b')).release()
  await lock.release()
  await session.close()
  t.equal(cluster.now(), before)
})

t.test('a lock is kept for ten minutes by its renewals', async (t) => {
  await using cluster = await TestCluster.start({ time: 'virtual', nodes: 1 })
  const lock = await cluster.client().acquire('a')
  await cluster.advance(600_000)
  lock.assertHeld()
  t.notOk(lock.signal.aborted)
  t.ok(lock.remainingMs() > 15_000)
})

t.test('when advance resolves, who was next has the lock and has acted on it', async (t) => {
  await using cluster = await TestCluster.start({ time: 'virtual' })
  const holder = await cluster.client().acquire('a', { ttlMs: 30_000 })
  const acts: string[] = []
  holder.signal.addEventListener('abort', () => acts.push('aborted'))
  const worker = cluster.client().withLock('a', async ({ token }) => {
    await Promise.resolve()
    acts.push(`worked with ${token > holder.token}`)
  })
  await cluster.pauseHolder(holder)
  await cluster.advance(29_000)
  t.same(acts, [])
  // TTL, at most a second of cluster time behind, and nothing else.
  await cluster.advance(2_500)
  t.same(acts, ['worked with true'])
  await worker
})

t.test('what is asked before advance is under way when time begins to pass', async (t) => {
  await using cluster = await TestCluster.start({ time: 'virtual' })
  const holder = await cluster.client().acquire('a')
  const client = cluster.client()
  const begun = cluster.now()
  let outcome = ''
  client.acquire('a', { waitMs: 5000 }).catch((error: { code: string }) => {
    outcome = error.code
    // Not at the end of `advance` only.
    t.ok(cluster.now() - begun <= 5100, `heard after ${cluster.now() - begun} ms`)
  })
  await cluster.advance(4000)
  t.equal(outcome, '')
  await cluster.advance(2500)
  t.equal(outcome, 'wait_timeout')
  await holder.release()
})

t.test('the same test takes the same course in every run', async (t) => {
  t.same(await course(), await course())
})

/** A small story, and when everything in it happened. */
async function course(): Promise<string[]> {
  await using cluster = await TestCluster.start({ time: 'virtual' })
  const events: string[] = []
  const note = (what: string): void => void events.push(`${cluster.now()} ${what}`)
  note(`${cluster.leader} leads`)
  for (const worker of ['a', 'b', 'c']) {
    const client = cluster.client({ ttlMs: 10_000, owner: worker })
    void client
      .withLock('job', async ({ token, signal }) => {
        note(`${worker} has token ${token}`)
        signal.addEventListener('abort', () => note(`${worker} lost it`))
        if (worker === 'a') await new Promise((resolve) => signal.addEventListener('abort', resolve))
      })
      .catch((error: unknown) => note(`${worker}: ${String(error)}`))
    await cluster.advance(100)
  }
  const cut = cluster.partition([cluster.leader ?? ''])
  await cluster.advance(20_000)
  note(`${cluster.leader} leads`)
  await cluster.loseLock('job')
  await cut.heal()
  await cluster.failover()
  note(`${cluster.leader} leads`)
  await cluster.advance(30_000)
  return events
}
