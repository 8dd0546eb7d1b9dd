import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { exitCodes } from '../../src/exit-codes.ts'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster } from '../support/cluster-processes.ts'
import type { ClusterNode } from '../support/cluster-processes.ts'

const jump = 10 ** 12

const old = await ProcessCluster.start(t, 3)
const file = join(old.folder, 'of-the-old.backup')
const [o1] = old.nodes
if (o1 === undefined) throw new Error('a cluster of three')
let session = ''
let lastToken = 0

async function acquire(node: ClusterNode, lock: string, body: object = {}): Promise<number> {
  return tokenIn(await call(lockUrl(node.url, lock, 'acquire'), { body }))
}

t.test('a backup is taken from a running node while others go on', async (t) => {
  session = String((await call(`${o1.url}/v1/sessions`, { body: { ttlMs: 600_000 } })).body['session'])
  await acquire(o1, 'held', { session })
  for (let n = 0; n < 50; n++) lastToken = await acquire(o1, `lock-${n}`, { ttlMs: 600_000 })
  const [answer, meanwhile] = await Promise.all([fetch(`${o1.url}/v1/backup`), acquire(o1, 'meanwhile', { session })])
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'application/octet-stream')
  t.match(answer.headers.get('content-disposition'), /^attachment; filename="holdfast-[0-9a-f]{8}-\d+\.backup"$/)
  t.match(answer.headers.get('holdfast-index'), /^\d+$/)
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()))
  lastToken = Math.max(lastToken, meanwhile)
})

t.test('a new cluster founded from it counts above it; old sessions and grants have ended', async (t) => {
  // The old one goes on counting: the jump is above anything it gives since.
  for (let n = 0; n < 20; n++) lastToken = await acquire(o1, `later-${n}`)
  const young = await ProcessCluster.prepare(t, 3)
  for (const node of young.nodes) node.start({ restore: file })
  await Promise.all(young.nodes.map((node) => node.ready()))
  const [y1, y2] = young.nodes
  if (y1 === undefined || y2 === undefined) throw new Error('a cluster of three')
  const ids = await Promise.all(
    [o1, y1, y2].map(async ({ url }) => (await call(`${url}/v1/cluster`, { method: 'GET' })).body['clusterId']),
  )
  t.not(ids[0], ids[1])
  t.equal(ids[1], ids[2])

  t.match(await call(`${y1.url}/v1/sessions/${session}/renew`, { body: {} }), {
    status: 410,
    body: { code: 'session_ended' },
  })
  t.match(await call(lockUrl(y2.url, 'held', 'check'), { body: { token: 1 } }), { body: { valid: false, holders: [] } })
  t.match(await call(lockUrl(y2.url, 'lock-1', 'release'), { body: { token: lastToken } }), {
    status: 412,
    body: { code: 'token_stale' },
  })
  const token = await acquire(y1, 'held')
  t.ok(token > jump && token > lastToken, `${token}`)

  // Started again by the same line, and without the file, it goes on.
  for (const node of young.nodes) await node.stop()
  y1.start({ restore: file })
  y2.start()
  await Promise.all([y1.ready(), y2.ready()])
  t.ok((await acquire(y2, 'other')) > token)
})

t.test('a node that belongs to a cluster is not restored over', async (t) => {
  await o1.stop()
  o1.start({ restore: file })
  t.equal(await o1.exited(), exitCodes.config.code)
  t.match(o1.log, /belongs to cluster [0-9a-f]{32} already/)
  o1.start()
  await o1.ready()
})
