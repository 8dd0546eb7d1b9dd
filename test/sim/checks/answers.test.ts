// What clients are told against what the log says: lies of every kind, and truths that look like them.
import t from 'tap'
import { asNodeId, asRun } from '../../../src/ids.ts'
import type { Outcome, Result } from '../../../src/lockfsm/outcome.ts'
import { AnswerChecks } from './answers.ts'
import { Witnessed } from './witnessed.ts'

/** A table whose entries the checks see; acquires carry their mark as owner. */
function scene(): { table: Witnessed; checks: AnswerChecks } {
  const table = new Witnessed()
  const checks = new AnswerChecks()
  table.watch = ({ commands, outcomes }) => checks.applied(commands, outcomes)
  return { table, checks }
}

const origin = { node: asNodeId('n1'), run: asRun(1), number: 1 }
const done: Result = { kind: 'done' }
const queued: Result = { kind: 'queued' }

function say(checks: AnswerChecks, ...results: readonly Result[]): void {
  checks.applied(
    [],
    results.map((result): Outcome => ({ to: origin, result })),
  )
}

t.test('S4 the outcome of the attempt is a right answer, that of another is not', async (t) => {
  const { table, checks } = scene()
  const ours = table.acquire({ owner: 'ours' })
  const theirs = table.hold({ lock: 'y', owner: 'theirs' })
  checks.answered('ours', ours.result)
  t.throws(() => checks.answered('ours', theirs), /^S4: attempt ours was answered/)
})

t.test('S4 an answer to an attempt that is not in the log is seen', async (t) => {
  const { table, checks } = scene()
  const { result } = table.acquire({ owner: 'ours' })
  t.throws(() => checks.answered('unheard of', result), /^S4: .* but the log says nothing/)
})

t.test('S4 "not done" is true of an attempt that was passed over or refused', async (t) => {
  const { table, checks } = scene()
  table.hold({ owner: 'holder' })
  checks.definitelyNotDone('never sent', 'noLeader')
  table.acquire({ owner: 'refused', waitMs: 0 })
  checks.definitelyNotDone('refused', 'noLeader')
  t.throws(() => checks.definitelyNotDone('holder', 'noLeader'), /^S4: attempt holder was answered noLeader, but had/)
})

t.test('S4 an effect after "not done" is seen', async (t) => {
  const { table, checks } = scene()
  checks.definitelyNotDone('late', 'overloaded')
  t.throws(() => table.hold({ owner: 'late' }), /^S4: attempt late was answered overloaded, and had an effect later/)
})

t.test('S4 a wait that timed out had an effect', async (t) => {
  const { table, checks } = scene()
  table.hold()
  checks.definitelyNotDone('late', 'overloaded')
  t.throws(() => table.acquire({ owner: 'late', waitMs: 1000 }), /^S4: attempt late/)
})

t.test('21 queued and then an outcome is right', async (t) => {
  const checks = new AnswerChecks()
  say(checks, queued)
  say(checks, done)
  t.throws(() => say(checks, done), /^21: command n1\/1\/1 got a second outcome: done/)
})

t.test('21 a command that is queued twice is seen', async (t) => {
  t.throws(() => say(new AnswerChecks(), queued, queued), /^21: command n1\/1\/1 was queued twice/)
})

t.test('S4 a mark is known once its attempt is applied', async (t) => {
  const { table, checks } = scene()
  t.equal(checks.markAt(origin), null)
  table.acquire({ owner: 'ours' })
  t.equal(checks.markAt(origin), 'ours')
})
