// What is synced, and when: of a file that takes the place of another, and of folders that are made.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeFolder, writeDurably } from '../../src/storage/durable-file.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Calls `look` before every sync of a file or folder. */
async function watchSyncs(t: Test, folder: string, look: () => void): Promise<void> {
  const handle = await open(folder)
  const prototype: FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  const sync = prototype.sync
  t.intercept(prototype, 'sync', {
    value(this: FileHandle) {
      look()
      return sync.call(this)
    },
  })
}

t.test('B123 a small file is synced before it takes the place of the old one, and its name after', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'small')
  await writeDurably(path, 'old')
  const seen: string[] = []
  await watchSyncs(t, folder, () => seen.push(readFileSync(path, 'utf8')))
  await writeDurably(path, 'new')
  t.same(seen, ['old', 'new'])
})

t.test('B123 the name of every folder that is made is synced', async (t) => {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'a'))
  let syncs = 0
  await watchSyncs(t, folder, () => syncs++)
  await makeFolder(join(folder, 'a/b/c'))
  t.ok(existsSync(join(folder, 'a/b/c')))
  t.equal(syncs, 2, 'c in b, and b in a')
})
