// Cores for tests of what stands around one: on a memory disk that is done with everything in the turn that asked for it.
import { asClusterTime, asIndex, asNodeId, asRun, asTerm } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { Core } from '../../src/node/core.ts'
import type { CoreEvents } from '../../src/node/core.ts'
import { DiskWriter } from '../../src/node/disk-writer.ts'
import { createRaft, defaultRaftOptions } from '../../src/raft/state.ts'
import { ManualHost } from '../support/manual-host.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'
import { firstDiskOf, foundedSetup } from '../support/raft-founding.ts'
import { silentEvents } from './silent-events.ts'

const self = asNodeId('n1')

export class CoreBench {
  readonly host = new ManualHost()
  readonly core: Core
  readonly #pending: (() => void)[] = []

  /** Of n1, which knows no leader yet. */
  constructor(members: readonly NodeId[], events: Partial<CoreEvents> = {}) {
    const store = new MemoryDisk({ schedule: (_, run) => this.#pending.push(run), random: () => 0 }).openLog()
    const disk = new DiskWriter(store, {
      durable: (io) => this.core.durable(io),
      failed: (error) => {
        throw error
      },
    })
    const meta = { node: self, incarnation: firstDiskOf(self), run: asRun(1), founded: true, counted: asIndex(0) }
    disk.store({ meta }, () => {})
    this.#completeDisk()
    const start = { index: asIndex(0), term: asTerm(0), time: asClusterTime(0) }
    const raft = createRaft({
      self,
      members,
      options: defaultRaftOptions,
      random: () => 0.5,
      now: 0,
      stored: { ...store.stored, start, notes: [] },
      ...foundedSetup(self, members),
    })
    this.core = new Core({ raft, host: this.host, store, disk, events: { ...silentEvents, ...events } })
  }

  turn(): void {
    const now = this.host.now()
    this.core.drain(now)
    this.core.step({ kind: 'tick', now })
    this.core.disk.start()
    this.#completeDisk()
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10) {
      this.host.pass(10)
      this.turn()
    }
  }

  #completeDisk(): void {
    while (this.#pending.length > 0) for (const run of this.#pending.splice(0)) run()
  }
}
