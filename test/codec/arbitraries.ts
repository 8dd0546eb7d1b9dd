// Every value that the codec knows, at random: commands, messages and frames with fields at and between their limits.
import fc from 'fast-check'
import type { LinkFrame, RejectReason, ReplaceRefusal } from '../../src/codec/frame.ts'
import type { Introduction } from '../../src/codec/introduction.ts'
import { protocolVersion } from '../../src/codec/introduction.ts'
import type { SnapshotFrame } from '../../src/codec/snapshot-frame.ts'
import {
  asClusterId,
  asClusterTime,
  asDigest,
  asIncarnation,
  asIndex,
  asLockName,
  asNodeId,
  asRequestId,
  asRun,
  asSequence,
  asSessionId,
  asTerm,
  asToken,
} from '../../src/ids.ts'
import type { Command, NumberedCommand } from '../../src/lockfsm/command.ts'
import type { Entry, EntryNote } from '../../src/raft/entry.ts'
import type { Message } from '../../src/raft/message.ts'
import type { FoundingRecord } from '../../src/storage/founding-store.ts'
import type { Checkpoint } from '../../src/storage/state-store.ts'

/** Small, at the boundaries of MessagePack's number formats, and up to the greatest that a count can be. */
export const count = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
)
const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 40 }))
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })

const node = fc.stringMatching(/^[A-Za-z0-9._-]{1,32}$/).map(asNodeId)
const run = count.map(asRun)
const session = fc.nat().map((sequence) => asSessionId(`s-${sequence}`))
const requestId = fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/).map(asRequestId)
const lock = fc.oneof(fc.constant('/'.repeat(512)), text).map(asLockName)
const token = count.map(asToken)
const time = count.map(asClusterTime)
const index = count.map(asIndex)
const term = count.map(asTerm)
const clusterId = fc.stringMatching(/^[0-9a-f]{32}$/).map(asClusterId)

const kind = <Kind extends string>(name: Kind) => fc.constant(name)

export const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: kind('nodeStarted') }),
  fc.record({ kind: kind('nodeLost'), node, run, number: count }),
  fc.record({
    kind: kind('openSession'),
    requestId,
    ttlMs: count,
    name: orNull(text),
    metadata: orNull(text),
    takenInAt: time,
  }),
  fc.record({
    kind: kind('renewSessions'),
    renewals: fc.array(fc.record({ session, ttlMs: orNull(count) }), { maxLength: 20 }),
  }),
  fc.record({ kind: kind('closeSession'), session }),
  fc.record({
    kind: kind('acquire'),
    lock,
    session: orNull(session),
    requestId,
    mode: kind('exclusive'),
    ttlMs: orNull(count),
    waitMs: count,
    pollMs: count,
    owner: orNull(text),
    metadata: orNull(text),
    takenInAt: time,
  }),
  fc.record({ kind: kind('release'), lock, token, session: orNull(session) }),
  fc.record({ kind: kind('renewGrant'), lock, token, ttlMs: orNull(count) }),
  fc.record({ kind: kind('cancelRequest'), lock, session: orNull(session), requestId }),
  fc.record({
    kind: kind('withdraw'),
    attempts: fc.array(
      fc.record({
        of: fc.constantFrom('acquire' as const, 'openSession' as const),
        session: orNull(session),
        requestId,
        number: count,
      }),
      { maxLength: 20 },
    ),
  }),
)

export const numberedCommand: fc.Arbitrary<NumberedCommand> = fc.record({
  origin: fc.record({ node, run, number: count }),
  command,
})

const incarnation = fc.stringMatching(/^[0-9a-f]{32}$/).map(asIncarnation)

/** Absent, as in nearly all, or one of each kind. */
const note: fc.Arbitrary<{ note?: EntryNote }> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  fc.record({ note: fc.record({ kind: kind('checkpoint') }) }),
  fc.record({ note: fc.record({ kind: kind('memberReplaced'), member: node, incarnation }) }),
)

/** Entries follow each other: only the first index is sent. */
const entriesBehind = (prevLogIndex: number): fc.Arbitrary<readonly Entry[]> =>
  fc
    .array(fc.tuple(fc.record({ term, time, payload: fc.uint8Array({ maxLength: 100 }) }), note), { maxLength: 10 })
    .map((entries) =>
      entries.map(([entry, mark], position) => ({ index: asIndex(prevLogIndex + 1 + position), ...entry, ...mark })),
    )

const appendEntries = fc.maxSafeNat().chain((before) => {
  const prevLogIndex = asIndex(Math.min(before, Number.MAX_SAFE_INTEGER - 100))
  return fc.record({
    kind: kind('appendEntries'),
    term,
    prevLogIndex: fc.constant(prevLogIndex),
    prevLogTerm: term,
    entries: entriesBehind(prevLogIndex),
    leaderCommit: index,
    round: count,
  })
})

export const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: kind('preVote'), term, poll: count, lastLogIndex: index, lastLogTerm: term }),
  fc.record({ kind: kind('preVoteResponse'), term, poll: count, granted: fc.boolean() }),
  fc.record({ kind: kind('requestVote'), term, lastLogIndex: index, lastLogTerm: term, transfer: fc.boolean() }),
  fc.record({ kind: kind('requestVoteResponse'), term, granted: fc.boolean() }),
  appendEntries,
  fc.record({ kind: kind('appendAccepted'), term, round: count, matchIndex: index }),
  fc.record({
    kind: kind('appendRejected'),
    term,
    round: count,
    rejectedIndex: index,
    hintIndex: index,
    hintTerm: term,
  }),
  fc.record({ kind: kind('timeoutNow'), term, lastLogIndex: index }),
  fc.record({ kind: kind('readIndex'), term, id: count }),
  fc.record({ kind: kind('readIndexResponse'), term, id: count, index: orNull(index) }),
)

const reasons: readonly RejectReason[] = [
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

const limit = count.map((value) => Math.max(1, value))
const limits = fc.dictionary(fc.stringMatching(/^[a-z]{1,20}Max$/), limit, { maxKeys: 10 })
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/)

const foundingRecord: fc.Arbitrary<FoundingRecord> = fc.record({
  clusterId,
  members: fc.uniqueArray(fc.record({ id: node, incarnation }), {
    selector: ({ id }) => id,
    minLength: 1,
    maxLength: 5,
  }),
  limits,
  restored: orNull(fc.record({ from: clusterId, sha256, firstToken: token, firstSequence: count.map(asSequence) })),
})

const introduction: fc.Arbitrary<Introduction> = fc.record({
  version: fc.constant(protocolVersion),
  node,
  incarnation,
  run,
  httpUrl: fc.webUrl(),
  disk: fc.record({ term, lastIndex: index }),
  founding: fc.record({
    members: fc.constantFrom('n1', 'n1,n2,n3'),
    limits,
    backup: orNull(sha256),
    clusterId: orNull(clusterId),
    record: orNull(foundingRecord),
    founded: fc.boolean(),
  }),
})

const checkpoint: fc.Arbitrary<Checkpoint> = fc.record({
  index,
  term,
  time,
  chain: fc.stringMatching(/^[0-9a-f]{32}$/),
  digest: count.map(asDigest),
  records: count,
  oldestBucket: count,
  incarnations: fc.dictionary(node, incarnation, { maxKeys: 5 }),
})

const recordBytes = fc.record({
  key: fc.uint8Array({ maxLength: 40 }),
  value: fc.uint8Array({ maxLength: 100 }),
})

const snapshotFrame: fc.Arbitrary<SnapshotFrame> = fc.oneof(
  fc.record({ kind: kind('snapshotOffer'), transfer: count, clusterId, term, checkpoint }),
  fc.record({
    kind: kind('snapshotChunk'),
    transfer: count,
    number: count,
    records: fc.array(recordBytes, { maxLength: 10 }),
  }),
  fc.record({ kind: kind('snapshotEnd'), transfer: count, chunks: count }),
  fc.record({
    kind: kind('snapshotReply'),
    transfer: count,
    number: count,
    said: fc.constantFrom('taken' as const, 'installed' as const, 'refused' as const),
  }),
  fc.record({ kind: kind('snapshotWanted') }),
)

const refusals: readonly ReplaceRefusal[] = [
  'notLeader',
  'transferring',
  'unknownMember',
  'takingOver',
  'underWay',
  'inForce',
]

export const frame: fc.Arbitrary<LinkFrame> = fc.oneof(
  fc.record({ kind: kind('hello'), to: node, from: introduction }),
  fc.record({ kind: kind('welcome'), from: introduction }),
  fc.record({ kind: kind('rejected'), reason: fc.constantFrom(...reasons), detail: text }),
  fc.record({ kind: kind('foundingNews'), clusterId: orNull(clusterId), founded: fc.boolean() }),
  {
    weight: 4,
    arbitrary: fc.record({ kind: kind('raft'), as: orNull(fc.record({ disk: incarnation, since: index })), message }),
  },
  fc.record({
    kind: kind('forward'),
    sending: count,
    commands: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }),
  }),
  fc.record({
    kind: kind('forwardRefused'),
    sending: count,
    reason: fc.constantFrom('notLeader' as const, 'overloaded' as const, 'diskLow' as const),
    numbers: fc.array(count, { maxLength: 20 }),
  }),
  fc.record({ kind: kind('transferRequest'), to: orNull(node) }),
  fc.record({ kind: kind('keepalive') }),
  fc.record({ kind: kind('replaceRequest'), member: node, incarnation }),
  fc.record({ kind: kind('replaceRefused'), member: node, incarnation, reason: fc.constantFrom(...refusals) }),
  fc.record({ kind: kind('digest'), index, digest: count.map(asDigest) }),
  { weight: 3, arbitrary: snapshotFrame },
)
