// That a write is confirmed only when it was synced. No crash of a process shows the lack of it, only one of the machine: so it
// is looked at what the database is asked for.
import { join } from 'node:path'
import { Level } from 'level'
import t from 'tap'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { openLevelStateStore } from '../../src/storage/level-state-store.ts'
import { history, newLife } from './short-history.ts'
import { someRules } from './state-builders.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** What all chained batches have in common. */
async function chainedBatches(folder: string): Promise<ReturnType<Level['batch']>> {
  const database = new Level(folder)
  await database.open()
  const batch = database.batch()
  let prototype = batch
  while (!Object.hasOwn(prototype, 'write')) prototype = Object.getPrototypeOf(prototype)
  await batch.close()
  await database.close()
  return prototype
}

t.test('B127 every write to log and state is synced', async (t) => {
  const folder = temporaryFolder(t)
  const prototype = await chainedBatches(join(folder, 'other'))
  const writes = t.capture(prototype, 'write', prototype.write)
  const log = await openLevelLogStore(join(folder, 'log'))
  const state = await openLevelStateStore(join(folder, 'state'), { rules: someRules })
  const life = newLife()
  for (const step of history) {
    await step.run({ log, state }, life)
    const options = writes().map(({ args }) => args[0])
    t.ok(
      options.length > 0 && options.every((each) => each !== undefined && 'sync' in each && each.sync === true),
      step.name,
    )
  }
  await Promise.all([log.close(), state.close()])
})
