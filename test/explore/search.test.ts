// The walk itself, on a model that can be reckoned: numbers that grow by 1 or by 3.
import t from 'tap'
import { AssertionFailure } from '../../src/assert.ts'
import { Frontier } from './frontier.ts'
import { explore } from './search.ts'
import type { Model } from './search.ts'
import { hashBytes, Visited } from './visited.ts'

const limits = { statesMax: 1000, secondsMax: 60 }

/** Up to `max`; arriving at `forbidden` breaks a promise. */
function counting(max: number, forbidden: number | null = null): Model<number, number> {
  return {
    start: () => 0,
    actions: (number) => [1, 3].filter((by) => number + by <= max),
    perform: (number, by) => {
      if (number + by === forbidden) throw new AssertionFailure(`nobody comes to ${forbidden}`)
      return number + by
    },
    encode: (number) => Uint8Array.of(number),
    decode: ([number = 0]) => number,
    settle: (number) => number,
    tell: (number, by) => `${number} + ${by}`,
  }
}

t.test('every state is walked once, and the walk knows that these are all', async (t) => {
  const { states, transitions, depth, isWhole, breach } = explore(counting(100), limits)
  t.same({ states, transitions, isWhole, breach }, { states: 101, transitions: 198, isWhole: true, breach: null })
  t.equal(depth, 34, 'the number that takes longest takes 33 steps of 3 and one of 1')
})

t.test('a breach is told with a shortest way to it', async (t) => {
  const { breach, isWhole } = explore(counting(100, 7), limits)
  t.equal(isWhole, false)
  t.equal(breach?.message, 'nobody comes to 7')
  t.equal(breach?.script.length, 3)
  t.match(breach?.script.at(-1), /^(4 \+ 3|6 \+ 1)$/)
})

t.test('a walk that ends at its limit of states says that there may be more', async (t) => {
  const { states, isWhole } = explore(counting(100), { ...limits, statesMax: 50 })
  t.same({ states, isWhole }, { states: 50, isWhole: false })
})

t.test('an error that is no broken promise ends the walk', async (t) => {
  const model = counting(100)
  const perform = (): number => {
    throw new TypeError('a bug of the model')
  }
  t.throws(() => explore({ ...model, perform }, limits), { message: 'a bug of the model' })
})

t.test('a state that was met is known again among many, and its path is kept', async (t) => {
  const visited = new Visited(10_000)
  const hash = (number: number): ReturnType<typeof hashBytes> => hashBytes(Uint8Array.of(number >> 8, number & 255))
  let added = 0
  for (let number = 0; number < 10_000; number++) if (visited.add(hash(number), Math.max(0, number - 1))) added++
  t.equal(added, 10_000, 'no two of so many have the same hash')
  t.equal(visited.isFull, true)
  let known = 0
  for (let number = 0; number < 10_000; number++) if (!visited.add(hash(number), 0)) known++
  t.equal(known, 10_000)
  t.same(visited.pathTo(3), [hash(0), hash(1), hash(2), hash(3)])
})

t.test('a frontier gives back what it was given, in order, over the bounds of its blocks', async (t) => {
  const frontier = new Frontier()
  const sizeOf = (number: number): number => 1 + ((number * 7919) % 60_000)
  for (let number = 0; number < 300; number++) frontier.push(new Uint8Array(sizeOf(number)).fill(number))
  for (let number = 0; number < 300; number++) {
    const state = frontier.shift()
    if (state.length !== sizeOf(number) || state[0] !== (number & 255)) t.fail(`state ${number}`)
  }
  t.equal(frontier.length, 0)
  t.throws(() => frontier.shift(), { message: 'there is a state to expand' })
})
