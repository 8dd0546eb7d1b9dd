// A cluster for the tests of whoever uses Holdfast: the real nodes, with their Raft log, lock table and HTTP server, in this
// process, with memory in place of disk and network. What befalls locks in production befalls them here when a test says
// so. Real time by default; on virtual time minutes pass in milliseconds, and only when `advance` is called.
import { Exchanges } from '../client/exchange.ts'
import { LockClient } from '../client/lock-client.ts'
import type { ClientOptions, Lock } from '../client/types.ts'
import type { NodeId } from '../ids.ts'
import { defaultRaftOptions } from '../raft/state.ts'
import { createSeededChance, systemChance } from './chance.ts'
import type { Chance } from './chance.ts'
import { ClientMachine } from './client-machine.ts'
import type { Holder } from './held-leases.ts'
import { endHold, readHolder } from './holders.ts'
import { exchangeInProcess } from './in-process-http.ts'
import { Members } from './members.ts'
import { Partitions } from './partitions.ts'
import { RealTime } from './real-time.ts'
import type { Time } from './time.ts'
import { VirtualTime } from './virtual-time.ts'

export interface TestClusterOptions {
  /** 1 to 9; default: 3. */
  readonly nodes?: number
  /** `virtual`: time stands still between calls of `advance`. Default: `real`. */
  readonly time?: 'real' | 'virtual'
}

export interface TestClientOptions extends Partial<ClientOptions> {
  /**
   * Called where `onLost: 'exit'` or `'kill'` would end the process. The process of a test goes on; the client does not:
   * nothing is sent for it any more, and its timers do not fire.
   */
  readonly onProcessEnd?: (how: 'exit' | 'kill') => void
}

/** The holder's process is stopped, as by SIGSTOP. */
export interface Paused {
  /** What came due meanwhile happens now. */
  resume(): void
}

/** Two sides that cannot hear each other. */
export interface Partition extends AsyncDisposable {
  /** Resolves when every node is ready again, unless others are still cut off; virtual time passes until then. */
  heal(): Promise<void>
}

export interface Failover {
  /** `crash`: the leader is killed, and comes back once another leads. `handover`: it lives on. Default: `crash`. */
  readonly how?: 'crash' | 'handover'
}

type Party = NodeId | ClientMachine

/** On real time a leader is replaced at once; on virtual time there is no hurry, and every heartbeat costs. */
const realTimings = { heartbeatMs: 40, electionTimeoutMinMs: 200, electionTimeoutMaxMs: 400 }
const virtualTimings = { heartbeatMs: 150, electionTimeoutMinMs: 1000, electionTimeoutMaxMs: 2000 }
const nodesMax = 9
/** Longer than any call takes that does not wait for somebody else. */
const callMs = 600_000
/** Clients of the kit may take so long to give back what they hold when the cluster is stopped. */
const closeMs = 2000

export class TestCluster implements AsyncDisposable {
  readonly #time: Time
  readonly #chance: Chance
  readonly #members: Members
  readonly #partitions: Partitions<Party>
  readonly #machines = new Map<LockClient, ClientMachine>()
  #stopped: Promise<void> | null = null

  private constructor(parts: { time: Time; chance: Chance; members: Members; partitions: Partitions<Party> }) {
    this.#time = parts.time
    this.#chance = parts.chance
    this.#members = parts.members
    this.#partitions = parts.partitions
  }

  /** A cluster whose nodes are all ready. */
  static async start({ nodes = 3, time: kind = 'real' }: TestClusterOptions = {}): Promise<TestCluster> {
    if (!Number.isInteger(nodes) || nodes < 1 || nodes > nodesMax) throw new RangeError(`nodes: 1 to ${nodesMax}`)
    const partitions = new Partitions<Party>()
    const isVirtual = kind === 'virtual'
    const time = isVirtual ? new VirtualTime() : new RealTime()
    const chance = isVirtual ? createSeededChance(1) : systemChance
    const raft = { ...defaultRaftOptions, ...(isVirtual ? virtualTimings : realTimings) }
    const members = await Members.found({ nodes, raft, time, chance, isCut: (a, b) => partitions.isCut(a, b) })
    return new TestCluster({ time, chance, members, partitions })
  }

  /** Where the nodes answer HTTP: loopback, ports chosen by the system. */
  get endpoints(): readonly string[] {
    return this.#members.all.map(({ httpUrl }) => httpUrl)
  }

  /** Their names, in the order of `endpoints`. */
  get nodes(): readonly string[] {
    return this.#members.all.map(({ id }) => id)
  }

  /** null while there is none. */
  get leader(): string | null {
    return this.#members.leader?.id ?? null
  }

  /** Milliseconds on the clock of this cluster. */
  now(): number {
    return this.#time.now()
  }

  /** A client whose clock, timers and connections are the cluster's. `stop` closes it. */
  client({ onProcessEnd = () => {}, ...options }: TestClientOptions = {}): LockClient {
    const machine = new ClientMachine({
      time: this.#time,
      chance: this.#chance,
      transport: this.#createTransport(),
      isCutOff: (self, endpoint) => this.#isCutOff(self, endpoint),
      ended: onProcessEnd,
    })
    const client = new LockClient({ endpoints: this.endpoints, ...options }, machine.surroundings)
    this.#machines.set(client, machine)
    return client
  }

  /**
   * The lock ends behind the back of its holder, and the next in line gets it. A client of the kit learns of it before
   * anybody else has the lock, any other when it renews next. What a session keeps goes with the session.
   */
  async loseLock(lock: Lock | string): Promise<void> {
    const holder = await this.#holderOf(lock)
    for (const machine of this.#machines.values()) machine.lose(holder)
    await endHold(this.#members, holder)
  }

  /** Stops the client that holds the lock as SIGSTOP stops a process; it must be a client of the kit. */
  async pauseHolder(lock: Lock | string): Promise<Paused> {
    const holder = await this.#holderOf(lock)
    const machine = [...this.#machines.values()].find((candidate) => candidate.holds(holder))
    if (machine === undefined) throw new Error(`no client of this cluster's client() holds lock ${holder.lock}`)
    machine.pause()
    return { resume: () => machine.resume() }
  }

  /** Resolves when another node leads, and all are ready; virtual time passes until then. */
  async failover({ how = 'crash' }: Failover = {}): Promise<void> {
    await (how === 'crash' ? this.#members.replaceLeader() : this.#members.handOver())
  }

  /** Cuts off these nodes, and clients of the kit, from all others. Clients that are not named are on the other side. */
  partition(side: readonly (string | LockClient)[]): Partition {
    const cut = this.#partitions.cut(side.map((party) => this.#partyOf(party)))
    const heal = async (): Promise<void> => {
      cut()
      this.#flush()
      if (this.#partitions.isWhole) await this.#members.ready()
    }
    return { heal, [Symbol.asyncDispose]: heal }
  }

  /**
   * Lets time pass. On virtual time it resolves when everything that is due in the next `ms` has happened and come to
   * rest: renewals, expiry, grants to who waits, signals, and the promises of the test that go on from these.
   */
  advance(ms: number): Promise<void> {
    return this.#time.advance(ms)
  }

  /**
   * Lets time pass until `call` is settled, and returns what it comes to. Virtual time: most calls are answered while it
   * stands still, but who must try again after a pause (its node is gone, nobody leads) waits for it to pass.
   */
  async until<Result>(call: Promise<Result>): Promise<Result> {
    let isSettled = false
    const settled = (): void => {
      isSettled = true
    }
    call.then(settled, settled)
    await this.#time.until(() => isSettled, 'the call is settled', callMs)
    return call
  }

  /** Closes the clients of the kit, then ends all nodes. May be repeated. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.#partitions.healAll()
    for (const machine of this.#machines.values()) machine.resume()
    this.#flush()
    let open = this.#machines.size
    for (const [client, machine] of this.#machines) {
      const closed = (): void => {
        open--
        machine.end()
      }
      client.close().then(closed, closed)
    }
    // Who cannot give back what he holds loses it with the cluster.
    await this.#time.until(() => open === 0, 'clients have closed', closeMs).catch(() => {})
    for (const machine of this.#machines.values()) machine.end()
    await this.#members.remove()
    this.#time.end()
  }

  #holderOf(lock: Lock | string): Promise<Holder> {
    return typeof lock === 'string'
      ? readHolder(this.#members, { lock, token: null })
      : readHolder(this.#members, { lock: lock.name, token: lock.token })
  }

  #partyOf(party: string | LockClient): Party {
    if (typeof party === 'string') {
      const member = this.#members.all.find(({ id }) => id === party)
      if (member === undefined) throw new Error(`${party} is no node of this cluster`)
      return member.id
    }
    const machine = this.#machines.get(party)
    if (machine === undefined) throw new Error("this client is none of this cluster's client()")
    return machine
  }

  #flush(): void {
    this.#members.network.flush()
    for (const machine of this.#machines.values()) machine.flush()
  }

  #isCutOff(machine: ClientMachine, endpoint: string): boolean {
    const member = this.#members.at(endpoint)
    return member !== null && this.#partitions.isCut(machine, member.id)
  }

  /** Real time has real sockets. */
  #createTransport(): ConstructorParameters<typeof ClientMachine>[0]['transport'] {
    const time = this.#time
    if (!(time instanceof VirtualTime)) return new Exchanges()
    const parts = { memberAt: (endpoint: string) => this.#members.at(endpoint), stir: () => time.stir() }
    return { exchange: (request) => exchangeInProcess(parts, request), close: () => {} }
  }
}
