import t from 'tap'
import fc from 'fast-check'
import { asRequestId } from '../../src/ids.ts'
import { bucketsKnowing, clearBucket, createFilter, isAmong, noteId } from '../../src/lockfsm/recall-filter.ts'

t.test('a bucket that knows an id is never left out, and a cleared one forgets all', async (t) => {
  const filter = createFilter()
  const ids = fc.uniqueArray(fc.tuple(fc.string(), fc.nat(5)), { minLength: 1, maxLength: 300, selector: ([id]) => id })
  fc.assert(
    fc.property(ids, fc.integer({ min: 0, max: 1_000 }), (noted, oldest) => {
      for (const [id, bucket] of noted) noteId(filter, asRequestId(id), oldest + bucket)
      for (const [id, bucket] of noted) {
        if (!isAmong(bucketsKnowing(filter, asRequestId(id)), oldest + bucket)) throw new Error(`${id} is not found`)
      }
      clearBucket(filter, oldest)
      for (const [id, bucket] of noted) {
        const isFound = isAmong(bucketsKnowing(filter, asRequestId(id)), oldest + bucket)
        if (isFound !== bucket > 0) throw new Error(`${id} of bucket ${bucket} is ${isFound ? '' : 'not '}found`)
      }
      for (let bucket = 1; bucket <= 5; bucket += 1) clearBucket(filter, oldest + bucket)
    }),
    { numRuns: 20 },
  )
  t.pass()
})

t.test('of ids like those of clients few are looked for in vain', async (t) => {
  const filter = createFilter()
  for (let index = 0; index < 80_000; index += 1) noteId(filter, asRequestId(`r-0123456789ab${index}`), 1)
  let inVain = 0
  for (let index = 80_000; index < 90_000; index += 1) {
    if (isAmong(bucketsKnowing(filter, asRequestId(`r-0123456789ab${index}`)), 1)) inVain += 1
  }
  t.ok(inVain < 1_000, `${inVain} of 10,000, with 80,000 in 1,048,576 slots`)
})
