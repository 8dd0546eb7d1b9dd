// Three clients of a lock table, and what each of them knows: its session, the attempts that nobody has withdrawn, and
// which lock it may believe to hold, and until when. A world is plain data; the table in it is its records, so every
// single step is one of a table that has just been loaded.
import { asLockName, asNodeId, asRequestId } from '../../src/ids.ts'
import type { ClusterTime, LockName, NodeId, RequestId, SessionId, Token } from '../../src/ids.ts'
import { fromRecords } from '../../src/lockfsm/load.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import type { StateRecord } from '../../src/lockfsm/records.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import type { LockState } from '../../src/lockfsm/state.ts'

export interface LockWorld {
  /** Each as text, in the order of the texts: equal tables have equal ones. */
  readonly records: readonly string[]
  readonly nodes: readonly NodeSeen[]
  readonly clients: readonly Client[]
  readonly left: LockBounds
  /** The greatest that was ever granted. */
  readonly lastToken: number
  /** Somebody has named a lock. */
  readonly isFirstNamed: boolean
}

/** How many commands and steps of time may still come. */
export interface LockBounds {
  readonly commands: number
  readonly passes: number
}

/** The run of a node's process, and the number of its last command. */
export interface NodeSeen {
  readonly run: number
  readonly number: number
}

export interface Client {
  /** Null for one whose grants have a TTL of their own. */
  readonly session: SessionId | null
  /** By lock. */
  readonly attempts: readonly (readonly Attempt[])[]
  readonly beliefs: readonly (Belief | null)[]
}

/** Of the present run of its node. */
export interface Attempt {
  readonly number: number
  readonly at: ClusterTime
}

/** A grant that the client was told of: nobody takes it away before `until`. */
export interface Belief {
  readonly token: Token
  readonly until: number
  /** Of the attempt that was answered. */
  readonly number: number
}

export const locks: readonly LockName[] = ['a', 'b'].map(asLockName)
export const nodes: readonly NodeId[] = ['n1', 'n2'].map(asNodeId)

/** Where each client is, and how long its session or, without one, its grants live. */
export const profiles = [
  { name: 'ann', node: 0, hasSession: true, ttlMs: 8_000 },
  { name: 'bob', node: 0, hasSession: true, ttlMs: 12_000 },
  { name: 'cid', node: 1, hasSession: false, ttlMs: 6_000 },
] as const

export function requestIdOf(client: number, lock: number): RequestId {
  return asRequestId(`${profiles[client]?.name}-${locks[lock]}`)
}

export function textsOf(state: LockState): readonly string[] {
  return [...toRecords(state)].map((record) => JSON.stringify(record)).sort()
}

export function tableOf(texts: readonly string[]): LockState {
  const parse = (text: string): StateRecord => JSON.parse(text)
  return fromRecords(texts.map(parse), defaultLimits)
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeLocks({ records, ...known }: LockWorld): Uint8Array {
  return encoder.encode([...records, JSON.stringify(known)].join('\n'))
}

export function decodeLocks(bytes: Uint8Array): LockWorld {
  const lines = decoder.decode(bytes).split('\n')
  const known: Omit<LockWorld, 'records'> = JSON.parse(lines.at(-1) ?? '')
  return { ...known, records: lines.slice(0, -1) }
}
