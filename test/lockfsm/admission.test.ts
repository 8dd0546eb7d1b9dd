import t from 'tap'
import { asClusterTime, asNodeId, asRun } from '../../src/ids.ts'
import { durationMs } from '../../src/lockfsm/admission.ts'
import { Table, openSession, sortedRecords } from './table.ts'

t.test('H20 a command whose number later ones have overtaken is passed over and has no outcome', async (t) => {
  const table = new Table()
  const lost = [4, 5, 6].map(() => table.numbered(table.acquireCommand({ lock: 'lost' })))
  const passing = table.numbered(table.acquireCommand({ lock: 'passing' }))
  t.equal(table.entry(0, [passing]).length, 1)
  t.same(table.entry(0, lost), [])
  t.equal(table.holder('lost'), null)
})

t.test('H21 a renewal with a higher number than an acquire passes it over when it is applied first', async (t) => {
  const table = new Table()
  const acquire = table.numbered(table.acquireCommand({}))
  const renewal = table.numbered({ kind: 'renewSessions', renewals: [] })
  t.equal(table.entry(0, [renewal, acquire]).length, 1)
  t.equal(table.holder(), null, 'which is why nobody may append them in this order')
})

t.test('a command that is sent twice has one effect and one outcome', async (t) => {
  const table = new Table()
  const open = table.numbered(openSession({ requestId: 'once', takenInAt: 0 }))
  t.equal(table.entry(0, [open, open]).length, 1)
  t.same(table.entry(0, [open]), [])
  t.equal(table.state.sessions.size, 1)
})

t.test('numbers start again with a run, and an older run is passed over for ever', async (t) => {
  const table = new Table()
  const old = table.numbered(table.acquireCommand({ lock: 'old' }))
  const first = { ...old, origin: { ...old.origin, run: asRun(2), number: 1 } }
  t.equal(table.entry(0, [first]).length, 1)
  t.same(table.entry(0, [{ ...old, origin: { ...old.origin, number: 99 } }]), [])
  t.match(table.state.runs.get(asNodeId('n1')), { run: 2, number: 1 })
})

t.test('nodes are numbered apart from each other', async (t) => {
  const table = new Table()
  table.acquire({ lock: 'a', node: 'n1' })
  table.acquire({ lock: 'b', node: 'n2' })
  t.not(table.holder('a'), null)
  t.not(table.holder('b'), null)
})

t.test(
  'the first command of a later run, whatever it is, takes the attempts of earlier runs out of waits',
  async (t) => {
    for (const kind of ['nodeStarted', 'renewSessions'] as const) {
      const table = new Table()
      table.hold({ node: 'n2' })
      const session = table.open()
      table.acquire({ session, waitMs: 100_000, requestId: 'kept', node: 'n1' })
      table.acquire({ waitMs: 100_000, requestId: 'given-back', node: 'n1' })
      table.restart('n1')
      table.send(kind === 'nodeStarted' ? { kind } : { kind, renewals: [] }, 'n1')
      t.same(table.queue(), ['kept', 'given-back'])
      table.at(1_999)
      t.same(table.queue(), ['kept', 'given-back'])
      table.at(2_000)
      t.same(table.queue(), ['kept'], kind)
    }
  },
)

t.test('H15 an acquire or opening taken in more than 20 s ago is refused as not done', async (t) => {
  const table = new Table()
  table.at(20_001)
  t.same(table.acquire({ takenInAt: 0 }).result, { kind: 'refused', code: 'too_old' })
  t.same(table.send(openSession({ requestId: 'late', takenInAt: 0 })).result, { kind: 'refused', code: 'too_old' })
  t.equal(table.state.nextSequence, 1, 'nothing was taken')
  t.equal(table.acquire({ takenInAt: 1 }).result.kind, 'granted', 'exactly 20 s is not too old')
})

t.test('H16 no other command is too old: a start that knows of time 0 only clears dead waiters', async (t) => {
  const table = new Table()
  table.hold({ node: 'n2', ttlMs: 80_000_000 })
  table.acquire({ waitMs: 80_000_000, requestId: 'dead', node: 'n1' })
  table.at(600_000)
  table.restart('n1')
  t.same(table.send({ kind: 'nodeStarted' }).result, { kind: 'done' })
  table.at(602_000)
  t.same(table.queue(), [])
})

t.test('B107 durations outside of their range are brought into it', async (t) => {
  t.equal(durationMs(1_500), 1_500)
  t.equal(durationMs(0.5), 0)
  for (const none of [0, -0, -1, -Infinity, NaN]) t.equal(durationMs(none), 0)
  for (const much of [86_400_001, 2 ** 53, Infinity]) t.equal(durationMs(much), 86_400_000)
})

t.test('B107 a session with a TTL that is none ends at the next entry and does no harm', async (t) => {
  for (const ttlMs of [0, -1, NaN]) {
    const table = new Table()
    const session = table.open(ttlMs)
    t.match(table.acquire({ session }).result, { code: 'session_ended' })
    table.entry(null, [])
    t.equal(table.state.sessions.size, 0)
  }
  const table = new Table()
  table.open(2 ** 53)
  table.at(86_399_999)
  t.equal(table.state.sessions.size, 1)
  table.at(86_400_000)
  t.equal(table.state.sessions.size, 0)
})

t.test('a command that is passed over changes nothing but the time', async (t) => {
  const table = new Table()
  const first = table.numbered(table.acquireCommand({}))
  table.entry(0, [table.numbered(table.acquireCommand({ lock: 'y' }))])
  const before = sortedRecords(table.state)
  table.entry(0, [first])
  t.same(sortedRecords(table.state), before)
  t.equal(table.state.time, asClusterTime(0))
})
