// `cluster.sh` as a user runs it: from another folder, with ports and data of its own.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { freePortRange, until } from '../support/cluster-processes.ts'

const script = resolve(fileURLToPath(import.meta.url), '../../../../cluster.sh')
const elsewhere = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
const httpBase = await freePortRange(3)
const peerBase = await freePortRange(3)
const folder = join(elsewhere, 'data')
const environment = {
  ...process.env,
  HOLDFAST_HTTP_BASE: String(httpBase),
  HOLDFAST_PEER_BASE: String(peerBase),
  HOLDFAST_FOLDER: 'data',
}
const url = (n: number): string => `http://127.0.0.1:${httpBase + n}`

interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function run(...verb: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn('bash', [script, ...verb], { cwd: elsewhere, env: environment })
    let [out, err] = ['', '']
    child.stdout.on('data', (text: Buffer) => (out += text.toString()))
    child.stderr.on('data', (text: Buffer) => (err += text.toString()))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

/** The table of `status`, by node. */
async function status(): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  const { code, out } = await run('status')
  if (code !== 0) throw new Error(`status ended with ${code}`)
  const [header = [], ...rows] = out
    .trim()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
  return new Map(
    rows.map((row) => [row[0] ?? '', Object.fromEntries(header.map((name, column) => [name, row[column] ?? '']))]),
  )
}

t.teardown(async () => {
  await run('wipe')
  rmSync(elsewhere, { recursive: true, force: true })
})

t.test('up starts three nodes that serve, and says how to take a lock', async (t) => {
  const { code, out, err } = await run('up')
  t.equal(code, 0, err)
  for (const n of [1, 2, 3]) t.ok(out.includes(`n${n}  ${url(n)}`))
  t.match(out, new RegExp(`curl --json '\\{"ttlMs": 30000\\}' ${url(1)}/v1/locks/hello/acquire`))
  const token = tokenIn(await call(lockUrl(url(1), 'hello', 'acquire'), { body: {} }))
  t.equal((await call(lockUrl(url(2), 'hello', 'release'), { body: { token } })).status, 200)
  // Again is nothing new.
  t.equal((await run('up')).code, 0)
  const five = await run('up', '5')
  t.equal(five.code, 1)
  t.match(five.err, /wipe deletes it/)
})

t.test(
  'status shows every node, also those that are down; kill, stop and start may be repeated and run together',
  async (t) => {
    const table = await until('all agree', async () => {
      const table = await status()
      return new Set([...table.values()].map(({ leader }) => leader)).size === 1 ? table : null
    })
    t.same([...table.keys()], ['n1', 'n2', 'n3'])
    const roles = [...table.values()].map(({ role }) => role)
    t.same(
      [roles.filter((role) => role === 'leader').length, roles.filter((role) => role === 'follower').length],
      [1, 2],
    )
    t.match(table.get('n1'), { term: /^\d+$/, commit: /^\d+$/, applied: /^\d+$/, leader: /^n[123]$/, address: url(1) })

    const ended = await Promise.all([run('kill', '1'), run('stop', 'n2')])
    t.same(
      ended.map(({ code }) => code),
      [0, 0],
    )
    t.equal((await run('kill', '1')).code, 0)
    t.same([...(await status()).values()].map(({ role }) => role).slice(0, 2), ['down', 'down'])
    // Neither waits for a majority, which the first of them does not have.
    t.equal((await run('start', '1')).code, 0)
    t.same(
      (await Promise.all([run('start', '2'), run('start', '2'), run('start', '1')])).map(({ code }) => code),
      [0, 0, 0],
    )
    await until('they serve', async () => (await call(`${url(1)}/readyz`, { method: 'GET' })).status === 200)
    t.match((await run('logs', '1')).out, /"msg":"started"/)
  },
)

t.test('a node that cannot start shows why', async (t) => {
  await run('stop', '3')
  // A number that was given to another process since is not taken for the node.
  writeFileSync(join(folder, 'n3.pid'), String(process.pid))
  t.match((await run('kill', '3')).out, /n3 is down/)
  // The other nodes dial it, of course.
  const occupant = createServer((socket) => socket.destroy()).listen(peerBase + 3, '127.0.0.1')
  await new Promise((resolve) => occupant.once('listening', resolve))
  const { code, err } = await run('start', '3')
  t.equal(code, 1)
  t.match(err, /holdfast: address_in_use: .*EADDRINUSE/)
  await new Promise((resolve) => occupant.close(resolve))
  t.equal((await run('start', '3')).code, 0)
})

t.test('backup writes a new file, restore takes one that is there, and only where there is no data', async (t) => {
  const file = join(elsewhere, 'of-today.backup')
  t.match(await run('backup', file), { code: 0, out: /\d+ bytes from/ })
  t.equal(readFileSync(file).subarray(0, 16).toString(), 'Holdfast backup\n')
  t.match(await run('backup', file), { code: 1, err: /exists/ })
  t.match(await run('backup'), { code: 1, err: /into which file/ })
  t.match(await run('restore', file), { code: 1, err: /there is data in/ })
  t.match(await run('restore', `${file}.none`), { code: 1, err: /which file/ })
})

t.test('verbs and nodes that do not exist are refused', async (t) => {
  t.equal((await run('frobnicate')).code, 2)
  t.equal((await run()).code, 2)
  t.equal((await run('start', '4')).code, 1)
  t.equal((await run('kill')).code, 1)
  t.equal((await run('up', '4')).code, 1)
  t.match((await run('help')).out, /usage/)
})

t.test('down stops all in order, wipe leaves nothing, and both may be repeated', async (t) => {
  t.equal((await run('down')).code, 0)
  t.same(
    [...(await status()).values()].map(({ role }) => role),
    ['down', 'down', 'down'],
  )
  t.equal((await run('down')).code, 0)
  t.ok(existsSync(folder))
  t.equal((await run('wipe')).code, 0)
  t.notOk(existsSync(folder))
  t.match((await run('status')).out, /no cluster/)
  t.equal((await run('wipe')).code, 0)
})
