// A process of its own that opens a log or a state and says what it found: LevelDB may abort on damaged tables, only a second process
// can show what happens to a second process, and limits on files are those of a process.
import { createHash } from 'node:crypto'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { openLevelStateStore } from '../../src/storage/level-state-store.ts'
import type { LogBatch, LogStore } from '../../src/storage/log-store.ts'
import { read, readWhole, someEntry, someHardState, someMeta, write } from './builders.ts'
import { load, someRules } from './state-builders.ts'

export interface ProbeRequest {
  readonly folder: string
  /** What is in the folder; a log when nothing is said. */
  readonly holds?: 'log' | 'state'
  /**
   * `open` reads everything and closes; `hold` keeps it open; `fill` writes until a write fails; `closeAt` writes up to
   * entry `last` and closes at once, before that write has been answered.
   */
  readonly kind: 'open' | 'hold' | 'fill' | 'closeAt'
  readonly last?: number
}

export type ProbeAnswer =
  /** `digest` is of everything that the store gives. */
  | { readonly kind: 'opened'; readonly lastIndex: number; readonly digest: string }
  | { readonly kind: 'refused'; readonly name: string; readonly message: string }
  /** `confirmed` is the last entry that was. `errors` are those of the writes, and of a read, after it. */
  | { readonly kind: 'filled'; readonly confirmed: number; readonly errors: readonly string[] }

process.on('message', (request: ProbeRequest) => {
  void probe(request).then((answer) => process.send?.(answer))
})

async function probe({ folder, holds = 'log', kind, last = 0 }: ProbeRequest): Promise<ProbeAnswer> {
  try {
    if (holds === 'state') return await openState(folder)
    const store = await openLevelLogStore(folder)
    if (kind === 'fill') return await fillUntilFailure(store)
    if (kind === 'closeAt') return await closeWhileWriting(store, last)
    try {
      const whole = JSON.stringify(await readWhole(store))
      return {
        kind: 'opened',
        lastIndex: store.stored.lastIndex,
        digest: createHash('sha256').update(whole).digest('hex'),
      }
    } finally {
      if (kind === 'open') await store.close()
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { kind: 'refused', name: error.name, message: error.message }
  }
}

async function openState(folder: string): Promise<ProbeAnswer> {
  const store = await openLevelStateStore(folder, { rules: someRules })
  try {
    const whole = JSON.stringify([store.stored, ...(await load(store))])
    return {
      kind: 'opened',
      lastIndex: store.stored.checkpoint?.index ?? 0,
      digest: createHash('sha256').update(whole).digest('hex'),
    }
  } finally {
    await store.close()
  }
}

async function fillUntilFailure(store: LogStore): Promise<ProbeAnswer> {
  const errors: string[] = []
  let confirmed = 0
  for (let index = 1; index < 10_000 && errors.length < 2; index++) {
    try {
      await write(store, batchOf(index))
      confirmed = index
    } catch (error) {
      errors.push(String(error))
    }
  }
  await read(store, { from: 1, to: 1 }).catch((error: unknown) => errors.push(String(error)))
  return { kind: 'filled', confirmed, errors }
}

async function closeWhileWriting(store: LogStore, last: number): Promise<ProbeAnswer> {
  const errors: string[] = []
  for (let index = 1; index < last; index++) await write(store, batchOf(index))
  const writing = write(store, batchOf(last)).catch((error: unknown) => errors.push(String(error)))
  await store.close()
  await writing
  return { kind: 'filled', confirmed: errors.length === 0 ? last : last - 1, errors }
}

function batchOf(index: number): Partial<LogBatch> {
  return { meta: someMeta, hardState: someHardState(1), entries: [someEntry({ index, payload: 'x'.repeat(2000) })] }
}
