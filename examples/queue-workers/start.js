// Six partitions, three workers, one lock per partition. A worker is killed in the middle of its work: another goes on
// where it had come to, and every item is done exactly once, in order.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProgram } from '../processes.js'

const partitions = 6
const folder = mkdtempSync(join(tmpdir(), 'holdfast-example-'))
const workers = ['anna', 'berta', 'clara'].map((name) =>
  startProgram(import.meta.dirname, 'worker.js', name, folder, String(partitions)),
)
try {
  const [victim, ...others] = workers
  const { works } = await victim.heard((line) => line.works !== undefined)
  console.log(`killing ${victim.name} while it works on ${works}`)
  victim.kill('SIGKILL')
  await Promise.all(others.map(({ heard }) => heard(({ done }) => done === true)))
  for (let number = 0; number < partitions; number++) {
    const items = JSON.parse(readFileSync(join(folder, `partition-${number}.json`), 'utf8'))
    assert.deepEqual(
      items.map(({ item }) => item),
      Array.from({ length: 30 }, (_, item) => item),
    )
    console.log(`partition-${number}: ${[...new Set(items.map(({ by }) => by))].join(', then ')}`)
  }
} finally {
  for (const worker of workers) worker.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
