import fc from 'fast-check'
import t from 'tap'
import { asNodeId, asRequestId, asRun } from '../../src/ids.ts'
import { diskReplaced, runOf } from '../../src/lockfsm/runs.ts'
import { Table } from './table.ts'

const [n1, n2] = [asNodeId('n1'), asNodeId('n2')]

t.test('the runs of a first disk are the starts of its process', async (t) => {
  const { state } = new Table()
  t.equal(runOf(state, n2, 1), 1)
  t.equal(runOf(state, n2, 57), 57)
})

t.test(
  'H24 the runs of a new disk, which counts its starts from 1 again, are above all of the one before',
  async (t) => {
    const table = new Table()
    const before = { ...table.numbered({ kind: 'nodeStarted' }, 'n2'), origin: { node: n2, run: asRun(57), number: 9 } }
    table.entry(null, [before])
    table.entry(null, [diskReplaced(table.state, n2)])
    const first = runOf(table.state, n2, 1)
    t.ok(first > 2 ** 40, `${first}`)
    t.equal(runOf(table.state, n2, 2), first + 1)
    t.equal(runOf(table.state, n1, 1), 1, 'of other nodes nothing has changed')
    table.entry(null, [diskReplaced(table.state, n2)])
    t.ok(runOf(table.state, n2, 1) > 2 * 2 ** 40, 'and again')
  },
)

t.test(
  'H24 a command of the disk before is ignored, whatever its run, and the first of the new one is not',
  async (t) => {
    const table = new Table()
    table.entry(null, [diskReplaced(table.state, n2)])
    const command = table.acquireCommand({ requestId: 'r' })
    for (const starts of [1, 57, 2 ** 40 - 1]) {
      const outcomes = table.entry(null, [{ origin: { node: n2, run: asRun(starts), number: 1000 }, command }])
      t.same(outcomes, [], `run ${starts}`)
    }
    t.equal(table.holder(), null)
    const origin = { node: n2, run: runOf(table.state, n2, 1), number: 1 }
    t.match(table.entry(null, [{ origin, command }]), [{ to: origin, result: { kind: 'granted' } }])
  },
)

t.test('H24 a late withdrawal of the disk before takes no grant of the new one', async (t) => {
  const table = new Table()
  const old = table.acquire({ requestId: 'old', node: 'n2' })
  table.release(table.holder() ?? 0)
  table.entry(null, [diskReplaced(table.state, n2)])
  const run = runOf(table.state, n2, 1)
  const command = table.acquireCommand({ requestId: 'r' })
  // The number is the same as that of an attempt of the disk before.
  table.entry(null, [{ origin: { node: n2, run, number: old.origin.number }, command }])
  const token = table.holder()
  const withdrawn = { of: 'acquire' as const, session: null, requestId: asRequestId('r'), number: old.origin.number }
  const late = table.numbered({ kind: 'withdraw', attempts: [withdrawn] }, 'n2')
  t.equal(late.origin.run, old.origin.run)
  t.same(table.entry(null, [late]), [])
  t.equal(table.holder(), token)
  t.ok(token !== null)
})

t.test(
  'when a disk is replaced nobody answers for the attempts of the one before: they leave the waiting requests',
  async (t) => {
    const table = new Table()
    table.hold()
    const session = table.open()
    const waits = table.acquire({ requestId: 'waits', waitMs: 60_000, session, node: 'n2' })
    table.entry(null, [diskReplaced(table.state, n2)])
    t.match(table.answer(waits), { kind: 'stillWaiting' })
    t.same(table.queue(), ['waits'], 'with a session the request keeps its place')
  },
)

t.test('H24 runs only grow, over any starts and replacements', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('replaced' as const), fc.nat(5)), { maxLength: 30 }), (events) => {
      const table = new Table()
      let [starts, last] = [0, 0]
      for (const event of events) {
        if (event === 'replaced') {
          table.entry(null, [diskReplaced(table.state, n2)])
          starts = 0
          continue
        }
        starts += 1 + event
        const run = runOf(table.state, n2, starts)
        if (run <= last) throw new Error(`${run} after ${last}`)
        last = run
        table.entry(null, [{ origin: { node: n2, run, number: 1 }, command: { kind: 'nodeStarted' } }])
      }
    }),
  )
  t.pass()
})
