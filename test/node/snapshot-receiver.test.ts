// How a snapshot is taken in, and what is done with one that is not what its checkpoint says.
import t from 'tap'
import { encodeRecord } from '../../src/codec/record.ts'
import { asClusterId, asDigest } from '../../src/ids.ts'
import { toRecords } from '../../src/lockfsm/records.ts'
import type { Checkpoint, RecordBytes } from '../../src/storage/state-store.ts'
import { checkpointOf, hold, lockTable, textOf } from './lock-tables.ts'
import { Bench, n3, records, table, whole } from './snapshot-receiver-bench.ts'

t.test('a snapshot is marked in the log, written, verified, and then the core decides', async (t) => {
  const bench = new Bench()
  bench.offer()
  t.same(bench.news(), [], 'not before the mark is durable')
  bench.settle()
  t.same(bench.news(), ['n2: taken 1/0'])
  const { index, term, time, chain } = whole
  t.same(bench.marks, [{ index, term, time, chain, generation: 1 }])
  bench.chunk(1, records.slice(0, 3))
  bench.chunk(2, records.slice(3))
  t.same(bench.news(), [], 'not before they are with the disk')
  bench.settle()
  t.same(bench.news(), ['n2: taken 1/1', 'n2: taken 1/2'])
  bench.end(2)
  bench.settle()
  t.same(bench.news(), [])
  const [received] = bench.received
  t.match(received, { checkpoint: whole, senderTerm: 3 })
  t.equal(received === undefined ? '' : textOf(received.loaded.lock), textOf(table))
  t.match(received?.loaded.tally, { digest: whole.digest, records: whole.records })
  t.equal(bench.state.stored.checkpoint, null, 'the state before is the current one as long as the core says nothing')

  bench.receiver.decided(true)
  t.same(bench.news(), [])
  bench.receiver.durable()
  t.same(bench.news(), ['n2: installed 1/0'])
  t.equal(bench.receiver.installed, 1)
  t.equal(bench.receiver.isBusy, false)
})

t.test('what the core does not need is discarded and the mark taken away; the sender goes on behind it', async (t) => {
  const bench = new Bench()
  bench.takeIn(records, whole)
  bench.news()
  bench.receiver.decided(false)
  t.same(bench.news(), ['n2: installed 1/0'])
  t.equal(bench.receiver.isBusy, true, 'until everything is cleared away')
  bench.settle()
  t.equal(bench.marks.at(-1), null)
  t.equal(bench.receiver.isBusy, false)
  t.equal(bench.receiver.installed, 0)
})

t.test('a snapshot of another cluster, or that is no news, is never begun', async (t) => {
  const bench = new Bench()
  bench.offer({ clusterId: asClusterId('other') })
  t.same(bench.news(), ['n2: refused 1/0'])
  bench.commitIndex = 99
  bench.offer()
  t.same(bench.news(), ['n2: installed 1/0'])
  bench.settle()
  t.same(bench.marks, [])
})

t.test('chunks that are missing, repeated or come after the end are the end of a transfer', async (t) => {
  for (const numbers of [[2], [1, 3], [1, 1], [0]]) {
    const bench = new Bench()
    bench.offer()
    bench.settle()
    for (const number of numbers) bench.chunk(number, [])
    t.same(bench.news().at(-1), 'n2: refused 1/0', numbers.join())
    bench.settle()
    t.equal(bench.marks.at(-1), null)
    t.same(bench.received, [])
  }
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.chunk(1, records)
  bench.end(1)
  bench.chunk(2, [])
  bench.settle()
  t.same(bench.news().slice(-1), ['n2: refused 1/0'])
  t.same(bench.received, [], 'also when the rest was right')
  t.same(bench.failed, [])
})

t.test('a wrong number of chunks, of records, or another digest is refused', async (t) => {
  const lies: Partial<Checkpoint>[] = [
    { records: whole.records + 1 },
    { records: 0 },
    { digest: asDigest(whole.digest === 0 ? 1 : whole.digest - 1) },
  ]
  for (const lie of lies) {
    const bench = new Bench()
    bench.takeIn(records, { ...whole, ...lie })
    t.same(bench.news().at(-1), 'n2: refused 1/0')
    t.same([bench.received, bench.failed], [[], []])
    t.equal(bench.marks.at(-1), null)
  }
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.chunk(1, records)
  bench.end(2)
  t.same(bench.news().at(-1), 'n2: refused 1/0', 'two chunks were sent, it says')
})

t.test('what the disk read back is not what was sent: that is refused, though all that came was right', async (t) => {
  const bench = new Bench()
  bench.verdict = 'mismatch'
  bench.takeIn(records, whole)
  t.same(bench.news().at(-1), 'n2: refused 1/0')
  t.same([bench.received, bench.failed], [[], []])
})

t.test('records that are none end the transfer and nothing else', async (t) => {
  for (const damaged of [
    { key: new Uint8Array([99]), value: new Uint8Array(0) },
    { key: new Uint8Array(0), value: new Uint8Array(0) },
    { key: new Uint8Array([1]), value: new Uint8Array([0xc1]) },
  ]) {
    const bench = new Bench()
    bench.offer()
    bench.settle()
    bench.chunk(1, [...records, damaged])
    t.same(bench.news().at(-1), 'n2: refused 1/0')
    t.same(bench.failed, [])
  }
})

t.test('records that contradict each other end the transfer, though count and digest are right', async (t) => {
  const another = lockTable(5)
  hold(another, 'lock-6')
  const [grant] = [...toRecords(another)].filter((record) => record.kind === 'request' && record.lock === 'lock-6')
  if (grant?.kind !== 'request') throw new Error('it is held')
  const [first] = [...toRecords(table)].filter((record) => record.kind === 'request')
  if (first?.kind !== 'request') throw new Error('it is held')
  const contradictory: Readonly<Record<string, readonly RecordBytes[]>> = {
    'two holders of a lock': [...records, encodeRecord({ ...grant, lock: first.lock })],
    'a request of a session that is not there': records.filter(({ key }) => key[0] !== 3),
    'no counters': records.filter(({ key }) => key[0] !== 1),
    nothing: [],
  }
  for (const [what, sent] of Object.entries(contradictory)) {
    const bench = new Bench()
    bench.takeIn(sent, checkpointOf(sent))
    t.same(bench.news().at(-1), 'n2: refused 1/0', what)
    t.same([bench.received, bench.failed], [[], []], what)
    bench.settle()
    t.equal(bench.receiver.isBusy, false, what)
  }
})

t.test('after a transfer that was given up the next begins, under another generation', async (t) => {
  const bench = new Bench()
  bench.takeIn(records.slice(1), whole)
  bench.news()
  bench.takeIn(records, whole, 2)
  t.same(bench.news(), ['n2: taken 2/0', 'n2: taken 2/1'])
  t.equal(bench.received.length, 1)
  t.same(
    bench.marks.map((mark) => mark?.generation ?? null),
    [1, null, 2],
  )
})

t.test('while one that was given up is cleared away none begins', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.chunk(7, [])
  bench.news()
  bench.offer({ transfer: 2 })
  t.same(bench.news(), ['n2: refused 2/0'])
  bench.settle()
  bench.offer({ transfer: 3 })
  bench.settle()
  t.same(bench.news(), ['n2: taken 3/0'])
})

t.test(
  'a newer offer takes the place of a transfer that is under way, and not of one that has come whole',
  async (t) => {
    const bench = new Bench()
    bench.offer()
    bench.offer({ transfer: 2, from: n3 })
    t.same(bench.news(), ['n3: refused 2/0'], 'the mark is being written')
    bench.settle()
    bench.offer({ transfer: 3, from: n3 })
    t.same(bench.news(), ['n2: taken 1/0', 'n2: refused 1/0', 'n3: refused 3/0'], 'what there is is cleared away first')
    bench.settle()
    bench.offer({ transfer: 4, from: n3 })
    bench.settle()
    t.same(bench.news(), ['n3: taken 4/0'])
    bench.chunk(1, records, { transfer: 4, from: n3 })
    bench.end(1, { transfer: 4, from: n3 })
    bench.offer({ transfer: 5 })
    bench.settle()
    t.same(bench.news(), ['n2: refused 5/0', 'n3: taken 4/1'])
    t.equal(bench.received.length, 1)
  },
)

t.test('what belongs to another transfer, or comes from another, is nothing', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.chunk(1, records)
  bench.settle()
  bench.news()
  bench.chunk(1, records, { transfer: 9 })
  bench.chunk(1, records, { from: n3 })
  bench.end(0, { transfer: 9 })
  bench.settle()
  t.same(bench.news(), [])
  bench.chunk(1, records)
  bench.end(1)
  bench.end(1)
  bench.settle()
  t.same(bench.news(), ['n2: taken 1/1'])
  t.equal(bench.received.length, 1, 'an end that is repeated is one')
})

t.test('a crash at any moment before the core decides leaves the state of before', async (t) => {
  for (let steps = 0; steps < 5; steps++) {
    const bench = new Bench()
    const acts = [
      () => bench.offer(),
      () => bench.settle(),
      () => bench.chunk(1, records),
      () => bench.end(1),
      () => bench.settle(),
    ]
    for (const act of acts.slice(0, steps + 1)) act()
    bench.disk.crash()
    t.same(bench.disk.openState().stored, { generation: 0, checkpoint: null })
  }
})

t.test('when the disks are to be closed nothing more is asked of them, nor said', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.receiver.stop()
  bench.settle()
  t.same(bench.news(), [])
  bench.offer({ transfer: 2 })
  bench.settle()
  t.same(bench.news(), [])
  t.equal(bench.marks.length, 1)
})

t.test('a write that fails ends the process', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.disk.failNextWrite(new Error('no space'))
  bench.chunk(1, records)
  bench.settle()
  t.same(bench.failed, ['no space'])
  t.same(bench.news(), ['n2: taken 1/0'])
})
