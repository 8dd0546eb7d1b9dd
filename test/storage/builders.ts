// Small logs for the tests of storage: entries, batches, and the ports' callbacks as promises.
import type { Test } from 'tap'
import { asClusterId, asClusterTime, asIncarnation, asIndex, asNodeId, asRun, asTerm } from '../../src/ids.ts'
import type { Entry, HardState, MemberReplaced } from '../../src/raft/entry.ts'
import type { FoundingRecord, FoundingStore } from '../../src/storage/founding-store.ts'
import type { LogBatch, LogMeta, LogStore, PeerWitness } from '../../src/storage/log-store.ts'

export const someMeta: LogMeta = {
  node: asNodeId('n1'),
  incarnation: asIncarnation('0123456789abcdef'.repeat(2)),
  run: asRun(1),
  founded: false,
  counted: asIndex(0),
}

export const somePeer: PeerWitness = {
  node: asNodeId('n2'),
  incarnation: asIncarnation('2'.repeat(32)),
  run: asRun(3),
  ackTerm: asTerm(4),
  ackIndex: asIndex(5),
  ackRun: asRun(3),
}

export const someReplacement: MemberReplaced = {
  kind: 'memberReplaced',
  member: asNodeId('n3'),
  incarnation: asIncarnation('3'.repeat(32)),
}

/** The end of a log that nobody wrote here. */
export const someTip = { index: asIndex(10), term: asTerm(2), time: asClusterTime(100), chain: 'ab'.repeat(16) }

export function someEntry(fields: {
  index: number
  term?: number
  time?: number
  payload?: Uint8Array | string
}): Entry {
  const { index, term = 1, time = index * 10, payload = `entry ${index} of term ${term}` } = fields
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
  return { index: asIndex(index), term: asTerm(term), time: asClusterTime(time), payload: bytes }
}

export function someEntries(fields: { from: number; to: number; term?: number }): Entry[] {
  const { from, to, term = 1 } = fields
  return Array.from({ length: to - from + 1 }, (_, offset) => someEntry({ index: from + offset, term }))
}

export function someHardState(currentTerm: number, votedFor: string | null = null): HardState {
  return { currentTerm: asTerm(currentTerm), votedFor: votedFor === null ? null : asNodeId(votedFor) }
}

export function someBatch(fields: Partial<LogBatch>): LogBatch {
  return {
    meta: null,
    hardState: null,
    truncateFrom: null,
    entries: [],
    trimTo: null,
    installed: null,
    peers: null,
    ...fields,
  }
}

export function write(store: LogStore, fields: Partial<LogBatch>): Promise<void> {
  return new Promise((resolve, reject) => {
    store.write(someBatch(fields), (error) => (error === null ? resolve() : reject(error)))
  })
}

export function read(
  store: LogStore,
  range: { from: number; to: number; bytesMax?: number },
): Promise<readonly Entry[]> {
  const { from, to, bytesMax = Number.MAX_SAFE_INTEGER } = range
  return new Promise((resolve, reject) => {
    store.read({ from: asIndex(from), to: asIndex(to), bytesMax }, (error, entries) =>
      error === null ? resolve(entries) : reject(error),
    )
  })
}

export function chainAt(store: LogStore, index: number): Promise<string> {
  return new Promise((resolve, reject) => {
    store.chainAt(asIndex(index), (error, chain) => (error === null ? resolve(chain) : reject(error)))
  })
}

/** Everything that a store holds, in a form that can be compared whatever kind of bytes its payloads are. */
export async function readWhole(store: LogStore): Promise<{ stored: LogStore['stored']; entries: object[] }> {
  const { stored } = store
  const entries: Entry[] = []
  while (stored.firstIndex + entries.length <= stored.lastIndex) {
    entries.push(
      ...(await read(store, { from: stored.firstIndex + entries.length, to: stored.lastIndex, bytesMax: 2 ** 20 })),
    )
  }
  return { stored, entries: entries.map(comparable) }
}

export function comparable(entry: Entry): object {
  return { ...entry, payload: Buffer.from(entry.payload).toString('latin1') }
}

export const someFounding: FoundingRecord = {
  clusterId: asClusterId('00112233445566778899aabbccddeeff'),
  members: [
    { id: someMeta.node, incarnation: someMeta.incarnation },
    { id: asNodeId('n2'), incarnation: asIncarnation('2'.repeat(32)) },
    { id: asNodeId('n3'), incarnation: asIncarnation('3'.repeat(32)) },
  ],
  limits: { sessions: 1_000_000, waitersPerLock: 20_000 },
  restored: null,
}

export function store(founding: FoundingStore, record: FoundingRecord): Promise<void> {
  return new Promise((resolve, reject) => {
    founding.write(record, (error) => (error === null ? resolve() : reject(error)))
  })
}

/** Gives a new, empty disk, whose log begins at `firstIndex`; the function returned opens the store on it. */
export type NewDisk = (t: Test, options?: { readonly firstIndex: number }) => () => Promise<LogStore>
