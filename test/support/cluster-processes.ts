// Clusters of real processes for tests: on free ports, in a folder of their own, started, killed, paused and always
// cleaned up by the number of the process. Tests wait for conditions here, never for a time to pass.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { call } from './cluster-client.ts'

const main = resolve(fileURLToPath(import.meta.url), '../../../src/main.js')
/** Generous: other tests, and other people's work, run on the same two cores. */
const patienceMs = 60_000

export interface Place {
  readonly id: string
  readonly httpPort: number
  readonly peerPort: number
}

export class ClusterNode {
  readonly id: string
  readonly url: string
  readonly place: Place
  readonly folder: string
  readonly #flags: Readonly<Record<string, string>>
  readonly #logPath: string
  #process: ChildProcess | null = null
  #exit: Promise<number | null> = Promise.resolve(null)

  /** `name` is that of its data and its log in `folder`. */
  constructor(place: Place, members: string, folder: string, name = place.id) {
    this.place = place
    this.id = place.id
    this.url = `http://127.0.0.1:${place.httpPort}`
    this.folder = join(folder, name)
    this.#logPath = join(folder, `${name}.log`)
    this.#flags = { id: place.id, members, http: `127.0.0.1:${place.httpPort}`, data: this.folder }
  }

  get pid(): number {
    const pid = this.#process?.pid
    if (pid === undefined) throw new Error(`${this.id} was never started`)
    return pid
  }

  /** Everything that the node has written, all its processes together. */
  get log(): string {
    return readFileSync(this.#logPath, 'utf8')
  }

  /** Starts the process, with other flags than usual where they are given, and returns at once. */
  start(flags: Readonly<Record<string, string>> = {}): void {
    const log = openSync(this.#logPath, 'a')
    const given = Object.entries({ ...this.#flags, ...flags }).flatMap(([flag, value]) => [`--${flag}`, value])
    const started = spawn(process.execPath, [main, ...given], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#process = started
    this.#exit = new Promise((resolve) => started.once('exit', (code) => resolve(code)))
  }

  /** The exit code; null after a signal. */
  exited(): Promise<number | null> {
    return this.#exit
  }

  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited()
  }

  /** Stops in order; the exit code. */
  stop(): Promise<number | null> {
    this.signal('SIGTERM')
    return this.exited()
  }

  /** Waits until the node answers /readyz with 200. */
  async ready(): Promise<void> {
    await until(
      `${this.id} is ready`,
      async () => (await call(`${this.url}/readyz`, { method: 'GET', timeoutMs: 1000 })).status === 200,
    )
  }

  /** What the node knows of the cluster; null when it does not answer. */
  async view(): Promise<ClusterView | null> {
    try {
      const { body } = await call(`${this.url}/v1/cluster`, { method: 'GET', timeoutMs: 1000 })
      return body as unknown as ClusterView
    } catch {
      return null
    }
  }
}

export interface ClusterView {
  readonly self: string
  readonly leader: string | null
  readonly term: number
  readonly appliedIndex: number
}

export class ProcessCluster {
  readonly nodes: readonly ClusterNode[]
  /** As --members takes them. */
  readonly members: string
  readonly folder: string

  private constructor(places: readonly Place[], folder: string) {
    this.members = places.map(({ id, peerPort }) => `${id}=127.0.0.1:${peerPort}`).join(',')
    this.nodes = places.map((place) => new ClusterNode(place, this.members, folder))
    this.folder = folder
  }

  /** All nodes are ready when it returns; everything is gone when the test is over. */
  static async start(t: Test, size: number): Promise<ProcessCluster> {
    const cluster = await ProcessCluster.prepare(t, size)
    for (const node of cluster.nodes) node.start()
    await Promise.all(cluster.nodes.map((node) => node.ready()))
    return cluster
  }

  /** The same, and nothing runs yet. */
  static async prepare(t: Test, size: number): Promise<ProcessCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
    const places: Place[] = []
    for (let n = 1; n <= size; n++) places.push({ id: `n${n}`, httpPort: await freePort(), peerPort: await freePort() })
    const cluster = new ProcessCluster(places, folder)
    const kill = (): void => {
      for (const node of cluster.nodes) node.signal('SIGKILL')
    }
    process.once('exit', kill)
    t.teardown(async () => {
      kill()
      await Promise.all(cluster.nodes.map((node) => node.exited()))
      process.off('exit', kill)
      rmSync(folder, { recursive: true, force: true })
    })
    return cluster
  }

  node(id: string): ClusterNode {
    const found = this.nodes.find((node) => node.id === id)
    if (found === undefined) throw new Error(`there is no node ${id}`)
    return found
  }

  /** The node that it says of itself that it leads, and that a majority follows. */
  leader(): Promise<ClusterNode> {
    return until('a leader is known', async () => {
      const views = (await Promise.all(this.nodes.map((node) => node.view()))).filter((view) => view !== null)
      for (const { self, leader } of views) {
        const followers = views.filter((view) => view.leader === self)
        if (leader === self && followers.length * 2 > this.nodes.length) return this.node(self)
      }
      return null
    })
  }

  async followers(): Promise<readonly ClusterNode[]> {
    const leader = await this.leader()
    return this.nodes.filter((node) => node !== leader)
  }
}

/** Calls `look` until it gives something that is neither null nor false; an error of it counts as null. */
export async function until<Value>(what: string, look: () => Promise<Value | null | false>): Promise<Value> {
  const deadline = performance.now() + patienceMs
  let lastError: unknown = null
  while (performance.now() < deadline) {
    try {
      const found = await look()
      if (found !== null && found !== false) return found
    } catch (error) {
      lastError = error
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`waited ${patienceMs} ms in vain: ${what}`, { cause: lastError })
}

const given = new Set<number>()

/** A port on which nobody listens, below those that the system gives to outgoing connections. */
export async function freePort(): Promise<number> {
  return (await freePortRange(1)) + 1
}

/** The port before `count` such ports in a row. */
export async function freePortRange(count: number): Promise<number> {
  for (;;) {
    const base = 15_000 + Math.floor(Math.random() * 15_000)
    const ports = Array.from({ length: count }, (_, n) => base + 1 + n)
    const free = await Promise.all(ports.map(async (port) => !given.has(port) && (await isFree(port))))
    if (!free.every(Boolean)) continue
    for (const port of ports) given.add(port)
    return base
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
