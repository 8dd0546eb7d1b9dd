import t from 'tap'
import { asClusterTime } from '../../src/ids.ts'
import { nextDeadline } from '../../src/lockfsm/expiry.ts'
import { checkState } from '../../src/lockfsm/invariants.ts'
import { fromRecords } from '../../src/lockfsm/load.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import { defaultLimits } from '../../src/lockfsm/state.ts'
import { Table, sortedRecords } from './table.ts'

const day = 86_400_000

/** A table in which there is one of everything. */
function full(): Table {
  const table = new Table()
  const session = table.open(day)
  const closed = table.open()
  table.hold({ lock: 'a', session, owner: 'me', metadata: '{"n":1}' })
  table.hold({ lock: 'b', ttlMs: day })
  table.acquire({ lock: 'a', session, requestId: 'waits', waitMs: day, pollMs: 5_000, node: 'n2' })
  table.acquire({ lock: 'a', session, requestId: 'waits', waitMs: day, pollMs: 9_000 })
  const unattended = table.acquire({ lock: 'b', requestId: 'unattended', waitMs: day })
  table.withdraw(unattended, 'unattended')
  table.release(table.hold({ lock: 'c', session, requestId: 'released' }).token, { lock: 'c' })
  table.release(table.hold({ lock: 'c', session: closed }).token, { lock: 'c' })
  table.close(closed)
  table.hold({ lock: 'd', session, requestId: 'was-cancelled' })
  table.cancel('was-cancelled', { lock: 'd', session })
  table.cancel('never-came')
  table.hold({ lock: 'e', ttlMs: 1_000, requestId: 'expired' })
  table.at(1_000)
  return table
}

t.test('every kind of record is written, and loading them in any order gives the same state', async (t) => {
  const { state } = full()
  const records = [...toRecords(state)]
  t.same(
    new Set(records.map(({ kind }) => kind)),
    new Set([
      'counters',
      'nodeRun',
      'session',
      'request',
      'rememberedRequest',
      'rememberedOpening',
      'releasedToken',
      'endedToken',
    ]),
  )
  for (let turn = 0; turn < records.length; turn += 1) {
    const turned = [...records.slice(turn), ...records.slice(0, turn)]
    const loaded = fromRecords(turn % 2 === 0 ? turned : turned.reverse(), defaultLimits)
    checkState(loaded)
    t.same(sortedRecords(loaded), sortedRecords(state))
    t.equal(nextDeadline(loaded), nextDeadline(state))
    t.equal(loaded.remembered.count, state.remembered.count)
  }
})

t.test('records are plain: text brings them back', async (t) => {
  const { state } = full()
  const texts = [...toRecords(state)].map((record) => JSON.stringify(record))
  const loaded = fromRecords(
    texts.map((text) => JSON.parse(text)),
    defaultLimits,
  )
  t.same(sortedRecords(loaded), texts.sort())
})

t.test('records hold a session, not its requests, and no record is longer than it must be', async (t) => {
  const table = new Table()
  const session = table.open(day)
  for (let index = 0; index < 100; index += 1) table.hold({ lock: `l${index}`, session })
  const [record] = [...toRecords(table.state)].filter(({ kind }) => kind === 'session')
  t.ok(JSON.stringify(record).length < 300)
})

t.test('H25 a session ends in the order of its tokens, whatever order its records were loaded in', async (t) => {
  const history = (isReloaded: boolean) => {
    const table = new Table()
    const session = table.open(5_000)
    for (const lock of ['y', 'x', 'z']) table.hold({ lock, session })
    const calls = ['x', 'y', 'z'].map((lock) => table.acquire({ lock, waitMs: day }))
    if (isReloaded) table.reload()
    table.at(5_000)
    return { said: calls.map((call) => table.answer(call)), records: sortedRecords(table.state) }
  }
  t.same(history(true), history(false))
})

t.test('B105 a deadline is neither lost nor moved by a reload: what is left is what was left', async (t) => {
  const table = new Table()
  const session = table.open(10_000)
  table.hold({ lock: 'a', session })
  table.hold({ lock: 'b', ttlMs: 10_000 })
  table.at(4_000)
  table.reload()
  t.equal(nextDeadline(table.state), 10_000)
  table.at(9_999)
  t.equal(table.state.held, 2)
  table.at(10_000)
  t.equal(table.state.held, 0)
})

t.test('B105 a renewal and the end race in the order of the log, alike after a reload', async (t) => {
  for (const isReloaded of [false, true]) {
    const table = new Table()
    const [early, late] = [table.open(10_000), table.open(10_000)]
    if (isReloaded) table.reload()
    table.at(9_999)
    table.renew(early)
    table.at(10_000)
    t.match(table.renew(early, late), { renewals: [{ ttlMs: 10_000 }, { refusal: 'session_ended' }] })
  }
})

t.test('without counters there is no state: a token could be given twice', async (t) => {
  const records = [...toRecords(full().state)].filter(({ kind }) => kind !== 'counters')
  t.throws(() => fromRecords(records, defaultLimits), /counters/)
})

t.test('records that contradict each other are found', async (t) => {
  const records = [...toRecords(full().state)]
  const orphan = records.filter(({ kind }) => kind !== 'session')
  t.throws(() => fromRecords(orphan, defaultLimits), /session of a request/)
  const twice = records.flatMap((record) =>
    record.kind === 'request' && record.token !== null
      ? [record, { ...record, requestId: record.requestId, session: null }]
      : [record],
  )
  t.throws(() => fromRecords(twice, defaultLimits), /one holder/)
  t.equal(asClusterTime(1_000), full().state.time)
})
