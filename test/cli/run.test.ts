// `holdfast run` from its start to the end of its command, when nothing goes wrong with the lock.
import { spawn } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'
import {
  deathOf,
  holdfast,
  isAlive,
  isFree,
  pidIn,
  program,
  Running,
  start,
  temporaryFolder,
  waitersOf,
  watchdogOf,
} from './command-line.ts'

const cluster = await ProcessCluster.start(t, 1)
const { url } = cluster.node('n1')
const here = { HOLDFAST_ENDPOINTS: url }
const folder = temporaryFolder(t)

t.test('the command runs under the lock, knows its token and deadline, and its exit code is that of run', async (t) => {
  const script = 'echo "$HOLDFAST_LOCK $HOLDFAST_TOKEN $HOLDFAST_DEADLINE_MS"; cat /proc/uptime; exit 7'
  const { code, out, err } = await holdfast(t, ['run', '--ttl', '20s', 'jobs/a b', '--', 'sh', '-c', script], here)
  t.equal(code, 7, err)
  const [named = '', uptime = ''] = out.split('\n')
  const [, token, deadline] = /^jobs\/a b (\d+) (\d+)$/.exec(named) ?? []
  t.ok(Number(token) > 0, out)
  const leftMs = Number(deadline) - Number(uptime.split(' ')[0]) * 1000
  t.ok(leftMs > 0 && leftMs <= 20_000, `${leftMs}`)
  t.ok(await isFree(url, 'jobs/a b'))
  t.equal(err, '')
})

t.test('flags of the command are not ours, and its input and output are those of run', async (t) => {
  const { code, out } = await holdfast(
    t,
    ['run', '--ttl', '20s', 'io', '--', 'echo', '--ttl', '-n', '--', '--json'],
    here,
  )
  t.same([code, out], [0, '--ttl -n -- --json\n'])
})

t.test('a command that a signal ended is told as shells tell it', async (t) => {
  const { code } = await holdfast(t, ['run', 'signalled', '--', 'sh', '-c', 'kill -KILL $$'], here)
  t.equal(code, 137)
  t.ok(await isFree(url, 'signalled'))
})

t.test('a command that does not exist, or cannot be executed, takes no lock', async (t) => {
  const plain = join(folder, 'plain')
  writeFileSync(plain, 'echo no')
  const before = tokenIn(await call(lockUrl(url, 'count', 'acquire'), { body: {} }))
  t.match(await holdfast(t, ['run', 'missing', '--', 'frobnicate-the-widget'], here), { code: 127, err: /no command/ })
  t.match(await holdfast(t, ['run', 'missing', '--', join(folder, 'none')], here), { code: 127 })
  t.match(await holdfast(t, ['run', 'missing', '--', plain], here), { code: 126, err: /cannot be executed/ })
  t.match(await holdfast(t, ['run', 'missing', '--', folder], here), { code: 126 })
  t.equal(tokenIn(await call(lockUrl(url, 'count-again', 'acquire'), { body: {} })), before + 1)
})

t.test('a command that the system cannot start gives the lock back', async (t) => {
  const odd = join(folder, 'odd')
  writeFileSync(odd, '#!/does/not/exist\n')
  chmodSync(odd, 0o755)
  t.match(await holdfast(t, ['run', 'odd', '--', odd], here), { code: 127, err: /given back/ })
  t.ok(await isFree(url, 'odd'))
})

t.test('without -- nothing is started: a flag of the command could be taken for one of ours', async (t) => {
  t.match(await holdfast(t, ['run', 'dashes', 'echo', 'hello'], here), { code: 112, out: '', err: /behind --/ })
})

t.test('a lock that others hold for as long as is waited has a code of its own, or the one asked for', async (t) => {
  const token = tokenIn(await call(lockUrl(url, 'taken', 'acquire'), { body: { owner: 'some\u001bbody' } }))
  const { code, err } = await holdfast(t, ['run', '--wait', '200ms', 'taken', '--', 'echo', 'no'], here)
  t.equal(code, 113)
  t.match(err, new RegExp(`^holdfast: the lock is held by some.x1bbody \\(token ${token}, for .*\\)\\. .*--wait`))
  const asked = ['run', '--wait', '0', '--conflict-code', '0', 'taken', '--', 'echo', 'no']
  t.match(await holdfast(t, asked, here), { code: 0, out: '', err: /nothing was started/ })
})

t.test('signals go to the command, which decides what they mean', async (t) => {
  const names = ['INT', 'TERM', 'HUP', 'QUIT', 'USR1', 'USR2', 'WINCH']
  const traps = names.map((name) => `trap 'echo got-${name}' ${name}`).join('; ')
  // `wait` is interrupted by a trap; a fresh one goes on waiting.
  const script = `${traps}; trap 'exit 3' ALRM; sleep 1000 & echo ready $$; while :; do wait; done`
  const run = start(t, ['run', '--ttl', '60s', 'signals', '--', 'bash', '-c', script], here)
  await run.says('ready')
  for (const name of names) {
    run.signal(`SIG${name}` as NodeJS.Signals)
    await run.says(`got-${name}`)
  }
  process.kill(Number(/ready (\d+)/.exec(run.out)?.[1]), 'SIGALRM')
  t.equal((await run.ended).code, 3)
  t.ok(await isFree(url, 'signals'))
})

t.test('on a terminal the command reads what is typed, and control-C reaches it', async (t) => {
  const script = `trap 'echo got it; exit 9' INT; echo ready; read line; echo "read: $line"; while :; do sleep 0.05; done`
  const words = [process.execPath, program, 'run', '--ttl', '60s', 'terminal', '--', 'sh', '-c', script]
  const { NODE_OPTIONS: _ours, ...env } = process.env
  const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  // exec: a shell in between would be interrupted too, and some then end at once with a code of their own.
  const terminal = spawn('script', ['-qec', `exec ${line}`, '/dev/null'], { env: { ...env, ...here } })
  t.teardown(() => terminal.kill('SIGKILL'))
  const typist = new Running(terminal)
  await typist.says('ready')
  terminal.stdin.write('hello\n')
  await typist.says('read: hello')
  terminal.stdin.write('\u0003')
  t.match(await typist.ended, { code: 9, out: /got it/ })
})

t.test('who is interrupted while it waits leaves the line and starts nothing', async (t) => {
  const token = tokenIn(await call(lockUrl(url, 'line', 'acquire'), { body: { ttlMs: 60_000 } }))
  const run = start(t, ['run', '--wait', 'forever', 'line', '--', 'echo', 'no'], here)
  await until('it waits', async () => (await waitersOf(url, 'line')) === 1)
  run.signal('SIGTERM')
  t.match(await run.ended, { code: 143, out: '' })
  t.equal(await waitersOf(url, 'line'), 0)
  await call(lockUrl(url, 'line', 'release'), { body: { token } })
  t.ok(await isFree(url, 'line'))
})

t.test('a command that lasts longer than the TTL keeps the lock: it is renewed', async (t) => {
  const stop = join(folder, 'stop')
  const script = `echo $HOLDFAST_TOKEN; while [ ! -e ${stop} ]; do sleep 0.05; done`
  const run = start(t, ['run', '--ttl', '5s', 'long', '--', 'sh', '-c', script], here)
  await run.says(/^\d+\n/)
  t.match((await call(lockUrl(url, 'long', 'acquire'), { body: { waitMs: 10_000 } })).body, { code: 'wait_timeout' })
  writeFileSync(stop, '')
  t.match(await run.ended, { code: 0, err: '' })
})

t.test('what a command leaves running is ended before the lock is free', async (t) => {
  const [group, job, daemon] = ['group', 'job', 'daemon'].map((name) => join(folder, name))
  const script = `
    sh -c 'echo $$ > ${group}; exec sleep 1000' &
    set -m; sh -c 'echo $$ > ${job}; exec sleep 1001' & set +m
    setsid sh -c 'trap "" TERM HUP; (echo $BASHPID > ${daemon}; exec sleep 1002) >/dev/null 2>&1 &' &
    while [ ! -s ${group} ] || [ ! -s ${job} ] || [ ! -s ${daemon} ]; do sleep 0.02; done; exit 5`
  const asked = [
    'run',
    '--ttl',
    '60s',
    '--grace',
    '300ms',
    'left',
    '--',
    'bash',
    '-c',
    script.replaceAll('sh -c', 'bash -c'),
  ]
  const run = start(t, asked, here)
  const pids = await Promise.all([group, job, daemon].map((file) => pidIn(file ?? '')))
  const { code, err } = await run.ended
  t.equal(code, 5, err)
  t.same(pids.filter(isAlive), [])
  t.ok(await isFree(url, 'left'))
})

t.test('nothing of run is left when it has ended, not its watchdog either', async (t) => {
  const run = start(t, ['run', 'clean', '--', 'sh', '-c', 'echo started; sleep 1'], here)
  await run.says('started')
  const watchdog = watchdogOf(run.pid)
  t.ok(watchdog)
  await run.ended
  await deathOf([watchdog ?? 0])
})

t.test('no node answers: that is told within the timeout, and nothing is started', async (t) => {
  const nobody = { HOLDFAST_ENDPOINTS: '127.0.0.1:9' }
  const { code, out, err } = await holdfast(
    t,
    ['run', '--timeout', '1s', '--wait', '0', 'x', '--', 'echo', 'no'],
    nobody,
  )
  t.same([code, out], [115, ''])
  t.match(err, /^holdfast: .*ECONNREFUSED.*\n$/)
})
