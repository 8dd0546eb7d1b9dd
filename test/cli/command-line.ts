// The command line as a user runs it: real processes, their output, their exit codes, and what they leave behind.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { call, lockUrl } from '../support/cluster-client.ts'
import { until } from '../support/cluster-processes.ts'

export const program = resolve(fileURLToPath(import.meta.url), '../../../src/cli/main.js')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

export class Running {
  readonly pid: number
  readonly #child: ChildProcess
  readonly ended: Promise<Ended>
  out = ''
  err = ''

  constructor(child: ChildProcess) {
    this.#child = child
    this.pid = child.pid ?? -1
    child.stdout?.on('data', (text: Buffer) => (this.out += text.toString()))
    child.stderr?.on('data', (text: Buffer) => (this.err += text.toString()))
    // Not when its output is closed: what it left behind may hold that.
    this.ended = new Promise((resolve) =>
      child.once('exit', (code, signal) => setImmediate(() => resolve({ code, signal, out: this.out, err: this.err }))),
    )
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Waits for it on stdout. */
  async says(text: string | RegExp): Promise<void> {
    await until(`it says ${String(text)}; it said ${this.out} ${this.err}`, async () => new RegExp(text).test(this.out))
  }
}

/** Starts `holdfast` with these arguments; killed when the test is over, with its group. */
export function start(t: Test, args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  // What a test runner loads into every process of Node.js is not what is tested.
  const { NODE_OPTIONS: _ours, ...environment } = process.env
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...environment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return new Running(child)
}

export function holdfast(t: Test, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return start(t, args, env).ended
}

export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A zombie is dead. */
export function isAlive(pid: number): boolean {
  return stateOf(pid) !== null
}

/** As /proc has it: `T` is stopped; null when it is dead. */
export function stateOf(pid: number): string | null {
  const stat = statOf(pid)
  return stat === null || /^[ZX]/.test(stat) ? null : stat.slice(0, 1)
}

function statOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2)
  } catch {
    return null
  }
}

/** The watchdog of a `run`, among its children. */
export function watchdogOf(run: number): number | null {
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || Number(statOf(pid)?.split(' ')[1]) !== run) continue
    if (commandLineOf(pid).startsWith('holdfast watchdog')) return pid
  }
  return null
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}

/** The number that a command wrote there with `echo $$ > file`. */
export function pidIn(file: string): Promise<number> {
  return until(`${file} names a process`, async () => {
    const text = readFileSync(file, 'utf8')
    return text.endsWith('\n') ? Number(text) : null
  })
}

/** Resolves with the instant, on the clock of `performance.now`, at which all were first seen dead. */
export async function deathOf(pids: readonly number[]): Promise<number> {
  await until(`${pids.join(', ')} are dead`, async () => !pids.some(isAlive))
  return performance.now()
}

export interface Grant {
  readonly token: number
  /** When its answer was here, on the clock of `performance.now`. */
  readonly at: number
  /** Those of the processes named that lived at that instant. */
  readonly living: readonly number[]
}

/** Stands in line at a node for as long as the API allows, and looks at the processes when it is granted. */
export async function nextGrant(url: string, lock: string, pids: () => readonly number[]): Promise<Grant> {
  const answer = await call(lockUrl(url, lock, 'acquire'), {
    body: { waitMs: 200_000, ttlMs: 60_000 },
    timeoutMs: 220_000,
  })
  const living = pids().filter(isAlive)
  const { token } = answer.body
  if (typeof token !== 'number') throw new Error(`not granted: ${answer.text}`)
  return { token, at: performance.now(), living }
}

export async function waitersOf(url: string, lock: string): Promise<number> {
  const { body } = await call(`${url}/v1/locks/${encodeURIComponent(lock)}`, { method: 'GET' })
  return Number(body['queueLength'])
}

export async function isFree(url: string, lock: string): Promise<boolean> {
  const { body } = await call(`${url}/v1/locks/${encodeURIComponent(lock)}`, { method: 'GET' })
  const { holders } = body
  return Array.isArray(holders) && holders.length === 0 && body['queueLength'] === 0
}
