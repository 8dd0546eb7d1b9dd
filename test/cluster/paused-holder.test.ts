import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster } from '../support/cluster-processes.ts'

const program = resolve(fileURLToPath(import.meta.url), '../../support/cluster-holder.js')

t.test('a holder that is paused past its TTL has lost the lock, and is told so at everything it tries', async (t) => {
  const cluster = await ProcessCluster.start(t, 3)
  const [a, b, c] = cluster.nodes
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are three nodes')
  const ttlMs = 2000
  const holder = spawn(process.execPath, [program, a.url, 'paused', String(ttlMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => holder.kill('SIGKILL'))
  const lines = createInterface(holder.stdout)[Symbol.asyncIterator]()
  const heard = async (): Promise<unknown> => JSON.parse((await lines.next()).value ?? 'null')

  const { held } = (await heard()) as { readonly held: number }
  // It keeps the lock for longer than its TTL while it runs.
  t.equal(
    (await call(lockUrl(b.url, 'paused', 'acquire'), { body: { waitMs: 2 * ttlMs } })).body['code'],
    'wait_timeout',
  )
  const next = call(lockUrl(b.url, 'paused', 'acquire'), { body: { waitMs: 60_000 } })
  holder.kill('SIGSTOP')
  const token = tokenIn(await next)
  t.ok(token > held)
  const checked = await call(lockUrl(c.url, 'paused', 'check'), { body: { token: held } })
  t.equal(checked.body['valid'], false)
  t.equal((await call(lockUrl(c.url, 'paused', 'check'), { body: { token } })).body['valid'], true)

  const exited = once(holder, 'exit')
  holder.kill('SIGCONT')
  t.same(await heard(), { lost: 'session_ended' })
  t.same(await heard(), { released: 412, code: 'token_stale', endedBy: 'expired' })
  t.same(await exited, [0, null])
  // It took nothing from the holder of now.
  t.equal((await call(lockUrl(a.url, 'paused', 'release'), { body: { token } })).status, 200)
})
