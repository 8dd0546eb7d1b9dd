// A cluster of one member in this process, with the HTTP side of it: the real node on a disk in memory, without a network.
import { hashRecord, voidKeys } from '../../src/codec/record.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import type { Limits } from '../../src/lockfsm/state.ts'
import { asNodeId } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import { createLog } from '../../src/http/log.ts'
import type { App, ServedNode, ServedReplica } from '../../src/http/door.ts'
import { buildServer } from '../../src/http/server.ts'
import { defaultKeeping } from '../../src/node/keeping.ts'
import type { KeepingOptions } from '../../src/node/keeping.ts'
import { HoldfastNode } from '../../src/node/node.ts'
import { createProcessHost } from '../../src/node/process-host.ts'
import type { Volume } from '../../src/node/disk-space.ts'
import type { Wire } from '../../src/node/wire.ts'
import { defaultRaftOptions } from '../../src/raft/state.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'

const self = asNodeId('n1')
const silent = createLog('n1', 'silent')

export interface OneMember extends AsyncDisposable {
  readonly app: App
  readonly node: HoldfastNode
}

/** What a test may replace. */
interface Given {
  readonly volume: Volume
  readonly keeping: KeepingOptions
}

/** Ready when it returns. */
export async function startOneMember(limits: Partial<Limits> = {}, given: Partial<Given> = {}): Promise<OneMember> {
  const node = createNode({ ...defaultLimits, ...limits }, given)
  const app = await serve(node)
  node.start()
  while (node.replica?.readiness().ready !== true) await new Promise((resolve) => setTimeout(resolve, 5))
  return {
    app,
    node,
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => node.stop(resolve))
      await app.close()
    },
  }
}

/** A node that was built and not started: its cluster is not founded. */
export function createNode(limits: Limits = defaultLimits, given: Partial<Given> = {}): HoldfastNode {
  const { volume, keeping } = { volume: endlessVolume, keeping: defaultKeeping, ...given }
  const disk = new MemoryDisk({
    schedule: (delayMs, run) => void setTimeout(run, delayMs),
    random: Math.random,
    rules: { hashRecord, voidKeys },
  })
  const host = createProcessHost({
    report: () => {},
    fatal: ({ message }) => {
      throw new Error(message)
    },
  })
  const raft = { ...defaultRaftOptions, heartbeatMs: 10, electionTimeoutMinMs: 20, electionTimeoutMaxMs: 40 }
  return new HoldfastNode(
    {
      self,
      members: [self],
      httpUrl: 'http://127.0.0.1:7101',
      limits,
      raft,
      keeping,
      diskLowBytes: 1000,
      restored: null,
    },
    {
      host,
      wire: noNetwork,
      store: disk.openLog(),
      state: disk.openState(),
      resetState: () => {
        throw new Error('the state of this disk is never damaged')
      },
      foundingStore: disk.openFounding(),
      volume,
    },
  )
}

export function serve(node: ServedNode, log = silent): Promise<App> {
  return buildServer(node, { log, peerAddresses: new Map([[self, '127.0.0.1:7201']]), withProcessMetrics: false })
}

/** A node that is founded and whose replica does what a test says instead of what a replica would do. */
export async function serveReplica(double: Partial<ServedReplica>, log = silent): Promise<App> {
  const { node, app } = await startOneMember()
  const { replica } = node
  if (replica === null) throw new Error('a started node has a replica')
  const { core, calls, leading, lock, backups, keeping } = replica
  const served: ServedReplica = {
    core,
    calls,
    leading,
    lock,
    backups,
    keeping,
    leader: self,
    clusterTime: replica.clusterTime,
    appliedIndex: replica.appliedIndex,
    call: () => () => {},
    read: (request) => request.ready(),
    transfer: ({ done }) => done('done'),
    replace: ({ done }) => done('done'),
    hasState: true,
    readiness: () => ({ ready: true }),
    ...double,
  }
  await new Promise<void>((resolve) => node.stop(resolve))
  await app.close()
  const { setup, founding, peers, space } = node
  const incarnationOf = (member: NodeId) => node.incarnationOf(member)
  return serve({ setup, founding, peers, space, incarnationOf, replica: served }, log)
}

const endlessVolume: Volume = { freeBytes: (done) => void setTimeout(() => done(null, 1e12)) }

const noNetwork: Wire = {
  listen: () => {},
  dial: () => {
    throw new Error('there is nobody else')
  },
}
