// Three workers, one leader. The leader is killed: another leads, with a higher token. That one resigns: the last leads at
// once.
import assert from 'node:assert/strict'
import { LockClient } from 'holdfast/client'
import { endpoints } from '../endpoints.js'
import { startProgram } from '../processes.js'

const workers = ['anna', 'berta', 'clara'].map((name) => startProgram(import.meta.dirname, 'worker.js', name))
const client = new LockClient({ endpoints })
try {
  const first = await nextLeader(workers)
  const shown = await client.leader('scheduler')
  assert.deepEqual(shown?.value, { address: `${first.worker.name}.example:8080` })

  console.log(`killing ${first.worker.name}, who cannot say goodbye`)
  first.worker.kill('SIGKILL')
  const second = await nextLeader(workers.filter((worker) => worker !== first.worker))
  assert.ok(second.token > first.token, 'tokens only grow')

  console.log(`asking ${second.worker.name} to resign`)
  second.worker.kill('SIGTERM')
  const rest = workers.filter((worker) => worker !== first.worker && worker !== second.worker)
  const third = await nextLeader(rest)
  assert.ok(third.token > second.token, 'tokens only grow')

  third.worker.kill('SIGTERM')
  await third.worker.ended
  assert.equal(await client.leader('scheduler'), null)
  console.log('nobody leads, and nobody ever led beside another')
} finally {
  for (const worker of workers) worker.kill('SIGKILL')
  await client.close()
}

async function nextLeader(candidates) {
  return Promise.race(
    candidates.map(async (worker) => ({ worker, token: (await worker.heard(({ leads }) => leads > 0)).leads })),
  )
}
