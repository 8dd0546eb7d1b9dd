import t from 'tap'
import { asClusterTime, asToken } from '../../src/ids.ts'
import { changeRequest, changeSession } from '../../src/lockfsm/changes.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import type { LockState, Request, Session } from '../../src/lockfsm/state.ts'
import { Table, lockNamed } from './table.ts'

const day = 86_400_000

/** A holder with two in line, a session and something remembered. */
function busy(): LockState {
  const table = new Table()
  const session = table.open(day)
  table.hold({ session })
  table.hold({ lock: 'y', ttlMs: day })
  table.acquire({ session, requestId: 'first', waitMs: day, pollMs: day })
  table.acquire({ requestId: 'second', waitMs: day })
  table.release(table.hold({ lock: 'z' }).token, { lock: 'z' })
  table.hold({ lock: 'z', ttlMs: 1_000 })
  table.at(1_000)
  return table.state
}

const lockOf = (state: LockState, name = 'x') => state.locks.get(lockNamed(name)) ?? missing()
const holder = (state: LockState, name = 'x'): Request => lockOf(state, name).holder ?? missing()
const waiter = (state: LockState): Request => lockOf(state).queue[1] ?? missing()
const session = (state: LockState): Session => state.sessions.values().next().value ?? missing()

function missing(): never {
  throw new Error('there is one')
}

const damages: Record<string, (state: LockState) => void> = {
  'a token above the counter': (state) => (state.nextToken = asToken(1)),
  'a token given twice': (state) => (changeRequest(state, holder(state, 'y')).token = holder(state).token),
  'a holder without a token': (state) => (changeRequest(state, holder(state)).token = null),
  'a waiter with a token': (state) => (changeRequest(state, waiter(state)).token = asToken(4)),
  'a queue out of order': (state) => lockOf(state).queue.reverse(),
  'a waiter that is not in its queue': (state) => lockOf(state).queue.pop(),
  'a holder that its lock forgot': (state) => (lockOf(state).holder = null),
  'a request that its session forgot': (state) => session(state).requests.delete(holder(state).id),
  'an idle lock': (state) => ((lockOf(state).holder = null), (lockOf(state).queue = [])),
  'a lock outside of the ordered index': (state) => state.locksByName.unsorted.clear(),
  'a session outside of the ordered index': (state) => state.sessionsBySequence.unsorted.clear(),
  'an opening that is lost': (state) => state.openings.delete(session(state).requestId),
  'a deadline that the heap does not know': (state) =>
    (changeSession(state, session(state)).deadline = asClusterTime(5_000)),
  'a poll that the heap does not know': (state) =>
    (changeRequest(state, waiter(state)).attempts = waiter(state).attempts.map((attempt) => ({
      ...attempt,
      pollUntil: asClusterTime(2_000),
    }))),
  'a heap out of order': (state) => state.deadlines.items.reverse(),
  'an unattended request that is kept for ever': (state) => (changeRequest(state, waiter(state)).attempts = []),
  'an attended request that is given back': (state) =>
    (changeRequest(state, holder(state)).giveBackAt = asClusterTime(9_000)),
  'an unattended session that is kept for ever': (state) => (
    (changeSession(state, session(state)).attempts = []),
    (changeSession(state, session(state)).claimed = false)
  ),
  'an attempt that joined twice': (state) =>
    (changeRequest(state, holder(state)).attempts = [...holder(state).attempts, ...holder(state).attempts]),
  'an attempt of a run never seen': (state) => state.runs.clear(),
  'too many attempts': (state) => Object.assign(state.limits, { attemptsMax: 0 }),
  'a wrong count of holders': (state) => (state.held += 1),
  'a wrong count of memories': (state) => (state.remembered.count += 1),
  'a bucket kept too long': (state) => (state.time = asClusterTime(70_000)),
  'an ended token that is lost': (state) => state.endedTokens.byToken.clear(),
  'an ordinal above the counter': (state) => (state.nextEnding = 1),
}

t.test('a state that apply has left is found right', async (t) => {
  t.doesNotThrow(() => checkState(busy()))
})

for (const [damage, inflict] of Object.entries(damages)) {
  t.test(`${damage} is found`, async (t) => {
    const state = busy()
    inflict(state)
    t.throws(() => checkState(state), { name: 'AssertionFailure' })
  })
}
