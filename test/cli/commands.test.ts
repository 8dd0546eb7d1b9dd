// The commands that look and those that scripts use, against a real cluster.
import { spawn } from 'node:child_process'
import t from 'tap'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'
import { holdfast, isFree, program, start, waitersOf } from './command-line.ts'

const cluster = await ProcessCluster.start(t, 3)
const { url } = cluster.node('n1')
const here = { HOLDFAST_ENDPOINTS: cluster.nodes.map((node) => node.url).join(',') }

t.test('acquire prints the token; renew and release take it', async (t) => {
  const { code, out, err } = await holdfast(t, ['acquire', 'script', '--ttl', '1m'], here)
  t.equal(code, 0, err)
  const token = out.trim()
  t.match(token, /^\d+$/)
  t.match(await holdfast(t, ['renew', 'script', token], here), { code: 0, out: /^(5\d|60)s\n$|^1m00s\n$/ })
  t.match(await holdfast(t, ['release', 'script', token], here), { code: 0, out: '' })
  t.match(await holdfast(t, ['release', 'script', token], here), { code: 0 }, 'it may be repeated')
  t.match(await holdfast(t, ['renew', 'script', token], here), { code: 114, err: /Stop what it guarded/ })
  t.match(await holdfast(t, ['release', 'script', '999999999'], here), { code: 114 })
  t.ok(await isFree(url, 'script'))
})

t.test('as JSON there is the deadline, on the clock since boot', async (t) => {
  const { out } = await holdfast(t, ['acquire', 'json', '--ttl', '1m', '--json'], here)
  const granted = JSON.parse(out)
  t.match(granted, { lock: 'json', token: Number, sequence: Number, ttlMs: 60_000 })
  t.ok(granted.remainingMs > 0 && granted.remainingMs < 60_000)
  const { out: renewed } = await holdfast(t, ['renew', 'json', String(granted.token), '--json', '--ttl', '2m'], here)
  t.ok(JSON.parse(renewed).deadlineMs > granted.deadlineMs)
  const { code, err } = await holdfast(t, ['acquire', 'json', '--wait', '0', '--json'], here)
  t.equal(code, 113)
  t.match(JSON.parse(err), {
    error: { ending: 'not_acquired', code: 'lock_held', holders: [{ token: granted.token }] },
  })
})

t.test('who is interrupted in acquire holds and awaits nothing', async (t) => {
  const token = tokenIn(await call(lockUrl(url, 'interrupted', 'acquire'), { body: { ttlMs: 60_000 } }))
  const waiting = start(t, ['acquire', 'interrupted', '--wait', '2m'], here)
  await until('it waits', async () => (await waitersOf(url, 'interrupted')) === 1)
  waiting.signal('SIGINT')
  t.match(await waiting.ended, { code: 130, out: '' })
  t.equal(await waitersOf(url, 'interrupted'), 0)
  await call(lockUrl(url, 'interrupted', 'release'), { body: { token } })
})

t.test('ls, show and sessions tell what there is', async (t) => {
  const { session } = (await call(`${url}/v1/sessions`, { body: { name: 'batch', ttlMs: 60_000 } })).body
  const body = { session, owner: 'worker 7', metadata: { job: 'nightly' } }
  const token = tokenIn(await call(lockUrl(url, 'list/b', 'acquire'), { body }))
  tokenIn(await call(lockUrl(url, 'list/a', 'acquire'), { body: { owner: 'o\u001b[1m', ttlMs: 60_000 } }))
  const waiting = new AbortController()
  const wait = { body: { session, waitMs: 60_000, owner: 'second' }, signal: waiting.signal }
  call(lockUrl(url, 'list/b', 'acquire'), wait).catch(() => {})
  await until('it waits', async () => (await waitersOf(url, 'list/b')) === 1)

  const { out: list } = await holdfast(t, ['ls', 'list/'], here)
  const [header = '', ...rows] = list
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
  t.same(header, ['LOCK', 'HOLDER', 'TOKEN', 'HELD', 'EXPIRES', 'IN LINE'])
  t.match(rows, [
    ['list/a', 'o\\x1b[1m'],
    ['list/b', 'worker 7', String(token)],
  ])
  t.equal(rows[1]?.at(-1), '1')
  const cut = await holdfast(t, ['ls', 'list/', '--limit', '1', '--json'], here)
  t.match(JSON.parse(cut.out), { locks: [{ lock: 'list/a' }], isCut: true })
  t.match(cut.err, /there are more/)

  const { out: shown } = await holdfast(t, ['show', 'list/b'], here)
  t.match(shown, /list\/b {2}worker 7[^]*"job":"nightly"[^]*PLACE {2}WAITER[^]*1 {6}second/)
  t.match(await holdfast(t, ['show', 'list/none'], here), { code: 0, out: /free/ })
  t.match(await holdfast(t, ['show', '--json', 'list/none'], here), { out: /^\{"lock":"list\/none","holders":\[\]/ })

  t.match(await holdfast(t, ['sessions'], here), { code: 0, out: new RegExp(`SESSION[^]*${String(session)} +batch`) })
  const { out: one } = await holdfast(t, ['sessions', String(session)], here)
  t.match(one, /HOLDS {3}TOKEN\nlist\/b[^]*AWAITS {2}PLACE/)
  t.match(await holdfast(t, ['sessions', 's-none'], here), { code: 117, err: /holdfast sessions/ })
  waiting.abort()
  await call(`${url}/v1/sessions/${String(session)}`, { method: 'DELETE' })
})

t.test('watch prints every change of the holder, and goes on until it is interrupted', async (t) => {
  const watch = start(t, ['watch', 'watched', '--every', '100ms'], here)
  await watch.says(/Z {2}free\n/)
  const token = tokenIn(await call(lockUrl(url, 'watched', 'acquire'), { body: { owner: 'me', ttlMs: 60_000 } }))
  await watch.says(`held by me  token ${token}\n`)
  await call(lockUrl(url, 'watched', 'release'), { body: { token } })
  await watch.says(/free\n[^]*held[^]*free\n/)
  watch.signal('SIGINT')
  t.equal((await watch.ended).code, 130)
})

t.test('elect runs the command while it is leader; who watches sees what the candidate said of itself', async (t) => {
  const watch = start(t, ['elect', 'boss', '--every', '100ms'], here)
  await watch.says('no leader')
  const script = 'echo in office $HOLDFAST_TOKEN; read line; exit 4'
  const first = start(t, ['elect', 'boss', '--value', 'http://one', '--', 'bash', '-c', 'echo one; sleep 1000'], here)
  await first.says('one')
  await watch.says(/leader .*token \d+ {2}http:\/\/one\n/)
  const second = start(t, ['elect', 'boss', '--value', 'http://two', '--', 'bash', '-c', script], here)
  await until('it stands in line', async () => (await waitersOf(url, 'boss')) === 1)
  first.signal('SIGTERM')
  t.equal((await first.ended).code, 143)
  // Its input is empty: it ends by itself, with a code of its own, and the candidacy with it.
  t.match(await second.ended, { code: 4, out: /in office \d+/, err: /elected boss/ })
  watch.signal('SIGTERM')
  t.match(await watch.ended, { code: 143, out: /http:\/\/one[^]*http:\/\/two|http:\/\/one[^]*no leader/ })
  t.ok(await isFree(url, 'boss'))
})

t.test('top shows what is held and awaited, frame after frame', async (t) => {
  const token = tokenIn(await call(lockUrl(url, 'on-top', 'acquire'), { body: { owner: 'climber', ttlMs: 60_000 } }))
  const { code, out } = await holdfast(t, ['top', '--frames', '2', '--every', '100ms'], here)
  t.equal(code, 0)
  t.equal(out.match(/^holdfast \d\d:\d\d:\d\d {3}leader n[123], term \d+ {3}3 of 3 nodes/gm)?.length, 2)
  t.match(out, new RegExp(`on-top +climber +${token}`))
  t.notMatch(out, '\u001b')
  const json = await holdfast(t, ['top', '--once', '--json'], here)
  t.match(JSON.parse(json.out), { nodes: [{}, {}, {}], isCut: false })
})

t.test('on a terminal, top takes the other screen and gives it back', async (t) => {
  const command = `${process.execPath} ${program} top --every 100ms`
  // A test runner's own loader is none of its, nor that the runner wants no colours.
  const { NODE_OPTIONS: _loader, NO_COLOR: _plain, ...env } = process.env
  // `script` gives it a terminal, and what it types.
  const pty = spawn('script', ['-qec', command, '/dev/null'], { env: { ...env, ...here, TERM: 'xterm' } })
  let out = ''
  pty.stdout.on('data', (text: Buffer) => (out += text.toString()))
  const ended = new Promise((resolve) => pty.once('exit', resolve))
  t.teardown(() => pty.kill('SIGKILL'))
  await until('it has painted', async () => out.includes('HELD'))
  pty.stdin.write('q')
  t.equal(await ended, 0)
  t.ok(out.startsWith('\u001b[?1049h'))
  t.ok(out.includes('\u001b[1mholdfast '), 'titles are bold')
  t.ok(out.trimEnd().endsWith('\u001b[?1049l'))
})

t.test('status shows all members, also those that were not named and those that are down', async (t) => {
  const [follower] = await cluster.followers()
  await follower?.kill()
  const other = cluster.nodes.find((node) => node !== follower)
  const { code, out } = await holdfast(t, ['status'], { HOLDFAST_ENDPOINTS: other?.url ?? '' })
  t.equal(code, 0)
  t.match(out, /^NODE {2}ROLE {6}TERM {2}LEADER/)
  for (const { id } of cluster.nodes)
    t.match(out, new RegExp(`^${id} +${id === follower?.id ? 'down' : '(leader|follower)'}`, 'm'))
  t.match(JSON.parse((await holdfast(t, ['status', '--json'], here)).out), { leader: /^n[123]$/, nodes: [{}, {}, {}] })
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  t.match(await holdfast(t, ['status'], here), { code: 115, err: /no node answers/, out: /down/ })
  t.match(await holdfast(t, ['ls', '--timeout', '500ms'], here), { code: 115, out: '' })
  t.match(await holdfast(t, ['top', '--once'], here), { code: 0, out: /no leader[^]*does not answer/ })
})
