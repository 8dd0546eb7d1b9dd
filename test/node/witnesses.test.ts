import t from 'tap'
import type { Introduction } from '../../src/codec/introduction.ts'
import { protocolVersion } from '../../src/codec/introduction.ts'
import { asIncarnation, asIndex, asNodeId, asRun, asTerm } from '../../src/ids.ts'
import { Witnesses } from '../../src/node/witnesses.ts'
import type { PeerWitness } from '../../src/storage/log-store.ts'

const [n2, n3] = [asNodeId('n2'), asNodeId('n3')]
const disk = asIncarnation('first')

/** n2 as it comes back, with what its disk has. */
function coming({ run = 2, term = 5, lastIndex = 100, incarnation = 'first' } = {}): Introduction {
  return {
    version: protocolVersion,
    node: n2,
    incarnation: asIncarnation(incarnation),
    run: asRun(run),
    httpUrl: '',
    disk: { term: asTerm(term), lastIndex: asIndex(lastIndex) },
    founding: { members: '', limits: {}, backup: null, clusterId: null, record: null, founded: true },
  }
}

/** Has met n2 in run 1, which acknowledged the log of term 5 up to 100. */
function witnesses(): Witnesses {
  const known = new Witnesses([])
  known.met(n2, disk, asRun(1))
  known.acknowledged(n2, asTerm(5), asIndex(100))
  return known
}

t.test('a peer that comes back with what it acknowledged, or more, has lost nothing', async (t) => {
  t.equal(witnesses().judge(coming()), null)
  t.equal(witnesses().judge(coming({ lastIndex: 200 })), null)
  t.equal(new Witnesses([]).judge(coming({ term: 0, lastIndex: 0 })), null, 'nothing is known of it')
})

t.test('a peer of the same term whose log ends before what it acknowledged has lost entries', async (t) => {
  t.equal(witnesses().judge(coming({ lastIndex: 99 })), 'lost_data')
})

t.test('a peer whose term is lower than the one it acknowledged in has lost its hard state', async (t) => {
  t.equal(witnesses().judge(coming({ term: 4, lastIndex: 1000 })), 'lost_data')
})

t.test(
  'H31 a peer of a higher term may have truncated rightly what it acknowledged: terms before indices',
  async (t) => {
    t.equal(witnesses().judge(coming({ term: 6, lastIndex: 95 })), null)
    t.equal(witnesses().judge(coming({ term: 6, lastIndex: 0 })), null)
  },
)

t.test('what a run acknowledged was not on its disk when it began: that very run is never judged by it', async (t) => {
  t.equal(witnesses().judge(coming({ run: 1, term: 0, lastIndex: 0 })), null)
  const known = witnesses()
  known.met(n2, disk, asRun(2))
  t.equal(known.judge(coming({ run: 2, lastIndex: 99 })), 'lost_data', 'but its disk had what run 1 acknowledged')
})

t.test('a run below one that was met is an old copy', async (t) => {
  const known = witnesses()
  known.met(n2, disk, asRun(7))
  t.equal(known.judge(coming({ run: 6 })), 'old_run')
  t.equal(known.judge(coming({ run: 7 })), null)
  known.met(n2, disk, asRun(3))
  t.equal(known.judge(coming({ run: 6 })), 'old_run', 'the highest counts')
})

t.test('another disk of the same node has promised nothing of this', async (t) => {
  const known = witnesses()
  t.equal(known.judge(coming({ incarnation: 'second', run: 2, term: 0, lastIndex: 0 })), null)
  known.met(n2, asIncarnation('second'), asRun(1))
  known.acknowledged(n2, asTerm(2), asIndex(10))
  t.equal(known.judge(coming({ incarnation: 'second', run: 2, term: 2, lastIndex: 9 })), 'lost_data')
  t.equal(known.judge(coming({ incarnation: 'second', run: 2, term: 2, lastIndex: 10 })), null)
})

t.test('H31 of two acknowledgements the one of the higher term is newer, whatever its index', async (t) => {
  const known = witnesses()
  known.acknowledged(n2, asTerm(6), asIndex(95))
  t.equal(known.judge(coming({ term: 6, lastIndex: 95 })), null)
  t.equal(known.judge(coming({ term: 6, lastIndex: 94 })), 'lost_data')
  known.acknowledged(n2, asTerm(5), asIndex(1000))
  known.acknowledged(n2, asTerm(6), asIndex(90))
  t.equal(known.judge(coming({ term: 6, lastIndex: 95 })), null, 'what comes late takes nothing back')
  t.equal(known.judge(coming({ term: 6, lastIndex: 94 })), 'lost_data')
})

t.test('an acknowledgement is that of the run that was met last', async (t) => {
  const known = witnesses()
  known.met(n2, disk, asRun(2))
  known.acknowledged(n2, asTerm(5), asIndex(150))
  t.equal(known.judge(coming({ run: 2, lastIndex: 100 })), null, 'it has acknowledged that since it began')
  t.equal(known.judge(coming({ run: 3, lastIndex: 149 })), 'lost_data')
})

t.test('who was never met has acknowledged nothing', async (t) => {
  const known = new Witnesses([])
  known.acknowledged(n2, asTerm(5), asIndex(100))
  t.equal(known.takeNews(), null)
})

t.test('what is new is handed out once, with all that is known, and is the same when it is read back', async (t) => {
  const known = witnesses()
  known.met(n3, disk, asRun(4))
  const news = known.takeNews() ?? []
  const expected: readonly PeerWitness[] = [
    { node: n2, incarnation: disk, run: asRun(1), ackTerm: asTerm(5), ackIndex: asIndex(100), ackRun: asRun(1) },
    { node: n3, incarnation: disk, run: asRun(4), ackTerm: asTerm(0), ackIndex: asIndex(0), ackRun: asRun(0) },
  ]
  t.same(news, expected)
  t.equal(known.takeNews(), null)
  known.met(n3, disk, asRun(4))
  known.acknowledged(n2, asTerm(5), asIndex(100))
  t.equal(known.takeNews(), null, 'nothing of this is new')
  const again = new Witnesses(news)
  t.equal(again.takeNews(), null, 'it is on disk')
  t.equal(again.judge(coming({ lastIndex: 99 })), 'lost_data')
  again.acknowledged(n2, asTerm(5), asIndex(101))
  t.equal(again.takeNews()?.[0]?.ackIndex, 101)
})
