// What a stopped cluster leaves behind: nothing that keeps a process alive, and no call that is waited for in vain.
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TestCluster } from '../../src/testing/index.ts'

const kit = join(dirname(fileURLToPath(import.meta.url)), '../../src/testing/index.js')

for (const time of ['real', 'virtual'] as const) {
  t.test(`${time} time: a process ends by itself once its cluster is stopped`, async (t) => {
    const script = `
      import { TestCluster } from ${JSON.stringify(kit)}
      const cluster = await TestCluster.start({ time: '${time}' })
      const client = cluster.client()
      await client.acquire('held')
      await client.session()
      client.acquire('held').catch(({ code }) => console.log('waiting:', code))
      await fetch(cluster.endpoints[1] + '/healthz')
      cluster.partition([client])
      await cluster.pauseHolder('held')
      await cluster.stop()
      await cluster.stop()
      console.log('stopped')
    `
    const { NODE_OPTIONS: _, ...env } = process.env
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env })
    t.equal(child.stderr, '')
    t.equal(child.status, 0)
    t.match(child.stdout, /waiting: closed/)
    t.match(child.stdout, /stopped/)
  })
}

t.test('after the stop nobody listens at the endpoints', async (t) => {
  const cluster = await TestCluster.start({ nodes: 1 })
  const [endpoint = ''] = cluster.endpoints
  t.equal((await fetch(`${endpoint}/healthz`)).status, 200)
  await cluster.stop()
  await t.rejects(fetch(`${endpoint}/healthz`))
})
