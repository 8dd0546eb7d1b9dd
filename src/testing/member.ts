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
  readonly app: App
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
    this.#door = createServer({ noDelay: true }, (socket) => {
      // A reset is the client's affair.
      socket.on('error', () => {})
      if (!this.connect(socket)) socket.destroy()
    })
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

  get app(): App | null {
    return this.#run?.app ?? null
  }

  get isReady(): boolean {
    return this.node?.replica?.readiness().ready === true
  }

  /** The term that it leads; null when it leads none, or does not know that another has begun. */
  get leads(): number | null {
    const raft = this.node?.replica?.core.raft
    return raft?.role.kind === 'leader' ? raft.currentTerm : null
  }

  /** Starts a process on what is on the disk; what it returns lets it speak to the others. */
  async start(): Promise<() => void> {
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
    const app = await buildServer(node, {
      log: createLog(id, 'silent'),
      peerAddresses: new Map(members.map((member) => [member, `${member}.test`])),
      withProcessMetrics: false,
    })
    this.#run = { process, node, app }
    return () => node.start()
  }

  /** A client is at the door; false when nobody opens. */
  connect(connection: Duplex): boolean {
    if (this.#run === null) return false
    this.#connections.add(connection)
    connection.once('close', () => this.#connections.delete(connection))
    this.#run.app.server.emit('connection', connection)
    return true
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
    await run.app.close()
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
