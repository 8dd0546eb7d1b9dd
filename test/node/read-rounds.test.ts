import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import { ReadRounds } from '../../src/node/read-rounds.ts'

class Bench {
  readonly asked: number[] = []
  readonly heard: string[] = []
  readonly rounds = new ReadRounds(1000, (id) => this.asked.push(id))

  read(name: string, now = 0): void {
    this.rounds.read({ ready: () => this.heard.push(name), noLeader: () => this.heard.push(`${name}: no leader`) }, now)
  }

  answer(id: number, index: number, applied: number): void {
    this.rounds.answered(id, asIndex(index), asIndex(applied))
  }
}

t.test('reads that come together share a round', async (t) => {
  const bench = new Bench()
  bench.read('a')
  bench.read('b')
  bench.rounds.flush(0)
  t.same(bench.asked, [1000])
  bench.answer(1000, 5, 5)
  t.same(bench.heard, ['a', 'b'])
})

t.test('B67 a read that comes while a round is under way waits for the next', async (t) => {
  const bench = new Bench()
  bench.read('a')
  bench.rounds.flush(0)
  bench.read('b')
  bench.rounds.flush(0)
  t.same(bench.asked, [1000], 'one round at a time')
  bench.answer(1000, 5, 5)
  t.same(bench.heard, ['a'], 'the round began before b came')
  bench.rounds.flush(0)
  bench.answer(1001, 6, 6)
  t.same(bench.heard, ['a', 'b'])
})

t.test('a read is ready when its index has been applied', async (t) => {
  const bench = new Bench()
  bench.read('a')
  bench.rounds.flush(0)
  bench.answer(1000, 8, 5)
  t.same(bench.heard, [])
  bench.rounds.applied(asIndex(7))
  t.same(bench.heard, [])
  bench.rounds.applied(asIndex(8))
  t.same(bench.heard, ['a'])
})

t.test('B71 an answer to another round, or a second one to the same, means nothing', async (t) => {
  const bench = new Bench()
  bench.read('a')
  bench.rounds.flush(0)
  bench.answer(999, 5, 5)
  t.same(bench.heard, [])
  bench.answer(1000, 5, 5)
  bench.answer(1000, 5, 5)
  t.same(bench.heard, ['a'])
})

t.test('the reads of a refused round go into the next', async (t) => {
  const bench = new Bench()
  bench.read('a')
  bench.rounds.flush(0)
  bench.rounds.refused(1000)
  bench.read('b')
  bench.rounds.flush(0)
  t.same(bench.asked, [1000, 1001])
  bench.answer(1001, 5, 5)
  t.same(bench.heard.sort(), ['a', 'b'])
})

t.test('a refusal of another round changes nothing, a change of the leader does', async (t) => {
  const bench = new Bench()
  bench.read('a')
  bench.rounds.flush(0)
  bench.rounds.refused(77)
  bench.rounds.flush(0)
  t.same(bench.asked, [1000])
  bench.rounds.refused(null)
  bench.rounds.flush(0)
  t.same(bench.asked, [1000, 1001])
  bench.answer(1000, 5, 5)
  t.same(bench.heard, [], 'the old leader may have answered long ago')
})

t.test('a round without an answer is asked for again', async (t) => {
  const bench = new Bench()
  bench.read('a')
  bench.rounds.flush(0)
  bench.rounds.flush(499)
  t.same(bench.asked, [1000])
  bench.rounds.flush(500)
  t.same(bench.asked, [1000, 1001])
})

t.test('a read that found no leader for 3 s is refused, wherever it waits', async (t) => {
  const bench = new Bench()
  bench.read('known', 0)
  bench.rounds.flush(0)
  bench.answer(1000, 9, 5)
  bench.read('asked', 0)
  bench.rounds.flush(0)
  bench.read('gathered', 0)
  bench.rounds.expire(2990)
  t.same(bench.heard, [])
  bench.rounds.expire(3050)
  t.same(bench.heard.sort(), ['asked: no leader', 'gathered: no leader', 'known: no leader'])
  bench.answer(1001, 9, 9)
  bench.rounds.applied(asIndex(9))
  t.equal(bench.heard.length, 3, 'and hears nothing more')
})

t.test('at a stop all reads are refused', async (t) => {
  const bench = new Bench()
  bench.read('a')
  bench.rounds.flush(0)
  bench.read('b')
  bench.rounds.stop()
  t.same(bench.heard.sort(), ['a: no leader', 'b: no leader'])
  bench.answer(1000, 1, 1)
  t.equal(bench.heard.length, 2)
})
