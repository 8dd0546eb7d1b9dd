// What the keeper promises, with real processes: a lock is kept while the event loop of its holder is blocked, and a holder
// that is cut off has stopped, by itself or by force, before anybody else is granted what it held.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { LockClient, lostExitCode } from '../../src/client/index.ts'
import { call, lockUrl, tokenIn } from '../support/cluster-client.ts'
import { ProcessCluster, until } from '../support/cluster-processes.ts'
import { WatchedProxy } from '../support/watched-proxy.ts'

const cluster = await ProcessCluster.start(t, 3)
const program = resolve(fileURLToPath(import.meta.url), '../../support/keeper-holder.js')
const [node] = cluster.nodes
if (node === undefined) throw new Error('there are nodes')

interface HeldLock {
  readonly name: string
  readonly ttlMs: number
  readonly onLost: 'abort' | 'exit' | 'kill'
  /** It blocks for so long as soon as it has the lock. */
  readonly blockAtOnceMs?: number
}

/** A process that holds a lock through a proxy. */
class Holder {
  readonly process: ChildProcess
  readonly proxy: WatchedProxy
  token = 0
  readonly #lines: AsyncIterator<string>

  private constructor(proxy: WatchedProxy, { name, ttlMs, onLost, blockAtOnceMs = 0 }: HeldLock) {
    this.proxy = proxy
    const parts = [program, proxy.url, name, String(ttlMs), onLost, String(blockAtOnceMs)]
    this.process = spawn(process.execPath, parts, { stdio: ['pipe', 'pipe', 'inherit'] })
    const { stdout } = this.process
    if (stdout === null) throw new Error('its output is a pipe')
    this.#lines = createInterface(stdout)[Symbol.asyncIterator]()
  }

  static async start(t: Test, held: HeldLock): Promise<Holder> {
    const holder = new Holder(await WatchedProxy.start(t, node?.place.httpPort ?? 0), held)
    t.teardown(() => holder.process.kill('SIGKILL'))
    const said = await holder.heard()
    holder.token = Number(said['held'])
    return holder
  }

  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`)
  }

  /** The next line that it says; empty when there is none any more. */
  async heard(): Promise<Readonly<Record<string, unknown>>> {
    const { value } = await this.#lines.next()
    return JSON.parse(value ?? '{}')
  }

  /** Whether anything of it may still run: what is dead but was not yet waited for does not. */
  get isAlive(): boolean {
    try {
      const stat = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8')
      return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3))
    } catch {
      return false
    }
  }
}

/** What others get of the lock: resolves when it is granted to them. */
async function next(lock: string): Promise<number> {
  return tokenIn(
    await call(lockUrl(node?.url ?? '', lock, 'acquire'), { body: { waitMs: 200_000 }, timeoutMs: 240_000 }),
  )
}

t.test('a lock is kept while the event loop of its holder is blocked for three TTLs', async (t) => {
  // A machine on which a thread gets no turn for a third of a TTL is given a longer one.
  for (const ttlMs of [1000, 5000, 20_000]) {
    const name = `blocked ${ttlMs}`
    // The thread that renews has yet to start when it blocks.
    const holder = await Holder.start(t, { name, ttlMs, onLost: 'abort', blockAtOnceMs: 3 * ttlMs })
    const said = await holder.heard()
    const { body } = await call(`${node.url}/v1/locks/${encodeURIComponent(name)}`, { method: 'GET' })
    holder.process.kill('SIGKILL')
    if (said['isHeld'] !== true) continue
    t.match(said, { blocked: true, isHeld: true, isAborted: false })
    t.ok(Number(said['remainingMs']) > 0)
    t.match(body, { holders: [{ token: holder.token }] })
    t.ok(holder.proxy.renewals >= 6, `${holder.proxy.renewals} renewals meanwhile`)
    return
  }
  t.fail('never kept')
})

t.test('a process that is blocked and cut off is killed before the lock is another’s', async (t) => {
  const holder = await Holder.start(t, { name: 'killed', ttlMs: 6000, onLost: 'kill' })
  const exited = once(holder.process, 'exit')
  holder.tell('block 600000')
  await until('it renews while it is blocked', async () => holder.proxy.renewals > 0)
  const granted = next('killed')
  holder.proxy.cut()
  const token = await granted
  t.equal(holder.isAlive, false, 'dead when the next holder is granted it')
  t.same(await exited, [null, 'SIGKILL'])
  t.ok(token > holder.token)
})

t.test('a process that is cut off ends in order when it can, running what runs at its exit', async (t) => {
  // A second lies between the loss and the deadline then, at which a process that a busy machine has kept back is killed.
  const holder = await Holder.start(t, { name: 'exits', ttlMs: 20_000, onLost: 'exit' })
  const exited = once(holder.process, 'exit')
  const granted = next('exits')
  holder.proxy.cut()
  t.same(await holder.heard(), { aborted: true })
  t.same(await holder.heard(), { exits: lostExitCode, isHeld: false, isAborted: true, remainingMs: 0 })
  t.same(await exited, [lostExitCode, null])
  await granted
})

t.test('a process that should end in order but is blocked is killed before the lock is another’s', async (t) => {
  const holder = await Holder.start(t, { name: 'cannot exit', ttlMs: 6000, onLost: 'exit' })
  const exited = once(holder.process, 'exit')
  holder.tell('block 600000')
  const granted = next('cannot exit')
  holder.proxy.cut()
  await granted
  t.equal(holder.isAlive, false)
  t.same(await exited, [null, 'SIGKILL'])
})

t.test('who was stopped past his deadline finds the lock lost, whatever he looks at first', async (t) => {
  const holder = await Holder.start(t, { name: 'stopped', ttlMs: 2000, onLost: 'abort' })
  holder.process.kill('SIGSTOP')
  const token = await next('stopped')
  // It lies in the pipe, and is read by the first poll of the process when it wakes up.
  for (let line = 0; line < 5; line++) holder.tell('look')
  holder.process.kill('SIGCONT')
  const said = []
  while (said.length < 6) said.push(await holder.heard())
  t.equal(said.filter((line) => line['aborted'] === true).length, 1)
  t.same(
    said.filter((line) => line['aborted'] === undefined),
    Array.from({ length: 5 }, () => ({ isHeld: false, isAborted: true, remainingMs: 0 })),
  )
  t.ok(token > holder.token)
})

t.test('nothing is sent for a lock or a session that was given back', async (t) => {
  const proxy = await WatchedProxy.start(t, node.place.httpPort)
  const ttlMs = 6000
  const client = new LockClient({ endpoints: [proxy.url], followLeader: false, ttlMs })
  t.teardown(() => client.close())
  const lock = await client.acquire('given back')
  const session = await client.session()
  await session.acquire('with the session')
  await until('both are renewed', async () => new Set(proxy.paths.filter((path) => path.endsWith('/renew'))).size === 2)
  await lock.release()
  await session.close()
  const { length } = proxy.paths
  // Three renewals of each would have come.
  await new Promise((resolve) => setTimeout(resolve, ttlMs + 500))
  t.same(proxy.paths.slice(length), [])
})
