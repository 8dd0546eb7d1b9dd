// Who and what a cluster does not let in, and with which word it ends a process that must not take part.
import { rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import type { Test } from 'tap'
import { exitCodes } from '../../src/exit-codes.ts'
import type { Ending } from '../../src/exit-codes.ts'
import { asIndex, asClusterId, asIncarnation, asNodeId, asRun } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import { FoundingFile } from '../../src/storage/founding-store.ts'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ClusterNode, freePort, ProcessCluster, until } from '../support/cluster-processes.ts'

const cluster = await ProcessCluster.start(t, 3)
const [n1, n2, n3] = cluster.nodes
if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('there are three nodes')

async function endsAs(t: Test, node: ClusterNode, ending: Ending): Promise<void> {
  t.equal(await node.exited(), exitCodes[ending].code, ending)
  t.match(node.log.trimEnd().split('\n').at(-1), new RegExp(`^holdfast: ${ending}: \\S`))
}

/** A second process with the place of `node` that leaves what the first one has alone. */
function doubleOf(node: ClusterNode, name: string): ClusterNode {
  const { httpPort, peerPort } = node.place
  return new ClusterNode({ id: node.id, httpPort, peerPort }, cluster.members, cluster.folder, name)
}

t.test('a second process on the same data is refused, and does not disturb the first', async (t) => {
  const second = doubleOf(n1, 'second')
  second.start({ data: n1.folder })
  await endsAs(t, second, 'locked')
  t.match(second.log, /another Holdfast process has it open/)
  t.equal((await call(`${n1.url}/readyz`, { method: 'GET' })).status, 200)
})

t.test('an address that is in use ends the process with a word of its own, at either door', async (t) => {
  const atPeers = doubleOf(n1, 'peers-in-use')
  atPeers.start()
  await endsAs(t, atPeers, 'address_in_use')
  t.match(atPeers.log, String(n1.place.peerPort))
  const atHttp = doubleOf(n1, 'http-in-use')
  atHttp.start({ 'peer-listen': `127.0.0.1:${await freePort()}` })
  await endsAs(t, atHttp, 'address_in_use')
  t.match(atHttp.log, String(n1.place.httpPort))
})

t.test('flags that make no sense end the process at once', async (t) => {
  const wrong = doubleOf(n1, 'wrong-flags')
  wrong.start({ 'heartbeat-ms': 'often' })
  await endsAs(t, wrong, 'config')
  t.match(wrong.log, /--heartbeat-ms: "often"/)
})

t.test('garbage on the peer port closes the connection with one line in the log, and harms nothing', async (t) => {
  const before = linesAbout(n1)
  for (const [number, bytes] of [
    Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]),
    Buffer.alloc(64),
    Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 1, 2, 3, 4]),
  ].entries()) {
    await new Promise<void>((resolve) => {
      const socket = connect({ port: n1.place.peerPort, host: '127.0.0.1' }, () => socket.write(bytes))
      socket.on('error', () => {})
      socket.on('close', () => resolve())
    })
    await until('the log has a line', async () => linesAbout(n1) > before + number)
    t.equal(linesAbout(n1), before + number + 1)
  }
  const token = tokenIn(await call(lockUrl(n1.url, 'unharmed', 'acquire'), { body: {} }))
  t.equal((await call(lockUrl(n2.url, 'unharmed', 'release'), { body: { token } })).status, 200)
})

t.test('H27 a node whose disk was wiped is a stranger: it ends, and the others go on', async (t) => {
  const wiped = n2
  await wiped.kill()
  rmSync(wiped.folder, { recursive: true })
  wiped.start()
  await endsAs(t, wiped, 'stranger')
  const leader = await cluster.leader()
  const token = tokenIn(await call(lockUrl(leader.url, 'without-it', 'acquire'), { body: {} }))
  t.equal((await call(lockUrl(leader.url, 'without-it', 'release'), { body: { token } })).status, 200)
})

t.test('a node of another cluster is refused by name, and serves nothing here', async (t) => {
  const visitor = doubleOf(n3, 'visitor')
  await foundElsewhere(visitor)
  await n3.kill()
  visitor.start()
  await until('the refusal is in the log', async () => visitor.log.includes('foreign_cluster'))
  t.equal((await call(`${visitor.url}/readyz`, { method: 'GET' })).status, 503)
  t.equal((await call(lockUrl(visitor.url, 'a', 'acquire'), { body: {} })).body['code'], 'no_leader')
  await visitor.kill()
})

t.test('a node whose data contradicts itself ends instead of voting with it', async (t) => {
  rmSync(join(n3.folder, 'founding'))
  n3.start()
  await endsAs(t, n3, 'damaged')
  t.match(n3.log, /the founding file is missing/)
})

/** Gives the node data of a cluster that was founded by members of the same names. */
async function foundElsewhere(node: ClusterNode): Promise<void> {
  const members = cluster.nodes.map(({ id }, number) => ({
    id: asNodeId(id),
    incarnation: asIncarnation(String(number).repeat(32)),
  }))
  const incarnation = members.find(({ id }) => id === node.id)?.incarnation ?? asIncarnation('')
  const store = await openLevelLogStore(join(node.folder, 'log'))
  const founding = new FoundingFile(join(node.folder, 'founding'))
  const meta = { node: asNodeId(node.id), incarnation, run: asRun(1), counted: asIndex(0) }
  const written = promisify(store.write.bind(store))
  const nothing = { hardState: null, truncateFrom: null, entries: [], trimTo: null, installed: null, peers: null }
  await written({ ...nothing, meta: { ...meta, founded: false } })
  await promisify(founding.write.bind(founding))({
    clusterId: asClusterId('f'.repeat(32)),
    members,
    limits: { ...defaultLimits },
    restored: null,
  })
  await written({ ...nothing, meta: { ...meta, founded: true } })
  await store.close()
}

function linesAbout(node: ClusterNode): number {
  return node.log.split('\n').filter((line) => line.includes('not ours')).length
}
