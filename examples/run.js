// `npm run example NAME`: runs an example against the cluster of HOLDFAST_ENDPOINTS, or, without that, against one that it
// starts in this process and stops again. The programs of the examples know nothing of either: they use the package as
// any program does.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const folder = import.meta.dirname
const [name = ''] = process.argv.slice(2)
const start = ['start.js', 'start.sh'].map((file) => join(folder, name, file)).find((file) => existsSync(file))
if (name === '' || start === undefined) {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  process.stderr.write(`usage: npm run example NAME, one of: ${names.map((entry) => entry.name).join(', ')}\n`)
  process.exit(2)
}

const cluster = process.env.HOLDFAST_ENDPOINTS === undefined ? await startCluster() : null
const endpoints = process.env.HOLDFAST_ENDPOINTS ?? cluster.endpoints.join(',')
const program = start.endsWith('.js') ? process.execPath : 'bash'
const child = spawn(program, [start], { stdio: 'inherit', env: { ...process.env, HOLDFAST_ENDPOINTS: endpoints } })
process.exitCode = await new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
await cluster?.stop()

async function startCluster() {
  const { TestCluster } = await import('holdfast/testing')
  return TestCluster.start({ nodes: 3 })
}
