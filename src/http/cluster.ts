// Routes of the cluster: who is in it as this node sees it, and handing leadership over.
import type { NodeId } from '../ids.ts'
import { unreachable } from '../assert.ts'
import { asIncarnation, asNodeId } from '../ids.ts'
import type { ReplaceResult } from '../node/replacements.ts'
import * as api from './api.ts'
import { documented } from './documented.ts'
import { appliedIndex, clusterTime, stamp } from './door.ts'
import type { App, Door, ServedReplica } from './door.ts'
import { bodyMayBeAbsent } from './json-body.ts'
import { sendProblem, whyNotReady } from './problem.ts'
import type { ProblemDetails } from './problem.ts'

const { NoQuery: querystring } = api

export function addClusterRoutes(app: App, door: Door): void {
  const view = documented({
    tag: 'cluster',
    summary: 'The cluster as this node sees it',
    answers: { 200: api.ClusterView },
    problems: [],
  })
  app.get('/v1/cluster', { schema: { ...view, querystring } }, (_request, reply) => {
    stamp(door, reply, appliedIndex(door))
    reply.send(clusterView(door))
  })

  const transfer = documented({
    tag: 'cluster',
    summary: 'Hand leadership over',
    answers: { 200: api.Transferred },
    problems: ['too_large', 'unsupported_media_type', 'no_leader', 'outcome_unknown'],
  })
  app.post(
    '/v1/cluster/transfer',
    { schema: { ...transfer, querystring, body: api.TransferBody }, preValidation: bodyMayBeAbsent },
    ({ body }, reply) => {
      const { replica } = door.node
      const refuse = (problem: ProblemDetails): void => sendProblem(door, reply, problem)
      if (replica === null) return refuse({ code: 'no_leader', detail: whyNotReady(door) })
      replica.transfer({
        to: body.to === undefined ? null : asNodeId(body.to),
        done: (result) => {
          if (reply.raw.destroyed) return
          const { leader } = replica
          if (result === 'done' && leader !== null) {
            stamp(door, reply, appliedIndex(door))
            reply.send({ leader })
          } else if (result === 'unknownMember') {
            refuse({ code: 'invalid_request', detail: `to: ${body.to} is not a member`, field: 'to' })
          } else if (result === 'noLeader') {
            refuse({ code: 'no_leader', detail: whyNotReady(door) })
          } else {
            refuse({ code: 'outcome_unknown', detail: 'leadership was not seen to change in time; it still may' })
          }
        },
      })
    },
  )
  addReplaceRoute(app, door)
}

function addReplaceRoute(app: App, door: Door): void {
  const replace = documented({
    tag: 'cluster',
    summary: 'Have a member be who has a new, empty disk, when the one before is lost for good',
    answers: { 200: api.Replaced },
    problems: [
      'not_found',
      'too_large',
      'unsupported_media_type',
      'replacement_under_way',
      'no_leader',
      'outcome_unknown',
    ],
  })
  const schema = { ...replace, querystring, params: api.ReplaceParams, body: api.ReplaceBody }
  app.post('/v1/cluster/members/:id/replace', { schema }, ({ params, body }, reply) => {
    const { replica } = door.node
    const refuse = (problem: ProblemDetails): void => sendProblem(door, reply, problem)
    if (replica === null) return refuse({ code: 'no_leader', detail: whyNotReady(door) })
    const [member, incarnation] = [asNodeId(params.id), asIncarnation(body.incarnation)]
    replica.replace({
      member,
      incarnation,
      done: (result) => {
        if (reply.raw.destroyed) return
        if (result === 'done') {
          stamp(door, reply, appliedIndex(door))
          reply.send({ member, incarnation })
        } else {
          refuse(replaceProblem(result, door, params.id))
        }
      },
    })
  })
}

function replaceProblem(result: Exclude<ReplaceResult, 'done'>, door: Door, id: string): ProblemDetails {
  switch (result) {
    case 'unknownMember':
      return { code: 'not_found', detail: `${id} is not a member, or leads and has its disk` }
    case 'underWay':
      return { code: 'replacement_under_way', detail: 'one replacement at a time: try again when the other is done' }
    case 'transferring':
    case 'takingOver':
      return { code: 'no_leader', detail: 'leadership is changing' }
    case 'noLeader':
      return { code: 'no_leader', detail: whyNotReady(door) }
    case 'unknown':
      return { code: 'outcome_unknown', detail: 'the replacement was not seen to be committed in time; it still may' }
    default:
      return unreachable(result)
  }
}

function clusterView(door: Door) {
  const { node } = door
  const { replica, setup } = node
  const leader = replica?.leader ?? null
  return {
    clusterId: node.founding?.clusterId ?? null,
    self: setup.self,
    leader,
    term: replica?.core.raft.currentTerm ?? 0,
    members: setup.members.map((id) => memberView(door, id, leader)),
    commitIndex: replica?.core.raft.commitIndex ?? 0,
    appliedIndex: appliedIndex(door),
    clusterTimeMs: clusterTime(door),
    log: logView(replica),
    digest: digestView(replica),
  }
}

function memberView({ node, peerAddresses }: Door, id: NodeId, leader: NodeId | null) {
  const { replica, setup, peers } = node
  const isSelf = id === setup.self
  const httpUrl = isSelf ? setup.httpUrl : peers.httpUrlOf(id)
  const reachable = isSelf || peers.isConnected(id)
  return {
    id,
    httpUrl,
    peerUrl: `tcp://${peerAddresses.get(id) ?? ''}`,
    role: id === leader ? 'leader' : isSelf ? ownRole(replica) : reachable && leader !== null ? 'follower' : 'unknown',
    incarnation: node.incarnationOf(id),
    reachable,
    matchIndex: replica === null ? null : matchIndex(replica, id),
  }
}

function logView(replica: ServedReplica | null) {
  if (replica === null) return { firstIndex: 0, lastIndex: 0, bytes: 0 }
  const { start, lastIndex } = replica.core.raft.log
  return { firstIndex: start.index + 1, lastIndex, bytes: replica.keeping.logBytes }
}

/** S7: what the last checkpoint says of the state, and who says the same. */
function digestView(replica: ServedReplica | null) {
  const newest = replica?.keeping.digests.newest ?? null
  if (replica === null || newest === null) return null
  const { agreeing, differences } = replica.keeping.digests
  const value = newest.digest.toString(16).padStart(12, '0')
  return { index: newest.index, value, agreeing: [...agreeing].sort(), differences }
}

function ownRole(replica: ServedReplica | null): 'leader' | 'follower' | 'candidate' | 'unknown' {
  if (replica === null) return 'unknown'
  const { kind } = replica.core.raft.role
  return kind === 'preCandidate' ? 'candidate' : kind
}

/** What the disk of a member has of the log, as far as a leader knows. */
function matchIndex({ core: { raft } }: ServedReplica, id: NodeId): number | null {
  if (raft.role.kind !== 'leader') return null
  return id === raft.self ? raft.durability.durableIndex : (raft.role.progress.get(id)?.matchIndex ?? null)
}
