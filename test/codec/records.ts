// Records of every kind: one of each, and at random.
import fc from 'fast-check'
import {
  asClusterTime,
  asLockName,
  asNodeId,
  asRequestId,
  asRun,
  asSequence,
  asSessionId,
  asToken,
} from '../../src/ids.ts'
import type { StateRecord } from '../../src/lockfsm/records.ts'
import { count } from './arbitraries.ts'

const lock = asLockName('jobs/nightly')
const session = asSessionId('s-17')
const requestId = asRequestId('r-1234567890abcdef')
const time = asClusterTime(70_000)
const attempt = {
  node: asNodeId('n1'),
  run: asRun(2),
  number: 300,
  carriedAt: time,
  pollUntil: asClusterTime(80_000),
}

const living = {
  sequence: asSequence(18),
  requestId,
  metadata: '{"a":1}',
  ttlMs: 30_000,
  deadline: asClusterTime(100_000),
  giveBackAt: null,
}

export const records: Readonly<Record<string, StateRecord>> = {
  counters: { kind: 'counters', time, nextSequence: asSequence(19), nextToken: asToken(2 ** 33), nextEnding: 3 },
  nodeRun: { kind: 'nodeRun', node: asNodeId('n2'), run: asRun(4), number: 70_000 },
  session: {
    kind: 'session',
    ...living,
    openedTtlMs: 20_000,
    name: 'worker 7',
    attempts: [{ node: asNodeId('n3'), run: asRun(1), number: 5 }],
    claimed: true,
  },
  wait: {
    kind: 'request',
    ...living,
    lock,
    session,
    owner: 'worker ö',
    askedTtlMs: null,
    ttlMs: null,
    attempts: [attempt],
    token: null,
    since: time,
    claimed: false,
  },
  grant: {
    kind: 'request',
    ...living,
    lock,
    session: null,
    owner: null,
    askedTtlMs: 10_000,
    attempts: [],
    token: asToken(99),
    since: time,
    giveBackAt: asClusterTime(72_000),
    claimed: false,
  },
  released: { kind: 'rememberedRequest', bucket: 7, session, requestId, how: 'released', token: asToken(98) },
  refused: { kind: 'rememberedRequest', bucket: 7, session: null, requestId, how: 'refused', token: null },
  rememberedOpening: { kind: 'rememberedOpening', bucket: 7, requestId, session },
  releasedToken: { kind: 'releasedToken', bucket: 7, token: asToken(98), lock },
  endedToken: { kind: 'endedToken', token: asToken(97), lock, endedBy: 'unclaimed', endedAt: time, ordinal: 2 },
}

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const kind = <Kind extends string>(name: Kind) => fc.constant(name)
const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const node = fc.stringMatching(/^[A-Za-z0-9._-]{1,32}$/).map(asNodeId)
const anyId = fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/).map(asRequestId)
const anySession = fc.nat().map((sequence) => asSessionId(`s-${sequence}`))
const anyTime = count.map(asClusterTime)
const origin = { node, run: count.map(asRun), number: count }
const fields = {
  sequence: count.map(asSequence),
  requestId: anyId,
  metadata: orNull(text),
  giveBackAt: orNull(anyTime),
  claimed: fc.boolean(),
}
const token = count.map(asToken)
const anyLock = text.map(asLockName)

export const anyRecord: fc.Arbitrary<StateRecord> = fc.oneof(
  fc.record({
    kind: kind('counters'),
    time: anyTime,
    nextSequence: fields.sequence,
    nextToken: token,
    nextEnding: count,
  }),
  fc.record({ kind: kind('nodeRun'), ...origin }),
  fc.record({
    kind: kind('session'),
    ...fields,
    openedTtlMs: count,
    ttlMs: count,
    deadline: anyTime,
    name: orNull(text),
    attempts: fc.array(fc.record(origin), { maxLength: 8 }),
  }),
  fc.record({
    kind: kind('request'),
    ...fields,
    lock: anyLock,
    session: orNull(anySession),
    owner: orNull(text),
    askedTtlMs: orNull(count),
    ttlMs: orNull(count),
    attempts: fc.array(fc.record({ ...origin, carriedAt: anyTime, pollUntil: anyTime }), { maxLength: 8 }),
    token: orNull(token),
    since: anyTime,
    deadline: orNull(anyTime),
  }),
  fc.record({
    kind: kind('rememberedRequest'),
    bucket: count,
    session: orNull(anySession),
    requestId: anyId,
    how: fc.constantFrom('released' as const, 'expired' as const, 'session_closed' as const, 'unclaimed' as const),
    token,
  }),
  fc.record({
    kind: kind('rememberedRequest'),
    bucket: count,
    session: orNull(anySession),
    requestId: anyId,
    how: fc.constantFrom('withdrawn' as const, 'refused' as const),
    token: fc.constant(null),
  }),
  fc.record({ kind: kind('rememberedOpening'), bucket: count, requestId: anyId, session: anySession }),
  fc.record({ kind: kind('releasedToken'), bucket: count, token, lock: anyLock }),
  fc.record({
    kind: kind('endedToken'),
    token,
    lock: anyLock,
    endedBy: fc.constantFrom('expired' as const, 'session_closed' as const, 'unclaimed' as const),
    endedAt: anyTime,
    ordinal: count,
  }),
)
