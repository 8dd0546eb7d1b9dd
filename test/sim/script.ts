// A world without chance: a cluster on a network of one millisecond, disks of one millisecond and no clients, in which
// nothing happens but what a test says. All checks of the simulator watch. Histories are told in it (histories/), and
// schedules that fast-check draws are played in it (properties/).
import { assert } from '../../src/assert.ts'
import { asLockName, asRequestId } from '../../src/ids.ts'
import type { LockName, RequestId, SessionId, Token } from '../../src/ids.ts'
import { decodePayload } from '../../src/codec/command.ts'
import type { Acquire, Command, NumberedCommand } from '../../src/lockfsm/command.ts'
import type { Granted, Result, SessionOpened } from '../../src/lockfsm/outcome.ts'
import type { Entry } from '../../src/raft/entry.ts'
import type { Replica } from '../../src/node/replica.ts'
import { factsOf } from './checks/reads.ts'
import { isDefinitelyNotDone, markOf } from './frontend.ts'
import type { Exchange, Reply } from './frontend.ts'
import type { Machine } from './machine.ts'
import type { Scenario } from './scenario.ts'
import { World } from './world.ts'

const quiet: Scenario = {
  members: 3,
  clients: 0,
  locks: 1,
  style: {
    tasks: 0,
    thinkMs: 0,
    holdMs: 0,
    waitMs: [0],
    ttlMs: [1000, 1000],
    reads: 0,
    withSession: 0,
    twin: 0,
    walkAway: 0,
    patienceMs: [0],
  },
  faultsMs: 0,
  faultPauseMs: 0,
  faults: [],
  faultMs: 0,
  network: { delayMinMs: 1, delayMeanMs: 0, loss: 0, duplicate: 0, reorder: 0, backoff: false },
  appendBytesMax: 2048,
  keeping: { entries: 40, logBytes: 4000, records: 60, tailBytes: 2000, heldBytesMax: 20_000 },
  writeMs: [1, 1],
  clocks: 'good',
  stallChance: 0,
  stallMsMax: 0,
  slowAnswerChance: 0,
  slowHangUpChance: 0,
  foundingCrashes: 0,
  foundingWipes: 0,
  foundingTrouble: false,
}

/** A call that was made, and what has been heard of it. */
export interface Told extends Exchange {
  /** null until it is answered. */
  readonly reply: Reply | null
  readonly sentAt: number
  /** Virtual time of the answer. */
  readonly repliedAt: number
}

/** A read that was begun, and what has been heard of it. */
export interface Shown {
  /** Of the holder; null when there is none. */
  readonly token: Token | null | 'failed' | 'waiting'
  readonly sentAt: number
  readonly repliedAt: number
}

export class Script {
  readonly world: World
  /** What the world has said, line by line. */
  readonly lines: string[] = []
  /** The committed log. */
  readonly entries: Entry[] = []
  #count = 0

  constructor(change: Partial<Scenario> = {}, seed = 'script') {
    this.world = new World(seed, { ...quiet, ...change }, (line) => this.lines.push(line))
    this.world.onEntry = (entry) => this.entries.push(entry)
  }

  /** Starts all members and lets them found their cluster, until one leads and all follow. */
  found(): this {
    for (const machine of this.world.machines) machine.start()
    this.until(() => this.isSettled, 'a cluster is founded')
    return this
  }

  /** One leads, and everybody who runs follows and has applied everything. */
  get isSettled(): boolean {
    const { machines, leader, lockChecks } = this.world
    return machines.every(({ isUp, node }) => {
      const replica = node?.replica
      return (
        !isUp ||
        (replica?.leader === leader?.id && replica?.appliedIndex === lockChecks.index && replica.unanswered === 0)
      )
    })
  }

  get now(): number {
    return this.world.timeline.now
  }

  pass(ms: number): void {
    this.world.run(this.now + ms)
  }

  /** Lets time pass until `done`, at most for `withinMs`. */
  until(done: () => boolean, what: string, withinMs = 30_000): void {
    assert(
      this.world.run(this.now + withinMs, done),
      () => `within ${withinMs} ms: ${what}\n${this.lines.slice(-20).join('\n')}`,
    )
  }

  get leader(): Machine {
    const { leader } = this.world
    assert(leader !== null, 'there is a leader')
    return leader
  }

  /** Those that run and do not lead, in the order of their names. */
  get followers(): readonly Machine[] {
    return this.world.machines.filter((machine) => machine.isUp && machine !== this.world.leader)
  }

  /** The first of them. */
  get follower(): Machine {
    const [first] = this.followers
    assert(first !== undefined, 'there is a follower')
    return first
  }

  replicaOf(machine: Machine): Replica {
    const replica = machine.node?.replica ?? null
    assert(replica !== null, () => `${machine.id} is a member`)
    return replica
  }

  // ---- the network

  /** Cuts `machine` from those others, or from all, in both directions. */
  isolate(machine: Machine, others: readonly Machine[] = this.world.machines): void {
    for (const other of others) {
      if (other === machine) continue
      this.world.network.cut(machine.id, other.id)
      this.world.network.cut(other.id, machine.id)
    }
  }

  heal(): void {
    this.world.network.healAll()
  }

  // ---- clients

  /** Sends a command to a node as one client; the answer is heard when it comes. */
  send(node: Machine, command: Command | ((takenInAt: Acquire['takenInAt']) => Command), waitMs = 0): Told {
    const told = { reply: null as Reply | null, sentAt: this.now, repliedAt: Infinity }
    let mark: string | null = null
    const exchange = this.world.frontend.send(node.id, {
      build: (takenInAt) => {
        const built = typeof command === 'function' ? command(takenInAt) : command
        mark = markOf(built)
        return built
      },
      waitMs,
      reply: (reply) => {
        told.reply = reply
        told.repliedAt = this.now
        if (mark !== null) this.#judgeAnswer(mark, reply)
        if (reply.kind === 'outcome') this.#judgeResult(reply.result, told.sentAt)
      },
    })
    return Object.assign(told, exchange)
  }

  /** S4: what is said to an attempt is what the log said to it; what is said not to be done never will be. */
  #judgeAnswer(mark: string, reply: Reply): void {
    const { answers } = this.world.lockChecks
    if (isDefinitelyNotDone(reply)) answers.definitelyNotDone(mark, reply.kind)
    if (reply.kind !== 'outcome') return
    if (reply.atStop !== true || reply.result.kind !== 'stillWaiting') answers.answered(mark, reply.result)
  }

  /** S3, S5: what is acknowledged has happened, what is assured lasts. */
  #judgeResult(result: Result, sentAt: number): void {
    const { promises } = this.world.lockChecks
    if (result.kind === 'released') promises.released(result.token)
    if (result.kind === 'granted' || result.kind === 'grantRenewed' || result.kind === 'sessionOpened') {
      const token = result.kind === 'sessionOpened' ? null : result.token
      const session = result.kind === 'grantRenewed' ? null : result.session
      this.#assure({ token, session, until: sentAt + result.validForMs })
    }
    if (result.kind !== 'sessionsRenewed') return
    for (const renewed of result.renewals) {
      if ('refusal' in renewed) continue
      this.#assure({ token: null, session: renewed.session, until: sentAt + renewed.validForMs })
    }
  }

  #assure(promise: { token: Token | null; session: SessionId | null; until: number }): void {
    const check = () => this.world.lockChecks.promises.assured(promise)
    check()
    this.world.timeline.at(promise.until, check)
  }

  /** Sends a command and waits for its answer. */
  ask(node: Machine, command: Parameters<Script['send']>[1], waitMs = 0): Reply {
    const told = this.send(node, command, waitMs)
    this.until(() => told.reply !== null, 'an answer')
    assert(told.reply !== null, 'it is answered')
    return told.reply
  }

  /** Asks for `lock` without waiting for the answer; a mark of its own tells the attempt apart. */
  acquire(node: Machine, request: Partial<Acquire> & { readonly requestId: RequestId }): Told {
    const waitMs = request.waitMs ?? 60_000
    const pollMs = request.pollMs ?? waitMs
    return this.send(
      node,
      (takenInAt) => ({
        kind: 'acquire',
        lock: someLock,
        session: null,
        mode: 'exclusive',
        ttlMs: request.session === undefined || request.session === null ? 30_000 : null,
        owner: `attempt ${++this.#count}`,
        metadata: null,
        takenInAt,
        ...request,
        waitMs,
        pollMs,
      }),
      pollMs,
    )
  }

  /** A lock granted at once, by an attempt that is over. */
  hold(node: Machine, request: Partial<Acquire> = {}): Granted {
    const told = this.acquire(node, { requestId: this.requestId(), ...request })
    this.until(() => told.reply !== null, 'the lock is granted')
    return grantOf(told)
  }

  release(node: Machine, { lock, token }: { lock: LockName; token: Token }): Reply {
    return this.ask(node, { kind: 'release', lock, token, session: null })
  }

  openSession(node: Machine, ttlMs: number): SessionOpened {
    const requestId = this.requestId()
    const name = `opening ${++this.#count}`
    const reply = this.ask(node, (takenInAt) => ({
      kind: 'openSession',
      requestId,
      ttlMs,
      name,
      metadata: null,
      takenInAt,
    }))
    assert(reply.kind === 'outcome' && reply.result.kind === 'sessionOpened', 'the session is opened')
    return reply.result
  }

  renew(node: Machine, session: SessionId, ttlMs: number | null = null): Told {
    return this.send(node, { kind: 'renewSessions', renewals: [{ session, ttlMs }] })
  }

  /** Reads who holds `lock`, without waiting for the answer. */
  beginRead(node: Machine, lock = someLock): Shown {
    const read = { token: 'waiting' as Shown['token'], sentAt: this.now, repliedAt: Infinity }
    const after = this.world.facts.ackedIndex
    let token: Token | null = null
    this.world.frontend.read(node.id, {
      evaluate: (replica) => {
        const facts = factsOf(replica.lock, lock)
        token = facts.token
        const index = replica.appliedIndex
        this.world.timeline.after(0, () => this.world.lockChecks.reads.checkRead({ lock, index, after, facts }))
      },
      reply: (reply) => {
        read.token = reply === 'failed' ? reply : token
        read.repliedAt = this.now
      },
    })
    return read
  }

  /** Reads who holds `lock`: the token, null when nobody does, 'failed' when there was no answer. */
  read(node: Machine, lock = someLock): Token | null | 'failed' {
    const read = this.beginRead(node, lock)
    this.until(() => read.token !== 'waiting', 'an answer to a read')
    return read.token === 'waiting' ? 'failed' : read.token
  }

  requestId(): RequestId {
    return asRequestId(`request-${++this.#count}-0000000000`)
  }

  // ---- the log

  /** Commands of a kind in the committed log, each once. */
  committed(kind: Command['kind']): readonly NumberedCommand[] {
    const found = new Map<string, NumberedCommand>()
    for (const { payload } of this.entries) {
      for (const numbered of decodePayload(payload)) {
        const { node, run, number } = numbered.origin
        if (numbered.command.kind === kind) found.set(`${node}/${run}/${number}`, numbered)
      }
    }
    return [...found.values()]
  }

  /** Cluster time of the committed log. */
  get clusterTime(): number {
    return this.world.lockChecks.state.time
  }

  /** Who holds `lock`, by the committed log. */
  holder(lock = someLock): Token | null {
    return factsOf(this.world.lockChecks.state, lock).token
  }
}

export const someLock = asLockName('lock 0')

/** What the answer says, in one word: the kind of the outcome, or of the answer when it is none. */
export function answerOf({ reply }: Pick<Told, 'reply'>): string {
  if (reply === null) return 'waiting'
  if (reply.kind !== 'outcome') return reply.kind
  return reply.result.kind === 'refused' ? reply.result.code : reply.result.kind
}

export function grantOf(told: Told): Granted {
  const { reply } = told
  assert(reply?.kind === 'outcome' && reply.result.kind === 'granted', () => `granted, not ${answerOf(told)}`)
  return reply.result
}
