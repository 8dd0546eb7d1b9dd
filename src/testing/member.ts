// One member of a test cluster: a disk and an address that outlive its processes, and at most one process, which runs the
// real node with the real HTTP server. As main.ts puts a node together, so does this file, with memory in place of disk and
// network. The port stays open while the process is gone, so that nobody else gets it; who comes then is turned away.
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { hashRecord, voidKeys } from '../codec/record.ts'
import type { App } from '../http/door.ts'
import { createLog } from '../http/log.ts'
import { buildServer } from '../http/server.ts'
import type { NodeId } from '../ids.ts'
import { defaultLimits } from '../lockfsm/state.ts'
import { defaultKeeping } from '../node/keeping.ts'
import { HoldfastNode } from '../node/node.ts'
import type { RaftOptions } from '../raft/state.ts'
import type { Chance } from './chance.ts'
import { MemberProcess } from './member-process.ts'
import { MemoryDisk } from './memory-disk.ts'
import type { MemoryNetwork } from './memory-network.ts'
import type { Time } from './time.ts'

export interface MemberParts {
  readonly id: NodeId
  readonly members: readonly NodeId[]
  readonly raft: RaftOptions
  readonly time: Time
  readonly chance: Chance
  readonly network: MemoryNetwork
}

interface Run {
  readonly process: MemberProcess
  readonly node: HoldfastNode
  /** Built when the first client comes: that costs more than all the rest, and many tests ask one node only. */
  app: Promise<App> | null
}

/** The disk has room for whatever a test stores. */
const freeBytes = 1e12

export class Member {
  readonly id: NodeId
  readonly #parts: MemberParts
  readonly #disk: MemoryDisk
  readonly #door: Server
  readonly #connections = new Set<Duplex>()
  #httpUrl = ''
  /** null while no process runs. */
  #run: Run | null = null
  #process: MemberProcess | null = null

  private constructor(parts: MemberParts) {
    this.id = parts.id
    this.#parts = parts
    this.#disk = new MemoryDisk({
      schedule: (_delayMs, run) => this.#process?.arrive(run),
      random: () => parts.chance.random(),
      rules: { hashRecord, voidKeys },
    })
    this.#door = createServer({ noDelay: true }, (socket) => this.connect(socket))
  }

  /** A member that has an address, and no process yet. */
  static async create(parts: MemberParts): Promise<Member> {
    const member = new Member(parts)
    member.#httpUrl = `http://127.0.0.1:${await listen(member.#door)}`
    return member
  }

  get httpUrl(): string {
    return this.#httpUrl
  }

  get node(): HoldfastNode | null {
    return this.#run?.node ?? null
  }

  get isUp(): boolean {
    return this.#run !== null
  }

  get isReady(): boolean {
    return this.node?.replica?.readiness().ready === true
  }

  /** The term that it leads; null when it leads none, or does not know that another has begun. */
  get leads(): number | null {
    const raft = this.node?.replica?.core.raft
    return raft?.role.kind === 'leader' ? raft.currentTerm : null
  }

  /** Starts a process on what is on the disk. */
  start(): void {
    const { id, members, raft, time, chance, network } = this.#parts
    const process = new MemberProcess({ id, time, chance })
    this.#process = process
    const node = new HoldfastNode(
      {
        self: id,
        members,
        httpUrl: this.#httpUrl,
        limits: defaultLimits,
        raft,
        keeping: defaultKeeping,
        diskLowBytes: 0,
        restored: null,
      },
      {
        host: process,
        wire: network.wireOf(process),
        store: this.#disk.openLog(),
        state: this.#disk.openState(),
        resetState: () => process.fatal({ code: 'damaged', message: 'a state in memory is damaged', advice: '' }),
        foundingStore: this.#disk.openFounding(),
        volume: { freeBytes: (done) => process.arrive(() => done(null, freeBytes)) },
      },
    )
    this.#run = { process, node, app: null }
    node.start()
  }

  /** A client is at the door: it is let in, or turned away when no process runs. */
  connect(connection: Duplex): void {
    // A reset is the client's affair.
    connection.on('error', () => {})
    this.#connections.add(connection)
    connection.once('close', () => this.#connections.delete(connection))
    this.open().then(
      (app) => {
        if (app === null) connection.destroy()
        else app.server.emit('connection', connection)
      },
      (error: Error) => connection.destroy(error),
    )
  }

  /** The HTTP side of the process that runs; null when none does. */
  async open(): Promise<App | null> {
    const run = this.#run
    if (run === null) return null
    run.app ??= this.#parts.time.during(this.#serve(run.node))
    const app = await run.app
    return run === this.#run ? app : null
  }

  #serve(node: HoldfastNode): Promise<App> {
    const { id, members } = this.#parts
    return buildServer(node, {
      log: createLog(id, 'silent'),
      peerAddresses: new Map(members.map((member) => [member, `${member}.test`])),
      withProcessMetrics: false,
    })
  }

  /** As SIGKILL does it: connections are reset, links closed, and what was not on the disk is lost. */
  async kill(): Promise<void> {
    const run = this.#run
    if (run === null) return
    this.#run = null
    run.process.end()
    for (const connection of this.#connections) connection.destroy()
    this.#disk.crash()
    this.#parts.network.processEnded(run.process)
    const app = await run.app
    await app?.close()
  }

  /** Nobody is at this address any more. */
  async remove(): Promise<void> {
    await this.kill()
    await new Promise((resolve) => this.#door.close(resolve))
  }
}

function listen(door: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    door.once('error', reject)
    door.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = door.address()
      if (isWithPort(address)) resolve(address.port)
    })
  })
}

function isWithPort(address: string | AddressInfo | null): address is AddressInfo {
  return address !== null && typeof address !== 'string'
}
