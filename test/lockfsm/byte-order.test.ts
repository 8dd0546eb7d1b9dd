import t from 'tap'
import fc from 'fast-check'
import { isNameBefore, orderedName } from '../../src/lockfsm/byte-order.ts'

const isBefore = (a: string, b: string): boolean => isNameBefore(orderedName(a), orderedName(b))
const isBeforeInBytes = (a: string, b: string): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0

t.test('names are in the order of their UTF-8 bytes', async (t) => {
  // Units around the places where the orders of UTF-16 and of UTF-8 part.
  const units = [
    'a',
    'b',
    '\u007f',
    '\u0080',
    '\u07ff',
    '\u0800',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{10ffff}',
  ]
  const names = fc.array(fc.constantFrom(...units), { maxLength: 5 }).map((list) => list.join(''))
  fc.assert(
    fc.property(names, names, (a, b) => {
      if (isBefore(a, b) !== isBeforeInBytes(a, b)) throw new Error(`${JSON.stringify([a, b])} are not in byte order`)
    }),
    { numRuns: 5_000 },
  )
  t.pass()
})

t.test('a code point above the surrogates comes after every unit above them', async (t) => {
  t.same(['\uffee', '\u{1f512}'].sort(), ['\u{1f512}', '\uffee'], 'in the order of JavaScript it does not')
  t.ok(isBefore('\uffee', '\u{1f512}'))
  t.notOk(isBefore('\u{1f512}', '\uffee'))
})

t.test('a name is before its continuations and not before itself', async (t) => {
  for (const name of ['', 'jobs', '\u{1f512}']) {
    t.notOk(isBefore(name, name))
    t.ok(isBefore(name, `${name}/`))
    t.notOk(isBefore(`${name}/`, name))
  }
})
