// The orderly end of a node: nobody is left without an answer, and leadership does not have to time out.
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { exitCodes } from '../../src/exit-codes.ts'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'

const cluster = await ProcessCluster.start(t, 3)

t.test('a leader that stops hands over, answers who waits, and ends with 0', async (t) => {
  const leader = await cluster.leader()
  const [asked] = await cluster.followers()
  if (asked === undefined) throw new Error('there are followers')
  const held = tokenIn(await call(lockUrl(asked.url, 'stop', 'acquire'), { body: { ttlMs: 600_000 } }))
  const { session } = (await call(`${leader.url}/v1/sessions`, { body: { ttlMs: 600_000 } })).body
  const body = { session, requestId: 'w', waitMs: 600_000, pollMs: 200_000 }
  const waiting = call(lockUrl(leader.url, 'stop', 'acquire'), { body })
  const requestId = 'alone-0123456789abc'
  const alone = call(lockUrl(leader.url, 'stop', 'acquire'), { body: { requestId, waitMs: 200_000 } })
  await until(
    'both wait',
    async () => (await call(`${asked.url}/v1/locks/stop`, { method: 'GET' })).body['queueLength'] === 2,
  )

  t.equal(await leader.stop(), 0)
  const kept = await waiting
  t.equal(kept.status, 202)
  t.match(kept.body, { lock: 'stop', session, requestId: 'w', position: Number, queueLength: 2 })
  t.match((await alone).body, { code: 'outcome_unknown', requestId })
  t.match(leader.log, /"msg":"stopping"/)
  t.match(leader.log, /"msg":"stopped"/)

  // The place stays, and can be taken up at any node.
  const again = call(lockUrl(asked.url, 'stop', 'acquire'), { body })
  const next = await cluster.leader()
  t.not(next.id, leader.id)
  await until(
    'it is released',
    async () => (await call(lockUrl(next.url, 'stop', 'release'), { body: { token: held } })).status === 200,
  )
  const granted = await again
  t.equal(granted.body['sequence'], kept.body['sequence'])

  leader.start()
  await leader.ready()
})

t.test('connections that are kept, or sent half a request, do not hold a stop up', async (t) => {
  const [stopping] = await cluster.followers()
  if (stopping === undefined) throw new Error('there are followers')
  const { httpPort } = stopping.place
  const kept = connect({ port: httpPort, host: '127.0.0.1' })
  kept.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
  const half = connect({ port: httpPort, host: '127.0.0.1' })
  half.write('POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{')
  const closed = [kept, half].map((socket) => once(socket.on('error', () => {}).resume(), 'close'))
  await once(kept, 'data')
  stopping.signal('SIGINT')
  t.equal(await stopping.exited(), 0)
  await Promise.all(closed)
  stopping.start()
  await stopping.ready()
})

t.test('a second signal ends a stop that takes its time, with a code of its own', async (t) => {
  const leader = await cluster.leader()
  // With nobody to hand over to, the leader tries for a while.
  for (const node of cluster.nodes) if (node !== leader) node.signal('SIGSTOP')
  leader.signal('SIGTERM')
  await until('it stops', async () => /"msg":"stopping"/.test(leader.log))
  // What comes at the same moment is taken for the same signal.
  leader.signal('SIGTERM')
  const insisting = setInterval(() => leader.signal('SIGTERM'), 100)
  t.equal(await leader.exited(), exitCodes.stop_cut_short.code)
  clearInterval(insisting)
  t.match(leader.log.trimEnd().split('\n').at(-1), /^holdfast: stop_cut_short: .*second signal/)
  for (const node of cluster.nodes) if (node !== leader) node.signal('SIGCONT')
})

t.test('S3 what was acknowledged is there after all nodes were killed at once', async (t) => {
  const [a, b, c] = cluster.nodes
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are three nodes')
  const body = { ttlMs: 600_000, requestId: 'power-0123456789abc' }
  const granted = await until('it is granted', async () => {
    const answer = await call(lockUrl((await cluster.leader()).url, 'power', 'acquire'), { body })
    return answer.status === 200 ? answer : null
  })
  for (const node of cluster.nodes) node.signal('SIGKILL')
  await Promise.all(cluster.nodes.map((node) => node.exited()))
  for (const node of cluster.nodes) node.start()
  await Promise.all(cluster.nodes.map((node) => node.ready()))
  const token = tokenIn(granted)
  t.match((await call(`${b.url}/v1/locks/power`, { method: 'GET' })).body, { holders: [{ token }] })
  t.equal(tokenIn(await call(lockUrl(a.url, 'power', 'acquire'), { body })), token)
  t.equal((await call(lockUrl(c.url, 'power', 'release'), { body: { token } })).status, 200)
})
