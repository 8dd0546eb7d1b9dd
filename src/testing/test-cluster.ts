// A cluster for the tests of whoever uses Holdfast: the real nodes, with their Raft log, lock table and HTTP server, in this
// process, with memory in place of disk and network. What befalls locks in production befalls them here when a test says
// so. Real time by default; on virtual time minutes pass in milliseconds, and only when `advance` is called.
import type { NodeId } from '../ids.ts'
import { asNodeId } from '../ids.ts'
import { defaultRaftOptions } from '../raft/state.ts'
import { createSeededChance, systemChance } from './chance.ts'
import { Members } from './members.ts'
import { Partitions } from './partitions.ts'
import { RealTime } from './real-time.ts'
import type { Time } from './time.ts'
import { VirtualTime } from './virtual-time.ts'

export interface TestClusterOptions {
  /** 1, 3 or 5; default: 3. */
  readonly nodes?: number
  /** `virtual`: time stands still between calls of `advance`. Default: `real`. */
  readonly time?: 'real' | 'virtual'
}

/** On real time a leader is replaced at once; on virtual time there is no hurry, and every heartbeat costs. */
const realTimings = { heartbeatMs: 25, electionTimeoutMinMs: 200, electionTimeoutMaxMs: 400 }
const virtualTimings = { heartbeatMs: 150, electionTimeoutMinMs: 1000, electionTimeoutMaxMs: 2000 }

export class TestCluster implements AsyncDisposable {
  readonly #time: Time
  readonly #members: Members
  readonly #partitions: Partitions<NodeId>

  private constructor(parts: { time: Time; members: Members; partitions: Partitions<NodeId> }) {
    this.#time = parts.time
    this.#members = parts.members
    this.#partitions = parts.partitions
  }

  /** A cluster whose nodes are all ready. */
  static async start({ nodes = 3, time: kind = 'real' }: TestClusterOptions = {}): Promise<TestCluster> {
    const partitions = new Partitions<NodeId>()
    const isVirtual = kind === 'virtual'
    const time = isVirtual ? new VirtualTime() : new RealTime()
    const members = await Members.found({
      nodes,
      raft: { ...defaultRaftOptions, ...(isVirtual ? virtualTimings : realTimings) },
      time,
      chance: isVirtual ? createSeededChance(1) : systemChance,
      isCut: (a, b) => partitions.isCut(a, b),
    })
    return new TestCluster({ time, members, partitions })
  }

  get endpoints(): readonly string[] {
    return this.#members.all.map(({ httpUrl }) => httpUrl)
  }

  get nodes(): readonly string[] {
    return this.#members.all.map(({ id }) => id)
  }

  get leader(): string | null {
    return this.#members.leader?.id ?? null
  }

  async failover(): Promise<void> {
    await this.#members.replaceLeader()
  }

  partition(side: readonly string[]): { heal(): void } {
    const heal = this.#partitions.cut(side.map(asNodeId))
    return {
      heal: () => {
        heal()
        this.#members.network.flush()
      },
    }
  }

  advance(ms: number): Promise<void> {
    return this.#time.advance(ms)
  }

  async stop(): Promise<void> {
    await this.#members.remove()
    this.#time.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
