import { join } from 'node:path'
import t from 'tap'
import { openLevelStateStore } from '../../src/storage/level-state-store.ts'
import { someRules } from './state-builders.ts'
import { testStateStore } from './state-store-conformance.ts'
import { temporaryFolder } from './temporary-folder.ts'

testStateStore(t, (t) => {
  const folder = join(temporaryFolder(t), 'n1', 'state')
  return () => openLevelStateStore(folder, { rules: someRules })
})
