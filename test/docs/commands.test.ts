// Everything that the documentation tells its reader to type does what it says, in the order in which it stands there.
// The pages speak of the cluster of `./cluster.sh` on its usual ports; here it has ports and data of its own.
import t from 'tap'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePortRange } from '../support/cluster-processes.ts'
import { blocksOf, root } from './pages.ts'
import type { Block } from './pages.ts'

// Each program is a process, of which there are many, on a machine that may be busy.
t.setTimeout(240_000)

/** The first brings the cluster up and takes it down again. */
const pages = ['docs/choosing.md', 'README.md', 'docs/getting-started.md']

const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
const httpBase = await freePortRange(3)
const environment = {
  ...process.env,
  HOLDFAST_HTTP_BASE: String(httpBase),
  HOLDFAST_PEER_BASE: String(await freePortRange(3)),
  HOLDFAST_FOLDER: folder,
  HOLDFAST_ENDPOINTS: [1, 2, 3].map((number) => `http://127.0.0.1:${httpBase + number}`).join(','),
  // A test runner's own loader is none of theirs.
  NODE_OPTIONS: '',
}
/** Programs stand inside of the package, so that they may import it by its name. */
const programs = join(root, 'build', 'docs-programs')

interface Ended {
  readonly code: number | null
  readonly said: string
}

function run(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()))
    child.once('exit', (code) => resolve({ code, said }))
  })
}

function runBlock({ page, line, language, text }: Block): Promise<Ended> {
  const here = text.replace(/127\.0\.0\.1:710(\d)/g, (_, number: string) => `127.0.0.1:${httpBase + Number(number)}`)
  if (language === 'sh') return run('bash', ['-euo', 'pipefail', '-c', here])
  const file = join(programs, `${page.replaceAll('/', '-')}-${line}.js`)
  writeFileSync(file, here)
  return run(process.execPath, [file])
}

t.before(async () => {
  mkdirSync(programs, { recursive: true })
  const { code, said } = await run('./cluster.sh', ['up'])
  if (code !== 0) throw new Error(`no cluster: ${said}`)
})

t.teardown(async () => {
  await run('./cluster.sh', ['wipe'])
  rmSync(folder, { recursive: true, force: true })
  rmSync(programs, { recursive: true, force: true })
})

for (const page of pages) {
  t.test(`what ${page} tells its reader to type works`, async (t) => {
    for (const block of blocksOf(page)) {
      const { code, said } = await runBlock(block)
      t.equal(code, 0, `${page}:${block.line}\n${said}`)
    }
  })
}
