// A cluster of real processes for one benchmark: free ports, a temporary folder, default settings, and what the operating
// system and the nodes themselves say about what they cost.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Connection } from './connection.ts'
import type { Address } from './connection.ts'
import { metricIn } from './observed.ts'

export interface Node {
  readonly id: string
  readonly http: Address
  readonly folder: string
  process: ChildProcess
}

export interface Setup {
  /** Of all nodes, beyond what every node needs. */
  readonly flags: readonly string[]
  /** The probe is loaded into the nodes (pause-probe.ts). */
  readonly isProbed: boolean
}

/** Cumulative since the start of the processes, summed over the nodes. */
export interface Costs {
  readonly cpuSeconds: number
  readonly logWrites: number
  readonly entries: number
  readonly commands: number
}

const main = fileURLToPath(new URL('../src/main.js', import.meta.url))
const probe = new URL('pause-probe.js', import.meta.url).href
const startTimeoutMs = 120_000

export class BenchCluster {
  readonly nodes: readonly Node[]
  readonly #folder: string
  readonly #arguments: (id: string) => string[]

  private constructor(nodes: readonly Node[], folder: string, arguments_: (id: string) => string[]) {
    this.nodes = nodes
    this.#folder = folder
    this.#arguments = arguments_
  }

  static async start(size: number, setup: Partial<Setup> = {}): Promise<BenchCluster> {
    const { flags, isProbed } = { flags: [], isProbed: false, ...setup }
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
    const ids = Array.from({ length: size }, (_, number) => `n${number + 1}`)
    const ports = await freePorts(2 * size)
    const members = ids.map((id, number) => `${id}=127.0.0.1:${ports[number]}`).join(',')
    const httpPort = (id: string) => ports[size + ids.indexOf(id)] ?? 0
    const arguments_ = (id: string) => [
      ...(isProbed ? ['--expose-gc', '--import', probe] : []),
      main,
      ...['--id', id, '--members', members, '--http', `127.0.0.1:${httpPort(id)}`],
      ...['--data', join(folder, id), '--log-level', 'error', ...flags],
    ]
    const nodes = ids.map((id) => ({
      id,
      http: { host: '127.0.0.1', port: httpPort(id) },
      folder: join(folder, id),
      process: startProcess(arguments_(id)),
    }))
    const cluster = new BenchCluster(nodes, folder, arguments_)
    await Promise.all(nodes.map((node) => cluster.ready(node)))
    return cluster
  }

  /** Starts a node again that was killed. */
  restart(node: Node): void {
    node.process = startProcess(this.#arguments(node.id))
  }

  /** A node that was ended comes back with an empty disk, refused as a stranger until the others are told (README). */
  async replaceDisk(node: Node): Promise<void> {
    rmSync(node.folder, { recursive: true, force: true })
    const incarnation = await incarnationOfStranger(this.#arguments(node.id))
    const others = this.nodes.filter((other) => other !== node)
    for (let trial = 0; ; trial++) {
      const connection = new Connection((await this.leader()).http)
      const answer = await connection.post(`/v1/cluster/members/${node.id}/replace`, JSON.stringify({ incarnation }))
      connection.close()
      if (answer.status === 200) return
      if (trial === 10 || others.length === 0) throw new Error(`replace: ${answer.status} ${answer.body}`)
      await pause(200)
    }
  }

  /** Ends a node and waits until it is gone. */
  async end(node: Node, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const gone = exited(node.process)
    node.process.kill(signal)
    await gone
  }

  async ready(node: Node): Promise<void> {
    const until = Date.now() + startTimeoutMs
    for (;;) {
      if ((await statusOf(node.http, '/readyz')) === 200) return
      if (Date.now() > until) throw new Error(`${node.id} is not ready after ${startTimeoutMs} ms`)
      await pause(20)
    }
  }

  async leader(): Promise<Node> {
    for (;;) {
      for (const { http, process } of this.nodes) {
        if (process.exitCode !== null || process.signalCode !== null) continue
        const leader = await clusterView(http)
        const node = this.nodes.find(({ id }) => id === leader)
        if (node !== undefined) return node
      }
      await pause(20)
    }
  }

  async costs(): Promise<Costs> {
    const each = await Promise.all(this.nodes.map(costsOf))
    const sum = (pick: (costs: Costs) => number) => each.reduce((total, costs) => total + pick(costs), 0)
    return {
      cpuSeconds: sum((costs) => costs.cpuSeconds),
      logWrites: sum((costs) => costs.logWrites),
      entries: sum((costs) => costs.entries),
      commands: sum((costs) => costs.commands),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await this.end(node, 'SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Starts a node that will be refused, and reads which disk it has from its last line. */
async function incarnationOfStranger(arguments_: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'ignore', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs)
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString()
  })
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  const incarnation = /"incarnation":"([0-9a-f]{32})"/.exec(said)?.[1]
  if (incarnation === undefined) throw new Error(`a node with an empty disk was not refused: ${said}`)
  return incarnation
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve))
}

function startProcess(arguments_: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  // Also when the benchmark itself fails: a cluster left behind would disturb every later run.
  process.once('exit', () => child.kill('SIGKILL'))
  return child
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a port of TCP has a number')
    return address.port
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** The status of a GET, or null when nobody answers. */
async function statusOf(address: Address, path: string): Promise<number | null> {
  const connection = new Connection(address)
  try {
    return (await connection.get(path)).status
  } catch {
    return null
  } finally {
    connection.close()
  }
}

async function clusterView(address: Address): Promise<unknown> {
  const connection = new Connection(address)
  try {
    const view: unknown = JSON.parse((await connection.get('/v1/cluster')).body)
    return typeof view === 'object' && view !== null && 'leader' in view ? view.leader : null
  } catch {
    return null
  } finally {
    connection.close()
  }
}

async function costsOf({ http, process }: Node): Promise<Costs> {
  const connection = new Connection(http)
  const { body } = await connection.get('/metrics')
  connection.close()
  const metric = (name: string) => metricIn(body, name) || 0
  return {
    cpuSeconds: cpuSecondsOf(process.pid),
    logWrites: metric('holdfast_log_writes_total'),
    entries: metric('holdfast_entries_proposed_total'),
    commands: metric('holdfast_commands_proposed_total'),
  }
}

/** User and system time as Linux counts it, all threads; 0 where there is no /proc. */
export function cpuSecondsOf(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    const ticksPerSecond = 100
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  } catch {
    return 0
  }
}
