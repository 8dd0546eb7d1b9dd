// What a node does with its disk before it takes part (DESIGN 6): an install that was cut off is finished or forgotten, the
// records of the checkpoint are loaded, and log and state are seen to go together. A state that is damaged, or that the
// log does not lead to, costs only itself: the node goes on voting with its log, and gets a snapshot.
import { assert } from '../assert.ts'
import { createTally } from '../codec/digest.ts'
import type { Tally } from '../codec/digest.ts'
import { asIndex, asNodeId } from '../ids.ts'
import type { Incarnation, Index, NodeId } from '../ids.ts'
import type { Limits, LockState } from '../lockfsm/state.ts'
import type { HardState } from '../raft/entry.ts'
import type { StoredLog as RaftLog } from '../raft/log.ts'
import { createRaft } from '../raft/state.ts'
import type { RaftOptions, RaftState } from '../raft/state.ts'
import { judgeChain, judgeState } from '../storage/identity.ts'
import type { Installing, LogMeta, LogStore, StoredLog } from '../storage/log-store.ts'
import type { Checkpoint, StateStore } from '../storage/state-store.ts'
import type { DiskWriter } from './disk-writer.ts'
import type { Host } from './host.ts'
import { loadState } from './loading-state.ts'

export interface StartingParts {
  readonly self: NodeId
  readonly incarnation: Incarnation
  readonly host: Host
  readonly store: LogStore
  readonly state: StateStore
  readonly disk: DiskWriter
  readonly limits: Limits
  /** Of a cluster that begins. */
  readonly newLock: () => LockState
  /** Whose disks took part in the founding. */
  readonly founders: ReadonlyMap<NodeId, Incarnation>
  /** The disks are being closed: nothing more is to be asked of them. */
  readonly isStopped: () => boolean
}

/** What a replica begins with. */
export interface Begun {
  readonly lock: LockState
  readonly tally: Tally
  readonly log: RaftLog
  /** Of the checkpoint that was loaded. */
  readonly applied: Index
  readonly incarnations: ReadonlyMap<NodeId, Incarnation>
  readonly canServe: boolean
}

/** Calls `done` once, unless the node stops; with a DamagedStateError when only the state is damaged, with other errors for the rest. */
export function begin(parts: StartingParts, done: (error: Error | null, begun: Begun | null) => void): void {
  const { self, store, state, disk } = parts
  const { stored } = store
  const verdict = attempt(() => judgeState(self, stored, state.stored))
  if (verdict instanceof Error) return done(verdict, null)
  switch (verdict.kind) {
    case 'ok':
      return load(parts, stored, done)
    case 'noState':
      return done(null, withoutState(parts, stored))
    case 'discardInstall':
      return disk.store({ installing: null }, () => {
        if (verdict.hasState) load(parts, stored, done)
        else done(null, withoutState(parts, stored))
      })
    case 'finishInstall':
      return finishInstall(parts, done)
  }
}

/** The records first: if they turn out to be damaged, the log is as it was, and is all that the node goes on with. */
function finishInstall(parts: StartingParts, done: (error: Error | null, begun: Begun | null) => void): void {
  const { store, state, disk, host } = parts
  const { stored } = store
  const [start, { checkpoint }] = [stored.installing, state.stored]
  assert(start !== null && checkpoint !== null, 'an install that can be finished has a mark and a state')
  const keepsTail = holds(stored, start)
  loadAs(parts, { checkpoint, log: asInstalled(stored, start, keepsTail) }, (error, begun) => {
    if (begun === null) return done(error, null)
    const durable = (): void => {
      host.report({ level: 'info', message: 'finished the install of a snapshot', details: { index: start.index } })
      done(null, begun)
    }
    // Its records are the current ones already.
    const prepare = (prepared: (error: null) => void): void => prepared(null)
    disk.install({ io: null, installed: { start, keepsTail }, prepare, durable })
    disk.start()
  })
}

function load(parts: StartingParts, log: RaftLog, done: (error: Error | null, begun: Begun | null) => void): void {
  const { self, store, state, isStopped } = parts
  const { checkpoint } = state.stored
  if (checkpoint === null) return done(null, withoutState(parts, log))
  store.chainAt(checkpoint.index, (unreadable, chain) => {
    if (isStopped()) return
    const problem = unreadable ?? attempt(() => judgeChain(self, checkpoint, chain))
    if (problem instanceof Error) return done(problem, null)
    loadAs(parts, { checkpoint, log }, done)
  })
}

function loadAs(
  { host, state, limits, founders, isStopped }: StartingParts,
  { checkpoint, log }: { readonly checkpoint: Checkpoint; readonly log: RaftLog },
  done: (error: Error | null, begun: Begun | null) => void,
): void {
  loadState(host, state, limits, (error, loaded) => {
    if (isStopped()) return
    if (error !== null || loaded === null) return done(error, null)
    const { lock, tally } = loaded
    const incarnations = incarnationsOf(checkpoint, founders)
    done(null, { lock, tally, log, applied: checkpoint.index, incarnations, canServe: true })
  })
}

export interface MemberSetup {
  readonly self: NodeId
  readonly members: readonly NodeId[]
  readonly raft: RaftOptions
  readonly host: Host
  readonly hardState: HardState
  readonly meta: LogMeta
}

/** The member that this node is when it begins with what is on its disk. */
export function createMember(begun: Begun, { self, members, raft, host, hardState, meta }: MemberSetup): RaftState {
  const { log, applied, incarnations, canServe } = begun
  return createRaft({
    self,
    members,
    options: raft,
    random: () => host.random(),
    now: host.now(),
    stored: { ...log, hardState },
    applied,
    incarnations,
    incarnation: meta.incarnation,
    counted: meta.counted,
    canServe,
  })
}

/**
 * A log from the beginning needs no state. Of any other the part before its start is lost here, and with it who was
 * replaced: such a node counts nobody but itself, and does not lead, until it has a snapshot.
 */
export function withoutState({ newLock, founders, self, incarnation }: StartingParts, log: RaftLog): Begun {
  const canServe = log.start.index === 0
  const incarnations = canServe ? founders : new Map([[self, incarnation]])
  const { index: applied } = log.start
  return { lock: newLock(), tally: createTally(), log, applied, incarnations, canServe }
}

function incarnationsOf(
  { incarnations }: Checkpoint,
  founders: ReadonlyMap<NodeId, Incarnation>,
): ReadonlyMap<NodeId, Incarnation> {
  const known = Object.entries(incarnations).map(([node, disk]) => [asNodeId(node), disk] as const)
  return new Map([...founders, ...known])
}

/** Whether the log has the entry that the snapshot stands for. */
function holds({ start, lastIndex, spans }: StoredLog, { index, term }: Installing): boolean {
  if (index === start.index) return term === start.term
  if (index < start.index || index > lastIndex) return false
  return spans.findLast(({ firstIndex }) => firstIndex <= index)?.term === term
}

/** The log as the last write of an install leaves it. */
function asInstalled(stored: StoredLog, { index, term, time }: Installing, keepsTail: boolean): RaftLog {
  const start = { index, term, time }
  if (!keepsTail || stored.lastIndex === index) return { start, lastIndex: index, lastTime: time, spans: [], notes: [] }
  const first = index + 1
  const behind = stored.spans.filter(({ firstIndex }) => firstIndex > first)
  const cut = stored.spans.findLast(({ firstIndex }) => firstIndex <= first)
  const spans = cut === undefined ? behind : [{ term: cut.term, firstIndex: asIndex(index + 1) }, ...behind]
  const notes = stored.notes.filter((note) => note.index > index)
  return { start, lastIndex: stored.lastIndex, lastTime: stored.lastTime, spans, notes }
}

function attempt<T>(judge: () => T): T | Error {
  try {
    return judge()
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}
