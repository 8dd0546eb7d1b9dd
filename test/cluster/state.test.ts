// What a cluster of real processes keeps: every lock and token when all its nodes are killed at once, and through the loss of
// a disk, whose node is refused, replaced as its last line says, and brought up to date by a snapshot under load.
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { exitCodes } from '../../src/exit-codes.ts'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'
import type { ClusterNode } from '../support/cluster-processes.ts'

/** Checkpoints after a few entries, and hardly any log behind them. */
const often = { 'checkpoint-entries': '20', 'log-tail-bytes': '2000', 'log-level': 'info' }
const lockCount = 120

const cluster = await ProcessCluster.prepare(t, 3)
for (const node of cluster.nodes) node.start(often)
await Promise.all(cluster.nodes.map((node) => node.ready()))
const [n1, n2, n3] = cluster.nodes
if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('there are three nodes')

const opened = await call(`${n1.url}/v1/sessions`, { body: { ttlMs: 3_600_000 } })
const session = opened.body['session']
const tokens = new Map<string, number>()
for (let number = 0; number < lockCount; number++) {
  const lock = `kept-${number}`
  tokens.set(lock, tokenIn(await call(lockUrl(n1.url, lock, 'acquire'), { body: { session } })))
}

interface Kept {
  readonly log: { readonly firstIndex: number }
  readonly digest: { readonly index: number; readonly agreeing: readonly string[] } | null
}

async function kept(node: ClusterNode): Promise<Kept> {
  return (await call(`${node.url}/v1/cluster`, { method: 'GET' })).body as unknown as Kept
}

async function holders(node: ClusterNode): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>()
  for (const lock of tokens.keys()) {
    const { body } = await call(`${node.url}/v1/locks/${lock}`, { method: 'GET' })
    const [holder] = body['holders'] as readonly { readonly token: number }[]
    found.set(lock, holder?.token ?? 0)
  }
  return found
}

t.test('S7 checkpoints are made, equal on all members, and the log behind them goes', async (t) => {
  for (const node of cluster.nodes) {
    await until('all agree on a checkpoint', async () => (await kept(node)).digest?.agreeing.length === 3)
    await until('the log was trimmed', async () => (await kept(node)).log.firstIndex > 1)
  }
  t.pass()
})

t.test('S3 every lock and token is there when all nodes were killed at once', async (t) => {
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  for (const node of cluster.nodes) node.start(often)
  await Promise.all(cluster.nodes.map((node) => node.ready()))
  for (const node of cluster.nodes) t.same(await holders(node), tokens)
})

t.test('H28 a lost disk is replaced as the refusal says, and comes back by a snapshot under load', async (t) => {
  await n2.kill()
  rmSync(n2.folder, { recursive: true })
  n2.start(often)
  t.equal(await n2.exited(), exitCodes.stranger.code)
  const advice = n2.log.trimEnd().split('\n').at(-1) ?? ''
  const said = /POST http:\S+(\/v1\/cluster\/members\/n2\/replace) .*'({"incarnation":"[0-9a-f]{32}"})'/.exec(advice)
  t.ok(said, advice)
  const [, path = '', body = '{}'] = said ?? []

  const load = keepBusy(n1)
  t.equal((await call(`${n3.url}${path}`, { body: JSON.parse(body) })).status, 200)
  t.equal((await call(`${n1.url}${path}`, { body: JSON.parse(body) })).status, 200)
  n2.start(often)
  await n2.ready()
  t.ok((await load.stop()) > 0)
  t.match(n2.log, /a snapshot took the place of the state/)
  t.same(await holders(n2), tokens)
})

t.test('H28 the new disk counts: with it alone beside the leader there is a majority', async (t) => {
  const leader = await cluster.leader()
  const other = leader === n3 ? n1 : n3
  if (leader !== n2) await other.kill()
  const url = leader.url
  const token = await until('a grant', async () => {
    const granted = await call(lockUrl(url, 'with-it', 'acquire'), { body: { session } })
    return granted.status === 200 ? tokenIn(granted) : null
  })
  t.ok(token > Math.max(...tokens.values()))
  other.start(often)
  await other.ready()
})

t.test('H24 damage in the state costs only the state, also of a disk that came in place of a lost one', async (t) => {
  await n2.kill()
  const state = join(n2.folder, 'state')
  for (const file of readdirSync(state)) if (/\.(ldb|log)$/.test(file)) writeFileSync(join(state, file), 'rotten')
  n2.start(often)
  await n2.ready()
  t.match(n2.log, /"canServe":false/)
  t.same(await holders(n2), tokens)
  tokenIn(await call(lockUrl(n2.url, 'through-it', 'acquire'), { body: { session } }))
})

/** Acquires and releases one after the other, until it is stopped. */
function keepBusy(node: ClusterNode): { stop(): Promise<number> } {
  let [running, rounds] = [true, 0]
  const run = async (): Promise<number> => {
    while (running) {
      const granted = await call(lockUrl(node.url, `busy-${rounds++ % 7}`, 'acquire'), { body: { ttlMs: 5000 } })
      if (granted.status !== 200) continue
      await call(lockUrl(node.url, String(granted.body['lock']), 'release'), { body: { token: tokenIn(granted) } })
    }
    return rounds
  }
  const done = run()
  return {
    stop: () => {
      running = false
      return done
    },
  }
}
