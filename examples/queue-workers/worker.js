// One of several workers that share the partitions of a queue. It holds the locks of its partitions by one session, so one
// renewal keeps them all, and works through each as long as it holds it. Where it has come to stands in a guarded file per
// partition, which refuses a worker that lost the partition and does not know it yet. Arguments: name, folder, partitions.
import { setTimeout as sleep } from 'node:timers/promises'
import { LockClient } from 'holdfast/client'
import { guardedRead, guardedReplace } from 'holdfast/guard'
import { endpoints } from '../endpoints.js'
import { say } from '../processes.js'

const itemsPerPartition = 30
const [name, folder, count] = process.argv.slice(2)
const client = new LockClient({ endpoints, ttlMs: 2000, owner: name })
const session = await client.session()

// Everybody stands in line for every partition. Nobody takes the next while it is busy with one, so they are shared out
// as they come, and those of a worker that dies go to whoever is next in line.
const partitions = Array.from({ length: Number(count) }, (_, number) => `partition-${number}`)
let left = [...partitions]
while (left.length > 0) {
  const lock = await firstFree(left)
  if (lock === null) await sleep(100)
  else left = (await workThrough(lock)) ? left.filter((partition) => partition !== lock.name) : left
}
await session.close()
await client.close()
say({ done: true })

async function firstFree(names) {
  for (const partition of names) {
    const lock = await session.tryAcquire(partition)
    if (lock !== null) return lock
  }
  return null
}

/** Whether the partition is at its end. */
async function workThrough(lock) {
  const { name: partition, token, signal } = lock
  const file = { path: `${folder}/${partition}.json`, token }
  // From here on no former holder writes any more.
  const items = JSON.parse((await guardedRead(file)) ?? '[]')
  const from = items.length
  while (items.length < itemsPerPartition && !signal.aborted) {
    await sleep(10)
    items.push({ item: items.length, by: name })
    await guardedReplace(file, JSON.stringify(items))
    if (items.length === from + 5) say({ works: partition, from })
  }
  const isDone = items.length === itemsPerPartition
  await lock.release()
  return isDone
}
