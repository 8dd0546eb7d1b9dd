import t from 'tap'
import fc from 'fast-check'
import { createSorted, insertSorted, removeSorted, sortedFrom } from '../../src/lockfsm/sorted.ts'
import type { Sorted } from '../../src/lockfsm/sorted.ts'

const numbers = (): Sorted<number> => createSorted<number>((a, b) => a < b)
const listed = (sorted: Sorted<number>, from = -Infinity): number[] => [...sortedFrom(sorted, (item) => item < from)]

t.test('an index lists what was inserted and not removed, in order, from anywhere', async (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 10, max: 3_000 }), (seed, range) => {
      const sorted = numbers()
      const expected = new Set<number>()
      let random = seed
      for (let done = 0; done < 5_000; done += 1) {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
        const value = (random >>> 8) % range
        const from = done % 500 === 0 ? (random >>> 4) % range : null
        if (expected.delete(value)) removeSorted(sorted, value)
        else {
          expected.add(value)
          insertSorted(sorted, value)
        }
        if (from === null) continue
        const page = listed(sorted, from).slice(0, 10).join()
        const right = [...expected]
          .filter((item) => item >= from)
          .sort((a, b) => a - b)
          .slice(0, 10)
          .join()
        if (page !== right) throw new Error(`${page} instead of ${right}`)
      }
      if (listed(sorted).join() !== [...expected].sort((a, b) => a - b).join()) throw new Error('the list is wrong')
    }),
    { numRuns: 30 },
  )
  t.pass()
})

t.test('chunks are split when they grow and joined when they shrink', async (t) => {
  const sorted = numbers()
  for (let value = 0; value < 20_000; value += 1) insertSorted(sorted, (value * 7919) % 20_000)
  t.equal(listed(sorted).length, 20_000)
  t.ok(sorted.chunks.every(({ length }) => length <= 512))
  for (let value = 0; value < 20_000; value += 1) if (value % 100 !== 0) removeSorted(sorted, value)
  t.same(
    listed(sorted),
    Array.from({ length: 200 }, (_, index) => index * 100),
  )
  t.ok(sorted.chunks.length < 10, 'two hundred items do not lie in the chunks of twenty thousand')
  for (const value of listed(sorted)) removeSorted(sorted, value)
  t.same(sorted.chunks, [])
})

t.test('what comes and goes before anybody lists is never sorted in', async (t) => {
  const sorted = numbers()
  for (let value = 0; value < 10_000; value += 1) {
    insertSorted(sorted, value)
    removeSorted(sorted, value)
  }
  t.same(sorted.chunks, [])
  t.equal(sorted.unsorted.size, 0)
})

t.test('removing what is not there is a bug', async (t) => {
  const sorted = numbers()
  insertSorted(sorted, 1)
  insertSorted(sorted, 3)
  t.same(listed(sorted), [1, 3])
  t.throws(() => removeSorted(sorted, 2), /only what was inserted/)
})
