import { join } from 'node:path'
import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import { openLevelLogStore } from '../../src/storage/level-log-store.ts'
import { testLogStore } from './log-store-conformance.ts'
import { temporaryFolder } from './temporary-folder.ts'

testLogStore(t, (t, { firstIndex } = { firstIndex: 1 }) => {
  const folder = join(temporaryFolder(t), 'n1', 'log')
  return () => openLevelLogStore(folder, { firstIndex: asIndex(firstIndex) })
})
