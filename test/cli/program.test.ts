// What can be seen without a cluster: help, refusals, completion, and a node that `serve` runs.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { bashScript, zshScript } from '../../src/cli/completion.ts'
import { createProgram } from '../../src/cli/program.ts'
import { call } from '../support/cluster-client.ts'
import { freePort, until } from '../support/cluster-processes.ts'
import { holdfast, start, temporaryFolder } from './command-line.ts'

const verbs = createProgram().commands.map((command) => command.name())
const toCluster = verbs.filter((verb) => verb !== 'serve' && verb !== 'completion')

t.test('there is everything that was promised, and it is said in the help', async (t) => {
  const { code, out } = await holdfast(t, ['--help'])
  t.equal(code, 0)
  const promised = [
    'serve',
    'run',
    'acquire',
    'renew',
    'release',
    'ls',
    'show',
    'sessions',
    'elect',
    'status',
    'watch',
    'top',
  ]
  for (const verb of [...promised, 'completion']) t.match(out, new RegExp(`^ {2}${verb} `, 'm'))
})

t.test('its version is that of the package', async (t) => {
  t.match(await holdfast(t, ['--version']), { code: 0, out: /^\d+\.\d+\.\d+\n$/ })
})

t.test('what is compiled can be executed, though npx has linked this folder before', (t) => {
  accessSync(fileURLToPath(new URL('../../src/cli/main.js', import.meta.url)), constants.X_OK)
  t.end()
})

t.test('every help shows an example first', async (t) => {
  for (const verb of verbs) {
    const { code, out } = await holdfast(t, [verb, '--help'])
    t.equal(code, 0, verb)
    t.match(out.split('\n')[0], new RegExp(`holdfast ${verb}\\b`), verb)
  }
})

t.test('every command that talks to the cluster can be told where it is, and read by machines', async (t) => {
  const program = createProgram()
  for (const verb of toCluster) {
    const flags = program.commands.find((command) => command.name() === verb)?.options.map(({ long }) => long) ?? []
    for (const flag of ['--endpoints', '--timeout', '--json']) t.ok(flags.includes(flag), `${verb} ${flag}`)
  }
})

t.test('what makes no sense is refused in one line, before anything is sent', async (t) => {
  const wrong = [
    ['frobnicate'],
    ['run'],
    ['run', 'name'],
    ['run', 'name', '--'],
    ['run', 'name', '--ttl', '3', '--', 'ls'],
    ['run', 'name', '--ttl', '10ms', '--', 'ls'],
    ['run', 'name', '--grace', '20s', '--', 'ls'],
    ['run', '.', '--', 'ls'],
    ['run', 'name', '--frob', '--', 'ls'],
    ['acquire', 'name', '--wait', '5m'],
    ['acquire', ''],
    ['release', 'name', 'token'],
    ['release', 'name', '0'],
    ['ls', '--limit', '0'],
    ['ls', 'too', 'many'],
    ['ls', '--endpoints', 'ftp://x'],
    ['ls', '--endpoints', 'http://x/path'],
    ['ls', '--endpoints', ','],
    ['completion', 'fish'],
  ]
  for (const args of wrong) {
    const { code, out, err } = await holdfast(t, args, { HOLDFAST_ENDPOINTS: '127.0.0.1:9' })
    t.same([code, out], [112, ''], args.join(' '))
    t.match(err, /^holdfast: [^\n]+\n$/, args.join(' '))
  }
})

t.test('without arguments the help is shown, as an error', async (t) => {
  t.match(await holdfast(t, []), { code: 112, out: '', err: /Usage: holdfast/ })
})

t.test('bash completes verbs, their flags, and nothing after a flag that wants a value', async (t) => {
  const file = join(temporaryFolder(t), 'completion')
  writeFileSync(file, bashScript(createProgram()))
  const complete = (...words: string[]): readonly string[] => {
    const list = words.map((word) => `'${word}'`).join(' ')
    const line = `source ${file}; COMP_WORDS=(holdfast ${list}); COMP_CWORD=${words.length}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', line], { encoding: 'utf8' })
    t.equal(stderr, '')
    return stdout.split('\n').filter((word) => word !== '')
  }
  t.same(complete('re'), ['renew', 'release'])
  t.same(complete('run', '--tt'), ['--ttl'])
  t.same(complete('run', '--ttl', ''), [])
  t.ok(complete('ls', '--').includes('--json'))
  t.same(complete('completion', 'z'), ['zsh'])
  t.ok(complete('run', 'name', '--', 'bas').includes('bash'))
})

t.test('zsh is told of every verb and flag', async (t) => {
  const script = zshScript(createProgram())
  t.match(script, /^#compdef holdfast\n/)
  for (const verb of verbs) t.match(script, new RegExp(`^ {6}${verb}\\) _arguments`, 'm'))
  t.match(script, /'--ttl=\[how long/)
  const zsh = spawnSync('zsh', ['-n'], { input: script, encoding: 'utf8' })
  if (zsh.error === undefined) t.same([zsh.status, zsh.stderr], [0, ''])
})

t.test('serve is a node of the cluster: its flags, its signals, its exit codes', async (t) => {
  const [http, peer] = [await freePort(), await freePort()]
  const node = ['--id', 'n1', '--members', `n1=127.0.0.1:${peer}`, '--http', `127.0.0.1:${http}`]
  const served = start(t, ['serve', ...node, '--data', temporaryFolder(t), '--log-level', 'silent'])
  await until(
    'it serves',
    async () => (await call(`http://127.0.0.1:${http}/readyz`, { method: 'GET' })).status === 200,
  )
  served.signal('SIGTERM')
  t.equal((await served.ended).code, 0)
  t.match(await holdfast(t, ['serve', '--frob']), { code: 2, err: /holdfast: config: / })
})

t.test('who stops reading ends it quietly', async (t) => {
  const { NODE_OPTIONS: _ours, ...env } = process.env
  const line = `"${process.execPath}" "$1" completion zsh | true; echo "\${PIPESTATUS[0]}"`
  const program = new URL('../../src/cli/main.js', import.meta.url).pathname
  const { stdout, stderr } = spawnSync('bash', ['-c', line, '-', program], { encoding: 'utf8', env })
  t.equal(stderr, '')
  t.ok(['0', '141'].includes(stdout.trim()), stdout)
})
