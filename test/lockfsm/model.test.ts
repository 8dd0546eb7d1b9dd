import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import fc from 'fast-check'
import { asClusterTime } from '../../src/ids.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import { nextDeadline } from '../../src/lockfsm/expiry.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import type { Outcome, Result } from '../../src/lockfsm/outcome.ts'
import { fromRecords } from '../../src/lockfsm/load.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import { Model, nameOf } from './model.ts'
import type { Said } from './model.ts'
import { Promises } from './promises.ts'
import { sortedRecords } from './table.ts'
import { World, anyWorld, shuffled, tightLimits } from './world.ts'

t.test('the table says to every command what the model says', async (t) => {
  fc.assert(
    fc.property(anyWorld, (entries) => {
      const [world, model, state] = [new World(), new Model(), createState(defaultLimits)]
      for (const { movedMs, actions } of entries) {
        const time = state.time + movedMs
        const commands = world.commands(actions, time)
        const outcomes = apply(state, { time: asClusterTime(time), commands })
        world.learn(outcomes)
        compare(outcomes, model.apply(time, commands))
      }
    }),
    { numRuns: 200 },
  )
  t.pass()
})

t.test(
  'S1 S2 S5 L2 exclusion, growing tokens, order of service and validForMs hold in what the clients are told',
  async (t) => {
    fc.assert(
      fc.property(anyWorld, (entries) => {
        const [world, promises, state] = [new World(), new Promises(), createState(defaultLimits)]
        for (const { movedMs, actions } of entries) {
          const time = asClusterTime(state.time + movedMs)
          const commands = world.commands(actions, time)
          const outcomes = apply(state, { time, commands })
          checkState(state)
          world.learn(outcomes)
          promises.check(time, commands, outcomes)
        }
      }),
      { numRuns: 200 },
    )
    t.pass()
  },
)

t.test(
  'H25 a copy that is saved and loaded in any order, at any time, goes on like the one that lived through it all',
  async (t) => {
    fc.assert(
      fc.property(anyWorld, fc.constantFrom(defaultLimits, tightLimits), (entries, limits) => {
        const [world, lived] = [new World(), createState(limits)]
        let copy = createState(limits)
        for (const { movedMs, actions, reload } of entries) {
          if (reload !== null) copy = fromRecords(shuffled([...toRecords(copy)], reload), limits)
          const entry = {
            time: asClusterTime(lived.time + movedMs),
            commands: world.commands(actions, lived.time + movedMs),
          }
          const outcomes: readonly Outcome[] = apply(lived, entry)
          if (!isDeepStrictEqual(apply(copy, entry), outcomes)) throw new Error('outcomes differ')
          if (nextDeadline(copy) !== nextDeadline(lived)) throw new Error('deadlines differ')
          checkState(copy)
          world.learn(outcomes)
        }
        if (sortedRecords(copy).join() !== sortedRecords(lived).join()) throw new Error('records differ')
      }),
      { numRuns: 200 },
    )
    t.pass()
  },
)

/** To each command the same is said in the same order, as far as the model foretells it. */
function compare(outcomes: readonly Outcome[], expected: readonly { to: string; said: Said }[]): void {
  for (const name of new Set([...outcomes.map(({ to }) => nameOf(to)), ...expected.map(({ to }) => to)])) {
    const heard = outcomes.filter(({ to }) => nameOf(to) === name).map(({ result }) => result)
    const foretold = expected.filter(({ to }) => to === name).map(({ said }) => said)
    const isSame =
      heard.length === foretold.length && heard.every((result, index) => isForetold(result, foretold[index] ?? {}))
    if (!isSame) throw new Error(`${name} heard ${JSON.stringify(heard)} instead of ${JSON.stringify(foretold)}`)
  }
}

function isForetold(result: Result, said: Said): boolean {
  const fields = new Map<string, unknown>(Object.entries(result))
  return Object.entries(said).every(([field, value]) => isDeepStrictEqual(fields.get(field), value))
}
