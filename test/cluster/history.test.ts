import { randomUUID } from 'node:crypto'
import t from 'tap'
import { call, lockUrl } from '../support/cluster-client.ts'
import type { HttpAnswer } from '../support/cluster-client.ts'
import { violationsIn } from '../support/cluster-history.ts'
import type { Grant } from '../support/cluster-history.ts'
import { ProcessCluster } from '../support/cluster-processes.ts'

t.test('the checker finds what it is there for', (t) => {
  const good: Grant = {
    lock: 'a',
    token: 1,
    requestId: 'r1',
    sentAt: 0,
    answeredAt: 1,
    releasedAt: 2,
    release: 'released',
  }
  const next: Grant = { ...good, token: 2, requestId: 'r2', sentAt: 0, answeredAt: 3, releasedAt: 4 }
  t.same(violationsIn([good, next]), [])
  t.same(violationsIn([good, { ...next, lock: 'b', answeredAt: 1.5 }]), [])
  t.match(violationsIn([good, { ...next, answeredAt: 1.5 }]), [/^S1/])
  t.match(violationsIn([good, { ...next, token: 1 }]), [/^S2: 1 was given to r1 and r2/])
  t.match(
    violationsIn([
      { ...good, token: 3 },
      { ...next, sentAt: 2 },
    ]),
    [/^S2: 2 was given .* after 3/],
  )
  t.match(violationsIn([{ ...good, release: 'token_stale' }]), [/^S3/])
  t.end()
})

const runMs = 8000
const clients = 6
const locks = ['x', 'y', 'z']

t.test('S1 S2 S3 a random run with kills and pauses keeps the promises', async (t) => {
  const cluster = await ProcessCluster.start(t, 3)
  const history: Grant[] = []
  const endAt = performance.now() + runMs
  const working = Array.from({ length: clients }, () => work(cluster, history, endAt))
  const faults = await disturb(cluster, endAt)
  await Promise.all(working)
  t.same(violationsIn(history), [])
  t.comment(`${history.length} grants, ${faults} faults`)
  t.ok(history.length >= 100, `${history.length} grants`)
  t.ok(faults >= 2, `${faults} faults`)
})

/** Takes and releases locks at any node until the time is over. */
async function work(cluster: ProcessCluster, history: Grant[], endAt: number): Promise<void> {
  while (performance.now() < endAt) {
    const lock = pick(locks)
    const requestId = randomUUID()
    const sentAt = performance.now()
    const granted = await insist(cluster, (url) =>
      call(lockUrl(url, lock, 'acquire'), { body: { requestId, waitMs: 2000, ttlMs: 600_000 } }),
    )
    const { token } = granted.body
    if (granted.status !== 200 || typeof token !== 'number') continue
    const answeredAt = performance.now()
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
    const releasedAt = performance.now()
    const { status, body } = await insist(cluster, (url) => call(lockUrl(url, lock, 'release'), { body: { token } }))
    const release = status === 200 ? 'released' : `${String(body['code'])} ${String(body['endedBy'])}`
    history.push({ lock, token, requestId, sentAt, answeredAt, releasedAt, release })
  }
}

/** Repeats a call, at another node each time, until its answer is certain. */
async function insist(cluster: ProcessCluster, attempt: (url: string) => Promise<HttpAnswer>): Promise<HttpAnswer> {
  for (;;) {
    try {
      const answer = await attempt(pick(cluster.nodes).url)
      if (answer.status !== 503) return answer
    } catch {
      // The node is gone, or went away with the call.
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Kills or pauses a node, one at a time; how often. All run when it returns. */
async function disturb(cluster: ProcessCluster, endAt: number): Promise<number> {
  let faults = 0
  while (performance.now() < endAt) {
    // Every other time it is the one that hurts most.
    const node = faults % 2 === 0 ? await cluster.leader() : pick(cluster.nodes)
    if (Math.random() < 0.7) {
      await node.kill()
      node.start()
    } else {
      node.signal('SIGSTOP')
      await new Promise((resolve) => setTimeout(resolve, 1000))
      node.signal('SIGCONT')
    }
    await node.ready()
    faults++
  }
  return faults
}

function pick<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)]
  if (item === undefined) throw new Error('there is nothing to pick from')
  return item
}
