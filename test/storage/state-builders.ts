// Small states for the tests of storage: records without a meaning, checkpoints of them, and the port's callbacks as
// promises. Keys that begin with `b` are bucketed, as the rules below say: the byte behind is their bucket.
import type { Test } from 'tap'
import { crc32 } from 'node:zlib'
import { asClusterTime, asDigest, asIncarnation, asIndex, asTerm } from '../../src/ids.ts'
import type {
  Checkpoint,
  InstallVerdict,
  RecordBytes,
  RecordRules,
  StateInstall,
  StateStore,
  StateView,
} from '../../src/storage/state-store.ts'

export const someRules: RecordRules = {
  hashRecord: ({ key, value }) => 1 + crc32(value, crc32(key)) * 2 ** 15,
  voidKeys: (oldestBucket) => [{ gte: Buffer.of(0x62, 0), lt: Buffer.of(0x62, oldestBucket) }],
}

/** Records by key. */
export type Model = ReadonlyMap<string, string>

export function someRecord(key: string, value: string): RecordBytes {
  return { key: Buffer.from(key, 'latin1'), value: Buffer.from(value) }
}

/** The checkpoint of exactly these records, but for what is said otherwise. */
export function checkpointOf(model: Model, fields: Partial<Checkpoint> = {}): Checkpoint {
  const records = [...model].map(([key, value]) => someRecord(key, value))
  return {
    index: asIndex(10),
    term: asTerm(2),
    time: asClusterTime(100),
    chain: 'ab'.repeat(16),
    digest: asDigest(records.reduce((sum, record) => (sum + someRules.hashRecord(record)) % 2 ** 48, 0)),
    records: records.length,
    oldestBucket: 0,
    incarnations: { n1: asIncarnation('1'.repeat(32)) },
    ...fields,
  }
}

/** A checkpoint with these changes; null deletes. Its checkpoint is of `after`. */
export function commit(
  store: StateStore,
  changes: Readonly<Record<string, string | null>>,
  checkpoint: Checkpoint,
): Promise<void> {
  const writer = store.begin()
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) writer.delete(Buffer.from(key, 'latin1'))
    else writer.put(someRecord(key, value))
  }
  return new Promise((resolve, reject) => {
    writer.commit(checkpoint, (error) => (error === null ? resolve() : reject(error)))
  })
}

export function load(store: StateStore): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  return new Promise((resolve, reject) => {
    store.load(
      (records) => records.forEach((record) => addTo(found, record)),
      (error) => (error === null ? resolve(found) : reject(error)),
    )
  })
}

export async function readView(view: StateView, bytesMax = 2 ** 20): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (;;) {
    const { records, isLast } = await readChunk(view, bytesMax)
    for (const record of records) addTo(found, record)
    if (isLast) return found
  }
}

export function readChunk(
  view: StateView,
  bytesMax: number,
): Promise<{ records: readonly RecordBytes[]; isLast: boolean }> {
  return new Promise((resolve, reject) => {
    view.read(bytesMax, (error, records, isLast) => (error === null ? resolve({ records, isLast }) : reject(error)))
  })
}

export function put(install: StateInstall, model: Model): Promise<void> {
  const records = [...model].map(([key, value]) => someRecord(key, value))
  return new Promise((resolve, reject) => {
    install.put(records, (error) => (error === null ? resolve() : reject(error)))
  })
}

export function finish(install: StateInstall, checkpoint: Checkpoint): Promise<InstallVerdict> {
  return new Promise((resolve, reject) => {
    install.finish(checkpoint, (error, verdict) => (error === null ? resolve(verdict) : reject(error)))
  })
}

export function end(install: StateInstall, how: 'flip' | 'discard'): Promise<void> {
  return new Promise((resolve, reject) => {
    install[how]((error) => (error === null ? resolve() : reject(error)))
  })
}

/** All of an install of these records, up to the flip. */
export async function installAll(store: StateStore, model: Model, checkpoint: Checkpoint): Promise<void> {
  const install = store.install(store.nextGeneration)
  await put(install, model)
  const verdict = await finish(install, checkpoint)
  if (verdict !== 'sound') throw new Error(`the verdict is ${verdict}`)
  await end(install, 'flip')
}

function addTo(found: Map<string, string>, { key, value }: RecordBytes): void {
  const text = Buffer.from(key).toString('latin1')
  if (found.has(text)) throw new Error(`the record ${text} comes twice`)
  found.set(text, Buffer.from(value).toString())
}

/** Gives a new, empty disk; the function returned opens the store on it. */
export type NewStateDisk = (t: Test) => () => Promise<StateStore>
