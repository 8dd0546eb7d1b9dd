// What the HTTP side of a node knows of the node behind it, and what stands on every answer: the log index that it
// reflects, and where the leader is.
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, RawServerDefault } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { asClusterTime } from '../ids.ts'
import type { ClusterTime, NodeId } from '../ids.ts'
import type { HoldfastNode } from '../node/node.ts'
import type { Peers } from '../node/peers.ts'
import type { Replica } from '../node/replica.ts'
import type { Metrics } from './metrics.ts'

export type ServedReplica = Pick<
  Replica,
  | 'call'
  | 'read'
  | 'transfer'
  | 'readiness'
  | 'hasState'
  | 'leader'
  | 'clusterTime'
  | 'appliedIndex'
  | 'lock'
  | 'core'
  | 'calls'
  | 'leading'
  | 'backups'
  | 'keeping'
  | 'replace'
>

/** A HoldfastNode, or what a test puts in its place. */
export interface ServedNode extends Pick<HoldfastNode, 'setup' | 'founding' | 'space' | 'incarnationOf'> {
  /** null until the cluster is founded. */
  readonly replica: ServedReplica | null
  readonly peers: Pick<Peers, 'isConnected' | 'httpUrlOf'>
}

export interface Door {
  readonly node: ServedNode
  /** Where the members listen for each other, by id: `host:port`. */
  readonly peerAddresses: ReadonlyMap<NodeId, string>
  readonly log: FastifyBaseLogger
  readonly metrics: Metrics
  /** Reads that wait for the others. */
  readonly reads: { open: number }
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Index of the last entry that the lock table of this node has applied: what a read shows reflects this and no more. */
export function appliedIndex({ node }: Door): number {
  return node.replica?.appliedIndex ?? 0
}

/** Cluster time that this node has applied. */
export function clusterTime({ node }: Door): ClusterTime {
  return node.replica?.clusterTime ?? asClusterTime(0)
}

/** Where clients reach the leader; null when there is none, or it was not met yet. */
export function leaderUrl({ node }: Door): string | null {
  const leader = node.replica?.leader ?? null
  if (leader === null) return null
  return leader === node.setup.self ? node.setup.httpUrl : node.peers.httpUrlOf(leader)
}

/** Puts on an answer what stands on every one. */
export function stamp(door: Door, reply: FastifyReply, index: number): void {
  reply.header('holdfast-index', String(index))
  const leader = leaderUrl(door)
  if (leader !== null) reply.header('holdfast-leader', leader)
}
