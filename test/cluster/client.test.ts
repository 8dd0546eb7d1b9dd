// The client as users have it, threads and all, against real nodes that are killed under it.
import t from 'tap'
import { LockClient } from '../../src/client/index.ts'
import type { ClientOptions } from '../../src/client/index.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'

const cluster = await ProcessCluster.start(t, 3)
const endpoints = cluster.nodes.map(({ url }) => url)

function create(options: Partial<ClientOptions> = {}): LockClient {
  const client = new LockClient({ endpoints, ttlMs: 5000, ...options })
  t.teardown(() => client.close())
  return client
}

const queueLength = async (lock: string): Promise<number> => {
  const answer = await fetch(`${endpoints[0]}/v1/locks/${lock}`)
  const view: unknown = await answer.json()
  return typeof view === 'object' && view !== null && 'queueLength' in view ? Number(view.queueLength) : -1
}
const queued = (lock: string, count: number): Promise<true> =>
  until(`${count} wait for ${lock}`, async () => (await queueLength(lock)) === count)

t.test('a lock, a session and an office are kept for as long as they are held', async (t) => {
  await using client = create()
  const other = create()
  const lock = await client.acquire('kept')
  const session = await client.session()
  const inSession = await session.acquire('kept in a session')
  const office = await client.elect('kept office', { value: 7 }).elected()
  // All of them for longer than their TTL.
  await t.rejects(other.acquire('kept', { waitMs: 8000 }), { code: 'wait_timeout' })
  for (const held of [lock, session, inSession, office]) {
    held.assertHeld()
    t.equal(held.signal.aborted, false)
  }
  t.match(await other.leader('kept office'), { token: office.token, value: 7 })
})

t.test('waits, locks and offices outlive the leader of the cluster', async (t) => {
  // Long enough for any machine to elect another.
  const ttlMs = 60_000
  await using client = create({ ttlMs })
  const other = create({ ttlMs })
  const lock = await client.acquire('survivor')
  const election = client.elect('surviving office')
  const office = await election.elected()
  const waits = [other.acquire('survivor'), other.acquire('survivor', { waitMs: Infinity })]
  await queued('survivor', 2)
  const killed = await cluster.leader()
  await killed.kill()
  await cluster.leader()
  lock.assertHeld()
  await lock.release()
  // In line, one after the other.
  const first = await Promise.race(waits)
  t.ok(first.token > lock.token)
  await first.release()
  const [a, b] = await Promise.all(waits)
  t.ok(Math.max(a?.token ?? 0, b?.token ?? 0) > first.token)
  t.equal(office.signal.aborted, false)
  t.equal(election.office, office)
  killed.start()
  await killed.ready()
  await Promise.all([a?.release(), b?.release()])
})

t.test('work under a lock is stopped in time when the cluster is gone, and nothing hangs', async (t) => {
  const client = create({ ttlMs: 2000, timeoutMs: 1500 })
  const working = client.withLock('cut off', async ({ lock, signal }) => {
    for (const node of cluster.nodes) node.signal('SIGSTOP')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    t.equal(lock.remainingMs(), 0)
    return 'too late'
  })
  await t.rejects(working, { code: 'lock_lost' })
  await t.rejects(client.tryAcquire('cut off'), { name: 'HoldfastError' })
  const { unconfirmed } = await client.close({ timeoutMs: 500 })
  for (const { what } of unconfirmed) t.equal(what, 'request')
  for (const node of cluster.nodes) node.signal('SIGCONT')
  await cluster.leader()
  const after = create()
  await (await after.acquire('cut off')).release()
})
