// Every verb of the kit as a test of somebody else would use it, on real and on virtual time.
import type { Test } from 'tap'
import type { Lock, LockClient } from '../../src/client/index.ts'
import { TestCluster } from '../../src/testing/index.ts'

/** Shared by the tests of both times. */
export function testVerbs(t: Test, time: 'real' | 'virtual'): void {
  t.test(`on ${time} time`, async (t) => {
    const cluster = await TestCluster.start({ time })
    t.teardown(() => cluster.stop())
    /** What takes a moment of real time takes no time on virtual time. */
    const soon = (): Promise<void> => cluster.advance(time === 'real' ? 20 : 0)
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo()) await cluster.advance(20)
    }
    let names = 0
    const newName = (): string => `lock ${++names}`

    t.test('a cluster answers clients of the kit and any other, at every node', async (t) => {
      t.equal(cluster.endpoints.length, 3)
      t.same(cluster.nodes, ['n1', 'n2', 'n3'])
      t.ok(cluster.nodes.includes(cluster.leader ?? ''))
      const name = newName()
      const lock = await cluster.client().acquire(name)
      for (const endpoint of cluster.endpoints) {
        const answer = await fetch(`${endpoint}/v1/locks/${encodeURIComponent(name)}`)
        t.match(await answer.json(), { holders: [{ token: lock.token }] })
      }
      await lock.release()
    })

    t.test('loseLock: the signal aborts, and then the next in line has the lock', async (t) => {
      const name = newName()
      const lost = await cluster.client().acquire(name)
      const order: string[] = []
      lost.signal.addEventListener('abort', () => order.push('lost'))
      const next = cluster.client().acquire(name)
      void next.then(() => order.push('granted'))
      await soon()
      t.same(order, [])
      await cluster.loseLock(lost)
      const granted = await next
      t.same(order, ['lost', 'granted'])
      t.ok(granted.token > lost.token)
      t.throws(() => lost.assertHeld(), { code: 'lock_lost' })
      t.equal(lost.remainingMs(), 0)
      granted.assertHeld()
      await granted.release()
    })

    t.test('loseLock by name: a lock of a session goes with the session', async (t) => {
      const name = newName()
      const session = await cluster.client().session()
      const lock = await session.acquire(name)
      const next = cluster.client().acquire(name)
      await soon()
      await cluster.loseLock(name)
      t.ok(lock.signal.aborted)
      t.ok(session.signal.aborted)
      await (await next).release()
    })

    t.test('loseLock of what nobody holds is an error', async (t) => {
      const name = newName()
      await t.rejects(cluster.loseLock(name), { message: /is not held/ })
      const lock = await cluster.client().acquire(name)
      await lock.release()
      await t.rejects(cluster.loseLock(lock), { message: /is not held under token/ })
    })

    t.test(
      'pauseHolder: nothing is renewed, another gets the lock, and the holder sees it when it goes on',
      async (t) => {
        const name = newName()
        const holder = await cluster.client().acquire(name, { ttlMs: 1000 })
        const next = standInLine(cluster.client(), name)
        // Longer than the TTL: it is renewed.
        await cluster.advance(1500)
        t.notOk(next.isGranted)
        holder.assertHeld()
        // Whoever asks the lock for its signal makes it look at the clock.
        const { signal } = holder
        const paused = await cluster.pauseHolder(name)
        await until(() => next.isGranted)
        t.notOk(signal.aborted, 'a process that is stopped notices nothing')
        paused.resume()
        await until(() => signal.aborted)
        t.throws(() => holder.assertHeld(), { code: 'lock_lost' })
        await (await next.lock).release()
      },
    )

    t.test('pauseHolder: whoever is paused for less than the TTL goes on holding', async (t) => {
      const holder = await cluster.client().acquire(newName(), { ttlMs: 3000 })
      const paused = await cluster.pauseHolder(holder)
      await cluster.advance(1000)
      paused.resume()
      await cluster.advance(3000)
      holder.assertHeld()
      t.notOk(holder.signal.aborted)
      await holder.release()
    })

    t.test('failover: another node leads, and who held a lock holds it still', async (t) => {
      for (const how of ['crash', 'handover'] as const) {
        const name = newName()
        const holder = await cluster.client().acquire(name)
        const next = standInLine(cluster.client(), name)
        const { leader } = cluster
        await cluster.failover({ how })
        t.not(cluster.leader, null)
        t.not(cluster.leader, leader, how)
        holder.assertHeld()
        t.notOk(next.isGranted)
        await holder.release()
        await until(() => next.isGranted)
        t.ok((await next.lock).token > holder.token)
        await (await next.lock).release()
      }
    })

    t.test('partition: a client that is cut off loses its lock before another gets it', async (t) => {
      const name = newName()
      const lonely = cluster.client()
      const holder = await lonely.acquire(name, { ttlMs: 1000 })
      const next = standInLine(cluster.client(), name)
      let wasLostAtGrant: boolean | null = null
      void next.lock.then(() => (wasLostAtGrant = holder.signal.aborted))
      const partition = cluster.partition([lonely])
      await until(() => next.isGranted)
      t.equal(wasLostAtGrant, true)
      await partition.heal()
      await (await next.lock).release()
      await (await lonely.acquire(name)).release()
    })

    t.test('partition: the majority goes on without the leader', async (t) => {
      const { leader } = cluster
      const partition = cluster.partition([leader ?? ''])
      await until(() => cluster.leader !== leader)
      const lock = await cluster.until(cluster.client().acquire(newName()))
      await partition.heal()
      t.not(cluster.leader, leader)
      lock.assertHeld()
      await lock.release()
    })

    t.test('partition of a party that there is not is an error', async (t) => {
      t.throws(() => cluster.partition(['n4']), { message: /n4 is no node/ })
    })

    t.test('onLost kill: the test goes on, and the client is gone', async (t) => {
      const name = newName()
      const endings: string[] = []
      const client = cluster.client({ onLost: 'kill', onProcessEnd: (how) => endings.push(how) })
      const holder = await client.acquire(name, { ttlMs: 1000 })
      const partition = cluster.partition([client])
      await until(() => endings.length > 0)
      t.same(endings, ['kill'])
      t.throws(() => holder.assertHeld())
      await partition.heal()
    })
  })
}

/** Stands in line for a lock. */
function standInLine(client: LockClient, name: string): { isGranted: boolean; lock: Promise<Lock> } {
  const waiting = { isGranted: false, lock: client.acquire(name) }
  waiting.lock.then(
    () => (waiting.isGranted = true),
    () => {},
  )
  return waiting
}
