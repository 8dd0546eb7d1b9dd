// What clients are told against what the log says: lies of every kind, and truths that look like them.
import t from 'tap'
import { asNodeId, asRun } from '../../../src/ids.ts'
import { changeRequest } from '../../../src/lockfsm/changes.ts'
import type { Outcome, Result } from '../../../src/lockfsm/outcome.ts'
import type { Request } from '../../../src/lockfsm/state.ts'
import { lockNamed, sameOrigin } from '../../lockfsm/table.ts'
import type { Sent } from '../../lockfsm/table.ts'
import { AnswerChecks } from './answers.ts'
import { Witnessed } from './witnessed.ts'

/** A table whose entries the checks see; acquires carry their mark as owner. */
function scene(): { table: Witnessed; checks: AnswerChecks } {
  const table = new Witnessed()
  const checks = new AnswerChecks()
  table.watch = ({ commands, outcomes, state }) => checks.applied(commands, outcomes, state)
  return { table, checks }
}

/** The request that waits for x. */
function waitOf({ state }: Witnessed): Request {
  const wait = state.locks.get(lockNamed('x'))?.queue[0]
  if (wait === undefined) throw new Error('somebody waits')
  return wait
}

const origin = { node: asNodeId('n2'), run: asRun(1), number: 1 }
const done: Result = { kind: 'done' }
const queued: Result = { kind: 'queued' }

/** Says so to one command, whatever the table says. */
function say(checks: AnswerChecks, ...results: readonly Result[]): void {
  const { state } = waiting().table
  checks.applied(
    [],
    results.map((result): Outcome => ({ to: origin, result })),
    state,
  )
}

const requestId = 'of-the-waiter-000'

/** n1 holds x, and number 1 of n2 waits for it. */
function waiting(): ReturnType<typeof scene> & { readonly wait: Sent; readonly token: number } {
  const { table, checks } = scene()
  const { token } = table.hold()
  const wait = table.acquire({ node: 'n2', waitMs: 30_000, requestId })
  return { table, checks, wait, token }
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
  t.throws(() => say(checks, done), /^21: command n2\/1\/1 got a second outcome: done/)
})

t.test('21 a command that is queued twice is seen', async (t) => {
  t.throws(() => say(new AnswerChecks(), queued, queued), /^21: command n2\/1\/1 was queued twice/)
})

t.test('26 a waiter who is forgotten is seen', async (t) => {
  const { table } = waiting()
  changeRequest(table.state, waitOf(table)).attempts = []
  t.throws(() => table.at(1), /^26: attempt n2\/1\/1 waits, and no request knows of it/)
})

t.test('26 a waiter who is answered, or withdrawn by his node, may leave', async (t) => {
  const answered = waiting()
  answered.table.at(30_000)
  t.equal(answered.table.queue().length, 0)
  const withdrawn = waiting()
  withdrawn.table.withdraw(withdrawn.wait, requestId)
  t.equal(waitOf(withdrawn.table).attempts.length, 0)
})

t.test('26 a withdrawal that takes another attempt of its node along is seen', async (t) => {
  const { table, wait } = waiting()
  table.acquire({ node: 'n2', waitMs: 30_000, requestId })
  const { watch } = table
  table.watch = (entry) => {
    changeRequest(table.state, waitOf(table)).attempts = []
    watch(entry)
  }
  t.throws(() => table.withdraw(wait, requestId), /^26: attempt n2\/1\/2 waits/)
})

t.test('H12 a grant to an attempt that is not in the set is seen', async (t) => {
  const { table, checks, wait, token } = waiting()
  t.equal(table.release(token).kind, 'released')
  const outcomes = table.entries.at(-1)?.outcomes ?? []
  const granted = outcomes.find(({ to }) => sameOrigin(to, wait.origin))?.result
  if (granted?.kind !== 'granted') throw new Error('he is granted the lock')
  const late: Outcome = { to: { ...wait.origin, number: 7 }, result: granted }
  t.throws(() => checks.applied([], [late], table.state), /^H12: attempt n2\/1\/7 was granted token 2/)
})

t.test('S4 a mark is known once its attempt is applied', async (t) => {
  const { table, checks } = scene()
  t.equal(checks.markAt(origin), null)
  table.acquire({ node: 'n2', owner: 'ours' })
  t.equal(checks.markAt(origin), 'ours')
})
