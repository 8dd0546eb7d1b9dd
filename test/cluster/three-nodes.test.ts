import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import type { HttpAnswer } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'
import type { ClusterNode } from '../support/cluster-processes.ts'

const cluster = await ProcessCluster.start(t, 3)
const holderProgram = resolve(fileURLToPath(import.meta.url), '../../support/cluster-holder.js')

const acquire = (node: ClusterNode, lock: string, body: object = {}): Promise<HttpAnswer> =>
  call(lockUrl(node.url, lock, 'acquire'), { body })
const release = (node: ClusterNode, lock: string, token: number): Promise<HttpAnswer> =>
  call(lockUrl(node.url, lock, 'release'), { body: { token } })

/** Waits until `count` requests wait for the lock. */
function queued(node: ClusterNode, lock: string, count: number): Promise<true> {
  return until(`${count} wait for ${lock}`, async () => {
    const { body } = await call(`${node.url}/v1/locks/${lock}`, { method: 'GET' })
    return body['queueLength'] === count
  })
}

t.test('a lock is taken and released at every node, and tokens grow whichever is asked', async (t) => {
  let last = 0
  for (const node of [...cluster.nodes, ...cluster.nodes]) {
    const granted = await acquire(node, 'everywhere')
    t.ok(tokenIn(granted) > last)
    last = tokenIn(granted)
    const leader = await cluster.leader()
    t.equal(granted.headers['holdfast-leader'], leader.url)
    const other = cluster.nodes[(cluster.nodes.indexOf(node) + 1) % 3] ?? node
    t.equal((await release(other, 'everywhere', last)).status, 200)
  }
})

t.test('the figures of the process and of its event loop stand beside those of the node', async (t) => {
  const [node] = cluster.nodes
  const { text } = await call(`${node?.url}/metrics`, { method: 'GET' })
  for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds', 'holdfast_log_writes_total']) {
    t.match(text, new RegExp(`^${name} [0-9.e-]+$`, 'm'))
  }
  t.match(text, /^holdfast_peer_connected\{peer="n2"\} 1$/m)
})

t.test('a killed leader takes no wait with it: who queued at another node gets the lock', async (t) => {
  const killed = await cluster.leader()
  const [asked, other] = await cluster.followers()
  if (asked === undefined || other === undefined) throw new Error('three nodes have two followers')
  const holder = await acquire(killed, 'survivor')
  const first = acquire(asked, 'survivor', { waitMs: 100_000, owner: 'first' })
  await queued(asked, 'survivor', 1)
  const second = acquire(other, 'survivor', { waitMs: 100_000, owner: 'second' })
  await queued(asked, 'survivor', 2)

  await killed.kill()
  const released = await until('the lock is released', async () => {
    const answer = await release(asked, 'survivor', tokenIn(holder))
    return answer.status === 200 ? answer : null
  })
  t.equal(released.body['released'], true)
  const granted = tokenIn(await first)
  t.ok(granted > tokenIn(holder))
  // In the order of the queue, each with one token.
  await release(other, 'survivor', granted)
  t.ok(tokenIn(await second) > granted)

  killed.start()
  await killed.ready()
  const [old, present] = [await killed.view(), await asked.view()]
  await until(
    'the node that was killed has caught up',
    async () => ((await killed.view())?.appliedIndex ?? 0) >= (present?.appliedIndex ?? Infinity),
  )
  t.equal(old?.leader, (await cluster.leader()).id)
  t.match((await call(`${killed.url}/v1/locks/survivor`, { method: 'GET' })).body, { holders: [{ owner: 'second' }] })
})

t.test('a paused leader is replaced, and follows when it wakes', async (t) => {
  const paused = await cluster.leader()
  const [asked] = await cluster.followers()
  if (asked === undefined) throw new Error('there are followers')
  const before = tokenIn(await acquire(asked, 'paused'))
  // It sits at the paused leader, which knows nothing of what happens meanwhile.
  const atPaused = acquire(paused, 'paused', { waitMs: 100_000 })
  await queued(asked, 'paused', 1)
  paused.signal('SIGSTOP')
  await until('the lock is released', async () => (await release(asked, 'paused', before)).status === 200)
  const leader = await cluster.leader()
  t.not(leader.id, paused.id)
  paused.signal('SIGCONT')
  await until('it follows', async () => (await paused.view())?.leader === leader.id)
  // Granted while nobody could answer it: its client is told as soon as the node has seen it applied.
  const granted = await atPaused
  t.ok(
    granted.status === 200 ? tokenIn(granted) > before : granted.body['code'] === 'outcome_unknown',
    JSON.stringify(granted.body),
  )
})

t.test('leadership is handed over on request, at whichever node', async (t) => {
  const [asked, to] = await cluster.followers()
  if (asked === undefined || to === undefined) throw new Error('there are followers')
  const answer = await until('it is handed over', async () => {
    const answer = await call(`${asked.url}/v1/cluster/transfer`, { body: { to: to.id } })
    return answer.status === 200 ? answer : null
  })
  t.same(answer.body, { leader: to.id })
  t.equal((await cluster.leader()).id, to.id)
})

t.test('a holder that is paused past its TTL has lost the lock, and is told so at everything it tries', async (t) => {
  const [a, b, c] = cluster.nodes
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are three nodes')
  const ttlMs = 2000
  const holder = spawn(process.execPath, [holderProgram, a.url, 'paused-holder', String(ttlMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => holder.kill('SIGKILL'))
  const lines = createInterface(holder.stdout)[Symbol.asyncIterator]()
  const heard = async (): Promise<unknown> => JSON.parse((await lines.next()).value ?? 'null')

  const { held } = (await heard()) as { readonly held: number }
  // It keeps the lock for longer than its TTL while it runs.
  t.equal(
    (await call(lockUrl(b.url, 'paused-holder', 'acquire'), { body: { waitMs: 2 * ttlMs } })).body['code'],
    'wait_timeout',
  )
  const next = call(lockUrl(b.url, 'paused-holder', 'acquire'), { body: { waitMs: 60_000 } })
  holder.kill('SIGSTOP')
  const token = tokenIn(await next)
  t.ok(token > held)
  const checked = await call(lockUrl(c.url, 'paused-holder', 'check'), { body: { token: held } })
  t.equal(checked.body['valid'], false)
  t.equal((await call(lockUrl(c.url, 'paused-holder', 'check'), { body: { token } })).body['valid'], true)

  const exited = once(holder, 'exit')
  holder.kill('SIGCONT')
  t.same(await heard(), { lost: 'session_ended' })
  t.same(await heard(), { released: 412, code: 'token_stale', endedBy: 'expired' })
  t.same(await exited, [0, null])
  // It took nothing from the holder of now.
  t.equal((await call(lockUrl(a.url, 'paused-holder', 'release'), { body: { token } })).status, 200)
})
