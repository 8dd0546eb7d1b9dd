import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import fc from 'fast-check'
import { asClusterTime } from '../../src/ids.ts'
import { apply } from '../../src/lockfsm/apply.ts'
import type { NumberedCommand } from '../../src/lockfsm/command.ts'
import { nextDeadline } from '../../src/lockfsm/expiry.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import { createState, defaultLimits } from '../../src/lockfsm/state.ts'
import { Table, sameOrigin, sortedRecords } from './table.ts'
import { anyHistory, anyLimits } from './commands.ts'

t.test('what a command causes for others stands before its own outcome', async (t) => {
  const table = new Table()
  const { token, lock } = table.hold()
  const next = table.numbered(table.acquireCommand({ waitMs: 5_000 }))
  const release = table.numbered({ kind: 'release', lock, token, session: null })
  const outcomes = table.entry(0, [next, release])
  t.match(outcomes, [
    { to: next.origin, result: { kind: 'queued' } },
    { to: next.origin, result: { kind: 'granted' } },
    { to: release.origin, result: { kind: 'released' } },
  ])
})

t.test('what is due ends before the commands of the entry', async (t) => {
  const table = new Table()
  const session = table.open(1_000)
  table.hold({ session })
  const renewal = table.numbered({ kind: 'renewSessions', renewals: [] })
  const acquire = table.numbered(table.acquireCommand({}))
  t.match(table.entry(1_000, [renewal, acquire]).at(-1)?.result, { kind: 'granted', token: 2 })
})

t.test('time that runs backwards is a bug and stops the node', async (t) => {
  const table = new Table()
  table.at(5)
  t.throws(() => table.at(4), { name: 'AssertionFailure' })
})

t.test(
  'B118 B107 apply is total and leaves a right state, whatever well-typed commands come, with whatever numbers',
  async (t) => {
    fc.assert(
      fc.property(anyLimits, anyHistory, (limits, entries) => {
        const state = createState({ ...defaultLimits, ...limits })
        for (const { movedMs, commands } of entries) {
          const time = asClusterTime(state.time + movedMs)
          const before = { sequence: state.nextSequence, token: state.nextToken }
          const outcomes = apply(state, { time, commands })
          checkState(state)
          if (state.nextSequence < before.sequence || state.nextToken < before.token)
            throw new Error('a counter ran backwards')
          const due = nextDeadline(state)
          if (due !== null && due < time) throw new Error('something due was left over below the bound')
          checkAnswered(commands, outcomes)
        }
      }),
      { numRuns: 300 },
    )
    t.pass()
  },
)

t.test(
  'B118 the same entries give the same state and the same outcomes, and are not changed by being applied',
  async (t) => {
    fc.assert(
      fc.property(anyHistory, (entries) => {
        const [a, b] = [createState(defaultLimits), createState(defaultLimits)]
        for (const { movedMs, commands } of entries) {
          const entry = { time: asClusterTime(a.time + movedMs), commands }
          const copy = structuredClone(entry)
          const outcomes = apply(a, entry)
          if (!isDeepStrictEqual(structuredClone(entry), copy)) throw new Error('a command was changed')
          if (!isDeepStrictEqual(apply(b, copy), outcomes)) throw new Error('outcomes differ')
        }
        if (sortedRecords(a).join() !== sortedRecords(b).join()) throw new Error('states differ')
      }),
      { numRuns: 100 },
    )
    t.pass()
  },
)

/** Each applied command has exactly one outcome that is its own, and only an acquire has a second, after `queued`. */
function checkAnswered(commands: readonly NumberedCommand[], outcomes: ReturnType<typeof apply>): void {
  for (const { origin, command } of commands) {
    const own = outcomes.filter(({ to }) => sameOrigin(to, origin)).map(({ result }) => result.kind)
    const isLaterAnswer = own.length === 2 && command.kind === 'acquire' && own[0] === 'queued' && own[1] !== 'queued'
    if (own.length > 1 && !isLaterAnswer) throw new Error(`${command.kind} was answered ${own.join()}`)
  }
}
