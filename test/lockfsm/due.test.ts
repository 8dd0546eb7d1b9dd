import t from 'tap'
import { asClusterTime } from '../../src/ids.ts'
import { changeRequest, changeSession } from '../../src/lockfsm/changes.ts'
import {
  grantEnding,
  isRequestOver,
  isSessionOver,
  requestDue,
  sessionEnd,
  sessionEnding,
} from '../../src/lockfsm/due.ts'
import type { Request } from '../../src/lockfsm/state.ts'
import { Table, sessionNamed } from './table.ts'

const day = 86_400_000
const at = asClusterTime

function requestOf(table: Table, session: string, id: string): Request {
  const found = [...(table.state.sessions.get(sessionNamed(session))?.requests.values() ?? [])].find(
    (each) => each.id === id,
  )
  if (found === undefined) throw new Error('there is such a request')
  return found
}

t.test('a session ends at its deadline, or when it is given back, whichever is earlier', async (t) => {
  const table = new Table()
  const session = table.state.sessions.get(sessionNamed(table.open(10_000)))
  if (session === undefined) throw new Error('it is open')
  t.equal(sessionEnd(session), 10_000)
  t.same([isSessionOver(session, at(9_999)), isSessionOver(session, at(10_000))], [false, true])
  changeSession(table.state, session).giveBackAt = at(4_000)
  t.equal(sessionEnd(session), 4_000)
  t.equal(sessionEnding(session, at(4_000)), 'unclaimed')
  t.equal(sessionEnding(session, at(10_000)), 'expired')
  changeSession(table.state, session).giveBackAt = at(12_000)
  t.equal(sessionEnd(session), 10_000)
})

t.test(
  'a wait is due at the earliest of its own end and the ends of its calls, and over at its end only',
  async (t) => {
    const table = new Table()
    const session = table.open(day)
    table.hold({ ttlMs: day })
    table.acquire({ session, requestId: 'one', waitMs: 9_000, pollMs: 7_000 })
    const wait = requestOf(table, session, 'one')
    t.equal(requestDue(wait), 7_000)
    table.acquire({ session, requestId: 'one', waitMs: 1_000, pollMs: 5_000 })
    t.equal(requestDue(wait), 5_000)
    t.same(
      [5_000, 8_999, 9_000].map((time) => isRequestOver(wait, at(time))),
      [false, false, true],
    )
  },
)

t.test('a grant of a session is due by itself only while it is unattended, and is over with its session', async (t) => {
  const table = new Table()
  const session = table.open(40_000)
  const call = table.acquire({ session, requestId: 'one' })
  const grant = requestOf(table, session, 'one')
  t.equal(requestDue(grant), null)
  table.withdraw(call, 'one', { session })
  t.equal(requestDue(grant), 30_000)
  t.same(
    [29_999, 30_000].map((time) => isRequestOver(grant, at(time))),
    [false, true],
  )
  t.equal(grantEnding(grant, at(30_000)), 'unclaimed')
  t.equal(grantEnding(grant, at(40_000)), 'expired', 'its session has')
  changeRequest(table.state, grant).giveBackAt = null
  t.same(
    [39_999, 40_000].map((time) => isRequestOver(grant, at(time))),
    [false, true],
  )
})
