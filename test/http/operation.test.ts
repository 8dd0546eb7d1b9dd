import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
import { defaultKeeping } from '../../src/node/keeping.ts'
import { acquire, eventually, get, isProblem, openSession, post } from './calling.ts'
import type { Body } from './calling.ts'
import { createNode, serve, startOneMember } from './one-member.ts'

t.test('the cluster is shown as the node sees it', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  const { status, body } = await get(member.app, '/v1/cluster')
  t.equal(status, 200)
  t.match(body, {
    clusterId: /^[0-9a-f]{32}$/,
    self: 'n1',
    leader: 'n1',
    term: 1,
    members: [
      {
        id: 'n1',
        httpUrl: 'http://127.0.0.1:7101',
        peerUrl: 'tcp://127.0.0.1:7201',
        role: 'leader',
        incarnation: /^[0-9a-f]{32}$/,
        reachable: true,
      },
    ],
    commitIndex: Number,
    appliedIndex: Number,
    clusterTimeMs: Number,
    log: { firstIndex: 1, lastIndex: Number, bytes: Number },
    digest: null,
  })
  t.match(body['members'], [{ matchIndex: body['commitIndex'] }])
})

/** Where the log of that view begins. */
function firstIndexOf({ log }: Body): number {
  return typeof log === 'object' && log !== null && 'firstIndex' in log ? Number(log.firstIndex) : 0
}

t.test('S7 the digest of the last checkpoint is shown, and where the log begins behind it', async (t) => {
  const keeping = { ...defaultKeeping, entries: 10, tailBytes: 0 }
  const member = await startOneMember({}, { keeping })
  t.teardown(() => member[Symbol.asyncDispose]())
  const shown = await eventually(async () => {
    const session = await openSession(member.app)
    await acquire(member.app, 'a', { session })
    const { body } = await get(member.app, '/v1/cluster')
    return firstIndexOf(body) > 1 ? body : null
  })
  t.match(shown, { digest: { index: Number, value: /^[0-9a-f]{12}$/, agreeing: ['n1'], differences: 0 } })
})

t.test('a member that has its disk already needs no other, and one that leads takes none', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  const incarnation = member.node.incarnationOf(asNodeId('n1'))
  const replace = (id: string, disk: string | null) =>
    post(member.app, `/v1/cluster/members/${id}/replace`, { incarnation: disk })
  t.same((await replace('n1', incarnation)).body, { member: 'n1', incarnation })
  isProblem(t, await replace('n1', 'f'.repeat(32)), 'not_found')
  isProblem(t, await replace('n9', 'f'.repeat(32)), 'not_found')
})

t.test('leadership is handed over to whom it may be', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  t.same((await post(member.app, '/v1/cluster/transfer', { to: 'n1' })).body, { leader: 'n1' })
  isProblem(t, await post(member.app, '/v1/cluster/transfer', { to: 'n9' }), 'invalid_request', { field: 'to' })
  // There is nobody else to take it.
  isProblem(t, await post(member.app, '/v1/cluster/transfer'), 'outcome_unknown')
})

t.test('a node whose cluster is not founded is healthy, not ready, and does nothing', async (t) => {
  const app = await serve(createNode())
  t.teardown(() => app.close())
  t.same((await get(app, '/healthz')).body, { status: 'ok' })
  const detail = /not founded/
  isProblem(t, await get(app, '/readyz'), 'no_leader', { detail })
  isProblem(t, await acquire(app, 'a', { requestId: 'early-0123456789' }), 'no_leader', {
    detail,
    requestId: 'early-0123456789',
  })
  isProblem(t, await get(app, '/v1/locks/a'), 'no_leader', { detail })
  isProblem(t, await get(app, '/v1/locks/a?consistency=stale'), 'no_leader', { detail })
  isProblem(t, await post(app, '/v1/cluster/transfer'), 'no_leader', { detail })
  t.match((await get(app, '/v1/cluster')).body, {
    clusterId: null,
    leader: null,
    members: [{ id: 'n1', role: 'unknown', matchIndex: null }],
  })
  t.match((await get(app, '/metrics')).text, /^holdfast_has_leader 0$/m)
})

t.test('a node that serves is healthy and ready; one that stops is healthy and not ready', async (t) => {
  const { app, node } = await startOneMember()
  t.same((await get(app, '/readyz')).body, { ready: true })
  await acquire(app, 'a')
  const session = await openSession(app)
  const pending = [
    acquire(app, 'a', { session, waitMs: 60_000, requestId: 'w' }),
    acquire(app, 'a', { waitMs: 60_000, requestId: 'alone-0123456789' }),
  ] as const
  while (node.replica?.calls.queued !== 2) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise<void>((resolve) => node.stop(resolve))

  // A wait with a session keeps its place and is told so; of any other this node knows nothing any more.
  const [withSession, alone] = await Promise.all(pending)
  t.equal(withSession.status, 202)
  t.match(withSession.body, { lock: 'a', session, requestId: 'w', position: 1 })
  isProblem(t, alone, 'outcome_unknown', { requestId: 'alone-0123456789' })

  t.equal((await get(app, '/healthz')).status, 200)
  isProblem(t, await get(app, '/readyz'), 'no_leader', { detail: 'stopping' })
  isProblem(t, await acquire(app, 'b'), 'no_leader', { detail: 'stopping' })
  isProblem(t, await get(app, '/v1/locks/b'), 'no_leader', { detail: 'stopping' })
  await app.close()
})

t.test('the figures of the node are shown as Prometheus text', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  const { app } = member
  const session = await openSession(app)
  await acquire(app, 'a', { session })
  await acquire(app, 'a')
  await acquire(app, 'a', { session, waitMs: 1000, pollMs: 0, requestId: 'w' })
  await acquire(app, 'a', { waitMs: -1 })
  const { status, text, headers } = await get(app, '/metrics')
  t.equal(status, 200)
  t.match(headers['content-type'], 'text/plain')
  t.match(headers['holdfast-index'], /^\d+$/)
  const lines = text.split('\n')
  for (const line of [
    'holdfast_is_leader 1',
    'holdfast_ready 1',
    'holdfast_term 1',
    'holdfast_sessions 1',
    'holdfast_held 1',
    'holdfast_waiting 1',
    'holdfast_calls_open 0',
    'holdfast_calls_total{call="acquire",said="ok"} 1',
    'holdfast_calls_total{call="acquire",said="waiting"} 1',
    'holdfast_calls_total{call="acquire",said="lock_held"} 1',
    'holdfast_calls_total{call="unread",said="invalid_request"} 1',
    'holdfast_call_seconds_count{call="acquire"} 3',
    'holdfast_call_seconds_bucket{call="acquire",le="+Inf"} 3',
    '# TYPE holdfast_call_seconds histogram',
    '# TYPE holdfast_log_writes_total counter',
  ]) {
    t.ok(lines.includes(line), line)
  }
  for (const name of [
    'commit_index',
    'applied_index',
    'log_writes_total',
    'entries_proposed_total',
    'commands_proposed_total',
  ]) {
    const value = Number(lines.find((line) => line.startsWith(`holdfast_${name} `))?.split(' ')[1])
    t.ok(value > 0, `${name} ${value}`)
  }
  t.equal(lines.filter((line) => /^[a-z]/.test(line) && !/^(holdfast_)/.test(line)).length, 0)
})

t.test('a histogram counts every call in all buckets above it', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  for (let i = 0; i < 5; i++) await get(member.app, '/v1/locks/a')
  const { text } = await get(member.app, '/metrics')
  const counts = [...text.matchAll(/^holdfast_call_seconds_bucket\{call="read_lock",le="[^"]+"\} (\d+)$/gm)].map(
    ([, count]) => Number(count),
  )
  t.same(
    counts,
    [...counts].sort((a, b) => a - b),
  )
  t.equal(counts.at(-1), 5)
})
