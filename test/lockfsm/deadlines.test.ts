import t from 'tap'
import fc from 'fast-check'
import { asClusterTime, asSequence } from '../../src/ids.ts'
import { createDeadlines, firstDue, schedule, unschedule } from '../../src/lockfsm/deadlines.ts'
import type { Deadlines, Timed } from '../../src/lockfsm/deadlines.ts'

const items = (count: number): Timed[] =>
  Array.from({ length: count }, (_, index) => ({ sequence: asSequence(index + 1), heapPosition: null }))

function drain(heap: Deadlines<Timed>): number[] {
  const order: number[] = []
  for (;;) {
    const next = firstDue(heap, asClusterTime(Number.MAX_SAFE_INTEGER))
    if (next === null) return order
    order.push(next.sequence)
    unschedule(heap, next)
  }
}

t.test('items come out by time, then by sequence, whatever was moved or removed before', async (t) => {
  const step = fc.record({ index: fc.nat(19), time: fc.option(fc.nat(9), { nil: null }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = createDeadlines<Timed>()
      const all = items(20)
      const expected = new Map<Timed, number>()
      for (const { index, time } of steps) {
        const item = all[index]
        if (item === undefined) throw new Error('the index lies inside')
        if (time === null) {
          unschedule(heap, item)
          expected.delete(item)
        } else {
          schedule(heap, item, asClusterTime(time))
          expected.set(item, time)
        }
        heap.items.forEach((entry, position) => {
          if (entry.heapPosition !== position) throw new Error('an item does not know its place')
        })
      }
      const sorted = [...expected]
        .sort(([a, x], [b, y]) => x - y || a.sequence - b.sequence)
        .map(([{ sequence }]) => sequence)
      const drained = drain(heap)
      if (drained.join() !== sorted.join()) throw new Error(`${drained.join()} instead of ${sorted.join()}`)
    }),
  )
  t.pass()
})

t.test('an item is due at its time and not a millisecond before', async (t) => {
  const heap = createDeadlines<Timed>()
  const [item] = items(1)
  if (item === undefined) throw new Error('there is one')
  schedule(heap, item, asClusterTime(100))
  t.equal(firstDue(heap, asClusterTime(99)), null)
  t.equal(firstDue(heap, asClusterTime(100)), item)
})

t.test('entering and leaving in pairs leaves nothing behind', async (t) => {
  const heap = createDeadlines<Timed>()
  const [stays, ...others] = items(100)
  if (stays === undefined) throw new Error('there are many')
  schedule(heap, stays, asClusterTime(1))
  for (const item of others) {
    schedule(heap, item, asClusterTime(50))
    unschedule(heap, item)
    t.equal(item.heapPosition, null)
  }
  t.equal(heap.items.length, 1)
  t.equal(heap.times.length, 1)
})
