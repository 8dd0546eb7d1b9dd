// Small logs and states, closed or as a crash leaves them, of which every content that they ever had is known; and what a
// damage of their files may lead to. A refusal is always right, and so is an abort of LevelDB: that process has neither
// voted nor served. What opens must be what was there.
import { join } from 'node:path'
import { unreachable } from '../../src/assert.ts'
import { asIndex } from '../../src/ids.ts'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { openLevelStateStore } from '../../src/storage/level-state-store.ts'
import { someEntries, someEntry, someHardState, someMeta, somePeer, someReplacement, write } from './builders.ts'
import { copyOf, fillLog } from './damaging.ts'
import type { Probe, ProbeResult } from './probing.ts'
import { checkpointOf, commit, installAll, someRules } from './state-builders.ts'

export interface KnownDisk {
  readonly what: string
  readonly holds: 'log' | 'state'
  readonly folder: string
  /** Of what it holds. */
  readonly digest: string
  /**
   * Of what it held before, newest last. A disk that crashed may come up as it was earlier, without a trace: a length
   * that points behind the end of LevelDB's log is what a torn write leaves. The other nodes find that out (DESIGN 6).
   */
  readonly earlier: readonly string[]
}

/** What became of a damage; null: the worst. */
export function outcomeOf(result: ProbeResult, disk: KnownDisk): 'sound' | 'earlier' | 'refused' | 'aborted' | null {
  switch (result.kind) {
    case 'opened':
      if (result.digest === disk.digest) return 'sound'
      return disk.earlier.includes(result.digest) ? 'earlier' : null
    case 'refused': {
      const isExpected = result.name === 'FormatVersionError' || result.name === refusalOf[disk.holds]
      return isExpected ? 'refused' : null
    }
    case 'aborted':
      return result.signal === 'SIGABRT' || result.signal === 'SIGSEGV' || result.signal === 'SIGBUS' ? 'aborted' : null
    case 'filled':
      return null
    default:
      return unreachable(result)
  }
}

const refusalOf = { log: 'DamagedError', state: 'DamagedStateError' } as const

/** The least that LevelDB accepts: what is larger is soon in tables. */
const writeBufferBytes = 64 * 1024

/** A log of a hundred entries, in tables and in LevelDB's own log, closed. */
export async function largeLog(folder: string, probe: Probe): Promise<KnownDisk> {
  const path = join(folder, 'log')
  for (const range of [
    { from: 1, to: 80 },
    { from: 81, to: 100 },
  ]) {
    const store = await openLevelLogStore(path, { writeBufferBytes })
    await fillLog(store, range)
    await store.close()
  }
  return { what: 'a log', holds: 'log', folder: path, digest: await digestOf(probe, 'log', path), earlier: [] }
}

/** A state of several generations, in tables and in LevelDB's own log, closed. */
export async function largeState(folder: string, probe: Probe): Promise<KnownDisk> {
  const path = join(folder, 'state')
  const model = new Map(Array.from({ length: 150 }, (_, at) => [`r${at}`, `${at}`.padEnd(1000, 'value ')]))
  const store = await openLevelStateStore(path, { rules: someRules, writeBufferBytes })
  await commit(store, { before: '1' }, checkpointOf(new Map([['before', '1']])))
  await installAll(store, model, checkpointOf(model, { index: asIndex(20) }))
  await store.close()
  const reopened = await openLevelStateStore(path, { rules: someRules, writeBufferBytes })
  await commit(reopened, { r7: null, r8: 'changed' }, checkpointOf(without(model, 'r7').set('r8', 'changed')))
  await reopened.close()
  return { what: 'a state', holds: 'state', folder: path, digest: await digestOf(probe, 'state', path), earlier: [] }
}

/** A log of a few small writes of every kind: once in LevelDB's log only, as it crashed, and once closed, in a table, too. */
export async function smallLogs(folder: string, probe: Probe): Promise<KnownDisk[]> {
  const path = join(folder, 'small-log')
  const store = await openLevelLogStore(path)
  const noted = { ...someEntry({ index: 4, term: 2 }), note: someReplacement }
  const digests = [await digestOf(probe, 'log', path)]
  for (const batch of [
    { meta: someMeta },
    { hardState: someHardState(1, 'n1'), entries: someEntries({ from: 1, to: 3 }) },
    { hardState: someHardState(2, 'n2'), truncateFrom: asIndex(3), entries: someEntries({ from: 3, to: 3, term: 2 }) },
    { entries: [noted], peers: [somePeer] },
    { trimTo: asIndex(2) },
    { entries: someEntries({ from: 5, to: 6, term: 2 }) },
  ]) {
    await write(store, batch)
    digests.push(await digestOf(probe, 'log', path))
  }
  const crashed = copyOf(path, 'crashed')
  await store.close()
  await (await openLevelLogStore(path)).close()
  return known('log', { crashed, closed: path }, digests)
}

/** The same of a state: three checkpoints and a snapshot. */
export async function smallStates(folder: string, probe: Probe): Promise<KnownDisk[]> {
  const path = join(folder, 'small-state')
  const store = await openLevelStateStore(path, { rules: someRules })
  const digests = [await digestOf(probe, 'state', path)]
  const first = new Map(Object.entries({ a: '1', c: '2' }))
  const second = new Map(Object.entries({ a: '3', d: '4' }))
  const third = new Map(Object.entries({ x: '5', y: '6' }))
  const fourth = without(third, 'x').set('z', '7')
  for (const step of [
    () => commit(store, { a: '1', c: '2' }, checkpointOf(first)),
    () => commit(store, { a: '3', c: null, d: '4' }, checkpointOf(second, { index: asIndex(20) })),
    () => installAll(store, third, checkpointOf(third, { index: asIndex(30) })),
    () => commit(store, { x: null, z: '7' }, checkpointOf(fourth, { index: asIndex(40) })),
  ]) {
    await step()
    digests.push(await digestOf(probe, 'state', path))
  }
  const crashed = copyOf(path, 'crashed')
  await store.close()
  await (await openLevelStateStore(path, { rules: someRules })).close()
  return known('state', { crashed, closed: path }, digests)
}

function known(
  holds: KnownDisk['holds'],
  folders: { readonly crashed: string; readonly closed: string },
  digests: readonly string[],
): KnownDisk[] {
  const digest = digests.at(-1) ?? ''
  return [
    { what: `a ${holds} as a crash left it`, holds, folder: folders.crashed, digest, earlier: digests.slice(0, -1) },
    { what: `a closed ${holds}`, holds, folder: folders.closed, digest, earlier: [] },
  ]
}

async function digestOf(probe: Probe, holds: KnownDisk['holds'], folder: string): Promise<string> {
  const result = await probe.ask({ folder: copyOf(folder, 'reference'), holds, kind: 'open' })
  if (result.kind !== 'opened') throw new Error(`before it is damaged: ${JSON.stringify(result)}`)
  return result.digest
}

function without(model: ReadonlyMap<string, string>, key: string): Map<string, string> {
  const rest = new Map(model)
  rest.delete(key)
  return rest
}
