import t from 'tap'
import type { StateRecord } from '../../src/lockfsm/records.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import { Table } from './table.ts'

const day = 86_400_000

/** The records of what has ended. */
function memoryOf(table: Table): readonly string[] {
  const kinds: StateRecord['kind'][] = ['rememberedRequest', 'rememberedOpening', 'releasedToken', 'endedToken']
  return [...toRecords(table.state)]
    .filter(({ kind }) => kinds.includes(kind))
    .map((record) => ('how' in record ? `${record.kind} ${record.how}` : record.kind))
    .sort()
}

t.test('a released request is remembered by its id and by its token, and counts once', async (t) => {
  const table = new Table()
  table.release(table.hold().token)
  t.same(memoryOf(table), ['releasedToken', 'rememberedRequest released'])
  t.equal(table.state.remembered.count, 1)
})

t.test('a grant that expired is remembered by its id and, for longer, by its token', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: 1_000 })
  table.at(1_000)
  t.same(memoryOf(table), ['endedToken', 'rememberedRequest expired'])
  table.at(71_000)
  t.same(memoryOf(table), ['endedToken'])
})

t.test('of a wait that timed out or was given back nothing is remembered', async (t) => {
  const table = new Table()
  table.hold({ ttlMs: day })
  table.acquire({ waitMs: 1_000 })
  table.withdraw(table.acquire({ requestId: 'left', waitMs: day }), 'left')
  table.at(5_000)
  t.same(memoryOf(table), [])
  t.equal(table.state.waiting, 0)
})

t.test('a session that ends leaves its opening, its released tokens and why its other tokens ended', async (t) => {
  const table = new Table()
  const session = table.open(day)
  table.release(table.hold({ lock: 'a', session }).token, { lock: 'a' })
  table.withdraw(table.acquire({ lock: 'b', session, requestId: 'b' }), 'b', { session })
  table.cancel('never', { session })
  table.at(30_000)
  table.hold({ lock: 'c', session })
  t.equal(table.state.remembered.count, 3)
  table.close(session)
  t.same(memoryOf(table), ['endedToken', 'endedToken', 'releasedToken', 'rememberedOpening'])
  t.equal(table.state.remembered.count, 2)
})

t.test('nothing that has ended is left in the heap, in the session or among the locks', async (t) => {
  const table = new Table()
  const session = table.open(day)
  for (let round = 0; round < 50; round += 1) {
    table.release(table.hold({ session }).token)
    table.release(table.hold({ ttlMs: day }).token)
    const held = table.hold({ ttlMs: day, requestId: `held-${round}` })
    const waits = `waits-${round}`
    table.acquire({ requestId: waits, waitMs: day })
    table.cancel(waits)
    table.release(held.token)
  }
  t.equal(table.state.deadlines.items.length, 1, 'the session')
  t.same([table.state.locks.size, table.state.sessionless.size, table.state.held, table.state.waiting], [0, 0, 0, 0])
})
