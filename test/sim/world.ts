// A whole cluster in one process on virtual time: machines with real nodes, a network, clients, and the checks that watch
// all of them. It knows what can be done to it; when that is done is the business of faults.ts.
import { asLockName, asNodeId } from '../../src/ids.ts'
import type { LockName, NodeId } from '../../src/ids.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import type { Failure, Report } from '../../src/node/host.ts'
import { defaultRaftOptions } from '../../src/raft/state.ts'
import { LockChecks } from './checks/lock-checks.ts'
import { RaftChecks } from './checks/raft-checks.ts'
import { Client } from './clients.ts'
import type { SharedFacts } from './clients.ts'
import { Frontend } from './frontend.ts'
import { Machine } from './machine.ts'
import { SimNetwork } from './network.ts'
import { createRandom } from './random.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'
import { Timeline } from './timeline.ts'
import { Trace } from './trace.ts'

/** Small windows, so that old bodies are read back from disk all the time. */
const raftOptions = { ...defaultRaftOptions, windowBytesMax: 4096, appendBytesMax: 2048, inflightMessagesMax: 8 }

export class World {
  readonly scenario: Scenario
  readonly timeline = new Timeline()
  readonly random: Random
  readonly trace: Trace
  readonly network: SimNetwork
  readonly machines: readonly Machine[]
  readonly frontend: Frontend
  readonly raftChecks: RaftChecks
  readonly lockChecks: LockChecks
  readonly clients: readonly Client[]
  readonly locks: readonly LockName[]
  readonly facts: SharedFacts = { ackedIndex: 0, operations: 0, grants: 0, closing: false }
  /** Processes that ended by themselves, and why. */
  readonly failures = new Map<NodeId, Failure>()
  faults = 0
  /** Told of every process that ends. */
  onProcessEnd: (machine: Machine) => void = () => {}

  constructor(seed: number | string, scenario: Scenario, log: (line: string) => void) {
    this.scenario = scenario
    this.random = createRandom(seed)
    this.trace = new Trace(this.timeline, log)
    this.network = new SimNetwork({
      timeline: this.timeline,
      random: this.random.fork('network'),
      faults: scenario.network,
      observer: (from, to, bytes) => {
        this.trace.frame(from, to, bytes)
        this.raftChecks.sent(this.machine(from), to, bytes)
      },
    })
    this.machines = this.#createMachines()
    this.lockChecks = new LockChecks(defaultLimits, () => this.timeline.now)
    this.raftChecks = new RaftChecks(this.machines, (entry) => this.lockChecks.committed(entry))
    this.frontend = new Frontend({ machines: this.machines, timeline: this.timeline, random: this.random.fork('frontend') })
    this.frontend.slowAnswers = { chance: scenario.slowAnswerChance, msMax: 10_000 }
    this.locks = Array.from({ length: scenario.locks }, (_, number) => asLockName(`lock ${number}`))
    this.clients = Array.from({ length: scenario.clients }, (_, number) => this.createClient(`client-${number}`))
  }

  machine(id: NodeId): Machine {
    const machine = this.machines.find((candidate) => candidate.id === id)
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
    return new Client({
      name,
      timeline: this.timeline,
      random,
      frontend: this.frontend,
      checks: this.lockChecks,
      nodes: this.machines.map(({ id }) => id),
      locks: this.locks,
      clockRate: this.scenario.clocks === 'good' ? random.between(0.999, 1.001) : null,
      thinkMs: 200,
      shared: this.facts,
    })
  }

  #createMachines(): readonly Machine[] {
    const { members, clocks, stallChance, stallMsMax, writeMs } = this.scenario
    const ids = Array.from({ length: members }, (_, number) => asNodeId(`n${number + 1}`))
    return ids.map((self) => {
      const random = this.random.fork(`machine ${self}`)
      const rate = clocks === 'good' ? random.between(0.999, 1.001) : random.between(0.5, 2)
      return new Machine({
        setup: { self, members: ids, httpUrl: `http://${self}`, limits: defaultLimits, raft: raftOptions },
        timeline: this.timeline,
        network: this.network,
        random,
        clock: { rate, offset: random.between(0, 1e7) },
        faults: { stallChance, stallMsMax },
        writeMs,
        events: {
          turned: (machine) => this.raftChecks.turned(machine),
          writes: (machine, batch) => this.raftChecks.written(machine, batch),
          ended: (machine, failure) => this.#ended(machine, failure),
          report: (machine, report) => this.#report(machine, report),
        },
      })
    })
  }

  #ended(machine: Machine, failure: Failure | null): void {
    this.raftChecks.processEnded(machine)
    if (machine.process !== null) this.frontend.processEnded(machine.process)
    if (failure !== null) this.failures.set(machine.id, failure)
    this.onProcessEnd(machine)
    this.note(`${machine.id} ends${failure === null ? '' : `: ${failure.code}, ${failure.message}`}`)
  }

  #report(machine: Machine, { message, details }: Report): void {
    this.note(`${machine.id} ${message} ${details === undefined ? '' : JSON.stringify(details)}`)
  }
}
