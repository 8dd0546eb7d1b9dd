// A whole cluster in one process on virtual time: machines with real nodes, a network, clients, and the checks that watch
// all of them. It knows what can be done to it; when that is done is the business of faults.ts.
import { asLockName, asNodeId } from '../../src/ids.ts'
import { assert } from '../../src/assert.ts'
import { decodeFrame } from '../../src/codec/frame.ts'
import type { LinkFrame } from '../../src/codec/frame.ts'
import type { ClusterId, LockName, NodeId, SessionId, Token } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import type { Failure, Report } from '../../src/node/host.ts'
import type { Entry } from '../../src/raft/entry.ts'
import { defaultRaftOptions } from '../../src/raft/state.ts'
import type { LogBatch } from '../../src/storage/log-store.ts'
import { BoundChecks } from './checks/bounds.ts'
import { KeepingChecks } from './checks/keeping-checks.ts'
import { LockChecks } from './checks/lock-checks.ts'
import { isSameBytes } from './checks/same-data.ts'
import { drawScrutiny } from './checks/scrutiny.ts'
import { TimeChecks } from './checks/time-checks.ts'
import { RaftChecks } from './checks/raft-checks.ts'
import type { SharedFacts } from './caller.ts'
import { HistoryRecorder } from '../linearizability/recorder.ts'
import { Client } from './clients.ts'
import { Frontend } from './frontend.ts'
import { HappeningCount } from './happenings.ts'
import { Injuries } from './injuries.ts'
import { Machine } from './machine.ts'
import { SimNetwork } from './network.ts'
import { Operator } from './operator.ts'
import { createRandom } from './random.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'
import { Timeline } from './timeline.ts'
import { Trace } from './trace.ts'

/** Small windows, so that old bodies are read back from disk all the time. */
const raftOptions = { ...defaultRaftOptions, windowBytesMax: 4096, inflightMessagesMax: 8 }

export class World {
  readonly scenario: Scenario
  readonly timeline = new Timeline()
  readonly random: Random
  readonly trace: Trace
  readonly network: SimNetwork
  readonly machines: readonly Machine[]
  readonly #machineById: ReadonlyMap<NodeId, Machine>
  readonly frontend: Frontend
  readonly raftChecks: RaftChecks
  readonly lockChecks: LockChecks
  readonly #keepingChecks: KeepingChecks
  readonly #timeChecks: TimeChecks
  readonly #boundChecks = new BoundChecks()
  readonly clients: readonly Client[]
  readonly locks: readonly LockName[]
  /** What clients lived through, for the judgement at the end. */
  readonly history = new HistoryRecorder(() => this.timeline.now)
  readonly facts: SharedFacts = { ackedIndex: 0, operations: 0, grants: 0, closing: false, dismissed: false }
  /** Machines whose disk was taken away after a cluster could know it: they must be refused, and stay out. */
  readonly wiped = new Set<NodeId>()
  readonly injuries: Injuries
  readonly operator: Operator
  readonly happenings = new HappeningCount()
  /** Members whose lock table was changed on purpose: they must be found out. */
  readonly tampered = new Set<NodeId>()
  /** Processes that ended by themselves, and why. */
  readonly failures = new Map<NodeId, Failure>()
  faults = 0
  #clusterId: ClusterId | null = null
  /** Told of every process that ends, and of every machine that has come to lead. */
  onProcessEnd: (machine: Machine) => void = () => {}
  onNewLeader: (machine: Machine) => void = () => {}
  /** Told when a machine begins to take a snapshot in, and when its lock table is that of the snapshot. */
  onSnapshot: (machine: Machine) => void = () => {}
  /** Told of every entry when the first member has applied it. */
  onEntry: (entry: Entry) => void = () => {}
  #termLed = 0
  #lastSent: { readonly bytes: Uint8Array; readonly frame: LinkFrame } | null = null

  constructor(seed: number | string, scenario: Scenario, log: (line: string) => void) {
    this.scenario = scenario
    this.random = createRandom(seed)
    this.trace = new Trace(this.timeline, log)
    this.network = new SimNetwork({
      timeline: this.timeline,
      random: this.random.fork('network'),
      faults: scenario.network,
      observer: {
        sent: (from, to, bytes) => this.#sent(from, to, bytes),
        read: (from, to) => this.machine(to).heard(from),
      },
    })
    this.machines = this.#createMachines()
    this.#machineById = new Map(this.machines.map((machine) => [machine.id, machine]))
    this.injuries = new Injuries(this.machines, this.wiped, (machine) => this.raftChecks.hasDiskInForce(machine))
    this.operator = new Operator(this)
    const scrutiny = drawScrutiny(this.random.fork('scrutiny'))
    this.lockChecks = new LockChecks({
      scrutiny,
      limits: defaultLimits,
      now: () => this.timeline.now,
      random: this.random.fork('checks'),
    })
    this.raftChecks = new RaftChecks(this.machines, (entry) => this.#committed(entry))
    this.#keepingChecks = new KeepingChecks({
      scrutiny,
      committedAt: (index) => this.raftChecks.committedAt(index),
      isTampered: ({ id }) => this.tampered.has(id),
    })
    this.#timeChecks = new TimeChecks(() => this.timeline.now, scenario.clocks === 'good')
    this.frontend = new Frontend({
      machines: this.machines,
      timeline: this.timeline,
      random: this.random.fork('frontend'),
    })
    this.frontend.heard = (from, answer) =>
      this.trace.answer(from, answer.kind, answer.kind === 'outcome' ? answer.index : 0)
    this.frontend.slowAnswers = { chance: scenario.slowAnswerChance, msMax: 10_000 }
    this.frontend.slowHangUps = { chance: scenario.slowHangUpChance, msMax: 10_000 }
    this.locks = Array.from({ length: scenario.locks }, (_, number) => asLockName(`lock ${number}`))
    this.clients = Array.from({ length: scenario.clients }, (_, number) => this.createClient(`client-${number}`))
  }

  machine(id: NodeId): Machine {
    const machine = this.#machineById.get(id)
    if (machine === undefined) throw new Error(`no machine ${id}`)
    return machine
  }

  /** The machine whose node leads the latest term, if any. */
  get leader(): Machine | null {
    let latest: Machine | null = null
    let term = -1
    for (const machine of this.machines) {
      const raft = machine.node?.replica?.core.raft
      if (raft?.role.kind !== 'leader' || raft.currentTerm <= term) continue
      latest = machine
      term = raft.currentTerm
    }
    return latest
  }

  /** Lets virtual time pass until `until`, or until `done` says so. */
  run(until: number, done: () => boolean = () => false): boolean {
    while (!done()) if (!this.timeline.step(until)) return done()
    return true
  }

  note(text: string): void {
    this.trace.note(text)
  }

  createClient(name: string): Client {
    const random = this.random.fork(name)
    const clockRate = this.scenario.clocks === 'good' ? random.between(0.999, 1.001) : null
    return new Client({
      name,
      timeline: this.timeline,
      random,
      frontend: this.frontend,
      checks: this.lockChecks,
      nodes: this.machines.map(({ id }) => id),
      locks: this.locks,
      style: this.scenario.style,
      clockRate,
      shared: this.facts,
      history: this.history,
      assured: (promise) => this.#assured(promise, clockRate),
    })
  }

  /** S5: what an answer assured of must not have ended, now or before its time. Returns that time, 0 without good clocks. */
  #assured(
    promise: { token: Token | null; session: SessionId | null; sentAt: number; validForMs: number },
    clockRate: number | null,
  ): number {
    const { token, session, sentAt, validForMs } = promise
    const until = clockRate === null ? 0 : sentAt + validForMs / clockRate
    const check = () => this.lockChecks.promises.assured({ token, session, until })
    check()
    if (until > this.timeline.now) this.timeline.at(until, check)
    return until
  }

  #createMachines(): readonly Machine[] {
    const { members, clocks, stallChance, stallMsMax, writeMs } = this.scenario
    const ids = Array.from({ length: members }, (_, number) => asNodeId(`n${number + 1}`))
    return ids.map((self) => {
      const random = this.random.fork(`machine ${self}`)
      const rate = clocks === 'good' ? random.between(0.999, 1.001) : random.between(0.5, 2)
      return new Machine({
        setup: {
          self,
          members: ids,
          httpUrl: `http://${self}`,
          limits: defaultLimits,
          diskLowBytes: 1,
          restored: null,
          keeping: this.scenario.keeping,
          raft: { ...raftOptions, appendBytesMax: this.scenario.appendBytesMax },
        },
        timeline: this.timeline,
        network: this.network,
        random,
        clock: { rate, offset: random.between(0, 1e7) },
        faults: { stallChance, stallMsMax },
        writeMs,
        events: {
          turned: (machine) => this.#turned(machine),
          writes: (machine, batch) => this.#writes(machine, batch),
          stateStored: (machine) => {
            this.happenings.count('checkpoints')
            this.#keepingChecks.stored(machine)
          },
          ended: (machine, failure) => this.#ended(machine, failure),
          report: (machine, report) => this.#report(machine, report),
        },
      })
    })
  }

  #committed(entry: Entry): void {
    this.lockChecks.committed(entry)
    this.#keepingChecks.applied(entry, this.lockChecks.state)
    this.onEntry(entry)
  }

  #writes(machine: Machine, batch: LogBatch): void {
    this.trace.write(machine.id, batch)
    this.raftChecks.written(machine, batch)
    this.#keepingChecks.written(machine, batch)
    this.happenings.written(batch)
  }

  #sent(from: NodeId, to: NodeId, bytes: Uint8Array): void {
    this.trace.frame(from, to, bytes)
    const frame = this.#decoded(bytes)
    if (frame.kind === 'raft') this.raftChecks.sent(this.machine(from), to, frame)
    if (frame.kind === 'forward') this.lockChecks.numbers.sent(frame)
  }

  /** What goes to all peers is looked at once. */
  #decoded(bytes: Uint8Array): LinkFrame {
    const lastSent = this.#lastSent
    if (lastSent !== null && isSameBytes(lastSent.bytes, bytes)) return lastSent.frame
    const frame = decodeFrame(bytes)
    this.#lastSent = { bytes, frame }
    return frame
  }

  #turned(machine: Machine): void {
    this.trace.turn(machine.id)
    this.raftChecks.turned(machine)
    const replica = machine.node?.replica
    if (replica === null || replica === undefined) return
    this.#timeChecks.turned(machine, replica.core.raft)
    this.#boundChecks.turned(machine, replica.core.raft)
    this.#checkMember(machine)
    const { role, currentTerm } = replica.core.raft
    if (role.kind === 'leader' && currentTerm > this.#termLed) {
      this.#termLed = currentTerm
      this.onNewLeader(machine)
    }
    if (!replica.hasState || this.tampered.has(machine.id)) return
    this.lockChecks.replicas.compareAt(machine.id, replica.appliedIndex, replica.lock)
  }

  /** H27: who serves is a member of the one cluster; an empty disk that comes later is none until it is taken in. */
  #checkMember({ id, node, disk }: Machine): void {
    assert(!this.wiped.has(id), () => `H27: ${id} serves with a disk that came too late`)
    const { clusterId = null, members = [] } = node?.founding ?? {}
    this.#clusterId ??= clusterId
    assert(
      clusterId === this.#clusterId,
      () => `H27: ${id} serves in cluster ${clusterId}, others in ${this.#clusterId}`,
    )
    const { meta } = disk.durable()
    const isFounder = members.some((member) => member.id === id && member.incarnation === meta?.incarnation)
    assert(
      isFounder || (meta !== null && this.operator.asked.has(meta.incarnation)),
      () => `H27: ${id} serves with a disk that nobody took in`,
    )
  }

  #ended(machine: Machine, failure: Failure | null): void {
    this.raftChecks.processEnded(machine)
    if (machine.process !== null) this.frontend.processEnded(machine.process)
    if (failure !== null) this.failures.set(machine.id, failure)
    this.onProcessEnd(machine)
    this.note(`${machine.id} ends${failure === null ? '' : `: ${failure.code}, ${failure.message}`}`)
  }

  #report(machine: Machine, report: Report): void {
    const { message, details } = report
    this.happenings.reported(report, machine.node?.replica?.unanswered ?? 0)
    if (message.startsWith('a snapshot took')) this.lockChecks.answers.hasJumped = true
    if (/^(taking a snapshot|a snapshot took)/.test(message)) this.onSnapshot(machine)
    this.note(`${machine.id} ${message} ${details === undefined ? '' : JSON.stringify(details)}`)
  }
}
