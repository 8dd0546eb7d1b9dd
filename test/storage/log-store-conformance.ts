// What every LogStore does, whatever it is made of. An adapter's test hands in how to open its store; opening again, after
// a close, is on the same disk.
import type { Test } from 'tap'
import type { NewDisk } from './builders.ts'
import { testOrderOfCalls, testReading, testRefusals } from './log-store-calls.ts'
import { testBesideEntries, testInstalls, testStartsAgainstModel, testTrims } from './log-store-starts.ts'
import { testAgainstModel, testExtremes, testReopening, testTruncation } from './log-store-contents.ts'

export function testLogStore(t: Test, newDisk: NewDisk): void {
  testReopening(t, newDisk)
  testTruncation(t, newDisk)
  testExtremes(t, newDisk)
  testAgainstModel(t, newDisk)
  testReading(t, newDisk)
  testOrderOfCalls(t, newDisk)
  testRefusals(t, newDisk)
  testTrims(t, newDisk)
  testInstalls(t, newDisk)
  testBesideEntries(t, newDisk)
  testStartsAgainstModel(t, newDisk)
}
