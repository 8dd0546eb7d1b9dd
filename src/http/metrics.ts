// `/metrics`: what this node counts, and what it reads off itself when it is asked. Everything that is written on a
// call's way is a plain number here and becomes a metric only when somebody looks.
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'
import { counts } from '../lockfsm/views.ts'
import type { ServedNode, ServedReplica } from './door.ts'
import { Latency, LatencyHistogram } from './latency.ts'
import type { Said } from './outcomes.ts'

/** What is counted of one kind of call. */
export class Meter {
  readonly latency = new Latency()
  readonly #said = new Map<Said, number>()

  answered(said: Said, ms: number): void {
    this.latency.observe(ms)
    this.refused(said)
  }

  /** Answered before it was looked into: how long that took says nothing. */
  refused(said: Said): void {
    this.#said.set(said, (this.#said.get(said) ?? 0) + 1)
  }

  get said(): ReadonlyMap<Said, number> {
    return this.#said
  }
}

export interface MetricsSetup {
  readonly node: ServedNode
  readonly reads: { readonly open: number }
  /** Adds the figures of the process and its event loop, which one server in a process can show. */
  readonly withProcess: boolean
}

export class Metrics {
  readonly #registry = new Registry()
  readonly #meters = new Map<string, Meter>()

  constructor({ node, reads, withProcess }: MetricsSetup) {
    if (withProcess) collectDefaultMetrics({ register: this.#registry })
    this.#registerCalls()
    for (const figure of figures) this.#registerFigure(node, figure)
    this.#registerReads(reads)
    this.#registerSpace(node)
    this.#registerPeers(node)
  }

  /** The meter for the calls of this name. */
  meter(call: string): Meter {
    const known = this.#meters.get(call)
    if (known !== undefined) return known
    const meter = new Meter()
    this.#meters.set(call, meter)
    return meter
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #registerCalls(): void {
    const registry = this.#registry
    const meters = this.#meters
    new Counter({
      name: 'holdfast_calls_total',
      help: 'Answered calls, by what was said: ok, waiting, or the code of the problem.',
      labelNames: ['call', 'said'],
      registers: [registry],
      collect() {
        this.reset()
        for (const [call, meter] of meters) for (const [said, count] of meter.said) this.inc({ call, said }, count)
      },
    })
    const latency = { name: 'holdfast_call_seconds', help: 'From the call to its answer.', registry }
    new LatencyHistogram(latency, () => [...meters].map(([call, meter]) => [call, meter.latency]))
  }

  #registerFigure(node: ServedNode, { name, help, read, grows }: Figure): void {
    const setup = { name: `holdfast_${name}`, help, registers: [this.#registry] }
    const value = (): number => (node.replica === null ? 0 : read(node.replica))
    if (grows === true) {
      new Counter({
        ...setup,
        collect() {
          this.reset()
          this.inc(value())
        },
      })
    } else {
      new Gauge({
        ...setup,
        collect() {
          this.set(value())
        },
      })
    }
  }

  #registerReads(reads: { readonly open: number }): void {
    new Gauge({
      name: 'holdfast_reads_open',
      help: 'Linearizable reads without an answer.',
      registers: [this.#registry],
      collect() {
        this.set(reads.open)
      },
    })
  }

  #registerSpace({ space }: ServedNode): void {
    new Gauge({
      name: 'holdfast_disk_free_bytes',
      help: 'Space left where the data lies; NaN while it is not known.',
      registers: [this.#registry],
      collect() {
        this.set(space.freeBytes ?? NaN)
      },
    })
    new Gauge({
      name: 'holdfast_disk_low',
      help: '1 while new work is refused for want of disk space.',
      registers: [this.#registry],
      collect() {
        this.set(space.isLow ? 1 : 0)
      },
    })
  }

  #registerPeers(node: ServedNode): void {
    const { self, members } = node.setup
    new Gauge({
      name: 'holdfast_peer_connected',
      help: '1 when frames can be sent to this member.',
      labelNames: ['peer'],
      registers: [this.#registry],
      collect() {
        for (const peer of members) if (peer !== self) this.set({ peer }, node.peers.isConnected(peer) ? 1 : 0)
      },
    })
  }
}

interface Figure {
  readonly name: string
  readonly help: string
  readonly read: (replica: ServedReplica) => number
  /** It only grows while the process lives. */
  readonly grows?: true
}

const figures: readonly Figure[] = [
  { name: 'is_leader', help: '1 on the leader.', read: ({ core }) => (core.raft.role.kind === 'leader' ? 1 : 0) },
  { name: 'has_leader', help: '1 when a leader is known.', read: ({ leader }) => (leader === null ? 0 : 1) },
  { name: 'ready', help: '1 when the node is ready.', read: (replica) => (replica.readiness().ready ? 1 : 0) },
  { name: 'term', help: 'Raft term.', read: ({ core }) => core.raft.currentTerm },
  { name: 'last_index', help: 'Last entry of the log.', read: ({ core }) => core.raft.log.lastIndex },
  { name: 'commit_index', help: 'Last entry known to be committed.', read: ({ core }) => core.raft.commitIndex },
  { name: 'applied_index', help: 'Last entry applied.', read: ({ appliedIndex }) => appliedIndex },
  {
    name: 'cluster_time_seconds',
    help: 'Cluster time of the last entry applied.',
    read: ({ clusterTime }) => clusterTime / 1000,
  },
  { name: 'calls_open', help: 'Calls without an answer, waiting ones included.', read: ({ calls }) => calls.open },
  { name: 'calls_waiting', help: 'Calls whose requests wait in a queue.', read: ({ calls }) => calls.queued },
  {
    name: 'entries_proposed_total',
    help: 'Log entries with commands that this node made while it led.',
    read: ({ leading }) => leading.entries,
    grows: true,
  },
  {
    name: 'commands_proposed_total',
    help: 'Commands in those entries.',
    read: ({ leading }) => leading.commands,
    grows: true,
  },
  { name: 'log_writes_total', help: 'Synced writes to the log.', read: ({ core }) => core.disk.writes, grows: true },
  { name: 'log_bytes', help: 'Bytes of the entries in the log, about.', read: ({ keeping }) => keeping.logBytes },
  { name: 'log_first_index', help: 'Oldest entry in the log.', read: ({ core }) => core.raft.log.start.index + 1 },
  {
    name: 'checkpoints_total',
    help: 'Checkpoints made since the start.',
    read: ({ keeping }) => keeping.checkpoints.made,
    grows: true,
  },
  {
    name: 'checkpoint_seconds',
    help: 'How long the last one took, from its mark to the disk.',
    read: ({ keeping }) => keeping.checkpoints.lastMs / 1000,
  },
  {
    name: 'snapshots_sent_total',
    help: 'Snapshots that members took from this node.',
    read: ({ keeping }) => keeping.sender.sent,
    grows: true,
  },
  {
    name: 'snapshots_installed_total',
    help: 'Snapshots that this node took.',
    read: ({ keeping }) => keeping.receiver.installed,
    grows: true,
  },
  {
    name: 'digest_index',
    help: 'Index of the last checkpoint, whose digest is compared with the others.',
    read: ({ keeping }) => keeping.digests.newest?.index ?? 0,
  },
  {
    name: 'digest_agreeing',
    help: 'Members known to have the same digest there, this node included.',
    read: ({ keeping }) => keeping.digests.agreeing.length,
  },
  {
    name: 'digest_differences_total',
    help: 'Checkpoints at which members were seen to differ.',
    read: ({ keeping }) => keeping.digests.differences,
    grows: true,
  },
  { name: 'sessions', help: 'Sessions.', read: ({ lock }) => counts(lock).sessions },
  { name: 'held', help: 'Requests that hold a lock.', read: ({ lock }) => counts(lock).held },
  { name: 'waiting', help: 'Requests that wait for a lock.', read: ({ lock }) => counts(lock).waiting },
  { name: 'remembered', help: 'Ended requests that are remembered.', read: ({ lock }) => counts(lock).remembered },
  {
    name: 'ended_tokens',
    help: 'Tokens of which it is known why they are stale.',
    read: ({ lock }) => counts(lock).endedTokens,
  },
]
