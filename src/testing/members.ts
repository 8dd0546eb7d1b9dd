// The members of a test cluster as a whole: how they are founded, who leads, who takes over, and what they answer. Clients
// are not known here.
import type { InjectOptions } from 'fastify'
import { asNodeId } from '../ids.ts'
import type { NodeId } from '../ids.ts'
import type { RaftOptions } from '../raft/state.ts'
import type { Chance } from './chance.ts'
import { Member } from './member.ts'
import { MemoryNetwork } from './memory-network.ts'
import type { Time } from './time.ts'

export interface MembersSetup {
  readonly nodes: number
  readonly raft: RaftOptions
  readonly time: Time
  readonly chance: Chance
  isCut(a: NodeId, b: NodeId): boolean
}

export interface Asked {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly payload?: object
}

export interface Answered {
  readonly status: number
  readonly body: unknown
}

export class Members {
  readonly network: MemoryNetwork
  readonly all: readonly Member[]
  readonly #time: Time

  private constructor(parts: {
    readonly network: MemoryNetwork
    readonly all: readonly Member[]
    readonly time: Time
  }) {
    this.network = parts.network
    this.all = parts.all
    this.#time = parts.time
  }

  /** A cluster that is founded, and every member of which is ready. */
  static async found(setup: MembersSetup): Promise<Members> {
    const { nodes, raft, time, chance } = setup
    const network = new MemoryNetwork({ isCut: (a, b) => setup.isCut(a, b) })
    const ids = Array.from({ length: nodes }, (_, position) => asNodeId(`n${position + 1}`))
    const created = ids.map((id) => Member.create({ id, members: ids, raft, time, chance, network }))
    const members = new Members({ network, all: await Promise.all(created), time })
    for (const member of members.all) member.start()
    await members.ready()
    return members
  }

  /** Resolves when every member is. */
  ready(): Promise<void> {
    return this.#time.until(() => this.all.every(({ isReady }) => isReady), 'every node is ready')
  }

  /** Of the latest term that is known here; null while there is none. */
  get leader(): Member | null {
    let leader: Member | null = null
    for (const member of this.all) if ((member.leads ?? -1) > (leader?.leads ?? -1)) leader = member
    return leader
  }

  at(httpUrl: string): Member | null {
    return this.all.find((member) => member.httpUrl === httpUrl) ?? null
  }

  /** The leader is killed, another takes over, and the one that was killed comes back on its disk. */
  async replaceLeader(): Promise<void> {
    const killed = await this.#presentLeader()
    await killed.kill()
    const survives = (): boolean => this.leader?.isReady === true
    // Of one member nobody is left to take over.
    if (this.all.length > 1) await this.#time.until(survives, 'another node leads')
    killed.start()
    await this.#time.until(() => killed.isReady, `${killed.id} is back`)
  }

  /** The leader, which lives on, hands over to another. */
  async handOver(): Promise<void> {
    const former = await this.#presentLeader()
    // It may be busy, or the others behind.
    while (this.leader === former) {
      const { status, body } = await this.ask({ method: 'POST', url: '/v1/cluster/transfer' })
      if (status !== 200 && status !== 503) throw new Error(`no hand-over: ${status} ${JSON.stringify(body)}`)
      const isOver = (): boolean => this.leader?.isReady === true
      await this.#time.until(isOver, 'a node leads')
    }
  }

  /** Asks the leader; repeats it, while time passes, as long as there is none that answers. */
  async ask({ method, url, payload }: Asked): Promise<Answered> {
    const options: InjectOptions = payload === undefined ? { method, url } : { method, url, payload }
    for (;;) {
      const leader = await this.#presentLeader()
      const app = await leader.open()
      if (app === null) continue
      let answered: Answered | null = null
      const answer = app.inject(options).then(({ statusCode, body }) => {
        answered = { status: statusCode, body: body === '' ? null : JSON.parse(body) }
      })
      await this.#time.until(() => answered !== null, `an answer to ${method} ${url}`)
      await answer
      if (answered !== null && !mayRepeat(answered)) return answered
    }
  }

  async remove(): Promise<void> {
    await Promise.all(this.all.map((member) => member.remove()))
  }

  async #presentLeader(): Promise<Member> {
    await this.#time.until(() => this.leader !== null, 'a node leads')
    return this.leader ?? this.#presentLeader()
  }
}

/** Nothing that is asked here is harmed by asking it again. */
function mayRepeat({ status }: Answered): boolean {
  return status === 503
}
