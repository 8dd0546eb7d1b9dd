import t from 'tap'
import { asNodeId, asRun } from '../../src/ids.ts'
import { attendance } from '../../src/lockfsm/attendance.ts'
import type { Command } from '../../src/lockfsm/command.ts'
import type { LockState } from '../../src/lockfsm/state.ts'
import { openSession, Table } from './table.ts'
import type { Sent } from './table.ts'

/** What the command of `sent` would be told by that state; undefined: it is none that could be told. */
function told(state: LockState, { origin }: Pick<Sent, 'origin'>, command: Command) {
  return command.kind === 'acquire' || command.kind === 'openSession' ? attendance(state, origin, command) : undefined
}

t.test('H19 an attempt that holds is told of its grant, valid from the time of the snapshot', async (t) => {
  const table = new Table()
  const command = table.acquireCommand({ requestId: 'alone', ttlMs: 30_000 })
  const sent = table.send(command)
  table.at(10_000)
  t.match(told(table.state, sent, command), {
    kind: 'granted',
    requestId: 'alone',
    token: table.holder(),
    session: null,
  })
  t.match(told(table.state, sent, command), { validForMs: Math.floor((20_000 * 399) / 400) - 1 })
})

t.test('H19 an attempt that waits is queued, with a session and without', async (t) => {
  const table = new Table()
  table.hold()
  const session = table.open()
  for (const options of [
    { requestId: 'a', waitMs: 60_000 },
    { requestId: 'b', waitMs: 60_000, session },
  ]) {
    const command = table.acquireCommand(options)
    t.same(told(table.state, table.send(command), command), { kind: 'queued' })
  }
})

t.test(
  'H19 an attempt that is in no set is told nothing: it may have been granted and withdrawn, or never arrived',
  async (t) => {
    const table = new Table()
    const command = table.acquireCommand({ requestId: 'r' })
    const sent = table.send(command)
    const { origin } = sent
    for (const other of [
      { ...origin, number: origin.number + 1 },
      { ...origin, run: asRun(2) },
      { ...origin, node: asNodeId('n2') },
    ]) {
      t.equal(told(table.state, { origin: other }, command), null, JSON.stringify(other))
    }
    table.withdraw(sent, 'r')
    t.equal(told(table.state, sent, command), null)
  },
)

t.test('H19 a request that has ended, or never was, or of a session that has, is told nothing', async (t) => {
  const table = new Table()
  const [ended, never] = [table.acquireCommand({ requestId: 'ended' }), table.acquireCommand({ requestId: 'never' })]
  const sent = table.send(ended)
  table.release(table.holder() ?? 0)
  t.equal(told(table.state, sent, ended), null)
  t.equal(told(table.state, sent, never), null)
  const session = table.open()
  const withSession = table.acquireCommand({ requestId: 'with', session })
  const held = table.send(withSession)
  t.match(told(table.state, held, withSession), { kind: 'granted', session })
  table.close(session)
  t.equal(told(table.state, held, withSession), null)
})

t.test('H19 the same id in a session and without one are two requests', async (t) => {
  const table = new Table()
  const session = table.open()
  const [alone, within] = [
    table.acquireCommand({ requestId: 'same', lock: 'a' }),
    table.acquireCommand({ requestId: 'same', lock: 'b', session }),
  ]
  const [first, second] = [table.send(alone), table.send(within)]
  t.match(told(table.state, first, alone), { session: null, lock: 'a' })
  t.match(told(table.state, second, within), { session, lock: 'b' })
  t.equal(told(table.state, first, within), null)
})

t.test('H19 the opening of a session is told of the session as long as its attempt is in the set', async (t) => {
  const table = new Table()
  const command = openSession({ requestId: 'opens', ttlMs: 30_000, takenInAt: 0 })
  const sent = table.send(command)
  table.at(10_000)
  const validForMs = Math.floor((20_000 * 399) / 400) - 1
  t.match(told(table.state, sent, command), { kind: 'sessionOpened', ttlMs: 30_000, validForMs, repeated: false })
  t.equal(told(table.state, { origin: { ...sent.origin, number: 99 } }, command), null)
  table.withdraw(sent, 'opens', { of: 'openSession' })
  t.equal(told(table.state, sent, command), null)
})
