import t from 'tap'
import fc from 'fast-check'
import { openMailbox } from '../../src/client/mailbox.ts'

t.test('what is put at one end is taken at the other, in order, whatever it wraps around', (t) => {
  const step = fc.oneof(fc.constant('take' as const), fc.string({ maxLength: 30, unit: 'grapheme' }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const putting = openMailbox(128)
      const taking = openMailbox(putting.memory)
      const inside: string[] = []
      for (const text of steps) {
        if (text === 'take') {
          const expected = inside.shift()
          if (taking.take() !== expected) throw new Error(`not ${expected}`)
        } else if (putting.put(text)) inside.push(text)
        else if (inside.reduce((sum, one) => sum + 4 + Buffer.byteLength(one), 5 + Buffer.byteLength(text)) <= 128)
          throw new Error('there was room')
        if (taking.isEmpty() !== (inside.length === 0)) throw new Error('empty?')
      }
    }),
    { numRuns: 500 },
  )
  t.pass()
  t.end()
})

t.test('what is too large for the room that is left changes nothing', (t) => {
  const mailbox = openMailbox(32)
  t.notOk(mailbox.put('x'.repeat(28)))
  t.ok(mailbox.put('x'.repeat(20)))
  t.notOk(mailbox.put('12345678'))
  t.equal(mailbox.take(), 'x'.repeat(20))
  t.equal(mailbox.take(), undefined)
  t.ok(mailbox.put('12345678'))
  t.equal(mailbox.take(), '12345678')
  t.end()
})

t.test('who sleeps is woken once, and does not fall asleep over what has come', (t) => {
  const putting = openMailbox(64)
  const taking = openMailbox(putting.memory)
  t.notOk(putting.isToBeWoken(), 'awake')
  t.ok(taking.fallAsleep())
  t.ok(putting.put('a'))
  t.ok(putting.isToBeWoken())
  t.notOk(putting.isToBeWoken(), 'once')
  t.notOk(taking.fallAsleep(), 'a is there')
  t.notOk(putting.isToBeWoken(), 'it stayed awake')
  t.equal(taking.take(), 'a')
  t.ok(taking.fallAsleep())
  t.end()
})
