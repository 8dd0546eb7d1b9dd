// Names and small files that survive a power cut. The content of a file and the name of a file are made durable
// separately: the name belongs to the folder, and is there for certain only when the folder has been synced.
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** Puts `text` at `path` so that at every moment either the old content is there or all of the new. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`
  const file = await open(unfinished, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
  await syncFolder(dirname(path))
}

/** Creates `folder` and what is missing above it, every new name durable when it returns. */
export async function makeFolder(folder: string): Promise<void> {
  const path = resolve(folder)
  const topmostMade = (await mkdir(path, { recursive: true })) ?? path
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === topmostMade) return
  }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
