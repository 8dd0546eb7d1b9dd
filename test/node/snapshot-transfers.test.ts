// What becomes of a snapshot that is under way when its sender falls silent, is gone, or says something twice.
import t from 'tap'
import { ManualHost } from '../support/manual-host.ts'
import { Bench, n2, n3, records, whole } from './snapshot-receiver-bench.ts'

const silenceMs = 30_000

/** Its clock moves when it is read: what is done in slices needs many of them. */
class BusyHost extends ManualHost {
  override now(): number {
    return (this.time += 4)
  }
}

/** All has come and was found sound, and is being made a lock table. */
function beingLoaded(): Bench {
  const bench = new Bench(new BusyHost())
  bench.offer()
  bench.settleDisk()
  // In an order in which the table must sort them.
  bench.chunk(1, [...records].reverse())
  bench.end(1)
  bench.settleDisk()
  bench.news()
  return bench
}

t.test(
  'a chunk that is repeated behind the end is the end of a transfer, also while its records are loaded',
  async (t) => {
    const innocent = beingLoaded()
    innocent.settle()
    t.equal(innocent.received.length, 1)
    const bench = beingLoaded()
    bench.chunk(1, records)
    bench.settle()
    t.same(bench.news(), ['n2: refused 1/0'])
    t.equal(bench.received.length, 0, 'nothing of it is handed to the core')
    t.equal(bench.marks.at(-1), null)
  },
)

t.test('when the disks are to be closed, what was being loaded is handed to nobody', async (t) => {
  const bench = beingLoaded()
  bench.receiver.stop()
  bench.settle()
  t.equal(bench.received.length, 0)
})

t.test('a sender that says nothing for long is given up; one that has sent all is not', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.host.pass(silenceMs - 1)
  bench.receiver.expire(bench.host.now())
  bench.chunk(1, records)
  bench.settle()
  bench.host.pass(silenceMs - 1)
  bench.receiver.expire(bench.host.now())
  t.equal(bench.news().at(-1), 'n2: taken 1/1')
  bench.host.pass(1)
  bench.receiver.expire(bench.host.now())
  t.equal(bench.news().at(-1), 'n2: refused 1/0')
  bench.settle()
  bench.takeIn(records, whole, 2)
  bench.host.pass(2 * silenceMs)
  bench.receiver.expire(bench.host.now())
  t.equal(bench.news().includes('n2: refused 2/0'), false, 'what follows is ours alone')
  t.equal(bench.receiver.isBusy, true)
})

t.test('H36 while what has come is verified and loaded the sender hears so every few seconds', async (t) => {
  const bench = new Bench()
  bench.takeIn(records, whole)
  bench.news()
  bench.receiver.expire(bench.host.now() + 4999)
  t.same(bench.news(), [])
  for (const ms of [5000, 9999, 10_000]) bench.receiver.expire(bench.host.now() + ms)
  t.same(bench.news(), ['n2: taken 1/1', 'n2: taken 1/1'])
})

t.test('when the link to its sender is another, what has not come whole will not', async (t) => {
  const bench = new Bench()
  bench.offer()
  bench.settle()
  bench.chunk(1, records)
  bench.settle()
  bench.receiver.linkChanged(n3)
  bench.settle()
  t.ok(bench.receiver.isBusy, 'of another it says nothing')
  bench.receiver.linkChanged(n2)
  bench.settle()
  t.notOk(bench.receiver.isBusy)
  t.equal(bench.marks.at(-1), null)
  bench.takeIn(records, whole, 2)
  bench.receiver.linkChanged(n2)
  bench.settle()
  t.ok(bench.receiver.isBusy, 'what has come needs its sender no more')
})
