import t from 'tap'
import { someRules } from '../storage/state-builders.ts'
import { testStateStore } from '../storage/state-store-conformance.ts'
import { MemoryDisk } from '../../src/testing/memory-disk.ts'

testStateStore(t, () => {
  const disk = new MemoryDisk({ schedule: (_, run) => setImmediate(run), random: () => 0, rules: someRules })
  return () => Promise.resolve(disk.openState())
})
