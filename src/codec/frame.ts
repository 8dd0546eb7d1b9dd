// What nodes send each other over a link: the handshake, then frames of one of these kinds.
import { asDigest, asIndex } from '../ids.ts'
import type { ClusterId, Digest, Incarnation, Index, NodeId } from '../ids.ts'
import { unreachable } from '../assert.ts'
import type { Message, Standing } from '../raft/message.ts'
import { takeClusterId, takeIncarnation, takeNodeId } from './identities.ts'
import { introductionRow, takeIntroduction } from './introduction.ts'
import type { Introduction } from './introduction.ts'
import { messageRow, takeMessage } from './message.ts'
import { FormatError, pack, unpack } from './packr.ts'
import type { Reader } from './packr.ts'
import { snapshotFields, takeSnapshotFrame } from './snapshot-frame.ts'
import type { SnapshotFrame } from './snapshot-frame.ts'

export type Frame =
  | Hello
  | Welcome
  | Rejected
  | FoundingNews
  | RaftFrame
  | Forward
  | ForwardRefused
  | TransferRequest
  | ReplaceRequest
  | ReplaceRefused
  | DigestNews
  | SnapshotFrame

/** All that goes over a link: what nodes say to each other, and what its two ends need to know of each other. */
export type LinkFrame = Frame | Keepalive

/** First frame of whoever dialled. */
export interface Hello {
  readonly kind: 'hello'
  /** Whom the dialler takes the other end for. */
  readonly to: NodeId
  readonly from: Introduction
}

/** The answer to it. */
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
  | 'replaced'
  | 'lost_data'

export interface FoundingNews {
  readonly kind: 'foundingNews'
  readonly clusterId: ClusterId | null
  readonly founded: boolean
}

export interface RaftFrame {
  readonly kind: 'raft'
  /** As whom the sender speaks: null while it does not count. */
  readonly as: Standing | null
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

/** Asks the leader to have the member be who has this disk from now on. Seen to be done in the log. */
export interface ReplaceRequest {
  readonly kind: 'replaceRequest'
  readonly member: NodeId
  readonly incarnation: Incarnation
}

export interface ReplaceRefused {
  readonly kind: 'replaceRefused'
  readonly member: NodeId
  readonly incarnation: Incarnation
  readonly reason: ReplaceRefusal
}

export type ReplaceRefusal = 'notLeader' | 'transferring' | 'unknownMember' | 'takingOver' | 'underWay' | 'inForce'

/** The digest of the sender's checkpoint at that index (S7). */
export interface DigestNews {
  readonly kind: 'digest'
  readonly index: Index
  readonly digest: Digest
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
  replaceRequest: 10,
  replaceRefused: 11,
  digest: 12,
  snapshotOffer: 13,
  snapshotChunk: 14,
  snapshotEnd: 15,
  snapshotReply: 16,
  snapshotWanted: 17,
} as const

const refusals: readonly ReplaceRefusal[] = [
  'notLeader',
  'transferring',
  'unknownMember',
  'takingOver',
  'underWay',
  'inForce',
]

const listMax = 1_000_000
const rejectReasons: readonly RejectReason[] = [
  'wrong_address',
  'not_a_member',
  'other_members',
  'other_backup',
  'foreign_cluster',
  'stranger',
  'old_run',
  'replaced',
  'lost_data',
]

export function encodeFrame(frame: LinkFrame): Uint8Array {
  // Most frames are these, and built at once.
  if (frame.kind === 'raft') {
    const { as, message } = frame
    return pack([tags.raft, as?.disk ?? null, as?.since ?? 0, messageRow(message)])
  }
  return pack([tags[frame.kind], ...fieldsOf(frame)])
}

/** Decodes a frame; FormatError when it is none. */
export function decodeFrame(bytes: Uint8Array): LinkFrame {
  const reader = unpack(bytes)
  const frame = takeFrame(reader.count(), reader)
  reader.end()
  return frame
}

function fieldsOf(frame: Exclude<LinkFrame, RaftFrame>): readonly unknown[] {
  switch (frame.kind) {
    case 'hello':
      return [frame.to, introductionRow(frame.from)]
    case 'welcome':
      return [introductionRow(frame.from)]
    case 'rejected':
      return [frame.reason, frame.detail]
    case 'foundingNews':
      return [frame.clusterId, frame.founded]
    case 'forward':
      return [frame.sending, frame.commands]
    case 'forwardRefused':
      return [frame.sending, forwardRefusals.indexOf(frame.reason), frame.numbers]
    case 'transferRequest':
      return [frame.to]
    case 'keepalive':
      return []
    case 'replaceRequest':
      return [frame.member, frame.incarnation]
    case 'replaceRefused':
      return [frame.member, frame.incarnation, refusals.indexOf(frame.reason)]
    case 'digest':
      return [frame.index, frame.digest]
    case 'snapshotOffer':
    case 'snapshotChunk':
    case 'snapshotEnd':
    case 'snapshotReply':
    case 'snapshotWanted':
      return snapshotFields(frame)
    default:
      return unreachable(frame)
  }
}

function takeFrame(tag: number, reader: Reader): LinkFrame {
  switch (tag) {
    case tags.hello:
      return { kind: 'hello', to: takeNodeId(reader), from: takeIntroduction(reader.row()) }
    case tags.welcome:
      return { kind: 'welcome', from: takeIntroduction(reader.row()) }
    case tags.rejected:
      return { kind: 'rejected', reason: takeReason(reader), detail: reader.text(1000) }
    case tags.foundingNews:
      return { kind: 'foundingNews', clusterId: reader.orNull(takeClusterId), founded: reader.flag() }
    case tags.raft:
      return { kind: 'raft', as: takeStanding(reader), message: takeMessage(reader.row()) }
    case tags.forward:
      return { kind: 'forward', sending: reader.count(), commands: reader.bytesList(listMax) }
    case tags.forwardRefused: {
      const sending = reader.count()
      const reason = forwardRefusals[reader.count()]
      if (reason === undefined) throw new FormatError('unknown reason of a refusal')
      return { kind: 'forwardRefused', sending, reason, numbers: reader.counts(listMax) }
    }
    case tags.transferRequest:
      return { kind: 'transferRequest', to: reader.orNull(takeNodeId) }
    case tags.keepalive:
      return { kind: 'keepalive' }
    case tags.replaceRequest:
      return {
        kind: 'replaceRequest',
        member: takeNodeId(reader),
        incarnation: takeIncarnation(reader),
      }
    case tags.replaceRefused:
      return {
        kind: 'replaceRefused',
        member: takeNodeId(reader),
        incarnation: takeIncarnation(reader),
        reason: takeRefusal(reader),
      }
    case tags.digest:
      return { kind: 'digest', index: asIndex(reader.count()), digest: asDigest(reader.count()) }
    case tags.snapshotOffer:
      return takeSnapshotFrame('snapshotOffer', reader)
    case tags.snapshotChunk:
      return takeSnapshotFrame('snapshotChunk', reader)
    case tags.snapshotEnd:
      return takeSnapshotFrame('snapshotEnd', reader)
    case tags.snapshotReply:
      return takeSnapshotFrame('snapshotReply', reader)
    case tags.snapshotWanted:
      return takeSnapshotFrame('snapshotWanted', reader)
    default:
      throw new FormatError(`unknown frame ${tag}`)
  }
}

function takeRefusal(reader: Reader): ReplaceRefusal {
  const reason = refusals[reader.count()]
  if (reason === undefined) throw new FormatError('unknown refusal')
  return reason
}

function takeReason(reader: Reader): RejectReason {
  const text = reader.text(64)
  const reason = rejectReasons.find((known) => known === text)
  if (reason === undefined) throw new FormatError('unknown reason')
  return reason
}

function takeStanding(reader: Reader): Standing | null {
  const disk = reader.orNull(takeIncarnation)
  const since = asIndex(reader.count())
  return disk === null ? null : { disk, since }
}
