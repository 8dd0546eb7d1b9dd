import fc from 'fast-check'
import t from 'tap'
import { Deadlines } from '../../src/node/deadlines.ts'

t.test('an item comes due when its time has passed, at most 50 ms later', async (t) => {
  const deadlines = new Deadlines<string>()
  deadlines.add('a', 101)
  t.same(deadlines.takeDue(100), [])
  t.same(deadlines.takeDue(151), ['a'])
  t.same(deadlines.takeDue(10_000), [], 'and comes once')
})

t.test('nothing is due before its time, even in the same stretch of 50 ms', async (t) => {
  const deadlines = new Deadlines<string>()
  deadlines.add('a', 140)
  t.same(deadlines.takeDue(120), [])
  t.same(deadlines.takeDue(149), [])
  t.same(deadlines.takeDue(150), ['a'])
})

t.test('what was removed never comes due', async (t) => {
  const deadlines = new Deadlines<string>()
  deadlines.add('a', 100)
  deadlines.add('b', 100)
  deadlines.remove('a', 100)
  deadlines.remove('never there', 100)
  t.same(deadlines.takeDue(1000), ['b'])
})

t.test('earlier times come due first', async (t) => {
  const deadlines = new Deadlines<string>()
  deadlines.add('late', 900)
  deadlines.add('early', 100)
  deadlines.add('early too', 100)
  t.same(deadlines.takeDue(1000), ['early', 'early too', 'late'])
})

t.test('a stop takes everything', async (t) => {
  const deadlines = new Deadlines<string>()
  deadlines.add('a', 100)
  deadlines.add('b', 10_000)
  t.same(deadlines.takeAll().sort(), ['a', 'b'])
  t.same(deadlines.takeDue(20_000), [])
})

t.test(
  'every item comes due once, never early and never more than 50 ms late, whatever is added and removed',
  async (t) => {
    const step = fc.record({
      passMs: fc.nat(200),
      addInMs: fc.option(fc.nat(500), { nil: null }),
      removes: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const deadlines = new Deadlines<number>()
        const waiting = new Map<number, number>()
        let now = 0
        for (const [item, { passMs, addInMs, removes }] of steps.entries()) {
          now += passMs
          for (const due of deadlines.takeDue(now)) {
            const at = waiting.get(due)
            if (at === undefined || at > now) throw new Error(`${due} came at ${now}, due at ${at}`)
            waiting.delete(due)
          }
          for (const [left, at] of waiting)
            if (at + 50 <= now) throw new Error(`${left} is due since ${at}, it is ${now}`)
          if (addInMs !== null) {
            const at = now + 1 + addInMs
            deadlines.add(item, at)
            waiting.set(item, at)
          }
          const [first] = waiting
          if (removes && first !== undefined) {
            deadlines.remove(...first)
            waiting.delete(first[0])
          }
        }
      }),
    )
    t.pass()
  },
)
