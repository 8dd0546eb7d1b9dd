// What nodes send each other over a link: the handshake, then frames of one of these kinds. The version is in the
// handshake only: nodes of different versions do not get past it.
import { asClusterId, asIncarnation, asNodeId, asRun } from '../ids.ts'
import type { ClusterId, Incarnation, NodeId, Run } from '../ids.ts'
import { unreachable } from '../assert.ts'
import type { Message } from '../raft/message.ts'
import { messageRow, takeMessage } from './message.ts'
import { FormatError, pack, unpack } from './packr.ts'
import type { Reader } from './packr.ts'

export const protocolVersion = 2

export type Frame = Hello | Welcome | Rejected | FoundingNews | RaftFrame | Forward | ForwardRefused | TransferRequest

/** All that goes over a link: what nodes say to each other, and what its two ends need to know of each other. */
export type LinkFrame = Frame | Keepalive

/** What a node says of itself: first frame of whoever dialled, and the answer to it. */
export interface Introduction {
  readonly version: number
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly run: Run
  readonly httpUrl: string
  readonly founding: FoundingView
}

/** How far a node has come with the founding of the cluster (DESIGN 6, Identity). */
export interface FoundingView {
  /** The members it was configured with, ascending, joined by commas. */
  readonly members: string
  /** The limits it was configured with; those of the first member become the cluster's. */
  readonly limits: Readonly<Record<string, number>>
  /** Names the backup that it was started with, or founded from; null without one. */
  readonly backup: string | null
  /** The founding record it has stored; null before. */
  readonly clusterId: ClusterId | null
  /** Whether it knows that every member has stored it. */
  readonly founded: boolean
}

export interface Hello {
  readonly kind: 'hello'
  /** Whom the dialler takes the other end for. */
  readonly to: NodeId
  readonly from: Introduction
}

export interface Welcome {
  readonly kind: 'welcome'
  readonly from: Introduction
}

/** The link is not accepted; the other end closes it behind this frame. */
export interface Rejected {
  readonly kind: 'rejected'
  readonly reason: RejectReason
  readonly detail: string
}

export type RejectReason =
  | 'wrong_address'
  | 'not_a_member'
  | 'other_members'
  | 'other_backup'
  | 'foreign_cluster'
  | 'stranger'
  | 'old_run'

export interface FoundingNews {
  readonly kind: 'foundingNews'
  readonly clusterId: ClusterId | null
  readonly founded: boolean
}

export interface RaftFrame {
  readonly kind: 'raft'
  /** As whom the sender speaks: null while it does not count. */
  readonly as: Incarnation | null
  readonly message: Message
}

/** Commands of the sender's clients for the leader, in the order of their numbers. */
export interface Forward {
  readonly kind: 'forward'
  /** Names this sending: a command may be sent again, and is refused only when every sending of it was. */
  readonly sending: number
  readonly commands: readonly Uint8Array[]
}

/** Commands of that sending that were not appended by it, and never will be. */
export interface ForwardRefused {
  readonly kind: 'forwardRefused'
  readonly sending: number
  readonly reason: ForwardRefusal
  readonly numbers: readonly number[]
}

export type ForwardRefusal = (typeof forwardRefusals)[number]
/** Their places are what is sent. `diskLow`: the leader is short of disk space and takes no new work. */
const forwardRefusals = ['notLeader', 'overloaded', 'diskLow'] as const

/** Asks the leader to hand leadership over; null: to whom it likes. */
export interface TransferRequest {
  readonly kind: 'transferRequest'
  readonly to: NodeId | null
}

/** Somebody is there, at whichever end of the link; nobody behind the link hears of it. */
export interface Keepalive {
  readonly kind: 'keepalive'
}

const tags = {
  hello: 1,
  welcome: 2,
  rejected: 3,
  foundingNews: 4,
  raft: 5,
  forward: 6,
  forwardRefused: 7,
  transferRequest: 8,
  keepalive: 9,
} as const

const listMax = 1_000_000
const rejectReasons: readonly RejectReason[] = [
  'wrong_address',
  'not_a_member',
  'other_members',
  'other_backup',
  'foreign_cluster',
  'stranger',
  'old_run',
]

export function encodeFrame(frame: LinkFrame): Uint8Array {
  return pack([tags[frame.kind], ...fieldsOf(frame)])
}

/** Decodes a frame; FormatError when it is none. */
export function decodeFrame(bytes: Uint8Array): LinkFrame {
  const reader = unpack(bytes)
  const frame = takeFrame(reader.count(), reader)
  reader.end()
  return frame
}

function fieldsOf(frame: LinkFrame): readonly unknown[] {
  switch (frame.kind) {
    case 'hello':
      return [frame.to, introductionRow(frame.from)]
    case 'welcome':
      return [introductionRow(frame.from)]
    case 'rejected':
      return [frame.reason, frame.detail]
    case 'foundingNews':
      return [frame.clusterId, frame.founded]
    case 'raft':
      return [frame.as, messageRow(frame.message)]
    case 'forward':
      return [frame.sending, frame.commands]
    case 'forwardRefused':
      return [frame.sending, forwardRefusals.indexOf(frame.reason), frame.numbers]
    case 'transferRequest':
      return [frame.to]
    case 'keepalive':
      return []
    default:
      return unreachable(frame)
  }
}

function takeFrame(tag: number, reader: Reader): LinkFrame {
  switch (tag) {
    case tags.hello:
      return { kind: 'hello', to: asNodeId(reader.text(32)), from: takeIntroduction(reader.row()) }
    case tags.welcome:
      return { kind: 'welcome', from: takeIntroduction(reader.row()) }
    case tags.rejected:
      return { kind: 'rejected', reason: takeReason(reader), detail: reader.text(1000) }
    case tags.foundingNews:
      return { kind: 'foundingNews', clusterId: takeClusterId(reader), founded: reader.flag() }
    case tags.raft:
      return { kind: 'raft', as: takeIncarnation(reader), message: takeMessage(reader.row()) }
    case tags.forward:
      return { kind: 'forward', sending: reader.count(), commands: reader.bytesList(listMax) }
    case tags.forwardRefused: {
      const sending = reader.count()
      const reason = forwardRefusals[reader.count()]
      if (reason === undefined) throw new FormatError('unknown reason of a refusal')
      return { kind: 'forwardRefused', sending, reason, numbers: reader.counts(listMax) }
    }
    case tags.transferRequest: {
      const to = reader.textOrNull(32)
      return { kind: 'transferRequest', to: to === null ? null : asNodeId(to) }
    }
    case tags.keepalive:
      return { kind: 'keepalive' }
    default:
      throw new FormatError(`unknown frame ${tag}`)
  }
}

function introductionRow({ version, node, incarnation, run, httpUrl, founding }: Introduction): readonly unknown[] {
  const limits = Object.entries(founding.limits)
  return [
    version,
    node,
    incarnation,
    run,
    httpUrl,
    founding.members,
    limits,
    founding.backup,
    founding.clusterId,
    founding.founded,
  ]
}

function takeIntroduction(reader: Reader): Introduction {
  const version = reader.count()
  // The fields of another version may be others; its number is all that is needed to say no.
  if (version !== protocolVersion) throw new FormatError(`protocol version ${version}, not ${protocolVersion}`)
  const node = asNodeId(reader.text(32))
  const incarnation = asIncarnation(reader.text(64))
  const run = asRun(reader.count())
  const httpUrl = reader.text(1000)
  const members = reader.text(1000)
  const limits = Object.fromEntries(reader.rows(100).map((row) => [row.text(64), row.count()]))
  const backup = reader.textOrNull(64)
  const founding = { members, limits, backup, clusterId: takeClusterId(reader), founded: reader.flag() }
  reader.end()
  return { version, node, incarnation, run, httpUrl, founding }
}

function takeClusterId(reader: Reader): ClusterId | null {
  const text = reader.textOrNull(64)
  return text === null ? null : asClusterId(text)
}

function takeIncarnation(reader: Reader): Incarnation | null {
  const text = reader.textOrNull(64)
  return text === null ? null : asIncarnation(text)
}

function takeReason(reader: Reader): RejectReason {
  const text = reader.text(64)
  const reason = rejectReasons.find((known) => known === text)
  if (reason === undefined) throw new FormatError('unknown reason')
  return reason
}
