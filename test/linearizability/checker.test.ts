import t from 'tap'
import fc from 'fast-check'
import { linearize } from './checker.ts'
import type { Model, Operation } from './checker.ts'

type Register = { readonly kind: 'write'; readonly value: number } | { readonly kind: 'read'; readonly value: number }

const register: Model<number, Register> = {
  initial: 0,
  step: (state, action) => (action.kind === 'write' ? [action.value] : action.value === state ? [state] : []),
  keyOf: String,
}

const write = (value: number, calledAt: number, returnedAt = Infinity): Operation<Register> => ({
  action: { kind: 'write', value },
  calledAt,
  returnedAt,
})
const read = (value: number, calledAt: number, returnedAt: number): Operation<Register> => ({
  action: { kind: 'read', value },
  calledAt,
  returnedAt,
})
const verdict = (...operations: Operation<Register>[]) => linearize(operations, register).kind

t.test('one operation after the other is judged by the model alone', (t) => {
  t.equal(verdict(), 'linearizable')
  t.equal(verdict(write(1, 0, 1), read(1, 2, 3)), 'linearizable')
  t.equal(verdict(write(1, 0, 1), read(0, 2, 3)), 'broken')
  t.end()
})

t.test('what overlaps may have happened in either order, but in one order for all', (t) => {
  t.equal(verdict(write(1, 0, 10), read(0, 1, 2)), 'linearizable')
  t.equal(verdict(write(1, 0, 10), read(1, 1, 2)), 'linearizable')
  t.equal(verdict(write(1, 0, 10), read(1, 1, 2), read(0, 3, 4)), 'broken')
  t.equal(verdict(write(1, 0, 10), read(0, 1, 4), read(1, 2, 3)), 'linearizable')
  t.end()
})

t.test('an operation that was never answered may have happened at any time since its call, or never', (t) => {
  t.equal(verdict(write(1, 0), read(0, 5, 6)), 'linearizable')
  t.equal(verdict(write(1, 0), read(0, 5, 6), read(1, 7, 8)), 'linearizable')
  t.equal(verdict(write(1, 0), read(1, 5, 6), read(0, 7, 8)), 'broken')
  t.equal(verdict(read(1, 0, 1), write(1, 2)), 'broken')
  t.end()
})

t.test('a call and a return at the same moment overlap', (t) => {
  t.equal(verdict(write(1, 0, 1), read(0, 1, 2)), 'linearizable')
  t.equal(verdict(write(1, 0, 1), read(0, 1.001, 2)), 'broken')
  t.end()
})

t.test('a broken history names what could not be explained', (t) => {
  const bad = read(7, 4, 5)
  const found = linearize([write(1, 0, 1), read(1, 2, 3), bad], register)
  t.match(found, { kind: 'broken', longest: { length: 2 }, stuck: [bad] })
  t.end()
})

t.test('a search that would take too long is given up and says so', (t) => {
  const many = Array.from({ length: 24 }, (_, value) => write(value + 1, 0, 100))
  t.equal(linearize([...many, read(99, 101, 102)], register, 1000).kind, 'undecided')
  t.end()
})

t.test('it agrees with trying every order of small histories', (t) => {
  const operation = fc.record({
    isWrite: fc.boolean(),
    value: fc.integer({ min: 0, max: 2 }),
    calledAt: fc.integer({ min: 0, max: 8 }),
    lasts: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(Infinity)),
  })
  let broken = 0
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 5 }), (drawn) => {
      const operations = drawn.map(({ isWrite, value, calledAt, lasts }) =>
        isWrite ? write(value, calledAt, calledAt + lasts) : read(value, calledAt, calledAt + Math.min(lasts, 9)),
      )
      const expected = canBeOrdered(operations, 0)
      if (!expected) broken++
      if ((verdict(...operations) === 'linearizable') !== expected) throw new Error(`expected ${expected}`)
    }),
    { numRuns: 3000 },
  )
  t.ok(broken > 300, 'bad histories are among them')
  t.end()
})

/** By definition: some operation, called before every return that is left, comes first, and the rest follows. */
function canBeOrdered(left: readonly Operation<Register>[], state: number): boolean {
  const firstReturn = Math.min(...left.map(({ returnedAt }) => returnedAt))
  if (firstReturn === Infinity) return true
  return left.some((operation) => {
    if (operation.calledAt > firstReturn) return false
    const rest = left.filter((other) => other !== operation)
    return register.step(state, operation.action).some((next) => canBeOrdered(rest, next))
  })
}
