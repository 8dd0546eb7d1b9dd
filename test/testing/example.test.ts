// The example of src/testing/README.md, as it stands there.
import t from 'tap'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LockClient } from '../../src/client/index.ts'
import { TestCluster } from '../../src/testing/index.ts'

type Load = (file: string, token: number) => Promise<void>

async function importAll(client: LockClient, files: readonly string[], load: Load): Promise<number> {
  return client.withLock('import', async ({ signal, token }) => {
    let loaded = 0
    for (const file of files) {
      if (signal.aborted) break
      await load(file, token)
      loaded++
    }
    return loaded
  })
}

t.test('an import that has lost its lock stops', async (t) => {
  await using cluster = await TestCluster.start({ time: 'virtual' })
  const loaded: string[] = []
  const load: Load = async (file) => {
    loaded.push(file)
    if (file === 'b') await cluster.loseLock('import')
  }
  await t.rejects(importAll(cluster.client(), ['a', 'b', 'c'], load), { code: 'lock_lost' })
  t.same(loaded, ['a', 'b'])
})

t.test('an import that keeps its lock loads everything', async (t) => {
  await using cluster = await TestCluster.start({ time: 'virtual', nodes: 1 })
  t.equal(await importAll(cluster.client(), ['a', 'b', 'c'], async () => {}), 3)
})

t.test('the README shows what is tested here', async (t) => {
  const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
  const readme = readFileSync(join(root, 'src/testing/README.md'), 'utf8')
  const test = readFileSync(join(root, 'test/testing/example.test.ts'), 'utf8')
  const [, work] = /export (async function importAll[\s\S]*?\n}\n)/.exec(readme) ?? []
  const [, body] = /(  await using cluster[\s\S]*?)  await assert/.exec(readme) ?? []
  t.ok(work !== undefined && test.includes(work))
  t.ok(body !== undefined && test.includes(body))
})
