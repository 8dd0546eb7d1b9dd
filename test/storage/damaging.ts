// Logs with known contents, and the tools to damage their files.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { LogStore } from '../../src/storage/log-store.ts'
import { someEntry, someHardState, someMeta, write } from './builders.ts'

/** One write for each entry, of 1,500 bytes, ten to a term. */
export async function fillLog(store: LogStore, { from, to }: { from: number; to: number }): Promise<void> {
  for (let index = from; index <= to; index++) {
    const term = Math.ceil(index / 10)
    await write(store, {
      meta: index === 1 ? someMeta : null,
      hardState: someHardState(term, 'n1'),
      entries: [someEntry({ index, term, payload: `${index}`.padEnd(1500, 'payload ') })],
    })
  }
}

/** A copy beside the folder. Of a log that is open it is what a crash would leave: every write there was synced. */
export function copyOf(folder: string, name: string): string {
  const copy = `${folder}-${name}`
  rmSync(copy, { recursive: true, force: true })
  // To read LevelDB's LOCK file would drop the lock that this process holds on it.
  cpSync(folder, copy, { recursive: true, filter: (source) => basename(source) !== 'LOCK' })
  return copy
}

export function flip(path: string, offset: number, bit: number): void {
  overwrite(path, (bytes) => bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << bit), offset))
}

export function overwrite(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path)
  change(bytes)
  writeFileSync(path, bytes)
}

/** The file of that ending with the highest number. */
export function newest(folder: string, ending: string): string {
  const name = readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort()
    .at(-1)
  if (name === undefined) throw new Error(`no file ${ending} in ${folder}`)
  return join(folder, name)
}
