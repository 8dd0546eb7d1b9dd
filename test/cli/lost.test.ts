// `holdfast run` when the lock cannot be kept: killed, stopped, cut off, overruled. Whatever it is, the command and all
// that it has started are dead before the next in line holds the lock. Each command here does its best to survive: one
// process ignores what can be ignored, one left the process group, one the session.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { call, lockUrl } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'
import {
  deathOf,
  isAlive,
  nextGrant,
  pidIn,
  program,
  start,
  stateOf,
  temporaryFolder,
  waitersOf,
  watchdogOf,
} from './command-line.ts'
import type { Grant, Running } from './command-line.ts'
import { SeveredWire } from './severed-wire.ts'

const cluster = await ProcessCluster.start(t, 1)
const node = cluster.node('n1')
const { url } = node

interface Scene {
  readonly run: Running
  /** The command, the process in another group, the process in another session. */
  readonly pids: readonly number[]
  readonly next: Promise<Grant>
  readonly wire: SeveredWire
  readonly folder: string
}

/** A command that outlives what it can runs under the lock, and somebody waits for that. */
async function scene(t: Test, lock: string, flags: readonly string[] = []): Promise<Scene> {
  const folder = temporaryFolder(t)
  const files = ['command', 'job', 'daemon'].map((name) => join(folder, name))
  const [command, job, daemon] = files
  const stay = `trap "" INT HUP QUIT TERM; while :; do sleep 0.05; done`
  const script = `
    set -m; bash -c 'echo $$ > ${job}; ${stay}' & set +m
    setsid bash -c '(echo $BASHPID > ${daemon}; ${stay}) >/dev/null 2>&1 &'
    trap 'echo terminated >> ${join(folder, 'terminated')}' TERM; trap '' INT HUP QUIT
    echo $$ > ${command}; while :; do sleep 0.05; done`
  const wire = await SeveredWire.to(t, node.place.httpPort)
  const asked = ['run', '--ttl', '3s', ...flags, lock, '--', 'bash', '-c', script]
  const run = start(t, asked, { HOLDFAST_ENDPOINTS: wire.url })
  const pids = await Promise.all(files.map(pidIn))
  t.teardown(() => {
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  const next = nextGrant(url, lock, () => pids)
  await until('somebody waits', async () => (await waitersOf(url, lock)) === 1)
  return { run, pids, next, wire, folder }
}

t.test('killed: all of the command is dead at once, long before the lock is free', async (t) => {
  const { run, pids, next } = await scene(t, 'killed', ['--ttl', '60s'])
  t.same(pids.map(isAlive), [true, true, true])
  run.signal('SIGKILL')
  // The lock has nearly a minute to go: whoever waited for that would fail here.
  await deathOf(pids)
  t.equal(await waitersOf(url, 'killed'), 1)
  await call(lockUrl(url, 'killed', 'release'), { body: { token: await tokenOf('killed') } })
  t.same((await next).living, [])
})

t.test('stopped: the watchdog ends it at the deadline, and run finds that out when it goes on', async (t) => {
  const { run, pids, next } = await scene(t, 'stopped')
  run.signal('SIGSTOP')
  const [diedAt, grant] = await Promise.all([deathOf(pids), next])
  t.same(grant.living, [])
  t.ok(diedAt < grant.at)
  run.signal('SIGCONT')
  const { code, err } = await run.ended
  t.equal(code, 114)
  t.match(err, /stopped was lost/)
})

t.test('stopped, and then killed: the same', async (t) => {
  const { run, pids, next } = await scene(t, 'stopped-killed', ['--ttl', '60s'])
  run.signal('SIGSTOP')
  run.signal('SIGKILL')
  await deathOf(pids)
  await call(lockUrl(url, 'stopped-killed', 'release'), { body: { token: await tokenOf('stopped-killed') } })
  t.same((await next).living, [])
})

t.test('cut off: it is asked to end a grace before the deadline, and ended by the local clock', async (t) => {
  const { run, pids, next, wire, folder } = await scene(t, 'cut-off', ['--grace', '1s'])
  wire.cut()
  const [{ code, err }, grant] = await Promise.all([run.ended, next])
  t.equal(code, 114, err)
  t.match(err, /^holdfast: cut-off was lost, and the command was ended\. .*$/m)
  t.same(grant.living, [])
  t.same(pids.filter(isAlive), [])
  t.equal(readFileSync(join(folder, 'terminated'), 'utf8'), 'terminated\n', 'it was asked once')
})

t.test('cut off while run is the only one to act: its watchdog is dead', async (t) => {
  const { run, next, wire } = await scene(t, 'alone')
  const watchdog = watchdogOf(run.pid) ?? 0
  // Stopped, not killed: a dead one is replaced.
  process.kill(watchdog, 'SIGSTOP')
  t.teardown(() => isAlive(watchdog) && process.kill(watchdog, 'SIGKILL'))
  wire.cut()
  t.same((await next).living, [])
  t.equal((await run.ended).code, 114)
  process.kill(watchdog, 'SIGCONT')
  await deathOf([watchdog])
})

t.test('a command that heeds SIGTERM has the grace for its last words; run says that the lock was lost', async (t) => {
  const wire = await SeveredWire.to(t, node.place.httpPort)
  const script = `trap 'echo last words; exit 0' TERM; echo started; while :; do sleep 0.05; done`
  const run = start(t, ['run', '--ttl', '3s', 'heeds', '--', 'sh', '-c', script], { HOLDFAST_ENDPOINTS: wire.url })
  await run.says('started')
  wire.cut()
  const { code, out } = await run.ended
  t.same([code, out], [114, 'started\nlast words\n'])
})

t.test('the nodes stopped, then gone: the local clock ends it', async (t) => {
  const other = await ProcessCluster.start(t, 1)
  const script = `trap '' TERM; echo started $$; while :; do sleep 0.05; done`
  const env = { HOLDFAST_ENDPOINTS: other.node('n1').url }
  const run = start(t, ['run', '--ttl', '3s', 'frozen', '--', 'sh', '-c', script], env)
  await run.says(/started \d+/)
  other.node('n1').signal('SIGSTOP')
  t.equal((await run.ended).code, 114)
  t.notOk(isAlive(Number(/started (\d+)/.exec(run.out)?.[1])))
})

t.test(
  'overruled: somebody gave the lock back by its token; the command is ended as soon as that is known',
  async (t) => {
    const { run, pids, next } = await scene(t, 'overruled', ['--ttl', '10s'])
    await call(lockUrl(url, 'overruled', 'release'), { body: { token: await tokenOf('overruled') } })
    await next
    // The next renewal tells: a third of the TTL, and not the whole.
    t.equal((await run.ended).code, 114)
    t.same(pids.filter(isAlive), [])
  },
)

t.test('an office that is lost ends the command of elect, and the campaign goes on', async (t) => {
  const script = `trap '' TERM; echo in office $HOLDFAST_TOKEN $$; while :; do sleep 0.05; done`
  const env = { HOLDFAST_ENDPOINTS: url }
  const elect = start(t, ['elect', '--ttl', '6s', 'office', '--', 'sh', '-c', script], env)
  await elect.says(/in office \d+ \d+\n/)
  const [, token, pid] = /in office (\d+) (\d+)/.exec(elect.out) ?? []
  await call(lockUrl(url, 'office', 'release'), { body: { token: Number(token) } })
  await elect.says(/in office \d+ \d+\n[^]*in office \d+ \d+\n/)
  t.notOk(isAlive(Number(pid)))
  t.match(elect.err, /elected office[^]*lost office: the command was ended, the campaign goes on\n[^]*elected office/)
  const [, again = ''] = /in office [^]*in office \d+ (\d+)/.exec(elect.out) ?? []
  process.kill(Number(again), 'SIGKILL')
  t.equal((await elect.ended).code, 137)
})

t.test('a watchdog that dies is replaced, and the new one does its work', async (t) => {
  const { run, pids, next } = await scene(t, 'replaced', ['--ttl', '60s'])
  const first = watchdogOf(run.pid) ?? 0
  process.kill(first, 'SIGKILL')
  const second = await until('there is another', async () => {
    const found = watchdogOf(run.pid)
    return found !== null && found !== first && isAlive(found) ? found : null
  })
  t.not(second, first)
  run.signal('SIGKILL')
  await deathOf(pids)
  await call(lockUrl(url, 'replaced', 'release'), { body: { token: await tokenOf('replaced') } })
  t.same((await next).living, [])
})

t.test('control-Z stops the command with run, and both go on together', async (t) => {
  const folder = temporaryFolder(t)
  const stop = join(folder, 'stop')
  execFileSync('mkfifo', [stop])
  // It starts nothing: a shell whose child is stopped before its exec is not "stopped", but waits for it all the same.
  const script = `echo started $$; read line < ${stop}`
  const run = start(t, ['run', '--ttl', '60s', 'suspended', '--', 'sh', '-c', script], { HOLDFAST_ENDPOINTS: url })
  await run.says(/started \d+/)
  const command = Number(/started (\d+)/.exec(run.out)?.[1])
  run.signal('SIGTSTP')
  await until('both are stopped', async () => stateOf(run.pid) === 'T' && stateOf(command) === 'T')
  run.signal('SIGCONT')
  await until('the command goes on', async () => stateOf(command) !== 'T')
  writeFileSync(stop, 'a line\n')
  t.equal((await run.ended).code, 0)
})

t.test('a run under a run: when the outer one is killed, nothing is left of the inner one', async (t) => {
  const folder = temporaryFolder(t)
  const [file, parent] = [join(folder, 'command'), join(folder, 'parent')]
  const inner = [process.execPath, program, 'run', '--ttl', '60s', 'inner', '--']
  const command = [
    'bash',
    '-c',
    `echo $PPID > ${parent}; echo $$ > ${file}; trap '' TERM; while :; do sleep 0.05; done`,
  ]
  const run = start(t, ['run', '--ttl', '60s', 'outer', '--', ...inner, ...command], { HOLDFAST_ENDPOINTS: url })
  const pid = await pidIn(file)
  const innerRun = await pidIn(parent)
  // The outer one alone has to find the inner command.
  const watchdog = watchdogOf(innerRun) ?? 0
  process.kill(watchdog, 'SIGSTOP')
  t.teardown(() => isAlive(watchdog) && process.kill(watchdog, 'SIGKILL'))
  run.signal('SIGKILL')
  await deathOf([innerRun, pid])
  t.pass('both are dead')
})

async function tokenOf(lock: string): Promise<number> {
  const { body } = await call(`${url}/v1/locks/${lock}`, { method: 'GET' })
  const [holder] = body['holders'] as readonly { readonly token: number }[]
  if (holder === undefined) throw new Error(`nobody holds ${lock}`)
  return holder.token
}
