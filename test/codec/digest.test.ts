// The arithmetic of the digest; that it stays equal to the sum over all records in any history is a property of
// `test/lockfsm/checkpoint.test.ts`.
import t from 'tap'
import { createTally, tallyChange, tallyLoaded } from '../../src/codec/digest.ts'
import { encodeRecord, hashRecord } from '../../src/codec/record.ts'
import { asClusterTime, asLockName, asNodeId, asRun, asToken } from '../../src/ids.ts'
import type { MemoryRecord, StateRecord } from '../../src/lockfsm/records.ts'

const nodeRun = (number: number): StateRecord => ({ kind: 'nodeRun', node: asNodeId('n1'), run: asRun(1), number })
const released = (bucket: number, token: number): MemoryRecord => ({
  kind: 'releasedToken',
  bucket,
  token: asToken(token),
  lock: asLockName('x'),
})
const hashOf = (record: StateRecord): number => hashRecord(encodeRecord(record))

t.test('a record counts once, whatever it has been before', async (t) => {
  const [tally, owner] = [createTally(), { digested: 0 }]
  for (const number of [1, 2, 3]) {
    tallyChange(tally, { kind: 'put', record: nodeRun(number), owner }, null)
    t.same([tally.digest, tally.records, owner.digested], [hashOf(nodeRun(number)), 1, hashOf(nodeRun(number))])
  }
  tallyChange(tally, { kind: 'remove', record: nodeRun(3), owner, was: null }, null)
  t.same([tally.digest, tally.records], [0, 0])
})

t.test('the sum wraps at 48 bits and is the same in any order', async (t) => {
  const [there, back] = [createTally(), createTally()]
  const records = Array.from({ length: 50 }, (_, token) => released(1, token))
  for (const record of records) tallyChange(there, { kind: 'put', record, owner: null }, encodeRecord(record))
  for (const record of records.toReversed()) tallyLoaded(back, record, encodeRecord(record))
  t.ok(records.reduce((sum, record) => sum + hashOf(record), 0) > 2 ** 48, 'it had to wrap')
  t.ok(there.digest < 2 ** 48)
  t.same([back.digest, back.records], [there.digest, 50])
})

t.test('a dropped bucket takes along what is left in it', async (t) => {
  const tally = createTally()
  const kept: StateRecord = {
    kind: 'endedToken',
    token: asToken(9),
    lock: asLockName('x'),
    endedBy: 'expired',
    endedAt: asClusterTime(0),
    ordinal: 1,
  }
  for (const record of [kept, released(1, 1), released(1, 2), released(2, 3)]) {
    tallyChange(tally, { kind: 'put', record, owner: null }, null)
  }
  const was = released(1, 1)
  tallyChange(tally, { kind: 'remove', record: was, owner: null, was }, null)
  tallyChange(tally, { kind: 'dropBucket', bucket: 1 }, null)
  tallyChange(tally, { kind: 'dropBucket', bucket: 7 }, null)
  t.same([tally.digest, tally.records], [(hashOf(kept) + hashOf(released(2, 3))) % 2 ** 48, 2])
})
