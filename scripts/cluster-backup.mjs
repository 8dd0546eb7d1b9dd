// What `cluster.sh backup` does: asks the nodes in turn for a backup and keeps the first that is whole. The file has its
// name only when everything is in it and on the disk.
//
//   node scripts/cluster-backup.mjs FILE URL ..
import { open, rename, rm } from 'node:fs/promises'

const [file, ...urls] = process.argv.slice(2)
const unfinished = `${file}.unfinished`
for (const url of urls) {
  try {
    const bytes = await save(url)
    console.log(`${file}: ${bytes} bytes from ${url}`)
    process.exit(0)
  } catch (error) {
    await rm(unfinished, { force: true })
    console.error(`${url}: ${error.cause?.message ?? error.message}`)
  }
}
console.error('no node gave a backup')
process.exit(1)

async function save(url) {
  const answer = await fetch(`${url}/v1/backup`)
  if (!answer.ok) throw new Error((await answer.json()).detail)
  const handle = await open(unfinished, 'w')
  let bytes = 0
  try {
    for await (const piece of answer.body) {
      await handle.writeFile(piece)
      bytes += piece.length
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(unfinished, file)
  return bytes
}
