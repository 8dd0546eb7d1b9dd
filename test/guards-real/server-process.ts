// Servers of PostgreSQL and Redis for tests: started from Debian's packages on a free port of the loopback, with their data
// in a folder of their own, and stopped by the number of their process. No service or cluster of the system is touched.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Generous: other tests, and other people's work, run on the same cores. */
const patienceMs = 60_000

export interface ServerPlan {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  readonly folder: string
  /** The first one asks for an orderly stop. */
  readonly stopSignal: 'SIGINT' | 'SIGTERM'
  /** Whose process it is, where that is not who runs the test. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Whether it answers. */
  readonly isReady: () => Promise<boolean>
}

export class ServerProcess {
  readonly #plan: ServerPlan
  #process: ChildProcess | null = null
  #exit: Promise<void> = Promise.resolve()

  constructor(t: Test, plan: ServerPlan) {
    this.#plan = plan
    t.teardown(() => this.stop())
  }

  /** Ready when it returns. */
  async start(): Promise<void> {
    const { name, program, args, folder, user, isReady } = this.#plan
    const logPath = join(folder, `${name}.log`)
    const log = openSync(logPath, 'a')
    const started = spawn(program, args, { stdio: ['ignore', log, log], ...user })
    closeSync(log)
    this.#process = started
    let isOver = false
    this.#exit = new Promise((resolve) => {
      started.once('error', () => resolve())
      started.once('exit', () => resolve())
    })
    void this.#exit.then(() => (isOver = true))
    this.#stopWithUs(started)
    const deadline = Date.now() + patienceMs
    while (!(await isReady())) {
      if (isOver || Date.now() > deadline) throw new Error(`${name} did not start: ${readFileSync(logPath, 'utf8')}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** A test that is killed cannot stop anything: another process does, which reads from us until there is nobody there. */
  #stopWithUs({ pid }: ChildProcess): void {
    if (pid === undefined) return
    const stop = `read -r _; kill -${this.#plan.stopSignal.slice('SIG'.length)} ${pid}`
    const watcher = spawn('sh', ['-c', stop], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    void this.#exit.then(() => watcher.kill('SIGKILL'))
  }

  /** As a power cut does it. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#exit
  }

  async stop(): Promise<void> {
    this.#process?.kill(this.#plan.stopSignal)
    const patience = setTimeout(() => this.#process?.kill('SIGKILL'), patienceMs)
    await this.#exit
    clearTimeout(patience)
  }
}

/** Gone when the test is over: call it before the server is made, whose teardown comes first then. */
export function serverFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-guards-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}
