// Lock tables with something in them, and what a checkpoint of one is: for tests of what carries records about.
import { createTally, tallyLoaded } from '../../src/codec/digest.ts'
import { encodeRecord } from '../../src/codec/record.ts'
import type { RecordBytes } from '../../src/codec/record.ts'
import {
  asClusterTime,
  asIncarnation,
  asIndex,
  asLockName,
  asNodeId,
  asRequestId,
  asRun,
  asSessionId,
  asTerm,
} from '../../src/ids.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import type { StateRecord } from '../../src/lockfsm/records.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import type { LockState } from '../../src/lockfsm/state.ts'
import type { Checkpoint } from '../../src/storage/state-store.ts'

const takenInAt = asClusterTime(0)

/** One session that holds so many locks. */
export function lockTable(locks: number): LockState {
  const state = createState(defaultLimits)
  const opening = { requestId: asRequestId('opening'), ttlMs: 30_000, name: null, metadata: null, takenInAt }
  run(state, { kind: 'openSession', ...opening })
  for (let number = 1; number <= locks; number++) hold(state, `lock-${number}`)
  return state
}

/** The session acquires one more. */
export function hold(state: LockState, lock: string): void {
  const session = asSessionId('s-1')
  const how = { mode: 'exclusive', ttlMs: null, waitMs: 0, pollMs: 0, owner: null, metadata: null } as const
  run(state, { kind: 'acquire', lock: asLockName(lock), session, requestId: asRequestId(lock), ...how, takenInAt })
}

/** As n1 in its first run. */
export function run(state: LockState, command: Command): void {
  const node = asNodeId('n1')
  const number = (state.runs.get(node)?.number ?? 0) + 1
  apply(state, { time: state.time, commands: [{ origin: { node, run: asRun(1), number }, command }] })
}

export function recordsOf(state: LockState): readonly RecordBytes[] {
  return inKeyOrder([...toRecords(state)].map(encodeRecord))
}

/** A checkpoint of these records, whatever they are. */
export function checkpointOf(records: readonly RecordBytes[], place: Partial<Checkpoint> = {}): Checkpoint {
  const tally = createTally()
  // What is remembered is in no bucket here: the kind is all that a sum needs.
  const anyRecord: StateRecord = { kind: 'nodeRun', node: asNodeId('n1'), run: asRun(1), number: 0 }
  for (const bytes of records) tallyLoaded(tally, anyRecord, bytes)
  return {
    index: asIndex(10),
    term: asTerm(1),
    time: asClusterTime(0),
    chain: '00112233445566778899aabbccddeeff',
    digest: tally.digest,
    records: tally.records,
    oldestBucket: 0,
    incarnations: { n1: asIncarnation('n1.1') },
    ...place,
  }
}

/** The table as text, to see that two are equal. */
export function textOf(state: LockState): string {
  return recordsOf(state)
    .map(({ key, value }) => Buffer.concat([key, value]).toString('hex'))
    .join('\n')
}

function inKeyOrder(records: readonly RecordBytes[]): readonly RecordBytes[] {
  return [...records].sort((a, b) => Buffer.compare(a.key, b.key))
}
