import { randomUUID } from 'node:crypto'
import t from 'tap'
import { call, lockUrl } from '../support/cluster-client.ts'
import type { HttpAnswer } from '../support/cluster-client.ts'
import { violationsIn } from '../support/cluster-history.ts'
import type { Grant } from '../support/cluster-history.ts'
import { ProcessCluster } from '../support/cluster-processes.ts'
import { HistoryRecorder } from '../linearizability/recorder.ts'

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

/** The run goes on for so long, and until so much has happened, however slow the machine is. */
const atLeast = { ms: 8000, grants: 100, faults: 2 }
const clients = 6
const locks = ['x', 'y', 'z']

t.test('S1 S2 S3 a random run with kills and pauses keeps the promises', async (t) => {
  const cluster = await ProcessCluster.start(t, 3)
  const run = new Run()
  const working = Array.from({ length: clients }, () => work(cluster, run))
  await disturb(cluster, run)
  await Promise.all(working)
  t.same(violationsIn(run.history), [])
  const { broken, undecided } = run.calls.judge(1_000_000)
  t.same(broken, [], 'S6: one order explains every answer')
  t.equal(undecided, 0)
  t.comment(`${run.history.length} grants, ${run.faults} faults`)
})

class Run {
  readonly history: Grant[] = []
  /** Everything that was called and answered. No TTL ends in a run. */
  readonly calls = new HistoryRecorder(() => performance.now())
  faults = 0
  readonly #endAt = performance.now() + atLeast.ms

  get isOver(): boolean {
    const hasHappened = this.history.length >= atLeast.grants && this.faults >= atLeast.faults
    return hasHappened && performance.now() >= this.#endAt
  }
}

/** Takes and releases locks at any node until the run is over. */
async function work(cluster: ProcessCluster, run: Run): Promise<void> {
  while (!run.isOver) {
    const lock = pick(locks)
    const requestId = randomUUID()
    if (Math.random() < 0.3) await look(cluster, run, lock)
    const acquire = run.calls.acquire(lock)
    const sentAt = performance.now()
    const granted = await insist(cluster, (url) =>
      call(lockUrl(url, lock, 'acquire'), { body: { requestId, waitMs: 2000, ttlMs: 600_000 } }),
    )
    const { token } = granted.body
    if (granted.status === 423) acquire.answered({ kind: 'acquire', token: 'refused' })
    if (granted.status !== 200 || typeof token !== 'number') continue
    acquire.answered({ kind: 'acquire', token })
    const answeredAt = performance.now()
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
    const returning = run.calls.release(lock, token)
    const releasedAt = performance.now()
    const { status, body } = await insist(cluster, (url) => call(lockUrl(url, lock, 'release'), { body: { token } }))
    const release = status === 200 ? 'released' : `${String(body['code'])} ${String(body['endedBy'])}`
    returning.answered({ kind: 'release', token, said: status === 200 ? 'released' : 'stale' })
    run.history.push({ lock, token, requestId, sentAt, answeredAt, releasedAt, release })
  }
}

/** Asks any node who holds the lock. */
async function look(cluster: ProcessCluster, run: Run, lock: string): Promise<void> {
  const called = run.calls.look(lock)
  const { body } = await insist(cluster, (url) => call(`${url}/v1/locks/${lock}`, { method: 'GET' }))
  const { holders } = body
  if (!Array.isArray(holders)) throw new Error('a lock without a list of holders')
  const [holder]: readonly { readonly token: number }[] = holders
  called.answered({ kind: 'read', said: holder?.token ?? null })
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

/** Kills or pauses a node, one at a time. All run when it returns. */
async function disturb(cluster: ProcessCluster, run: Run): Promise<void> {
  while (!run.isOver) {
    // Every other time it is the one that hurts most.
    const node = run.faults % 2 === 0 ? await cluster.leader() : pick(cluster.nodes)
    if (Math.random() < 0.7) {
      await node.kill()
      node.start()
    } else {
      node.signal('SIGSTOP')
      await new Promise((resolve) => setTimeout(resolve, 1000))
      node.signal('SIGCONT')
    }
    await node.ready()
    run.faults++
  }
}

function pick<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)]
  if (item === undefined) throw new Error('there is nothing to pick from')
  return item
}
