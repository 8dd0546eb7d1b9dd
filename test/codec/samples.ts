// One value of every kind that has ever been written to a disk or a wire, with fields that differ from each other.
import type { Frame, LinkFrame } from '../../src/codec/frame.ts'
import type { Introduction } from '../../src/codec/introduction.ts'
import { protocolVersion } from '../../src/codec/introduction.ts'
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
import type { Message } from '../../src/raft/message.ts'

/** As long as ids are. */
const hex = (digits: string) => digits.repeat(4)

const lock = asLockName('jobs/nightly')
const session = asSessionId('s-17')
const requestId = asRequestId('r-1234567890abcdef')
const takenInAt = asClusterTime(70_000)
const [term, index] = [asTerm(3), asIndex(1000)]

const commands: readonly Command[] = [
  { kind: 'nodeStarted' },
  { kind: 'nodeLost', node: asNodeId('n2'), run: asRun(4), number: 300 },
  { kind: 'openSession', requestId, ttlMs: 30_000, name: 'worker 7', metadata: '{"a":1}', takenInAt },
  {
    kind: 'renewSessions',
    renewals: [
      { session, ttlMs: null },
      { session: asSessionId('s-18'), ttlMs: 5000 },
    ],
  },
  { kind: 'closeSession', session },
  {
    kind: 'acquire',
    lock,
    session: null,
    requestId,
    mode: 'exclusive',
    ttlMs: 10_000,
    waitMs: 2000,
    pollMs: 0,
    owner: 'worker ö',
    metadata: null,
    takenInAt,
  },
  { kind: 'release', lock, token: asToken(99), session },
  { kind: 'renewGrant', lock, token: asToken(99), ttlMs: null },
  { kind: 'cancelRequest', lock, session, requestId },
  {
    kind: 'withdraw',
    attempts: [
      { of: 'acquire', session, requestId, number: 5 },
      { of: 'openSession', session: null, requestId, number: 6 },
    ],
  },
]

export const numberedCommands: readonly NumberedCommand[] = commands.map((command, position) => ({
  origin: { node: asNodeId('n1'), run: asRun(2), number: position + 1 },
  command,
}))

const messages: readonly Message[] = [
  { kind: 'preVote', term, poll: 4, lastLogIndex: index, lastLogTerm: asTerm(2) },
  { kind: 'preVoteResponse', term, poll: 4, granted: true },
  { kind: 'requestVote', term, lastLogIndex: index, lastLogTerm: asTerm(2), transfer: false },
  { kind: 'requestVoteResponse', term, granted: false },
  {
    kind: 'appendEntries',
    term,
    prevLogIndex: index,
    prevLogTerm: asTerm(2),
    leaderCommit: asIndex(998),
    round: 70_000,
    entries: [
      { index: asIndex(1001), term, time: asClusterTime(123_456), payload: new Uint8Array([1, 2, 3]) },
      {
        index: asIndex(1002),
        term,
        time: asClusterTime(123_457),
        payload: new Uint8Array(0),
        note: { kind: 'checkpoint' },
      },
      {
        index: asIndex(1003),
        term,
        time: asClusterTime(123_457),
        payload: new Uint8Array(0),
        note: { kind: 'memberReplaced', member: asNodeId('n2'), incarnation: asIncarnation(hex('fedcba98')) },
      },
    ],
  },
  { kind: 'appendAccepted', term, round: 70_000, matchIndex: index },
  { kind: 'appendRejected', term, round: 70_000, rejectedIndex: index, hintIndex: asIndex(900), hintTerm: asTerm(1) },
  { kind: 'timeoutNow', term, lastLogIndex: index },
  { kind: 'readIndex', term, id: 2 ** 40 },
  { kind: 'readIndexResponse', term, id: 2 ** 40, index: null },
]

/** Of a member that has not stored a record yet: every kind of introduction is in one of the two frames that carry one. */
const newcomer: Introduction = {
  version: protocolVersion,
  node: asNodeId('n3'),
  incarnation: asIncarnation(hex('89abcdef')),
  run: asRun(1),
  httpUrl: 'http://127.0.0.1:7103',
  disk: { term: asTerm(0), lastIndex: asIndex(0) },
  founding: {
    members: 'n1,n2,n3',
    limits: {},
    backup: null,
    clusterId: null,
    record: null,
    founded: false,
  },
}

const from: Introduction = {
  version: protocolVersion,
  node: asNodeId('n1'),
  incarnation: asIncarnation('0123456789abcdef0123456789abcdef'),
  run: asRun(2),
  httpUrl: 'http://127.0.0.1:7101',
  disk: { term, lastIndex: index },
  founding: {
    members: 'n1,n2,n3',
    limits: { sessionsMax: 1_000_000 },
    backup: 'a5'.repeat(32),
    clusterId: asClusterId(hex('fedcba98')),
    record: {
      clusterId: asClusterId(hex('fedcba98')),
      members: [
        { id: asNodeId('n1'), incarnation: asIncarnation(hex('01234567')) },
        { id: asNodeId('n2'), incarnation: asIncarnation(hex('76543210')) },
      ],
      limits: { sessionsMax: 500_000 },
      restored: {
        from: asClusterId(hex('0fedcba9')),
        sha256: 'a5'.repeat(32),
        firstToken: asToken(2 ** 33),
        firstSequence: asSequence(2 ** 34),
      },
    },
    founded: true,
  },
}

export const frames: readonly LinkFrame[] = [
  { kind: 'hello', to: asNodeId('n2'), from },
  { kind: 'welcome', from: newcomer },
  { kind: 'rejected', reason: 'stranger', detail: 'who are you' },
  { kind: 'foundingNews', clusterId: null, founded: false },
  ...messages.map((message): Frame => {
    // A message of one who does not count, among others.
    return {
      kind: 'raft',
      as: message.kind === 'readIndex' ? null : { disk: asIncarnation(hex('fedcba98')), since: index },
      message,
    }
  }),
  { kind: 'forward', sending: 8, commands: [new Uint8Array([9, 8, 7])] },
  { kind: 'forwardRefused', sending: 8, reason: 'overloaded', numbers: [1, 300] },
  { kind: 'transferRequest', to: null },
  { kind: 'keepalive' },
  { kind: 'replaceRequest', member: asNodeId('n2'), incarnation: asIncarnation(hex('fedcba98')) },
  { kind: 'replaceRefused', member: asNodeId('n2'), incarnation: asIncarnation(hex('fedcba98')), reason: 'underWay' },
  { kind: 'digest', index, digest: asDigest(2 ** 48 - 1) },
  {
    kind: 'snapshotOffer',
    transfer: 2 ** 40,
    clusterId: asClusterId(hex('fedcba98')),
    term,
    checkpoint: {
      index,
      term: asTerm(2),
      time: asClusterTime(123_456),
      chain: '00112233445566778899aabbccddeeff',
      digest: asDigest(2 ** 47),
      records: 70_000,
      oldestBucket: 12,
      incarnations: { n1: asIncarnation(hex('01234567')), n2: asIncarnation(hex('fedcba98')) },
    },
  },
  {
    kind: 'snapshotChunk',
    transfer: 2 ** 40,
    number: 300,
    records: [
      { key: new Uint8Array([1]), value: new Uint8Array([0x92, 1, 2]) },
      { key: new Uint8Array([3, 0, 9]), value: new Uint8Array(0) },
    ],
  },
  { kind: 'snapshotEnd', transfer: 2 ** 40, chunks: 300 },
  { kind: 'snapshotReply', transfer: 2 ** 40, number: 299, said: 'taken' },
  { kind: 'snapshotWanted' },
]
